import { must } from '../../../core/diagnostic.ts';
import { dimProd, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { l2Normalize } from '../../shared/tensorflow/norm.ts';
import { concat, expand, reshape, transpose } from '../../shared/views.ts';
import type { Flow, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';

/** Layers that put several tensors together. */

/** Tensors of one rank: the shorter ones get axes behind the batch. */
function alike(c: KerasBuilder, xs: readonly Value[]): readonly Value[] {
  const rank = Math.max(...xs.map(rankOf));
  return xs.map(x => {
    const [batch = 1, ...rest] = x.type.shape;
    return reshape(c, x, [batch, ...new Array<Dim>(rank - rankOf(x)).fill(1), ...rest]);
  });
}
/** A step counts where it does in one of the tensors (until Keras 2: in all), if all have masks. */
function joinedMask(c: KerasBuilder, flows: readonly Flow[], version: 1 | 2 | 3): Value | undefined {
  const masks = flows.flatMap(f => (f.mask ? [f.mask] : []));
  const [first] = masks;
  if (!first || masks.length < flows.length) return undefined;
  return masks.slice(1).reduce((a, b) => c.apply1(version === 3 ? e.Or : e.And, [a, b]), first);
}
const folded =
  (of: Op, after: (c: KerasBuilder, y: Value, count: number) => Value = (_, y) => y): LayerBuilder =>
  (n, c, call) => {
    if (call.flows.length === 0) c.reject('it is given no tensors');
    const xs = alike(
      c,
      call.flows.map(f => f.value),
    );
    const y = xs.slice(1).reduce((a, b) => c.apply1(of, [a, b]), must(xs[0]));
    return [{ value: after(c, y, xs.length), mask: joinedMask(c, call.flows, n.version) }];
  };
/** What is masked counts as 1 in a product, and is 0 in the end where no factor counts (Keras 3). */
const multiply: LayerBuilder = (n, c, call) => {
  const masked = n.version === 3 && call.flows.some(f => f.mask);
  if (!masked) return folded(e.Mul)(n, c, call);
  const over = (f: Flow): Value | undefined =>
    f.mask && reshape(c, f.mask, [...f.mask.type.shape, ...new Array<Dim>(rankOf(f.value) - rankOf(f.mask)).fill(1)]);
  const factors = call.flows.map(f => {
    const m = over(f);
    return m ? c.apply1(e.Where, [m, f.value, c.literal(f.value.type.dtype, 1)]) : f.value;
  });
  const y = factors.slice(1).reduce((a, b) => c.apply1(e.Mul, [a, b]), must(factors[0]));
  const mask = joinedMask(c, call.flows, 3);
  if (!mask) return [{ value: y, mask: undefined }];
  const inside = reshape(c, mask, [...mask.type.shape, ...new Array<Dim>(rankOf(y) - rankOf(mask)).fill(1)]);
  return [{ value: c.apply1(e.Where, [inside, y, c.literal(y.type.dtype, 0)]), mask }];
};
const concatenate: LayerBuilder = (n, c, call) => {
  const xs = call.flows.map(f => f.value);
  const first = xs[0] ?? c.reject('it is given no tensors');
  const axis = axisOf(c, n.int('axis', n.int('concat_axis', -1)), rankOf(first));
  const y = concat(c, xs, axis);
  if (!call.flows.some(f => f.mask)) return [{ value: y }];
  if (call.flows.some(f => f.mask && rankOf(f.mask) !== rankOf(f.value) - 1)) return [{ value: y, mask: undefined }];
  const truth = c.constant({ dtype: 'bool', dims: [], bytes: Uint8Array.of(1) });
  const masks = call.flows.map(f => f.mask ?? expand(c, truth, f.value.type.shape.slice(0, -1)));
  // Along the features, a step counts where it does in one tensor.
  const mask =
    axis === rankOf(first) - 1 ? masks.slice(1).reduce((a, b) => c.apply1(e.Or, [a, b]), must(masks[0])) : concat(c, masks, axis);
  return [{ value: y, mask }];
};
/** Sums of products along one axis of each of two tensors, for each element of the batch. */
const dot: LayerBuilder = (n, c, call) => {
  const [first, second] = [call.x(0), call.x(1)];
  const given = n.json('axes') ?? n.json('dot_axes');
  const [p = 0, q = 0] = Array.isArray(given)
    ? (given as number[])
    : typeof given === 'number'
      ? [given, given]
      : n.bad("'axes' is missing");
  const axes = [axisOf(c, p, rankOf(first)), axisOf(c, q, rankOf(second))] as const;
  const unit = (x: Value, a: number): Value => (n.bool('normalize', false) ? l2Normalize(c, x, [a], 1e-12) : x);
  return [{ value: batchDot(c, unit(first, axes[0]), unit(second, axes[1]), axes), mask: undefined }];
};
/** The rest of x, then the rest of y, as keras.backend.batch_dot has it; at least two axes. */
function batchDot(c: KerasBuilder, x: Value, y: Value, axes: readonly [number, number]): Value {
  const rest = (v: Value, axis: number): number[] => axesFrom(v, 1).filter(a => a !== axis);
  const [rx, ry] = [rest(x, axes[0]), rest(y, axes[1])];
  const sizes = (v: Value, list: readonly number[]): Dim[] => list.map(a => must(v.type.shape[a]));
  if (rx.length === 0 && ry.length === 0) return reduceOver(c, 'sum', c.apply1(e.Mul, [x, y]), [1], true);
  const left = transpose(c, x, [0, ...rx, axes[0]]);
  const right = transpose(c, y, [0, axes[1], ...ry]);
  const product = dimProd;
  const [batch = 1] = x.type.shape;
  const [k = 1] = sizes(x, [axes[0]]);
  const a = rx.length === 1 ? left : reshape(c, left, [batch, product(sizes(x, rx)), k]);
  const b = ry.length === 1 ? right : reshape(c, right, [batch, k, product(sizes(y, ry))]);
  return reshape(c, c.apply1(MatMul, [a, b]), [batch, ...sizes(x, rx), ...sizes(y, ry)]);
}
const average = folded(e.Add, (c, y, count) => c.apply1(e.Div, [y, c.literal(y.type.dtype, count)]));
/** The one layer for all of them that Keras 1 had. */
const MODES: Readonly<Record<string, LayerBuilder>> = {
  sum: folded(e.Add),
  mul: folded(e.Mul),
  ave: average,
  max: folded(e.Max),
  min: folded(e.Min),
  concat: concatenate,
  dot,
};
export const mergeLayers: LayerTable = {
  Add: folded(e.Add),
  Subtract: folded(e.Sub),
  Multiply: multiply,
  Average: average,
  Maximum: folded(e.Max),
  Minimum: folded(e.Min),
  Concatenate: concatenate,
  Dot: dot,
  Merge: (n, c, call) => (MODES[n.text('mode', 'sum')] ?? c.unsupported(`mode '${n.text('mode', '')}'`))(n, c, call),
};
