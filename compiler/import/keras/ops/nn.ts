import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import { Attention } from '../../../ops/attention/attention.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { LayerNorm } from '../../../ops/reduce/norm.ts';
import { axisOf, rankOf } from '../../shared/axes.ts';
import { isArray, type Json } from '../../shared/json.ts';
import { convolution, weightsFromDepthwise, weightsFromHWIO } from '../../shared/tensorflow/conv.ts';
import { averagePool, maxPool } from '../../shared/tensorflow/pool.ts';
import { depthToSpace, spaceToDepth } from '../../shared/tensorflow/space.ts';
import { layoutOf, type Padding } from '../../shared/tensorflow/window.ts';
import { cast, reshape, transpose } from '../../shared/views.ts';
import { resizedBy } from '../layers/shape.ts';
import type { LayerView } from '../layer.ts';
import type { CallView, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { prefixed } from './elementwise.ts';
import { axesSetting, numberSetting, operand, optional, setting, single } from './operands.ts';

/** Operations of neural networks that take their weights as tensors. */
const textSetting = (n: LayerView, call: CallView, name: string, otherwise: string): string => {
  const j = setting(n, call, name);
  return typeof j === 'string' ? j : otherwise;
};
const layout = (n: LayerView, call: CallView) => layoutOf(textSetting(n, call, 'data_format', 'channels_last'));
function numbers(n: LayerView, call: CallView, name: string, count: number, otherwise: number | readonly number[]): number[] {
  const j = setting(n, call, name);
  if (j === undefined || j === null)
    return typeof otherwise === 'number' ? new Array<number>(count).fill(otherwise) : [...otherwise];
  const list = isArray(j) ? Array.from(j as readonly Json[]) : new Array<Json>(count).fill(j);
  return list.map(v => (typeof v === 'number' && Number.isInteger(v) ? v : n.bad(`'${name}' is ${JSON.stringify(j)}`)));
}
function paddingOf(n: LayerView, call: CallView): Padding {
  const p = setting(n, call, 'padding') ?? 'valid';
  return p === 'same' || p === 'valid' ? { k: p } : n.bad(`'padding' is ${JSON.stringify(p)}`);
}
const conv = (deep: boolean): LayerBuilder =>
  single((n, c, call) => {
    const x = operand(c, call, 'inputs', 0).value;
    const kernel = operand(c, call, 'kernel', 1).value;
    const count = rankOf(x) - 2;
    const weights = deep ? weightsFromDepthwise(c, kernel) : weightsFromHWIO(c, kernel);
    const o = {
      layout: layout(n, call),
      strides: numbers(n, call, 'strides', count, 1),
      dilations: numbers(n, call, 'dilation_rate', count, 1),
    };
    return convolution(c, x, cast(c, weights, x.type.dtype), { ...o, padding: paddingOf(n, call) });
  });
const pool = (f: typeof maxPool): LayerBuilder =>
  single((n, c, call) => {
    const x = operand(c, call, 'inputs', 0).value;
    const count = rankOf(x) - 2;
    const kernel = numbers(n, call, 'pool_size', count, 2);
    return f(c, x, {
      kernel,
      strides: numbers(n, call, 'strides', count, kernel),
      layout: layout(n, call),
      padding: paddingOf(n, call),
    });
  });
/** Attention over [batch, rows, heads, size]. */
const attention = single((n, c, call) => {
  const [q, k, v] = ['query', 'key', 'value'].map((name, i) => operand(c, call, name, i).value);
  const bias = optional(c, call, 'bias', 3);
  const mask = optional(c, call, 'mask', 4);
  if (bias && mask) return c.unsupported('a bias and a mask at once');
  const query = must(q);
  const size = query.type.shape[3];
  const given = call.json('scale', 5);
  const scale =
    typeof given === 'number' ? given : typeof size === 'number' ? 1 / Math.sqrt(size) : c.unsupported('heads of open size');
  const turned = [query, must(k), must(v)].map(x => transpose(c, x, [0, 2, 1, 3]));
  const extra = mask ? cast(c, mask.value, 'bool') : bias && cast(c, bias.value, query.type.dtype);
  const cap = numberSetting(n, call, 'attn_logits_soft_cap', 0);
  return c.apply1(Attention, [...turned, extra], {
    scale,
    hidden: -1e9,
    causal: setting(n, call, 'is_causal') === true,
    softcap: cap,
  });
});
const weighted = (c: KerasBuilder, y: Value, call: CallView, names: readonly [string, string | undefined]): Value => {
  const [scale, shift] = [optional(c, call, names[0], 1), names[1] === undefined ? undefined : optional(c, call, names[1], 2)];
  const scaled = scale ? c.apply1(e.Mul, [y, cast(c, scale.value, y.type.dtype)]) : y;
  return shift ? c.apply1(e.Add, [scaled, cast(c, shift.value, y.type.dtype)]) : scaled;
};
const normed = (center: boolean): LayerBuilder =>
  single((n, c, call) => {
    const x = operand(c, call, 'x', 0).value;
    const axes = (axesSetting(n, call) ?? [-1]).map(a => axisOf(c, a, rankOf(x)));
    if (setting(n, call, 'rms_scaling') === true) return c.unsupported('rms_scaling');
    const y = c.apply1(LayerNorm, [x], { axes, epsilon: numberSetting(n, call, 'epsilon', center ? 1e-3 : 1e-6), center });
    return weighted(c, y, call, center ? ['gamma', 'beta'] : ['scale', undefined]);
  });
const resize = single((n, c, call) => {
  const x = operand(c, call, 'images', 0).value;
  for (const key of ['antialias', 'crop_to_aspect_ratio', 'pad_to_aspect_ratio'])
    if (setting(n, call, key) === true) c.unsupported(key);
  const single_ = rankOf(x) === 3;
  const whole = single_ ? reshape(c, x, [1, ...x.type.shape]) : x;
  const kind = textSetting(n, call, 'interpolation', 'bilinear');
  const y = resizedBy(c, whole, kind, {
    sizes: numbers(n, call, 'size', 2, 1),
    layout: layout(n, call),
    coordinates: 'half_pixel',
  });
  return single_ ? reshape(c, y, y.type.shape.slice(1)) : y;
});

export const nnOps: LayerTable = prefixed({
  Conv: conv(false),
  DepthwiseConv: conv(true),
  MaxPool: pool(maxPool),
  AveragePool: pool(averagePool),
  DotProductAttention: attention,
  LayerNorm: normed(true),
  RMSNorm: normed(false),
  Resize: resize,
  DepthToSpace: single((n, c, call) =>
    depthToSpace(c, operand(c, call, 'x', 0).value, numberSetting(n, call, 'block_size', 2), layout(n, call)),
  ),
  SpaceToDepth: single((n, c, call) =>
    spaceToDepth(c, operand(c, call, 'x', 0).value, numberSetting(n, call, 'block_size', 2), layout(n, call)),
  ),
});
