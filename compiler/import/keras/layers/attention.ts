import { must } from '../../../core/diagnostic.ts';
import { dimProd, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Attention } from '../../../ops/attention/attention.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { einsum } from '../../shared/einsum.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { cast, expand, reshape, transpose } from '../../shared/views.ts';
import { Range } from '../../../ops/movement/range.ts';
import type { LayerView } from '../layer.ts';
import type { CallView, Flow, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import type { Weights } from '../weights.ts';
import { softmaxOver } from './functions.ts';

/** Layers that mix the steps of sequences by scores. */

const and = (c: KerasBuilder, a: Value | undefined, b: Value | undefined): Value | undefined =>
  a && b ? c.apply1(e.And, [a, b]) : (a ?? b);
const bool = (c: KerasBuilder, v: Value): Value => cast(c, v, 'bool');
const places = (c: KerasBuilder, n: Dim): Value => c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n });
/** Row i sees the columns up to i (and, with a window, not those more than it away): [rows, columns]. */
function visible(c: KerasBuilder, rows: Dim, columns: Dim, causal: boolean, window: number | undefined): Value | undefined {
  if (!causal && window === undefined) return undefined;
  const [i, j] = [reshape(c, places(c, rows), [rows, 1]), places(c, columns)];
  const seen = causal ? c.apply1(e.GreaterOrEqual, [i, j]) : undefined;
  if (window === undefined) return seen;
  const apart = c.apply1(e.Abs, [c.apply1(e.Sub, [i, j])]);
  return and(c, seen, c.apply1(e.Less, [apart, c.literal('i64', window)]));
}
/** What masks of the tensors and of the call say together: [batch, rows, columns]; axes may be 1. */
function maskOf(n: LayerView, c: KerasBuilder, call: CallView, q: Flow, v: Flow, k: Flow | undefined): Value | undefined {
  const [rows = 1, columns = 1] = [q.value.type.shape[1], v.value.type.shape[1]];
  const down = (m: Value | undefined): Value | undefined => m && reshape(c, bool(c, m), [...m.type.shape, 1]);
  const across = (m: Value | undefined): Value | undefined => {
    const [batch = 1, ...rest] = m?.type.shape ?? [];
    return m && reshape(c, bool(c, m), [batch, 1, ...rest]);
  };
  const given = call.named('attention_mask', n.version === 3 ? 6 : 3)?.value;
  const causal = call.json('use_causal_mask', n.version === 3 ? 9 : 6) === true;
  const window = n.optional('sliding_window');
  const parts = [
    down(call.named('query_mask')?.value ?? q.mask),
    across(call.named('value_mask')?.value ?? v.mask),
    across(call.named('key_mask')?.value ?? k?.mask),
    visible(c, rows, columns, causal, window),
    given && bool(c, given),
  ];
  return parts.reduce<Value | undefined>((a, b) => and(c, a, b), undefined);
}
/** A projection [..., features] to [..., heads, size] with the weights of an EinsumDense inside of the layer. */
function projected(n: LayerView, c: KerasBuilder, x: Value, attribute: string, name: string): Value {
  const inside: Weights = n.weights.child(attribute, name);
  const [kernel, bias] = variablesOf(n, c, inside, name);
  const [features, ...out] = kernel.type.shape;
  const flat = c.apply1(MatMul, [x, reshape(c, kernel, [must(features), dimProd(out)])]);
  const y = reshape(c, flat, [...x.type.shape.slice(0, -1), ...out]);
  return bias ? c.apply1(e.Add, [y, bias]) : y;
}
function variablesOf(n: LayerView, c: KerasBuilder, w: Weights, name: string): readonly [Value, Value | undefined] {
  const [kernel, bias] = [w.variable('kernel', 0), w.variable('bias', 1)];
  if (!kernel) return n.bad(`the layer has no weight '${name}/kernel' in ${w.where}`);
  // Its configuration says nothing of a quantization: Keras cannot read such a file either.
  if (kernel.dtype === 'i8' || w.names().length > 2) return c.unsupported('quantized projections of attention');
  const value = (t: typeof kernel): Value => cast(c, c.constant(t, `${n.name}/${name}`), n.dtype);
  return [value(kernel), bias && n.bool('use_bias', true) ? value(bias) : undefined];
}
/** The way back: [..., heads, size] to [..., features]. */
function combined(n: LayerView, c: KerasBuilder, x: Value): Value {
  const inside = n.weights.child('output_dense', 'attention_output');
  const [kernel, bias] = variablesOf(n, c, inside, 'attention_output');
  const [heads, size, ...out] = kernel.type.shape;
  const lead = x.type.shape.slice(0, -2);
  const deep = dimProd([must(heads), must(size)]);
  const y = c.apply1(MatMul, [reshape(c, x, [...lead, deep]), reshape(c, kernel, [deep, dimProd(out)])]);
  const whole = reshape(c, y, [...lead, ...out]);
  return bias ? c.apply1(e.Add, [whole, bias]) : whole;
}

interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly mask: Value | undefined;
  readonly scale: number;
}
/** [batch, rows, heads, size] of queries, [batch, columns, heads, size] of keys and values: [batch, rows, heads, size]. */
function attend(c: KerasBuilder, h: Heads): Value {
  const turned = [h.q, h.k, h.v].map(x => transpose(c, x, [0, 2, 1, 3]));
  return c.apply1(Attention, [...turned, h.mask], { scale: h.scale, hidden: -1e9 });
}
/** The same with the scores, [batch, heads, rows, columns], which are zero where nothing is seen. */
function scored(c: KerasBuilder, h: Heads): readonly [Value, Value] {
  const number = (v: number): Value => c.literal(h.q.type.dtype, v);
  const scores = einsum(c, 'bthd,bshd->bhts', [c.apply1(e.Mul, [h.q, number(h.scale)]), h.k]);
  const hidden = h.mask ? c.apply1(e.Where, [h.mask, scores, number(-1e9)]) : scores;
  const soft = softmaxOver(c, hidden, [-1]);
  const weights = h.mask ? c.apply1(e.Where, [h.mask, soft, number(0)]) : soft;
  return [einsum(c, 'bhts,bshd->bthd', [weights, h.v]), weights];
}
/** Repeats heads of keys and values for groups of queries. */
function grouped(c: KerasBuilder, x: Value, heads: Dim): Value {
  const [batch = 1, time = 1, own = 1, size = 1] = x.type.shape;
  if (typeof own !== 'number' || typeof heads !== 'number' || own === heads) return x;
  const wide = expand(c, reshape(c, x, [batch, time, own, 1, size]), [batch, time, own, heads / own, size]);
  return reshape(c, wide, [batch, time, heads, size]);
}
const multiHead =
  (group: boolean): LayerBuilder =>
  (n, c, call) => {
    const flow = (name: string, place: number): Flow | undefined => call.named(name, place);
    const q = flow('query', 0) ?? c.reject('its query is missing');
    const v = flow('value', 1) ?? c.reject('its value is missing');
    const k = flow('key', 2);
    const query = projected(n, c, q.value, 'query_dense', 'query');
    const key = projected(n, c, (k ?? v).value, 'key_dense', 'key');
    const value = projected(n, c, v.value, 'value_dense', 'value');
    const scores = call.json('return_attention_scores', n.version === 3 ? 7 : 4) === true;
    const gated = (y: Value): Value =>
      n.bool('use_gate', false) ? c.apply1(e.Mul, [y, c.apply1(e.Sigmoid, [projected(n, c, q.value, 'gate_dense', 'gate')])]) : y;
    const size = n.json('key_dim') === undefined ? n.int('head_dim') : n.int('key_dim');
    const scale = 1 / Math.sqrt(size);
    const dropped = n.float('dropout', 0) > 0;
    const mask = rankOf(q.value) === 3 ? maskOf(n, c, call, q, v, k) : undefined;
    const outer =
      rankOf(mask ?? q.value) === 3 && mask ? reshape(c, mask, [must(mask.type.shape[0]), 1, ...mask.type.shape.slice(1)]) : mask;
    const outMask = { mask: group ? undefined : q.mask };
    if (rankOf(q.value) !== 3) {
      if (scores || call.named('attention_mask') || call.json('use_causal_mask') === true)
        return c.unsupported('masks and scores over more than one axis');
      return [{ value: combined(n, c, gated(overAxes(n, c, query, key, value, scale))), ...outMask }];
    }
    const heads = must(query.type.shape[2]);
    const h = {
      q: query,
      k: grouped(c, key, heads),
      v: grouped(c, value, heads),
      mask: outer && rankOf(outer) === 2 ? outer : outer,
      scale,
    };
    if (!scores && !dropped) return [{ value: combined(n, c, gated(attend(c, h))), ...outMask }];
    const [y, weights] = scored(c, h);
    const result: Flow = { value: combined(n, c, gated(y)), ...outMask };
    return scores ? [result, { value: weights }] : [result];
  };
/** Attention over some of several axes: the others belong to the batch. */
function overAxes(n: LayerView, c: KerasBuilder, q: Value, k: Value, v: Value, scale: number): Value {
  const rank = rankOf(q);
  const given = n.json('attention_axes');
  // Without heads the tensors have one axis less.
  const axes =
    given === undefined || given === null
      ? axesFrom(q, 1).slice(0, -2)
      : n.ints('attention_axes').map(a => axisOf(c, a, rank - 1));
  const free = axesFrom(q, 0).filter(a => a < rank - 2 && !axes.includes(a));
  const order = [...free, ...axes, rank - 2, rank - 1];
  const flat = (x: Value): Value => {
    const t = transpose(c, x, order);
    const { shape } = t.type;
    return reshape(c, t, [dimProd(shape.slice(0, free.length)), dimProd(shape.slice(free.length, -2)), ...shape.slice(-2)]);
  };
  const y = attend(c, { q: flat(q), k: flat(k), v: flat(v), mask: undefined, scale });
  const sizes = order.slice(0, -1).map(a => must(q.type.shape[a]));
  const apart = reshape(c, y, [...sizes, must(y.type.shape[3])]);
  return transpose(
    c,
    apart,
    axesFrom(q).map(a => order.indexOf(a)),
  );
}

/** Dot-product attention without weights of its own but a scale, or scores through tanh (Bahdanau). */
const attention =
  (additive: boolean): LayerBuilder =>
  (n, c, call) => {
    const [qf, vf, kf] = call.flows;
    const q = (qf ?? c.reject('its query is missing')).value;
    const v = (vf ?? c.reject('its value is missing')).value;
    const k = kf?.value ?? v;
    const useScale = n.bool('use_scale', additive);
    const concat = !additive && n.text('score_mode', 'dot') === 'concat';
    const [first, second] = n.variables(useScale && 'scale', concat && 'concat_score_weight');
    const scale = useScale ? first : undefined;
    const weight = concat ? must(useScale ? second : first) : undefined;
    const scores = (): Value => {
      if (!additive && !concat) {
        const s = c.apply1(MatMul, [q, k], { transB: true });
        return scale ? c.apply1(e.Mul, [s, scale]) : s;
      }
      const [b = 1, rows = 1, d = 1] = q.type.shape;
      const [, columns = 1] = k.type.shape;
      const sum = c.apply1(e.Add, [reshape(c, q, [b, rows, 1, d]), reshape(c, k, [b, 1, columns, d])]);
      if (additive) {
        const t = c.apply1(e.Tanh, [sum]);
        return reduceOver(c, 'sum', scale ? c.apply1(e.Mul, [t, scale]) : t, [3], false);
      }
      const t = c.apply1(e.Tanh, [scale ? c.apply1(e.Mul, [sum, scale]) : sum]);
      return c.apply1(e.Mul, [reduceOver(c, 'sum', t, [3], false), must(weight)]);
    };
    const s = scores();
    const masks = maskList(call);
    const [qm, vm] = [masks[0] ?? qf?.mask, masks[1] ?? vf?.mask];
    const causal = call.json('use_causal_mask') === true || n.bool('causal', false);
    const seen = visible(c, must(q.type.shape[1]), must(k.type.shape[1]), causal, undefined);
    const across = vm && reshape(c, bool(c, vm), [must(vm.type.shape[0]), 1, must(vm.type.shape[1])]);
    const mask = and(c, across, seen);
    const far = c.literal(s.type.dtype, s.type.dtype === 'f16' ? 65504 : 1e9);
    const hidden = mask ? c.apply1(e.Where, [mask, s, c.apply1(e.Sub, [s, far])]) : s;
    const weights = softmaxOver(c, hidden, [-1]);
    const y = c.apply1(MatMul, [weights, v]);
    const rows = qm && reshape(c, bool(c, qm), [...qm.type.shape, 1]);
    const result: Flow = { value: rows ? c.apply1(e.Where, [rows, y, c.literal(y.type.dtype, 0)]) : y, mask: qm };
    return call.json('return_attention_scores') === true ? [result, { value: weights }] : [result];
  };
/** Masks given in a list by name. */
function maskList(call: CallView): readonly (Value | undefined)[] {
  const a = call.kwargs.get('mask');
  if (a?.k !== 'list') return [];
  return a.items.map(i => (i.k === 'flow' ? i.flow.value : undefined));
}

export const attentionLayers: LayerTable = {
  MultiHeadAttention: multiHead(false),
  GroupedQueryAttention: multiHead(true),
  GroupQueryAttention: multiHead(true),
  Attention: attention(false),
  AdditiveAttention: attention(true),
};
