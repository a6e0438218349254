import { must } from '../core/diagnostic.ts';
import { dimEq, dimMul, type Dim } from '../core/dim.ts';
import { isFloat } from '../core/dtype.ts';
import type { NodeOf, Value } from '../graph/graph.ts';
import { op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { Attention } from '../ops/attention/attention.ts';
import type { UNSEEN } from '../ops/attention/attrs.ts';
import { attrsOf, type Typed } from '../ops/define.ts';
import { Add, Div, Equal, IsNaN, Mul, Not, Tanh, Where } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Expand, Reshape, Transpose } from '../ops/movement/view.ts';
import { Softmax } from '../ops/reduce/norm.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { madeBy, out, splat } from './match.ts';

/** softmax(scale * q k^T + mask) v as the operator that computes it without the matrix of all scores in memory. */

/** What is known of the scores while their arithmetic is taken apart, outermost first. */
interface Scores {
  readonly value: Value;
  readonly scale: number;
  /** The scores are softcap * tanh(scores / softcap); 0: they are not. */
  readonly softcap: number;
  /** Added to the scores, or where it is false they are `hidden`. */
  readonly mask: Value | undefined;
  readonly hidden: number;
}
/** Takes one scale, mask or choice off the scores; undefined where there is nothing that can be taken off. */
function peel(m: Match, s: Scores, shared: Value | undefined): Scores | undefined {
  const d = s.value.def;
  if (d.k !== 'node' || !(m.usedOnce(s.value) || s.value === shared)) return undefined;
  const [a, b, c] = d.inputs;
  const full = (v: Value | undefined): v is Value => v !== undefined && sameShape(v, s.value);
  switch (d.op) {
    case Mul:
    case Div: {
      const [x, k] = splat(b) === undefined && d.op === Mul ? [b, splat(a)] : [a, splat(b)];
      if (k === undefined || !full(x)) return undefined;
      return { ...s, value: x, scale: d.op === Mul ? s.scale * k : s.scale / k };
    }
    case Tanh:
      return s.softcap === 0 && s.scale > 0 && a ? { ...s, value: a, softcap: s.scale, scale: 1 } : undefined;
    case Add: {
      // The scale comes before the mask: a mask inside a scale is not one.
      if (s.mask || s.scale !== 1 || s.softcap !== 0) return undefined;
      const [x, mask] = isScores(a) ? [a, b] : [b, a];
      return full(x) && mask && isScores(x) ? { ...s, value: x, mask } : undefined;
    }
    case Where: {
      if (s.mask || s.scale !== 1 || s.softcap !== 0 || !a) return undefined;
      const [hide, show] = [splat(c), splat(b)];
      if (hide !== undefined && full(b)) return { ...s, value: b, mask: a, hidden: hide };
      if (show !== undefined && full(c)) return { ...s, value: c, mask: m.apply1(Not, [a]), hidden: show };
      return undefined;
    }
  }
  return undefined;
}
const sameShape = (a: Value, b: Value): boolean =>
  a.type.shape.length === b.type.shape.length && a.type.shape.every((d, i) => dimEq(d, must(b.type.shape[i])));
/** Whether a value is a product of two things that are computed, perhaps scaled. */
function isScores(v: Value | undefined): boolean {
  let x = v;
  for (let i = 0; i < 5 && x?.def.k === 'node'; i++) {
    const d = x.def;
    if (d.op === MatMul) return d.inputs.every(y => y?.def.k !== 'const');
    if (d.op !== Mul && d.op !== Div && d.op !== Tanh) return false;
    x = d.inputs[1] && splat(d.inputs[1]) === undefined ? d.inputs[1] : d.inputs[0];
  }
  return false;
}
/** A factor of q or k taken off. */
function unscaled(m: Match, v: Value): { readonly value: Value; readonly scale: number } {
  const d = v.def;
  if (d.k === 'node' && (d.op === Mul || d.op === Div) && m.usedOnce(v)) {
    const k = splat(d.inputs[1]);
    const x = d.inputs[0];
    if (k !== undefined && x && sameShape(x, v)) return { value: x, scale: d.op === Mul ? k : 1 / k };
  }
  return { value: v, scale: 1 };
}
/** The probabilities behind a guard against rows that see nothing, or without one; and what such rows are. */
function unguarded(
  m: Match,
  v: Value,
): { readonly softmax: NodeOf<Typed<(typeof Softmax)['attrs']>>; readonly unseen: (typeof UNSEEN)[number] } | undefined {
  const plain = madeBy(v, Softmax);
  if (plain) return m.usedOnce(v) ? { softmax: plain, unseen: 'nan' } : undefined;
  const [c, zero, p] = madeBy(v, Where)?.inputs ?? [];
  const softmax = madeBy(p, Softmax);
  if (!m.usedOnce(v) || !p || !softmax || splat(zero) !== 0) return undefined;
  if (madeBy(c, IsNaN)?.inputs[0] === p) return m.uses(p) <= 2 ? { softmax, unseen: 'clear' } : undefined;
  // The largest score of a row that sees nothing is minus infinity.
  const [most, least] = madeBy(c, Equal)?.inputs ?? [];
  const top = madeBy(most, Reduce);
  const rows = top !== undefined && top.inputs[0] === softmax.inputs[0] && top.attrs.of === 'max';
  return rows && splat(least) === -Infinity && m.usedOnce(p) ? { softmax, unseen: 'zero' } : undefined;
}
const swapLast = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));

/** With four axes as they are, with three as heads that are batch entries, with two as one of each. */
function fourAxes(m: Match, x: Value): Value {
  const { shape } = x.type;
  if (shape.length === 4) return x;
  const [rows, d] = [must(shape.at(-2)), must(shape.at(-1))];
  return m.apply1(Reshape, [x], { shape: [shape.length === 3 ? must(shape[0]) : 1, 1, rows, d] });
}

const attention: Rule = rule('attention', op(MatMul, [], { more: true }), m => {
  const { transA, transB } = attrsOf(m.root, MatMul);
  const [left, v] = m.root.inputs;
  const y = out(m.root);
  const rank = y.type.shape.length;
  if (!left || !v || transA || rank < 2 || rank > 4 || !isFloat(y.type.dtype)) return undefined;
  const found = unguarded(m, left);
  const [scores] = found?.softmax.inputs ?? [];
  if (!found || !scores || found.softmax.attrs.log || found.softmax.attrs.axis !== rank - 1) return undefined;
  // The guard reads the scores as well.
  const shared = found.unseen === 'zero' && m.uses(scores) <= 2 ? scores : undefined;
  let s: Scores = { value: scores, scale: 1, softcap: 0, mask: undefined, hidden: -Infinity };
  for (let next: Scores | undefined = s; next; next = peel(m, s, shared)) s = next;
  const product = madeBy(s.value, MatMul);
  if (!product || !(m.usedOnce(s.value) || s.value === shared) || product.attrs.transA) return undefined;
  const [q0, k0] = product.inputs;
  if (!q0 || !k0 || [q0, k0, v].some(x => x.type.shape.length !== rank)) return undefined;
  const q = unscaled(m, q0);
  const k = unscaled(m, k0);
  const turn = (x: Value): Value => m.apply1(Transpose, [x], { perm: swapLast(rank) });
  const keys = product.attrs.transB ? k.value : turn(k.value);
  const values = transB ? turn(v) : v;
  const [q4, k4, v4] = [fourAxes(m, q.value), fourAxes(m, keys), fourAxes(m, values)];
  if (!fits(q4, k4, v4)) return undefined;
  const mask = maskOf(m, s.mask, rank, q4, k4);
  if (mask === null) return undefined;
  const scale = s.scale * q.scale * k.scale * (s.softcap === 0 ? 1 : s.softcap);
  if (!Number.isFinite(scale)) return undefined;
  const result = m.apply1(Attention, [q4, k4, v4, mask], { scale, softcap: s.softcap, hidden: s.hidden, unseen: found.unseen });
  const heads = m.apply1(Transpose, [result], { perm: [0, 2, 1, 3] });
  return rank === 4 ? heads : m.apply1(Reshape, [heads], { shape: y.type.shape });
});
/** Batches are equal, and heads are known and shared evenly. */
function fits(q: Value, k: Value, v: Value): boolean {
  const [qb, qh] = q.type.shape;
  const [kb, kh] = k.type.shape;
  const [vb, vh] = v.type.shape;
  const same = (a: Dim | undefined, b: Dim | undefined): boolean => dimEq(must(a), must(b));
  return same(qb, kb) && same(qb, vb) && same(kh, vh) && typeof qh === 'number' && typeof kh === 'number' && kh > 0 && qh === kh;
}
/** The mask over [batch, heads, rows, keys]; undefined: none; null: it does not broadcast to that. */
function maskOf(m: Match, mask: Value | undefined, rank: number, q: Value, k: Value): Value | undefined | null {
  if (!mask) return undefined;
  if (mask.type.dtype !== 'bool' && mask.type.dtype !== q.type.dtype) return null;
  const { shape } = mask.type;
  if (shape.length > rank) return null;
  // With three axes the first is the batch of four, whose heads are one.
  const wide =
    rank === 3 && shape.length === 3
      ? m.apply1(Reshape, [mask], { shape: [must(shape[0]), 1, must(shape[1]), must(shape[2])] })
      : mask;
  const full = [...q.type.shape.slice(0, 3), must(k.type.shape[2])];
  const own = wide.type.shape;
  return own.every((d, a) => d === 1 || dimEq(d, must(full[a + 4 - own.length]))) ? wide : null;
}
/** Keys or values of which each head was repeated for a group of heads that share it: what they were before. */
function ungrouped(v: Value | undefined): { readonly value: Value; readonly group: Dim } | undefined {
  const expanded = madeBy(v, Reshape)?.inputs[0];
  const wide = madeBy(expanded, Expand)?.inputs[0];
  if (!v || !expanded || !wide || wide.type.shape.length !== 5 || expanded.type.shape.length !== 5) return undefined;
  const [b, h, one, n, d] = wide.type.shape;
  const [eb, eh, group, en, ed] = expanded.type.shape;
  const same = [
    [b, eb],
    [h, eh],
    [n, en],
    [d, ed],
  ].every(([x, y]) => dimEq(must(x), must(y)));
  const joined = [must(b), dimMul(must(h), must(group)), must(n), must(d)];
  if (one !== 1 || !same || !v.type.shape.every((s, i) => dimEq(s, joined[i] ?? NaN))) return undefined;
  const before = madeBy(wide, Reshape)?.inputs[0];
  const own = [must(b), must(h), must(n), must(d)];
  const fit = before?.type.shape.length === 4 && before.type.shape.every((s, i) => dimEq(s, must(own[i])));
  return fit ? { value: before, group: must(group) } : undefined;
}
const groups: Rule = rule('attention of heads that share keys', op(Attention, [], { more: true }), m => {
  const [q, k, v, ...rest] = m.root.inputs;
  const [keys, values] = [ungrouped(k), ungrouped(v)];
  if (!q || !keys || !values || !dimEq(keys.group, values.group)) return undefined;
  return m.apply1(Attention, [q, keys.value, values.value, ...rest], attrsOf(m.root, Attention));
});

export const attentionRules: readonly Rule[] = [attention, groups];
