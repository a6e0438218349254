import { must } from '../../../core/diagnostic.ts';
import type { DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { einsum } from '../../shared/einsum.ts';
import { isArray, type Json } from '../../shared/json.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { moments } from '../../shared/tensorflow/norm.ts';
import { argReduce, cumulative, reduction, type TfReduction } from '../../shared/tensorflow/reduce.ts';
import { topK } from '../../shared/tensorflow/select.ts';
import { cast, reshape } from '../../shared/views.ts';
import { dtypeOr, type LayerView } from '../layer.ts';
import type { CallView, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { prefixed } from './elementwise.ts';
import { alike, asFloat, axesSetting, numberSetting, operand, operands, setting, single } from './operands.ts';

/** Operations that fold axes, and products. */
const axesOr = (n: LayerView, c: KerasBuilder, call: CallView, x: Value): number[] =>
  (axesSetting(n, call) ?? axesFrom(x)).map(a => axisOf(c, a, rankOf(x)));
const keeps = (n: LayerView, call: CallView): boolean => setting(n, call, 'keepdims') === true;
const fold = (f: (c: KerasBuilder, x: Value, axes: readonly number[], keep: boolean) => Value): LayerBuilder =>
  single((n, c, call) => {
    const x = operand(c, call, 'x', 0).value;
    return f(c, x, axesOr(n, c, call, x), keeps(n, call));
  });
const reduced = (of: TfReduction, prepare: (c: KerasBuilder, x: Value) => Value = (_, x) => x): LayerBuilder =>
  fold((c, x, axes, keep) => reduction(c, of, prepare(c, x), axes, keep));
/** Sums of truth values and of narrow integers are of 32 bits. */
const summable = (c: KerasBuilder, x: Value): Value => {
  const small: readonly DType[] = ['bool', 'i8', 'i16'];
  return small.includes(x.type.dtype)
    ? cast(c, x, 'i32')
    : x.type.dtype === 'u8' || x.type.dtype === 'u16'
      ? cast(c, x, 'u32')
      : x;
};
const boolean = (c: KerasBuilder, x: Value): Value => cast(c, x, 'bool');
const spread =
  (root: boolean) =>
  (c: KerasBuilder, given: Value, axes: readonly number[], keep: boolean): Value => {
    const x = asFloat(c, given);
    const [, variance] = moments(c, x, axes);
    const v = keep
      ? variance
      : reshape(
          c,
          variance,
          x.type.shape.filter((_, a) => !axes.includes(a)),
        );
    return root ? c.apply1(e.Sqrt, [v]) : v;
  };
const arg = (of: 'max' | 'min'): LayerBuilder =>
  single((n, c, call) => {
    const x = operand(c, call, 'x', 0).value;
    const axes = axesSetting(n, call);
    const flat = axes
      ? x
      : reshape(c, x, [
          x.type.shape.reduce<number>((a, d) => a * (typeof d === 'number' ? d : c.unsupported('all of an open size')), 1),
        ]);
    return argReduce(c, of, flat, axisOf(c, axes?.[0] ?? 0, rankOf(flat)), 'i32', keeps(n, call));
  });
const running = (of: 'sum' | 'prod'): LayerBuilder =>
  single((n, c, call) => {
    const x = summable(c, operand(c, call, 'x', 0).value);
    const axes = axesSetting(n, call) ?? c.unsupported('all axes at once');
    const y = cumulative(c, of, x, { axis: axisOf(c, must(axes[0]), rankOf(x)), exclusive: false, reverse: false });
    return cast(c, y, dtypeOr(setting(n, call, 'dtype'), y.type.dtype));
  });
const sorted = (indices: boolean): LayerBuilder =>
  single((n, c, call) => {
    const x = operand(c, call, 'x', 0).value;
    const axis = axisOf(c, numberSetting(n, call, 'axis', -1), rankOf(x));
    const outs = c.apply(TopK, [x], { k: must(x.type.shape[axis]), axis, largest: false });
    return indices ? cast(c, must(outs[1]), 'i32') : must(outs[0]);
  });
const largest: LayerBuilder = (n, c, call) =>
  topK(c, operand(c, call, 'x', 0).value, c.literal('i64', numberSetting(n, call, 'k', 1)), 'i32').map(value => ({ value }));
const product = (a: Value, b: Value, c: KerasBuilder): Value => c.apply1(MatMul, [a, b]);
const matmul = single((_, c, call) => {
  const [a, b] = alike(c, [operand(c, call, 'x1', 0), operand(c, call, 'x2', 1)]);
  return product(must(a), must(b), c);
});
/** Sums over axes of two tensors: of the last ones of the first and the first ones of the second, or as listed. */
const tensordot = (fixed?: 'dot' | 'inner'): LayerBuilder =>
  single((n, c, call) => {
    const [a, b] = alike(c, [operand(c, call, 'x1', 0), operand(c, call, 'x2', 1)]).map(v => v);
    const [x, y] = [must(a), must(b)];
    if (rankOf(x) === 0 || rankOf(y) === 0) return c.apply1(e.Mul, [x, y]);
    const j = fixed ? undefined : setting(n, call, 'axes');
    const axesOf = (): readonly [readonly number[], readonly number[]] => {
      if (fixed === 'dot') return [[rankOf(x) - 1], [Math.max(0, rankOf(y) - 2)]];
      if (fixed === 'inner') return [[rankOf(x) - 1], [rankOf(y) - 1]];
      if (isArray(j)) {
        const [p, q] = Array.from(j as readonly Json[]).map(l =>
          isArray(l) ? Array.from(l as readonly number[]) : [l as number],
        );
        return [must(p).map(v => axisOf(c, v, rankOf(x))), must(q).map(v => axisOf(c, v, rankOf(y)))];
      }
      const many = typeof j === 'number' ? j : 2;
      return [axesFrom(x).slice(rankOf(x) - many), axesFrom(y).slice(0, many)];
    };
    const [p, q] = axesOf();
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    const left = axesFrom(x).map(i => letters.charAt(i));
    const right = axesFrom(y).map(i => (q.includes(i) ? must(left[must(p[q.indexOf(i)])]) : letters.charAt(rankOf(x) + i)));
    const out = [...left.filter((_, i) => !p.includes(i)), ...right.filter((_, i) => !q.includes(i))];
    return einsum(c, `${left.join('')},${right.join('')}->${out.join('')}`, [x, y]);
  });
const outer = single((_, c, call) => {
  const [a, b] = alike(c, [operand(c, call, 'x1', 0), operand(c, call, 'x2', 1)]);
  const flat = (v: Value): Value =>
    reshape(c, v, [v.type.shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : c.unsupported('open sizes')), 1)]);
  const [x, y] = [flat(must(a)), flat(must(b))];
  return c.apply1(e.Mul, [reshape(c, x, [...x.type.shape, 1]), y]);
});
const einsumOf = single((n, c, call) => {
  const text = n.text('subscripts', call.json('subscripts', 0) as string);
  const all = operands(c, { ...call, args: call.args.filter(a => a.k !== 'json' || typeof a.json !== 'string') });
  return einsum(c, text, alike(c, all));
});
const norm = single((n, c, call) => {
  const x = asFloat(c, operand(c, call, 'x', 0).value);
  const axes = axesOr(n, c, call, x);
  const ord = setting(n, call, 'ord');
  const keep = keeps(n, call);
  const size = c.apply1(e.Abs, [x]);
  if (ord === undefined || ord === null || ord === 'fro' || (ord === 2 && axes.length === 1))
    return reduction(c, 'norm', x, axes, keep);
  if (axes.length !== 1) return c.unsupported(`the matrix norm ${JSON.stringify(ord)}`);
  if (ord === 1) return reduceOver(c, 'sum', size, axes, keep);
  if (ord === 'inf' || ord === 'Infinity') return reduceOver(c, 'max', size, axes, keep);
  return c.unsupported(`the norm ${JSON.stringify(ord)}`);
});
const normalize = single((n, c, call) => {
  const x = asFloat(c, operand(c, call, 'x', 0).value);
  const axes = axesSetting(n, call)?.map(a => axisOf(c, a, rankOf(x))) ?? [rankOf(x) - 1];
  const order = numberSetting(n, call, 'order', 2);
  const epsilon = c.literal(x.type.dtype, numberSetting(n, call, 'epsilon', 1e-12));
  if (order !== 1 && order !== 2) return c.unsupported(`the norm of order ${order}`);
  const size = order === 2 ? reduction(c, 'norm', x, axes, true) : reduceOver(c, 'sum', c.apply1(e.Abs, [x]), axes, true);
  return c.apply1(e.Div, [x, c.apply1(e.Max, [size, epsilon])]);
});
const momentsOf: LayerBuilder = (n, c, call) => {
  const x = operand(c, call, 'x', 0).value;
  const axes = (axesSetting(n, call, 'axes') ?? axesFrom(x)).map(a => axisOf(c, a, rankOf(x)));
  const all = moments(c, asFloat(c, x), axes);
  const keep = keeps(n, call);
  return all.map(v => ({
    value: keep
      ? v
      : reshape(
          c,
          v,
          x.type.shape.filter((_, a) => !axes.includes(a)),
        ),
  }));
};
const average = single((n, c, call) => {
  const x = asFloat(c, operand(c, call, 'x', 0).value);
  if (call.named('weights', 1)) return c.unsupported('weights');
  return reduceOver(c, 'mean', x, axesOr(n, c, call, x), false);
});
const size = (x: Value, c: KerasBuilder, axes: readonly number[], keep: boolean): Value =>
  c.apply1(e.Sub, [reduceOver(c, 'max', x, axes, keep), reduceOver(c, 'min', x, axes, keep)]);

export const reduceOps: LayerTable = prefixed({
  Sum: reduced('sum', summable),
  Mean: reduced('mean', asFloat),
  Prod: reduced('prod', summable),
  Max: reduced('max'),
  Amax: reduced('max'),
  Min: reduced('min'),
  Amin: reduced('min'),
  All: reduced('all', boolean),
  Any: reduced('any', boolean),
  Logsumexp: reduced('logSumExp', asFloat),
  CountNonzero: fold((c, x, axes, keep) => reduceOver(c, 'sum', cast(c, boolean(c, x), 'i32'), axes, keep)),
  Std: fold(spread(true)),
  Var: fold(spread(false)),
  Ptp: fold((c, x, axes, keep) => size(x, c, axes, keep)),
  Average: average,
  Argmax: arg('max'),
  Argmin: arg('min'),
  Cumsum: running('sum'),
  Cumprod: running('prod'),
  Sort: sorted(false),
  Argsort: sorted(true),
  TopK: largest,
  Matmul: matmul,
  Dot: tensordot('dot'),
  Inner: tensordot('inner'),
  Tensordot: tensordot(),
  Outer: outer,
  Einsum: einsumOf,
  Norm: norm,
  Normalize: normalize,
  Moments: momentsOf,
});
