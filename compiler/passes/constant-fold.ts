import type { Dim } from '../core/dim.ts';
import { asConstant, foldNode } from '../graph/fold.ts';
import { apply, tensorOf, type Graph, type Node, type Value } from '../graph/graph.ts';
import { specialise } from '../graph/specialise.ts';
import { mapDeep } from './deep.ts';
import type { GraphPass } from './pass.ts';

/** Results up to this many bytes are always computed. */
const SMALL = 2 ** 16;
/** Larger ones may take this many times the bytes of what they come from: a cast of weights from half floats is worth it. */
const GROWTH = 4;
/** Operators that repeat their input: what reads them reads the input as well. */
const REPEATING: ReadonlySet<string> = new Set(['Expand', 'Tile']);
/** Rounds for sizes that come out of constants and let more be computed. */
const ROUNDS = 8;

const limitOf = (n: Node): number => {
  if (REPEATING.has(n.op.name)) return 4096;
  const from = n.inputs.reduce((sum, v) => sum + (tensorOf(v)?.bytes.length ?? 0), 0);
  return Math.max(SMALL, GROWTH * from);
};

/** Computes what depends on constants alone. `keep` names operators that a later pass wants to see as they are. */
function constantFolding(name: string, keep: readonly string[]): GraphPass {
  return {
    name,
    doc: `Compute what depends on constants alone${keep.length > 0 ? `, except ${keep.join(', ')}` : ''}`,
    run: g => {
      let now = g;
      for (let round = 0; round < ROUNDS; round++) {
        const symbols = new Map<string, Dim>();
        now = fold(now, keep, symbols);
        if (symbols.size === 0) break;
        now = specialise(now, symbols);
      }
      return now;
    },
  };
}
function fold(g: Graph, keep: readonly string[], symbols: Map<string, Dim>): Graph {
  return mapDeep(g, () => (n, mapped) => {
    if (keep.includes(n.op.name)) return undefined;
    const inputs = mapped.map(v => v && asConstant(v));
    const changed = inputs.some((v, i) => v !== n.inputs[i]);
    const all = inputs.every(v => !v || v.def.k === 'const');
    if (!changed && !all) return n.outputs.some(isKnown) ? n.outputs.map(asConstant) : undefined;
    const outputs = changed ? apply(n.op, inputs, n.attrs, n.loc) : n.outputs;
    const [first] = outputs;
    const done = all && first?.def.k === 'node' ? foldNode(first.def, limitOf(first.def)) : undefined;
    if (!done) return outputs.map(asConstant);
    for (const s of n.op.definesSymbols?.(n) ?? []) symbols.set(s, done.symbols.get(s) ?? 0);
    return done.values;
  });
}
const isKnown = (v: Value): boolean => asConstant(v) !== v;

export const constantFold = constantFolding('constant-fold', ['DequantizeLinear']);
/** After integer kernels were chosen: what is still dequantized becomes floats. */
export const constantFoldAll = constantFolding('constant-fold-all', []);
