import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, must } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { compileGraph } from '../compile.ts';
import type { Graph } from '../graph/graph.ts';
import { buildLibraries } from '../host/build.ts';
import { unfinished } from '../host/ending.ts';
import type { LowerSettings } from '../ops/lowering.ts';
import { runPasses } from '../passes/index.ts';
import { resolveTarget, type Target } from '../target/resolve.ts';
import { openBundle, openIndex, type Bundle } from './bundle.ts';
import { readManifest } from './manifest.ts';

type Run = (inputs: ReadonlyMap<string, Tensor>) => Map<string, Tensor>;

/** Compiles a graph and opens it by the loader, as an addon where it is C, from a temporary folder that is gone when it is open. E207. */
export async function openGraph(
  graph: Graph,
  target: Target,
  passes: (g: Graph) => Graph,
  settings: LowerSettings = {},
): Promise<Run> {
  const { backEnd, name } = target;
  const module = await compileGraph(passes(graph), must(target.profiles[0]), settings);
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
    const bundle = await openBuilt(dir);
    return inputs => bundle.run(inputs);
  } finally {
    rmSync(dir, { recursive: true, force: true });
    done();
  }
}
/** Opens a bundle. One of C has its addon built: a program would be started for each run. */
async function openBuilt(dir: string): Promise<Bundle> {
  const manifest = readManifest(dir);
  const built = manifest.native && buildLibraries(dir, manifest.native);
  if (!built) return openBundle(dir);
  if ('why' in built) return fail('E207', { dir, why: built.why });
  try {
    return await openIndex(dir, manifest);
  } catch (e) {
    return fail('E207', { dir, why: e instanceof Error ? e.message : String(e) });
  }
}
/** A graph as WebAssembly: what runs many samples. */
export function compiledEngine(g: Graph): Promise<Run> {
  const target = resolveTarget('wasm-simd');
  const profile = must(target.profiles[0]);
  return openGraph(g, target, x => runPasses(x, profile));
}
