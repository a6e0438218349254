import type { Dim } from '../core/dim.ts';
import { asConstant, foldNode } from '../graph/fold.ts';
import { apply, tensorOf, type Graph, type Node, type Value } from '../graph/graph.ts';
import { constantsOf } from '../graph/stats.ts';
import { specialise } from '../graph/specialise.ts';
import { mapDeep } from './deep.ts';
import type { GraphPass } from './pass.ts';

/** Results up to this many bytes are always computed. */
const SMALL = 2 ** 16;
/** Larger ones may take this many times the bytes of what they come from: a cast of weights from half floats is worth it. */
const GROWTH = 4;
/** The same for operators that fold only `small`. */
const SHORT = 4096;
/** Rounds for sizes that come out of constants and let more be computed. */
const ROUNDS = 8;

const bytesIn = (values: readonly (Value | undefined)[]): number =>
  values.reduce((sum, v) => sum + (tensorOf(v)?.bytes.length ?? 0), 0);
const limitOf = (n: Node): number => (n.op.fold === 'small' ? SHORT : Math.max(SMALL, GROWTH * bytesIn(n.inputs)));
/** Bytes of all results together, so that a chain that grows from step to step ends: this many, or so many times those of the constants. */
const WHOLE = { least: 2 ** 27, times: 4 };

/** Computes what depends on constants alone; `late`: also what passes have looked for by then. */
function constantFolding(name: string, doc: string, late: boolean): GraphPass {
  return {
    name,
    doc,
    run: g => {
      let now = g;
      const given = constantsOf(g).reduce((sum, c) => sum + c.tensor.bytes.length, 0);
      const space = { left: Math.max(WHOLE.least, WHOLE.times * given) };
      for (let round = 0; round < ROUNDS; round++) {
        const symbols = new Map<string, Dim>();
        now = fold(now, late, symbols, space);
        if (symbols.size === 0) break;
        now = specialise(now, symbols);
      }
      return now;
    },
  };
}
function fold(g: Graph, late: boolean, symbols: Map<string, Dim>, space: { left: number }): Graph {
  return mapDeep(g, () => (n, mapped) => {
    if (n.op.fold === 'late' && !late) return undefined;
    const inputs = mapped.map(v => v && asConstant(v));
    const changed = inputs.some((v, i) => v !== n.inputs[i]);
    const all = inputs.every(v => !v || v.def.k === 'const');
    if (!changed && !all) return n.outputs.some(isKnown) ? n.outputs.map(asConstant) : undefined;
    const outputs = changed ? apply(n.op, inputs, n.attrs, n.loc) : n.outputs;
    const [first] = outputs;
    const done = all && first?.def.k === 'node' ? foldNode(first.def, Math.min(limitOf(first.def), space.left)) : undefined;
    if (!done) return outputs.map(asConstant);
    space.left -= bytesIn(done.values);
    for (const s of n.op.definesSymbols?.(n) ?? []) symbols.set(s, done.symbols.get(s) ?? 0);
    return done.values;
  });
}
const isKnown = (v: Value): boolean => asConstant(v) !== v;

export const constantFold = constantFolding(
  'constant-fold',
  'What depends on constants alone is computed, but for what later passes look for.',
  false,
);
export const constantFoldAll = constantFolding(
  'constant-fold-all',
  'What depends on constants alone is computed, dequantized weights included.',
  true,
);
