import { must } from '../../../core/diagnostic.ts';
import { dimFloorDiv, dimSub, dimCeilDiv, dimMul, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { spatialAxes } from '../../../ops/spatial.ts';
import { rankOf } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { averagePool, maxPool } from '../../shared/tensorflow/pool.ts';
import { spatialSizes } from '../../shared/tensorflow/window.ts';
import { cast, concat, reshape, slice } from '../../shared/views.ts';
import type { KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { paddingOf } from './conv.ts';

const pool =
  (n: number, of: 'max' | 'mean'): LayerBuilder =>
  (l, c, call) => {
    const x = call.x();
    if (rankOf(x) !== n + 2) c.reject(`the input has ${rankOf(x)} axes, must have ${n + 2}`);
    const kernel = l.ints(l.json('pool_length') === undefined ? 'pool_size' : 'pool_length', n, 2);
    const given = l.json('strides') ?? l.json('stride');
    const key = l.json('strides') === undefined ? 'stride' : 'strides';
    const strides = given === undefined || given === null ? kernel : l.ints(key, n);
    const padding = paddingOf(
      l,
      kernel,
      strides.map(() => 1),
      l.text('padding', 'valid'),
    );
    const o = { kernel, strides, padding, layout: l.layout };
    return [{ value: of === 'max' ? maxPool(c, x, o) : averagePool(c, x, o) }];
  };
/** The mean of the steps that count. */
function maskedMean(c: KerasBuilder, x: Value, mask: Value, axis: number, keep: boolean): Value {
  const [batch = 1, time = 1] = mask.type.shape;
  const counts = reshape(
    c,
    mask.type.dtype === 'bool' ? mask : cast(c, mask, 'bool'),
    axis === 1 ? [batch, time, 1] : [batch, 1, time],
  );
  const zero = c.literal(x.type.dtype, 0);
  const sum = reduceOver(c, 'sum', c.apply1(e.Where, [counts, x, zero]), [axis], keep);
  return c.apply1(e.Div, [sum, reduceOver(c, 'sum', cast(c, counts, x.type.dtype), [axis], keep)]);
}
const global =
  (n: number, of: 'max' | 'mean'): LayerBuilder =>
  (l, c, call) => {
    const x = call.x();
    if (rankOf(x) !== n + 2) c.reject(`the input has ${rankOf(x)} axes, must have ${n + 2}`);
    const axes = spatialAxes(l.layout, rankOf(x));
    const keep = l.bool('keepdims', false);
    const mask = call.named('mask', 1)?.value ?? call.flow()?.mask;
    if (n === 1 && of === 'mean' && mask) return [{ value: maskedMean(c, x, mask, must(axes[0]), keep) }];
    return [{ value: reduceOver(c, of, x, axes, keep) }];
  };
/** Windows that cut an axis of known size into so many parts, overlapping where they do not divide. */
const adaptive =
  (n: number, of: 'max' | 'mean'): LayerBuilder =>
  (l, c, call) => {
    const x = call.x();
    if (rankOf(x) !== n + 2) c.reject(`the input has ${rankOf(x)} axes, must have ${n + 2}`);
    const sizes = l.ints('output_size', n);
    const axes = spatialAxes(l.layout, rankOf(x));
    const inputs = spatialSizes(x, l.layout);
    return [
      {
        value: axes.reduce((v, axis, i) => {
          const [from, to] = [must(inputs[i]), must(sizes[i])];
          c.room(to, 'parts of an axis');
          const parts = Array.from({ length: to }, (_, p) => {
            const start: Dim = dimFloorDiv(dimMul(from, p), to);
            const size = dimSub(dimCeilDiv(dimMul(from, p + 1), to), start);
            return reduceOver(c, of, slice(c, v, new Map([[axis, { start, size, step: 1 }]])), [axis], true);
          });
          return concat(c, parts, axis);
        }, x),
      },
    ];
  };

const named = (name: string, make: (n: number) => LayerBuilder): [string, LayerBuilder][] =>
  [1, 2, 3].map(n => [`${name}${n}D`, make(n)]);
export const poolLayers: LayerTable = Object.fromEntries([
  ...named('MaxPooling', n => pool(n, 'max')),
  ...named('MaxPool', n => pool(n, 'max')),
  ...named('AveragePooling', n => pool(n, 'mean')),
  ...named('AvgPool', n => pool(n, 'mean')),
  ...named('GlobalMaxPooling', n => global(n, 'max')),
  ...named('GlobalMaxPool', n => global(n, 'max')),
  ...named('GlobalAveragePooling', n => global(n, 'mean')),
  ...named('GlobalAvgPool', n => global(n, 'mean')),
  ...named('AdaptiveMaxPooling', n => adaptive(n, 'max')),
  ...named('AdaptiveAveragePooling', n => adaptive(n, 'mean')),
]);
