import { isCoded } from '../../core/codes.ts';
import { must } from '../../core/diagnostic.ts';
import { dimMax, dimMin, dimProd, dimSum } from '../../core/dim.ts';
import { isFloat, isInt, limitsOf } from '../../core/dtype.ts';
import { elements, tensorType } from '../../core/shape.ts';
import { fromNumbers, fromTyped, toNumbers, typed, zeros, type Tensor } from '../../core/tensor.ts';
import { buildArgReduce, buildCumulative, buildReduce } from './schedules/reduce.ts';
import { checkAxes, groupsAlong, reducedShape, type Offsets, REDUCTIONS, type Reduction } from './axes.ts';
import { movedAxes, movedAxis } from '../axes.ts';
import { attr, defineOp } from '../define.ts';

/** Folds each group of a tensor of 64-bit integers exactly. */
function foldBig(data: BigInt64Array | BigUint64Array, g: Offsets, of: Reduction, least: bigint, greatest: bigint): bigint[] {
  const start = { sum: 0n, mean: 0n, prod: 1n, max: least, min: greatest }[of];
  return Array.from(g.starts, at => {
    let v = start;
    for (const m of g.members) {
      const x = data[at + m] ?? 0n;
      if (of === 'prod') v *= x;
      else if (of === 'max') v = x > v ? x : v;
      else if (of === 'min') v = x < v ? x : v;
      else v += x;
    }
    return of === 'mean' && g.members.length > 0 ? v / BigInt(g.members.length) : v;
  });
}
/** Folds each group in float64. */
function foldNumbers(data: Float64Array, g: Offsets, of: Reduction, least: number, greatest: number): Float64Array {
  const start = { sum: 0, mean: 0, prod: 1, max: least, min: greatest }[of];
  const out = new Float64Array(g.starts.length);
  for (let i = 0; i < out.length; i++) {
    const at = g.starts[i] ?? 0;
    let v = start;
    for (const m of g.members) {
      const x = data[at + m] ?? 0;
      if (of === 'prod') v *= x;
      else if (of === 'max') v = x > v || Number.isNaN(x) ? x : v;
      else if (of === 'min') v = x < v || Number.isNaN(x) ? x : v;
      else v += x;
    }
    out[i] = v;
  }
  return out;
}
/** Reduces a tensor to sizes `dims`, in float64 or exact integers. */
export function reduceTensor(t: Tensor, of: Reduction, axes: readonly number[], dims: readonly number[]): Tensor {
  const g = groupsAlong(t.dims, axes);
  const [least, greatest] = limitsOf(t.dtype);
  const data = typed(t);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const out = foldBig(data, g, of, BigInt(least), BigInt(greatest));
    return fromTyped(t.dtype, dims, data instanceof BigInt64Array ? BigInt64Array.from(out) : BigUint64Array.from(out));
  }
  const out = foldNumbers(toNumbers(t), g, of, Number(least), Number(greatest));
  if (of === 'mean')
    for (let i = 0; i < out.length; i++) {
      const mean = (out[i] ?? 0) / g.members.length;
      out[i] = isFloat(t.dtype) ? mean : Math.trunc(mean) || 0;
    }
  return fromNumbers(t.dtype, dims, out);
}
/** Whether the axis groups of the output can each be walked alone: no constraint for what is fused behind. */
export const eachAxis = (rank: number): readonly (readonly number[])[] => Array.from({ length: rank }, (_, i) => [i]);

export const Reduce = defineOp({
  name: 'Reduce',
  doc: 'Sum, mean, product, maximum or minimum over some axes; `keep` leaves them with size 1. Integers wrap; their mean is truncated.',
  inputs: ['x'],
  attrs: { of: attr.oneOf(REDUCTIONS), axes: attr.ints(), keep: attr.bool(true) },
  infer: c => {
    const x = must(c.types[0]);
    checkAxes(c, c.attrs.axes, x.shape.length);
    const order = x.dtype === 'bool' && (c.attrs.of === 'max' || c.attrs.of === 'min');
    if (!isFloat(x.dtype) && !isInt(x.dtype) && !order) c.reject(`takes numbers, not ${x.dtype}`);
    return [tensorType(x.dtype, reducedShape(x.shape, c.attrs.axes, c.attrs.keep))];
  },
  symbolic: c => {
    const x = c.symbolic[0];
    if (!x || must(c.out[0]).shape.some(d => d !== 1) || c.attrs.axes.length === 0) return [];
    switch (c.attrs.of) {
      case 'sum':
        return [[dimSum(x)]];
      case 'prod':
        return [[dimProd(x)]];
      case 'max':
        return [x.length === 0 ? undefined : [x.reduce(dimMax)]];
      case 'min':
        return [x.length === 0 ? undefined : [x.reduce(dimMin)]];
      case 'mean':
        return [];
    }
  },
  eval: (c, x) => [reduceTensor(must(x), c.attrs.of, c.attrs.axes, c.dims(0))],
  permuteAxes: (n, perm) => (n.attrs.keep ? { ...n.attrs, axes: movedAxes(n.attrs.axes, perm) } : undefined),
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    iterationSpace: n => eachAxis(must(n.outputs[0]).type.shape.length),
    build: c => buildReduce(c),
  },
  macs: n => elements(must(n.inputs[0]).type),
});

export const ArgReduce = defineOp({
  name: 'ArgReduce',
  doc: 'The index of the greatest (or least) element along an axis, as i64; of equals the first, or the last. NaN wins over all numbers.',
  inputs: ['x'],
  attrs: { of: attr.oneOf(['max', 'min']), axis: attr.int(), keep: attr.bool(true), last: attr.bool(false) },
  infer: c => {
    const x = must(c.types[0]);
    checkAxes(c, [c.attrs.axis], x.shape.length);
    return [tensorType('i64', reducedShape(x.shape, [c.attrs.axis], c.attrs.keep))];
  },
  eval: (c, x) => {
    const t = must(x);
    const { of, last, axis } = c.attrs;
    const g = groupsAlong(t.dims, [axis]);
    const data = isCoded(t.dtype) ? toNumbers(t) : typed(t);
    const out = BigInt64Array.from(g.starts, at => {
      let best = 0;
      for (let i = 1; i < g.members.length; i++) {
        const a = data[at + (g.members[i] ?? 0)] ?? 0;
        const b = data[at + (g.members[best] ?? 0)] ?? 0;
        const [newNaN, hadNaN] = [a !== a, b !== b];
        const wins = newNaN ? last || !hadNaN : (of === 'max' ? a > b : a < b) || (last && a === b);
        if (wins) best = i;
      }
      return BigInt(best);
    });
    return [fromTyped('i64', c.dims(0), out)];
  },
  permuteAxes: (n, perm) => (n.attrs.keep ? { ...n.attrs, axis: movedAxis(n.attrs.axis, perm) } : undefined),
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    iterationSpace: n => eachAxis(must(n.outputs[0]).type.shape.length),
    build: c => buildArgReduce(c),
  },
  macs: n => elements(must(n.inputs[0]).type),
});

export const Cumulative = defineOp({
  name: 'Cumulative',
  doc: 'Running sum or product along an axis. `exclusive`: without the element itself; `reverse`: from the end.',
  inputs: ['x'],
  attrs: { of: attr.oneOf(['sum', 'prod']), axis: attr.int(), exclusive: attr.bool(false), reverse: attr.bool(false) },
  infer: c => {
    const x = must(c.types[0]);
    checkAxes(c, [c.attrs.axis], x.shape.length);
    if (!isFloat(x.dtype) && !isInt(x.dtype)) c.reject(`takes numbers, not ${x.dtype}`);
    return [x];
  },
  eval: (c, x) => [cumulate(must(x), c.attrs)],
  permuteAxes: (n, perm) => ({ ...n.attrs, axis: movedAxis(n.attrs.axis, perm) }),
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    iterationSpace: n => eachAxis(must(n.outputs[0]).type.shape.length),
    build: c => buildCumulative(c),
  },
  macs: n => elements(must(n.inputs[0]).type),
});
function cumulate(
  t: Tensor,
  a: { readonly of: 'sum' | 'prod'; readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean },
): Tensor {
  const { starts, members } = groupsAlong(t.dims, [a.axis]);
  const order = a.reverse ? members.toReversed() : members;
  const big = t.dtype === 'i64' || t.dtype === 'u64';
  const walk = <T>(get: (i: number) => T, put: (i: number, v: T) => void, first: T, next: (v: T, x: T) => T): void => {
    for (const at of starts) {
      let v = first;
      for (const m of order) {
        const x = get(at + m);
        const sum = next(v, x);
        put(at + m, a.exclusive ? v : sum);
        v = sum;
      }
    }
  };
  if (big) {
    const out = zeros(t.dtype, t.dims);
    const [from, to] = [typed(t), typed(out)];
    const sum = a.of === 'sum';
    walk(
      i => BigInt(from[i] ?? 0),
      (i, v) => (to[i] = v),
      sum ? 0n : 1n,
      (v, x) => (sum ? v + x : v * x),
    );
    return out;
  }
  const from = toNumbers(t);
  const to = new Float64Array(from.length);
  const sum = a.of === 'sum';
  walk(
    i => from[i] ?? 0,
    (i, v) => (to[i] = v),
    sum ? 0 : 1,
    (v, x) => (sum ? v + x : v * x),
  );
  return fromNumbers(t.dtype, t.dims, to);
}
