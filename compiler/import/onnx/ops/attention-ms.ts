import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimEq, dimSub, dimsNeverEqual, type Dim } from '../../../core/dim.ts';
import { isInt } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { Add, And, Cast, Greater, GreaterOrEqual, Less, Max, Sub, Where } from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { Range } from '../../../ops/movement/range.ts';
import { TensorScatter } from '../../../ops/movement/scatter.ts';
import { Sizes } from '../../../ops/movement/shape.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { attend, attendSpelled, defaultScale, joinHeads, splitHeads, type Heads } from './attend.ts';
import { cacheRows, headsLast, positionsFrom, rotaryEmbeddingMs, rotate } from './rotary.ts';
import { concat, reshape, slice, transpose } from '../../shared/views.ts';

/** Attention operators of onnxruntime's own domain, as transformers exported and optimised for it have them. */

const part = (c: ImportCtx, x: Value, axis: number, start: Dim, size: Dim): Value =>
  slice(c, x, new Map([[axis, { start, size, step: 1 }]]));
/** Element `i` of an axis, without the axis. */
const pick = (c: ImportCtx, x: Value, axis: number, i: number): Value =>
  reshape(
    c,
    part(c, x, axis, i, 1),
    x.type.shape.filter((_, a) => a !== axis),
  );
/** Inputs that Sinter does not know, which must be left out. */
function refuse(n: OnnxNode, inputs: Readonly<Record<number, string>>): void {
  for (const [i, what] of Object.entries(inputs)) if (n.inputs[Number(i)]) n.unsupported(`${what} is not supported`);
}

/**
 * What hides keys, as something to add to the scores: `mask` is [batch, keys] or [batch, rows, keys] of 0 and 1, or of one axis: the
 * number of keys of each sample, or [2*batch] their ends and beginnings.
 */
function keyMask(n: OnnxNode, c: ImportCtx, mask: Value, q: Value, keys: Dim): Value {
  const { dtype, shape } = q.type;
  const [batch = 1, , rows = 1] = shape;
  const filter = c.literal(dtype, n.float('mask_filter_value', -10000));
  if (!isInt(mask.type.dtype)) n.unsupported(`a mask of type ${mask.type.dtype}`);
  const m = mask.type.shape;
  const hidden = (seen: Value): Value => c.apply1(Where, [seen, c.literal(dtype, 0), filter]);
  const nonZero = (shape: readonly Dim[]): Value =>
    hidden(c.apply1(Greater, [reshape(c, mask, shape), c.literal(mask.type.dtype, 0)]));
  if (m.length === 2) {
    if (!dimEq(must(m[1]), keys) && dimsNeverEqual(must(m[1]), keys)) n.unsupported('a mask for other keys than there are');
    return nonZero([batch, 1, 1, keys]);
  }
  if (m.length === 3) return nonZero([batch, 1, rows, keys]);
  if (m.length !== 1) return n.unsupported(`a mask of ${m.length} axes`);
  const column = c.apply1(Range, [c.literal(mask.type.dtype, 0), c.literal(mask.type.dtype, 1)], { n: keys });
  const bound = (start: Dim): Value => reshape(c, part(c, mask, 0, start, batch), [batch, 1, 1, 1]);
  const before = c.apply1(Less, [column, bound(0)]);
  if (dimEq(must(m[0]), batch)) return hidden(before);
  if (dimEq(must(m[0]), dimAdd(batch, batch)))
    return hidden(c.apply1(And, [before, c.apply1(GreaterOrEqual, [column, bound(batch)])]));
  return n.unsupported('sequences packed into one batch');
}
const sum = (c: ImportCtx, parts: readonly (Value | undefined)[]): Value | undefined =>
  parts.filter(p => p !== undefined).reduce<Value | undefined>((a, b) => (a ? c.apply1(Add, [a, b]) : b), undefined);
/** Result and, where wanted as output `at`, the weights after softmax. */
function run(n: OnnxNode, c: ImportCtx, h: Heads, at: number): { readonly y: Value; readonly weights?: Value } {
  if (!n.wants(at)) return { y: joinHeads(c, attend(c, h)) };
  const s = attendSpelled(n, c, h, 3);
  return { y: joinHeads(c, s.y), weights: s.scores };
}

const multiHead: OnnxBuilder = (n, c) => {
  refuse(n, { 8: 'a cache shared with the past', 9: 'cache_indirection' });
  const heads = n.int('num_heads');
  const query = n.input(0, 'query');
  let [q, k, v]: (Value | undefined)[] = [query, n.inputs[1], n.inputs[2]];
  const bias = n.inputs[3];
  const headed = (x: Value): Value => (x.type.shape.length === 4 ? x : splitHeads(n, c, x, heads));
  if (query.type.shape.length === 5) {
    // [batch, rows, heads, 3, size]
    [q, k, v] = [0, 1, 2].map(i => transpose(c, pick(c, query, 3, i), [0, 2, 1, 3]));
  } else if (k?.type.shape.length === 5) {
    const packed = k;
    [k, v] = [0, 1].map(i => transpose(c, pick(c, packed, 3, i), [0, 2, 1, 3]));
  }
  if (!k || !v) return n.reject('key and value must be given');
  if (bias) {
    const width = (x: Value): Dim =>
      x.type.shape.length === 3 ? must(x.type.shape[2]) : Number(x.type.shape[1]) * Number(x.type.shape[3]);
    let at: Dim = 0;
    const biased = (x: Value): Value => {
      const w = width(x);
      const b = part(c, bias, 0, at, w);
      at = dimAdd(at, w);
      if (x.type.shape.length === 3) return c.apply1(Add, [x, b]);
      return c.apply1(Add, [x, reshape(c, b, [must(x.type.shape[1]), 1, must(x.type.shape[3])])]);
    };
    // Keys of four axes come from a past and have their bias.
    const crossed = n.inputs[1]?.type.shape.length === 4;
    q = biased(q ?? query);
    if (!crossed) {
      k = biased(k);
      v = biased(v);
    }
  }
  const qh = headed(q ?? query);
  let [kh, vh] = [headed(k), headed(v)];
  const [pastKey, pastValue] = [n.inputs[6], n.inputs[7]];
  if (pastKey) kh = concat(c, [pastKey, kh], 2);
  if (pastValue) vh = concat(c, [pastValue, vh], 2);
  const keys = must(kh.type.shape[2]);
  const mask = sum(c, [n.inputs[4] && keyMask(n, c, n.inputs[4], qh, keys), n.inputs[5]]);
  const { y, weights } = run(
    n,
    c,
    {
      q: qh,
      k: kh,
      v: vh,
      mask,
      scale: scaleOf(n, qh),
      causal: n.bool('unidirectional', false),
      offset: dimSub(keys, must(qh.type.shape[2])),
    },
    3,
  );
  return [y, kh, vh, weights];
};
const scaleOf = (n: OnnxNode, q: Value): number => {
  const given = n.float('scale', 0);
  return given === 0 ? defaultScale(n, q) : given;
};

const classic: OnnxBuilder = (n, c) => {
  refuse(n, { 6: 'a cache shared with the past' });
  if (n.bool('do_rotary', false)) n.unsupported('do_rotary');
  const heads = n.int('num_heads');
  const weights = n.input(1, 'weights');
  const total = weights.type.shape[1] ?? n.reject('the weights must have two axes');
  const sizes = n.ints('qkv_hidden_sizes', []);
  if (typeof total !== 'number') return n.unsupported('the width of the weights is known only when the model runs');
  const [dq, dk, dv] = sizes.length === 3 ? sizes : [total / 3, total / 3, total / 3];
  let all = c.apply1(MatMul, [n.input(0, 'input'), weights]);
  const bias = n.inputs[2];
  if (bias) all = c.apply1(Add, [all, bias]);
  const [q, k, v] = [
    [0, dq],
    [dq, dk],
    [must(dq) + must(dk), dv],
  ].map(([at, w]) => splitHeads(n, c, part(c, all, 2, must(at), must(w)), heads));
  const past = n.inputs[4];
  const joined = (i: number, x: Value): Value => (past ? concat(c, [pick(c, past, 0, i), x], 2) : x);
  const [kh, vh] = [joined(0, must(k)), joined(1, must(v))];
  const keys = must(kh.type.shape[2]);
  const qh = must(q);
  const mask = sum(c, [n.inputs[3] && keyMask(n, c, n.inputs[3], qh, keys), n.inputs[5]]);
  const y = attend(c, {
    q: qh,
    k: kh,
    v: vh,
    mask,
    scale: scaleOf(n, qh),
    causal: n.bool('unidirectional', false),
    offset: dimSub(keys, must(qh.type.shape[2])),
  });
  const stacked = (x: Value): Value => reshape(c, x, [1, ...x.type.shape]);
  return [joinHeads(c, y), n.wants(1) ? concat(c, [stacked(kh), stacked(vh)], 0) : undefined];
};

const groupQuery: OnnxBuilder = (n, c) => {
  refuse(n, {
    11: 'head_sink',
    12: 'a quantised cache',
    13: 'a quantised cache',
    14: 'q_norm_weight',
    15: 'k_norm_weight',
    16: 'query_seqlens',
  });
  if (n.int('smooth_softmax', 0) > 0) n.unsupported('smooth_softmax');
  if (n.bool('sliding_window_cache', false)) n.unsupported('sliding_window_cache');
  if (n.int('qk_output', 0) !== 0 && n.wants(3)) n.unsupported('qk_output');
  const [heads, kvHeads] = [n.int('num_heads'), n.int('kv_num_heads')];
  const query = n.input(0, 'query');
  if (query.type.shape.length !== 3) n.reject(`the query has ${query.type.shape.length} axes, must have 3`);
  let [q, k, v] = [query, n.inputs[1], n.inputs[2]];
  if (!k || !v) {
    const width = query.type.shape[2];
    if (typeof width !== 'number') return n.unsupported('the width of the heads is known only when the model runs');
    const size = width / (heads + 2 * kvHeads);
    q = part(c, query, 2, 0, heads * size);
    k = part(c, query, 2, heads * size, kvHeads * size);
    v = part(c, query, 2, (heads + kvHeads) * size, kvHeads * size);
  }
  const rows = must(q.type.shape[1]);
  const last = n.input(5, 'seqlens_k');
  const batch = must(q.type.shape[0]);
  const ends = reshape(c, last, [batch]);
  const lengths = c.apply1(Add, [ends, c.literal(ends.type.dtype, 1)]);
  // How much of each sample is past. In a prompt that is filled up at the right, nothing is.
  const count = c.apply1(Sizes, [], { values: [rows], shape: [], dtype: lengths.type.dtype });
  const first = c.apply1(Max, [c.apply1(Sub, [lengths, count]), c.literal(lengths.type.dtype, 0)]);
  if (n.bool('do_rotary', false)) {
    const [cos, sin] = [n.input(7, 'cos_cache'), n.input(8, 'sin_cache')];
    const at = n.inputs[9] ?? c.apply1(Cast, [positionsFrom(c, first, rows)], { to: 'i64' });
    const turn = (x: Value, h: number): Value => {
      const p = headsLast(n, c, x, h);
      return p.back(
        rotate(n, c, p.x, {
          cos: cacheRows(n, c, cos, at),
          sin: cacheRows(n, c, sin, at),
          interleaved: n.bool('rotary_interleaved', false),
        }),
      );
    };
    q = turn(q, heads);
    k = turn(k, kvHeads);
  }
  const qh = splitHeads(n, c, q, heads);
  const start = first.type.dtype === 'i64' ? first : c.apply1(Cast, [first], { to: 'i64' });
  const present = (past: Value | undefined, x: Value): Value => {
    const all = past ? concat(c, [past, x], 2) : x;
    // Samples of different lengths go on at different places.
    return past && batch !== 1 ? c.apply1(TensorScatter, [all, x, start], { axis: 2 }) : all;
  };
  const [kh, vh] = [present(n.inputs[3], splitHeads(n, c, k, kvHeads)), present(n.inputs[4], splitHeads(n, c, v, kvHeads))];
  const window = n.int('local_window_size', -1);
  const y = attend(c, {
    q: qh,
    k: kh,
    v: vh,
    mask: n.inputs[10],
    lengths,
    scale: scaleOf(n, qh),
    softcap: n.float('softcap', 0),
    causal: n.bool('causal', true),
    align: 'past',
    window: Math.max(0, window),
  });
  return [joinHeads(c, y), kh, vh];
};

export const attentionMsOps: OnnxOps = {
  'com.microsoft.Attention': classic,
  'com.microsoft.GroupQueryAttention': groupQuery,
  'com.microsoft.MultiHeadAttention': multiHead,
  'com.microsoft.RotaryEmbedding': rotaryEmbeddingMs,
};
