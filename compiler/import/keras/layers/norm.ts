import { must } from '../../../core/diagnostic.ts';
import { dimFloorDiv, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { LayerNorm } from '../../../ops/reduce/norm.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { batchNorm } from '../../shared/channels.ts';
import { l2Normalize, moments } from '../../shared/tensorflow/norm.ts';
import { cast, reshape } from '../../shared/views.ts';
import type { LayerView } from '../layer.ts';
import type { KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { along } from './functions.ts';

/** Layers that bring numbers to a mean and a spread. They compute in float32 at least, and give what the layer computes in. */

const wide = (c: KerasBuilder, x: Value): Value => (x.type.dtype === 'f16' || x.type.dtype === 'bf16' ? cast(c, x, 'f32') : x);
const like = (c: KerasBuilder, v: Value, x: Value): Value => cast(c, v, x.type.dtype);
/** Axes as the configuration has them: one or a list. */
const axesOf = (n: LayerView, c: KerasBuilder, rank: number, otherwise: number): number[] => {
  const j = n.json('axis');
  const list = Array.isArray(j) ? n.ints('axis') : [n.int('axis', otherwise)];
  return list.map(a => axisOf(c, a, rank)).sort((a, b) => a - b);
};
/** Variables in the type that is computed in. */
function variables(n: LayerView, c: KerasBuilder, x: Value, ...names: readonly (string | false)[]): (Value | undefined)[] {
  const made = n.variables(...names).map(v => like(c, v, x));
  return names.map(name => (name === false ? undefined : made.shift()));
}

const batchNormalization: LayerBuilder = (n, c, call) => {
  const x = wide(c, call.x());
  const rank = rankOf(x);
  const [axis = 0, more] = axesOf(n, c, rank, -1);
  if (more !== undefined) return c.unsupported('normalisation over several axes at once');
  if (n.version === 1 && n.int('mode', 0) !== 0)
    return c.unsupported(`mode ${n.int('mode', 0)}, which uses the statistics of the batch`);
  const [gamma, beta, mean, variance] = variables(
    n,
    c,
    x,
    n.bool('scale', true) && 'gamma',
    n.bool('center', true) && 'beta',
    'moving_mean',
    'moving_variance',
  );
  const size = must(mean).type.shape as readonly number[];
  const filled = (v: number): Value => c.literal(x.type.dtype, new Array<number>(size[0] ?? 1).fill(v), [...size]);
  const at = (v: Value): Value => (axis === rank - 1 ? v : along(c, v, axis, rank));
  const parts = [gamma ?? filled(1), beta ?? filled(0), must(mean), must(variance)].map(at);
  const y = batchNorm(c, x, must(parts[0]), must(parts[1]), must(parts[2]), must(parts[3]), n.float('epsilon', 1e-3), 0);
  return [{ value: like(c, y, call.x()) }];
};
/** Weights over several axes, shaped so that they meet x. */
function over(c: KerasBuilder, v: Value, axes: readonly number[], x: Value): Value {
  let next = 0;
  return reshape(
    c,
    v,
    axesFrom(x).map((a): Dim => (axes.includes(a) ? must(v.type.shape[next++]) : 1)),
  );
}
const layerNormalization: LayerBuilder = (n, c, call) => {
  const x = wide(c, call.x());
  const axes = axesOf(n, c, rankOf(x), -1);
  const rms = n.bool('rms_scaling', false);
  const [gamma, beta] = variables(n, c, x, (n.bool('scale', true) || rms) && 'gamma', n.bool('center', true) && !rms && 'beta');
  const y = rms
    ? rmsScaled(c, x, axes, n.float('epsilon', 1e-3))
    : c.apply1(LayerNorm, [x], { axes, epsilon: n.float('epsilon', 1e-3) });
  const scaled = gamma ? c.apply1(e.Mul, [y, over(c, gamma, axes, x)]) : y;
  const shifted = beta ? c.apply1(e.Add, [scaled, over(c, beta, axes, x)]) : scaled;
  return [{ value: like(c, shifted, call.x()) }];
};
/** What `rms_scaling` is: x over the root of its variance, whose mean is not taken off x. */
function rmsScaled(c: KerasBuilder, x: Value, axes: readonly number[], epsilon: number): Value {
  const [, variance] = moments(c, x, axes);
  return c.apply1(e.Div, [x, c.apply1(e.Sqrt, [c.apply1(e.Add, [variance, c.literal(x.type.dtype, epsilon)])])]);
}
const rmsNormalization: LayerBuilder = (n, c, call) => {
  const x = wide(c, call.x());
  const axes = axesOf(n, c, rankOf(x), -1);
  const [scale] = variables(n, c, x, 'scale');
  const y = c.apply1(LayerNorm, [x], { axes, epsilon: n.float('epsilon', 1e-6), center: false });
  return [{ value: like(c, c.apply1(e.Mul, [y, over(c, must(scale), axes, x)]), call.x()) }];
};
const groupNormalization: LayerBuilder = (n, c, call) => {
  const x = wide(c, call.x());
  const rank = rankOf(x);
  const axis = axisOf(c, n.int('axis', -1), rank);
  const channels = must(x.type.shape[axis]);
  const given = n.int('groups', 32);
  const groups = given === -1 ? (typeof channels === 'number' ? channels : c.unsupported('an open number of groups')) : given;
  const sizes: Dim[] = [...x.type.shape];
  sizes.splice(axis, 1, groups, dimFloorDiv(channels, groups));
  const apart = reshape(c, x, sizes);
  const axes = axesFrom(apart, 1).filter(a => a !== axis);
  const y = reshape(c, c.apply1(LayerNorm, [apart], { axes, epsilon: n.float('epsilon', 1e-3) }), x.type.shape);
  const [gamma, beta] = variables(n, c, x, n.bool('scale', true) && 'gamma', n.bool('center', true) && 'beta');
  const scaled = gamma ? c.apply1(e.Mul, [y, along(c, gamma, axis, rank)]) : y;
  return [{ value: like(c, beta ? c.apply1(e.Add, [scaled, along(c, beta, axis, rank)]) : scaled, call.x()) }];
};
/** x over its length along some axes; Keras 2 takes the greater of the sum of squares and 1e-12. */
const unitNormalization: LayerBuilder = (n, c, call) => [
  { value: l2Normalize(c, call.x(), axesOf(n, c, rankOf(call.x()), -1), n.version === 3 ? 1e-24 : 1e-12) },
];
/** (x - mean) / deviation of what the layer was adapted to, or the way back. */
const normalization: LayerBuilder = (n, c, call) => {
  const x = cast(c, call.x(), n.dtype);
  const rank = rankOf(x);
  const axes = n.json('axis') === null ? [] : axesOf(n, c, rank, -1);
  const sizes = axesFrom(x).map((a): Dim => (axes.includes(a) ? must(x.type.shape[a]) : 1));
  const read = (key: string): Value | undefined => {
    const j = n.json(key);
    const flat = (Array.isArray(j) ? (j as readonly unknown[]).flat(8) : [j]).filter(v => typeof v === 'number');
    if (flat.length === 0) return undefined;
    const dims = flat.length === 1 ? [] : undefined;
    const v = c.literal(n.dtype, flat, dims ?? [flat.length]);
    return flat.length === 1 ? v : reshape(c, v, sizes);
  };
  const stored = (): Value[] => n.variables('mean', 'variance').map(v => reshape(c, cast(c, v, n.dtype), sizes));
  const given = [read('mean') ?? read('input_mean'), read('variance') ?? read('input_variance')];
  const [mean, variance] = given[0] && given[1] ? given : stored();
  const deviation = c.apply1(e.Max, [c.apply1(e.Sqrt, [must(variance)]), c.literal(n.dtype, 1e-7)]);
  if (n.bool('invert', false)) return [{ value: c.apply1(e.Add, [c.apply1(e.Mul, [x, deviation]), must(mean)]) }];
  return [{ value: c.apply1(e.Div, [c.apply1(e.Sub, [x, must(mean)]), deviation]) }];
};

export const normLayers: LayerTable = {
  BatchNormalization: batchNormalization,
  BatchNormalizationV1: batchNormalization,
  SyncBatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  UnitNormalization: unitNormalization,
  Normalization: normalization,
};
