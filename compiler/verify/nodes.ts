import { must, noLoc, type Loc } from '../core/diagnostic.ts';
import { dimHi } from '../core/dim.ts';
import { bytesOf } from '../core/dtype.ts';
import { elements, type TensorType } from '../core/shape.ts';
import type { Tensor } from '../core/tensor.ts';
import { WASM } from '../backend/wasm/index.ts';
import type { Graph } from '../graph/graph.ts';
import { graphPasses, runPasses } from '../passes/index.ts';
import type { Bundle } from '../run/bundle.ts';
import { openGraph } from '../run/graph.ts';
import { compare, divergence, type Difference, type Tolerance } from './compare.ts';
import { resolveTarget, type Target } from '../target/resolve.ts';
import type { Original, Reference } from '../reference/reference.ts';

/** Values compiled as outputs at a time: their memory, and their number. */
const CHUNK = { bytes: 256e6, values: 400 };
type Named = Original['named'][number];

/** Where a bundle and the model that it was made from part. */
export interface Divergence {
  /** How many values inside the model were compared. */
  readonly seen: number;
  readonly cause: DivergenceCause;
}
/** A value inside the model: its name and the node that makes it, and by which part of its largest magnitude it is off. */
export interface DivergentValue {
  readonly name: string;
  readonly loc: Loc;
  readonly type: TensorType;
  readonly by: number;
}
export type DivergenceCause =
  /** The first value that diverges; all before it agree. */
  | { readonly k: 'value'; readonly value: DivergentValue; readonly difference: Difference }
  /** Neither a value nor an output diverges. */
  | { readonly k: 'none'; readonly furthest: DivergentValue | undefined }
  /** All values agree on their own, and the outputs differ from this pass on, the `index`th of `of`. */
  | {
      readonly k: 'pass';
      readonly furthest: DivergentValue | undefined;
      readonly pass: string;
      readonly index: number;
      readonly of: number;
    }
  /** All values agree on their own, and the outputs differ without any pass too. */
  | { readonly k: 'lowering'; readonly furthest: DivergentValue | undefined }
  /** The bundle's outputs differ; those of the model compiled anew agree. */
  | { readonly k: 'other version'; readonly furthest: DivergentValue | undefined };

/**
 * Finds where a bundle leaves the original: compiles the model again with the values inside it as outputs, some at a time, and
 * compares each with the reference. Where every value agrees on its own, what is at fault is done to several at once: then the passes
 * are bisected.
 */
export async function findDivergence(
  bundle: Bundle,
  original: Original,
  ref: Reference,
  inputs: ReadonlyMap<string, Tensor>,
  tol: Tolerance,
): Promise<Divergence> {
  const own = bundle.manifest.profiles[bundle.profile];
  // What is inside a model is looked at in WebAssembly, whose kernels are those of C.
  const target = resolveTarget(own?.emit === WASM.name ? own : 'wasm-simd');
  const profile = must(target.profiles[0]);
  let furthest: DivergentValue | undefined;
  let seen = 0;
  for (const part of chunks(original.named)) {
    const want = await ref.values(
      part.map(v => v.name),
      inputs,
    );
    const graph: Graph = { ...original.graph, outputs: part };
    const got = (await openGraph(graph, target, g => runPasses(g, profile)))(inputs);
    for (const v of part) {
      const [g, w] = [got.get(v.name), want.get(v.name)];
      if (!g || !w) continue;
      seen++;
      const { def, type } = v.value;
      const value = { name: v.name, loc: def.k === 'node' ? def.loc : noLoc, type, by: divergence(g, w) };
      if (value.by > tol.rtol) return { seen, cause: { k: 'value', value, difference: compare(g, w, tol) } };
      if (!furthest || value.by > furthest.by) furthest = value;
    }
  }
  const want = await ref.run(inputs);
  const differs = (got: ReadonlyMap<string, Tensor>): boolean =>
    [...want].some(([name, w]) => {
      const g = got.get(name);
      return g !== undefined && !compare(g, w, tol).ok;
    });
  if (!differs(bundle.run(inputs))) return { seen, cause: { k: 'none', furthest } };
  return { seen, cause: { furthest, ...(await guiltyPass(original.graph, target, inputs, differs)) } };
}
function* chunks(all: readonly Named[]): Generator<{ name: string; value: Named['value'] }[]> {
  let part: Named[] = [];
  let bytes = 0;
  for (const v of all) {
    const size = dimHi(elements(v.value.type)) * bytesOf(v.value.type.dtype);
    if (part.length > 0 && (bytes + size > CHUNK.bytes || part.length >= CHUNK.values)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(v);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

/** The pass after which the outputs differ: the passes are applied up to half, and so on. */
async function guiltyPass(
  graph: Graph,
  target: Target,
  inputs: ReadonlyMap<string, Tensor>,
  differs: (got: ReadonlyMap<string, Tensor>) => boolean,
): Promise<{ k: 'pass'; pass: string; index: number; of: number } | { k: 'lowering' } | { k: 'other version' }> {
  const profile = must(target.profiles[0]);
  const passes = graphPasses;
  const after = async (n: number): Promise<boolean> =>
    differs((await openGraph(graph, target, g => passes.slice(0, n).reduce((x, p) => p.run(x, { profile }), g)))(inputs));
  if (await after(0)) return { k: 'lowering' };
  let [good, bad] = [0, passes.length];
  if (!(await after(bad))) return { k: 'other version' };
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (await after(middle)) bad = middle;
    else good = middle;
  }
  return { k: 'pass', pass: must(passes[bad - 1]).name, index: bad, of: passes.length };
}
