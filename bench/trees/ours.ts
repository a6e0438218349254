import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileGraph } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { makeBundle } from '../../compiler/emit/bundle/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import type { TreeStrategy } from '../../compiler/ops/lowering.ts';
import { resolveTarget } from '../../compiler/targets.ts';

export interface OurModel {
  run(inputs: Readonly<Record<string, unknown>>): Readonly<Record<string, { readonly data: Float32Array }>>;
}
export interface OurBundle {
  readonly model: OurModel;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Milliseconds from the graph to the files. */
  readonly compileMs: number;
}
/** Compiles a graph to a bundle in a folder and loads it from there, as a program does. */
export async function loadOurs(g: Graph, target: string, dir: string, treeStrategy: TreeStrategy = 'auto'): Promise<OurBundle> {
  const start = performance.now();
  const module = await compileGraph(g, must(resolveTarget(target).profiles[0]), undefined, { treeStrategy });
  const files = await makeBundle({
    modules: [module],
    target,
    source: { file: 'forest', bytes: 0, sha256: '' },
    operators: { before: 1, after: 1 },
    macs: undefined,
    passes: [],
    options: {},
  });
  const compileMs = performance.now() - start;
  mkdirSync(dir, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  const bundle = (await import(pathToFileURL(join(dir, 'index.js')).href)) as { load(): Promise<OurModel> };
  return { model: await bundle.load(), files, compileMs };
}
