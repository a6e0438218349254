import { must } from '../../../core/diagnostic.ts';
import { dimEq, dimMul, dimSub, rangeOf, type Dim } from '../../../core/dim.ts';
import type { DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { Attention } from '../../../ops/attention/attention.ts';
import { Add, And, Cast, Div, Equal, Less, LessOrEqual, Max, Mul, Sub, Tanh, Where } from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { Range } from '../../../ops/movement/range.ts';
import { Reduce } from '../../../ops/reduce/reduce.ts';
import type { ImportCtx, OnnxNode } from '../registry.ts';
import { ALIGN } from '../../../ops/attention/attrs.ts';
import { sizesValue } from '../../shared/sizes.ts';
import { reshape, slice, transpose } from '../../shared/views.ts';

/** Attention of all kinds, as every operator for it brings its operands into the same form. */
export interface Heads {
  /** [batch, heads, rows, size], k and v with as many or fewer heads. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** Broadcasts to [batch, heads, rows, keys]: added, or false where hidden. */
  readonly mask?: Value | undefined;
  /** How many keys of each sample count. */
  readonly lengths?: Value | undefined;
  readonly scale: number;
  readonly softcap?: number;
  readonly causal?: boolean;
  readonly offset?: Dim;
  readonly align?: (typeof ALIGN)[number];
  readonly window?: number;
}
/** What becomes of the scores besides: which stage of them is an output, in which type softmax runs, what changes them on the way. */
interface Stages {
  readonly precision?: DType | undefined;
  score?(scores: Value): Value;
  weight?(weights: Value): Value;
}

/** [batch, rows, heads * size] as [batch, heads, rows, size]. */
export function splitHeads(n: OnnxNode, c: ImportCtx, x: Value, heads: number): Value {
  const [batch, rows, width] = x.type.shape;
  if (batch === undefined || rows === undefined || width === undefined || x.type.shape.length !== 3)
    return n.reject(`an operand has ${x.type.shape.length} axes, must have 3`);
  if (heads < 1) n.reject(`${heads} heads`);
  if (typeof width !== 'number') return n.unsupported('the width of the heads is known only when the model runs');
  if (width % heads !== 0) n.reject(`a width of ${width} is not for ${heads} heads`);
  return transpose(c, reshape(c, x, [batch, rows, heads, width / heads]), [0, 2, 1, 3]);
}
/** [batch, rows, heads, size] as [batch, rows, heads * size]. */
export function joinHeads(c: ImportCtx, x: Value): Value {
  const [batch = 1, rows = 1, heads = 1, size = 1] = x.type.shape;
  return reshape(c, x, [batch, rows, dimMul(heads, size)]);
}
/** The scale that attention has unless another is given. */
export function defaultScale(n: OnnxNode, q: Value): number {
  const d = q.type.shape[3];
  return typeof d === 'number' ? 1 / Math.sqrt(d) : n.unsupported('the head size is known only when the model runs');
}

/** The result [batch, rows, heads, size]. */
export function attend(c: ImportCtx, h: Heads): Value {
  const p = withFittingMask(c, h);
  return c.apply1(Attention, [p.q, p.k, p.v, p.mask, p.lengths], {
    scale: p.scale,
    softcap: p.softcap ?? 0,
    causal: p.causal ?? false,
    offset: p.offset ?? 0,
    align: p.align ?? 'none',
    window: p.window ?? 0,
  });
}
/** A mask for fewer keys than there are hides the rest: they need not be looked at. */
function withFittingMask(c: ImportCtx, h: Heads): Heads {
  const width = h.mask?.type.shape.at(-1) ?? 1;
  const keys = must(h.k.type.shape[2]);
  if (width === 1 || rangeOf(dimSub(keys, width)).lo <= 0) return h;
  const cut = (x: Value): Value => slice(c, x, new Map([[2, { start: 0, size: width, step: 1 }]]));
  return { ...h, k: cut(h.k), v: cut(h.v) };
}

/** The same in single operators, with the scores in sight: `keep` says at which stage (0 to 3 as in ONNX) they are an output. */
export function attendSpelled(
  n: OnnxNode,
  c: ImportCtx,
  h: Heads,
  keep: number,
  s: Stages = {},
): { readonly y: Value; readonly scores: Value } {
  const { dtype } = h.q.type;
  const [batch = 1, heads, rows = 1, size = 1] = h.q.type.shape;
  const [, kvHeads, keys = 1] = h.k.type.shape;
  const dv = must(h.v.type.shape[3]);
  if (typeof heads !== 'number' || typeof kvHeads !== 'number')
    return n.unsupported('the number of heads is known only when the model runs');
  if (kvHeads < 1 || heads % kvHeads !== 0) n.reject(`${heads} heads cannot share ${kvHeads}`);
  const grouped = heads !== kvHeads;
  const group = (x: Value, last: Dim): Value => (grouped ? reshape(c, x, [batch, kvHeads, heads / kvHeads, rows, last]) : x);
  const shared = (x: Value, last: Dim): Value => (grouped ? reshape(c, x, [batch, kvHeads, 1, keys, last]) : x);
  const full = [batch, heads, rows, keys];
  // Both sides are scaled by the root, as the standard does, so that half floats do not overflow.
  const root = c.literal(dtype, Math.sqrt(Math.abs(h.scale)));
  const scaled = (x: Value): Value => c.apply1(Mul, [x, root]);
  let scores = reshape(c, c.apply1(MatMul, [group(scaled(h.q), size), shared(scaled(h.k), size)], { transB: true }), full);
  if (h.scale < 0) scores = c.apply1(Mul, [scores, c.literal(dtype, -1)]);
  const stages: Value[] = [scores];
  const cap = h.softcap ?? 0;
  if (cap > 0) scores = c.apply1(Mul, [c.apply1(Tanh, [c.apply1(Div, [scores, c.literal(dtype, cap)])]), c.literal(dtype, cap)]);
  stages.push(scores);
  const bias = biasOf(c, h, dtype, rows, keys);
  if (bias) scores = c.apply1(Add, [scores, bias]);
  stages.push(scores);
  const precision = s.precision ?? dtype;
  const cast = (x: Value, to: DType): Value => (x.type.dtype === to ? x : c.apply1(Cast, [x], { to }));
  let wide = cast(scores, precision);
  if (s.score) wide = s.score(wide);
  let weights = c.apply1(Softmax, [wide], { axis: 3 });
  if (bias) {
    const top = c.apply1(Reduce, [wide], { of: 'max', axes: [3], keep: true });
    const none = c.apply1(Equal, [top, c.literal(precision, -Infinity)]);
    weights = c.apply1(Where, [none, c.literal(precision, 0), weights]);
  }
  if (s.weight) weights = s.weight(weights);
  weights = cast(weights, dtype);
  stages.push(weights);
  const out = reshape(c, c.apply1(MatMul, [group(weights, keys), shared(h.v, dv)]), [batch, heads, rows, dv]);
  return { y: transpose(c, out, [0, 2, 1, 3]), scores: must(stages[keep]) };
}
/** What is added to the scores: the mask, and minus infinity where causality, window or lengths hide. */
function biasOf(c: ImportCtx, h: Heads, dtype: DType, rows: Dim, keys: Dim): Value | undefined {
  const parts: Value[] = [];
  const hidden = (seen: Value): Value => c.apply1(Where, [seen, c.literal(dtype, 0), c.literal(dtype, -Infinity)]);
  if (h.mask) {
    const given = h.mask.type.dtype === 'bool' ? hidden(h.mask) : h.mask;
    parts.push(padded(c, given, dtype, keys));
  }
  const count = (of: Dim, shape: readonly Dim[]): Value =>
    reshape(c, c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: of }), shape);
  const column = count(keys, [1, keys]);
  const lengths =
    h.lengths &&
    reshape(c, h.lengths.type.dtype === 'i64' ? h.lengths : c.apply1(Cast, [h.lengths], { to: 'i64' }), [
      must(h.lengths.type.shape[0]),
      1,
      1,
      1,
    ]);
  const seen: Value[] = [];
  if (lengths) seen.push(c.apply1(Less, [column, lengths]));
  if (h.causal || (h.window ?? 0) > 0) {
    const ends = lengths && h.align && h.align !== 'none' ? c.apply1(Sub, [lengths, sizesValue(c, [rows], [])]) : undefined;
    const shift = ends
      ? h.align === 'past'
        ? c.apply1(Max, [ends, c.literal('i64', 0)])
        : ends
      : sizesValue(c, [h.offset ?? 0], []);
    const last = c.apply1(Add, [count(rows, [rows, 1]), shift]);
    if (h.causal) seen.push(c.apply1(LessOrEqual, [column, last]));
    if ((h.window ?? 0) > 0) seen.push(c.apply1(Less, [c.apply1(Sub, [last, c.literal('i64', h.window ?? 0)]), column]));
  }
  if (seen.length > 0) parts.push(hidden(seen.reduce((a, b) => c.apply1(And, [a, b]))));
  return parts.length === 0 ? undefined : parts.reduce((a, b) => c.apply1(Add, [a, b]));
}
/** A mask for fewer keys hides the others. */
function padded(c: ImportCtx, mask: Value, dtype: DType, keys: Dim): Value {
  const { shape } = mask.type;
  const width = shape.at(-1) ?? 1;
  const missing = dimSub(keys, width);
  if (width === 1 || dimEq(width, keys) || rangeOf(missing).lo <= 0) return mask;
  const none = shape.map(() => 0);
  const end: Dim[] = [...none.slice(1), missing];
  return c.apply1(Pad, [mask, c.literal(dtype, -Infinity)], { begin: none, end });
}
