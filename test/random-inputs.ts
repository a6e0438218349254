import { evalDim, symbolsOf, type Sym } from '../compiler/core/dim.ts';
import { randomTensor } from '../compiler/core/random.ts';
import type { Tensor } from '../compiler/core/tensor.ts';
import type { Graph } from '../compiler/graph/graph.ts';

/** The symbols in the sizes of a graph's inputs. */
export function inputSymbols(g: Graph): readonly Sym[] {
  const all = new Map<string, Sym>();
  for (const v of g.inputs) for (const d of v.type.shape) for (const s of symbolsOf(d)) all.set(s.name, s);
  return [...all.values()];
}
export interface InputRange {
  readonly lo: number;
  readonly hi: number;
}
/** Random inputs for a graph, its symbols chosen by `size`; `ranges` bounds the elements of some. */
export function randomInputs(
  g: Graph,
  seed: number,
  size: (s: Sym) => number = s => Math.min(s.hi, s.lo + 2),
  ranges: ReadonlyMap<string, InputRange> = new Map(),
): Map<string, Tensor> {
  const env = new Map(inputSymbols(g).map(s => [s.name, size(s)]));
  const out = new Map<string, Tensor>();
  g.inputs.forEach((v, i) => {
    if (v.def.k === 'node') return;
    const r = ranges.get(v.def.name);
    const dims = v.type.shape.map(d => evalDim(d, env));
    out.set(v.def.name, randomTensor(v.type.dtype, dims, seed + 17 * i, r?.lo, r?.hi));
  });
  return out;
}
