import { must } from '../../../core/diagnostic.ts';
import type { Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { rankOf } from '../../shared/axes.ts';
import { reshape } from '../../shared/views.ts';
import type { LayerBuilder, LayerTable } from '../registry.ts';
import { activate, relu, softmaxOver } from './functions.ts';

const reluLayer: LayerBuilder = (n, c, call) => {
  const most = n.json('max_value');
  const y = relu(c, call.x(), n.float('negative_slope', 0), typeof most === 'number' ? most : undefined, n.float('threshold', 0));
  return [{ value: y }];
};
/** One slope an element, or for whole axes. */
const prelu: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const [alpha] = n.variables('alpha');
  const slope = must(alpha);
  const sizes: Dim[] = [...slope.type.shape];
  while (sizes.length < rankOf(x) - 1) sizes.unshift(1);
  return [{ value: c.apply1(e.PRelu, [x, reshape(c, slope, sizes)]) }];
};
/** Over one axis or several; a mask leaves elements out. */
const softmax: LayerBuilder = (n, c, call) => {
  const given = n.json('axis');
  const axes = Array.isArray(given) ? n.ints('axis') : [n.int('axis', -1)];
  const mask = call.named('mask', 1)?.value ?? call.flow()?.mask;
  const x = call.x();
  if (!mask) return [{ value: softmaxOver(c, x, axes) }];
  const bool = mask.type.dtype === 'bool' ? mask : c.apply1(e.Cast, [mask], { to: 'bool' });
  const fits =
    rankOf(bool) === rankOf(x)
      ? bool
      : reshape(c, bool, [...bool.type.shape, ...new Array<Dim>(rankOf(x) - rankOf(bool)).fill(1)]);
  const zero = c.literal(x.type.dtype, 0);
  // Keras adds a great negative number, and multiplies the result with the mask.
  const away: Value = c.apply1(e.Where, [fits, zero, c.literal(x.type.dtype, x.type.dtype === 'f16' ? -30000 : -1e9)]);
  const y = softmaxOver(c, c.apply1(e.Add, [x, away]), axes);
  return [{ value: n.version === 3 ? c.apply1(e.Where, [fits, y, zero]) : y }];
};

export const activationLayers: LayerTable = {
  Activation: (n, c, call) => [{ value: activate(n, c, call.x()) }],
  ReLU: reluLayer,
  LeakyReLU: (n, c, call) => [
    { value: c.apply1(e.LeakyRelu, [call.x()], { alpha: n.float('negative_slope', n.float('alpha', 0.3)) }) },
  ],
  ELU: (n, c, call) => [{ value: c.apply1(e.Elu, [call.x()], { alpha: n.float('alpha', 1) }) }],
  ThresholdedReLU: (n, c, call) => [{ value: c.apply1(e.ThresholdedRelu, [call.x()], { alpha: n.float('theta', 1) }) }],
  PReLU: prelu,
  Softmax: softmax,
};
