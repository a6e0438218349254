import { must } from '../../core/diagnostic.ts';
import { isFloat } from '../../core/dtype.ts';
import { elements, type TensorType } from '../../core/shape.ts';
import { fromNumbers, numel, toNumbers } from '../../core/tensor.ts';
import { add, cast, clampInt, div, konst, math, mul, sqrt, sub, vtype, within, type Expr } from '../../kernel/ir.ts';
import { buildLayerNorm, buildSoftmax } from './schedules/normalize.ts';
import { checkAxes, groupsAlong } from './axes.ts';
import { movedAxis } from '../axes.ts';
import { attr, defineOp, type InferCtx } from '../define.ts';
import { eachAxis } from './reduce.ts';

/** The type of the first operand, which must be of floats. */
function floatInput(c: InferCtx<unknown>): TensorType {
  const x = must(c.types[0]);
  return isFloat(x.dtype) ? x : c.reject(`takes floats, not ${x.dtype}`);
}

export const Softmax = defineOp({
  name: 'Softmax',
  doc: 'exp(x - max) divided by its sum along an axis; `log`: the logarithm of that.',
  inputs: ['x'],
  attrs: { axis: attr.int(), log: attr.bool(false) },
  infer: c => {
    const x = floatInput(c);
    checkAxes(c, [c.attrs.axis], x.shape.length);
    return [x];
  },
  eval: (c, x) => {
    const t = must(x);
    const data = toNumbers(t);
    const { starts, members } = groupsAlong(t.dims, [c.attrs.axis]);
    for (const at of starts) {
      let most = -Infinity;
      for (const m of members) most = Math.max(most, data[at + m] ?? 0);
      let sum = 0;
      for (const m of members) sum += Math.exp((data[at + m] ?? 0) - most);
      for (const m of members) {
        const d = (data[at + m] ?? 0) - most;
        data[at + m] = c.attrs.log ? d - Math.log(sum) : Math.exp(d) / sum;
      }
    }
    return [fromNumbers(t.dtype, t.dims, data)];
  },
  permuteAxes: (n, perm) => ({ ...n.attrs, axis: movedAxis(n.attrs.axis, perm) }),
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    iterationSpace: n => eachAxis(must(n.outputs[0]).type.shape.length),
    build: c => buildSoftmax(c),
  },
  macs: n => elements(must(n.inputs[0]).type),
});

export const LayerNorm = defineOp({
  name: 'LayerNorm',
  doc: '(x - mean) / sqrt(variance + epsilon) over some axes; without `center` x / sqrt(mean of squares + epsilon). Scale and bias follow as Mul and Add.',
  inputs: ['x'],
  attrs: { axes: attr.ints(), epsilon: attr.float(1e-5), center: attr.bool(true) },
  infer: c => {
    const x = floatInput(c);
    checkAxes(c, c.attrs.axes, x.shape.length);
    return [x];
  },
  eval: (c, x) => {
    const t = must(x);
    const data = toNumbers(t);
    const { starts, members } = groupsAlong(t.dims, c.attrs.axes);
    for (const at of starts) {
      let sum = 0;
      if (c.attrs.center) for (const m of members) sum += data[at + m] ?? 0;
      const mean = sum / members.length;
      let squares = 0;
      for (const m of members) squares += ((data[at + m] ?? 0) - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / members.length + c.attrs.epsilon);
      for (const m of members) data[at + m] = ((data[at + m] ?? 0) - mean) * scale;
    }
    return [fromNumbers(t.dtype, t.dims, data)];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    iterationSpace: n => eachAxis(must(n.outputs[0]).type.shape.length),
    build: c => buildLayerNorm(c),
  },
  macs: n => elements(must(n.inputs[0]).type),
});

/** Windows longer than this are walked by a loop instead of being written out. */
const UNROLL = 9;
export const LRN = defineOp({
  name: 'LRN',
  doc: 'x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ** beta; axis 1 holds the channels.',
  inputs: ['x'],
  attrs: { size: attr.int(), alpha: attr.float(1e-4), beta: attr.float(0.75), bias: attr.float(1) },
  infer: c => {
    const x = floatInput(c);
    if (x.shape.length < 2) c.reject('x has no axis of channels');
    if (c.attrs.size < 1) c.reject(`size is ${c.attrs.size}`);
    return [x];
  },
  eval: (c, x) => {
    const t = must(x);
    const data = toNumbers(t);
    const { size, alpha, beta, bias } = c.attrs;
    const channels = t.dims[1] ?? 1;
    const inner = numel(t.dims.slice(2));
    const before = Math.floor((size - 1) / 2);
    return [
      fromNumbers(
        t.dtype,
        t.dims,
        data.map((v, i) => {
          const channel = Math.floor(i / inner) % channels;
          let sum = 0;
          for (let j = Math.max(0, channel - before); j < Math.min(channels, channel - before + size); j++)
            sum += (data[i + (j - channel) * inner] ?? 0) ** 2;
          return v / (bias + (alpha / size) * sum) ** beta;
        }),
      ),
    ];
  },
  lower: {
    k: 'indexMap',
    vector: c => c.out.shape.length > 2,
    at: (c, idx, lanes) => {
      const { k } = c;
      const x = must(c.ins[0]);
      const { size, alpha, beta, bias } = c.attrs;
      const channels = k.dim(must(x.dims[1]));
      const channel = must(idx[1]);
      const t = vtype(c.out.dtype === 'f64' ? 'f64' : 'f32', lanes);
      const total = k.var(konst(t, 0));
      const take = (offset: Expr): void => {
        const j = k.let(add(channel, offset));
        const at = idx.map((i, a) => (a === 1 ? clampInt(j, 0, sub(channels, 1)) : i));
        const v = k.let(x.at(k, at, lanes));
        const inside = k.let(cast(vtype(t.base), within(j, 0, channels)));
        k.set(total, add(total, mul(mul(v, v), lanes === 1 ? inside : { k: 'splat', t, a: inside })));
      };
      const before = Math.floor((size - 1) / 2);
      if (size <= UNROLL) for (let i = 0; i < size; i++) take({ k: 'const', t: vtype('i32'), value: i - before });
      else k.for(-before, size - before, take);
      const s = k.let(add(mul(total, alpha / size), bias));
      const here = x.at(k, idx, lanes);
      if (beta === 0.5) return div(here, sqrt(s));
      if (beta === 0.75) {
        const root = k.let(sqrt(s));
        return div(here, mul(root, sqrt(root)));
      }
      return mul(here, math('exp', mul(math('log', s), -beta)));
    },
  },
  macs: n => elements(must(n.inputs[0]).type),
});
