import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { compileGraph } from '../compile.ts';
import type { Graph } from '../graph/graph.ts';
import { unfinished } from '../host/ending.ts';
import { runPasses } from '../passes/index.ts';
import { resolveTarget, type Target } from '../target/resolve.ts';
import { openBundle } from './bundle.ts';

type Run = (inputs: ReadonlyMap<string, Tensor>) => Map<string, Tensor>;

/** Compiles a graph and opens it by the loader, from a temporary folder that is gone when it is open. */
export async function openGraph(graph: Graph, target: Target, passes: (g: Graph) => Graph): Promise<Run> {
  const { backEnd, name } = target;
  const module = await compileGraph(passes(graph), must(target.profiles[0]));
  const files = await backEnd.bundle([module], {
    target: name,
    source: { file: graph.name, bytes: 0, sha256: '' },
    operators: { before: 0, after: 0 },
    macs: undefined,
    passes: [],
    options: {},
  });
  const dir = mkdtempSync(join(tmpdir(), 'sinter-run-'));
  const done = unfinished({ k: 'path', path: dir });
  try {
    for (const [file, bytes] of files) writeFileSync(join(dir, file), bytes);
    const bundle = await openBundle(dir);
    return inputs => bundle.run(inputs);
  } finally {
    rmSync(dir, { recursive: true, force: true });
    done();
  }
}
/** A graph as WebAssembly: what runs many samples. */
export function compiledEngine(g: Graph): Promise<Run> {
  const target = resolveTarget('wasm-simd');
  const profile = must(target.profiles[0]);
  return openGraph(g, target, x => runPasses(x, profile));
}
