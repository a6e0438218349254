/** Generators of ONNX operators, in all versions that Sinter reads: each draws operands and attributes, most of which are valid. */
import { numel } from '../../compiler/core/tensor.ts';
import type { Draw, Spec, Val } from './draw.ts';
import type { Attr } from './model.ts';
import type { Rounding } from './oracle.ts';

export interface Generator {
  readonly name: string;
  /** Since which operator set. */
  readonly since: number;
  readonly rounding: Rounding;
  readonly draw: (d: Draw) => Spec | undefined;
}
type Make = (d: Draw, op: string) => Spec | undefined;
const list: Generator[] = [];
const more = (make: Make, rounding: Rounding, ops: Readonly<Record<string, number>>): void => {
  for (const [name, since] of Object.entries(ops)) list.push({ name, since, rounding, draw: d => make(d, name) });
};
const f = (x: number): Attr => ({ f: Math.fround(x) });
const maybe = <T>(d: Draw, v: T): T | undefined => (d.chance(0.6) ? v : undefined);

// ---- elementwise
const unary: Make = (d, op) => ({ op, inputs: [d.floats()] });
more(unary, 'each', { Exp: 7, Log: 7, Sqrt: 7, Reciprocal: 7, Softsign: 7 });
more(unary, 'unit', { Sigmoid: 7, Tanh: 7 });
more(unary, 'sums', { Softplus: 7, Mish: 18 });
more(unary, 'each', {
  Erf: 9,
  Sin: 7,
  Cos: 7,
  Tan: 7,
  Asin: 7,
  Acos: 7,
  Atan: 7,
  Sinh: 9,
  Cosh: 9,
  Asinh: 9,
  Acosh: 9,
  Atanh: 9,
});
more(unary, 'each', { HardSwish: 14 });
more(unary, 'not', { Abs: 7, Neg: 7, Relu: 7, Floor: 7, Ceil: 7, Round: 11, Sign: 9, IsNaN: 9, Identity: 7 });
const alpha: Make = (d, op) => ({ op, inputs: [d.floats()], attrs: { alpha: maybe(d, f(d.next() * 2)) } });
more(alpha, 'each', { LeakyRelu: 7 });
more(alpha, 'sums', { Elu: 7, Celu: 12 });
more(alpha, 'not', { ThresholdedRelu: 10 });
more((d, op) => ({ op, inputs: [d.floats()], attrs: { alpha: maybe(d, f(d.next())), beta: maybe(d, f(d.next())) } }), 'each', {
  HardSigmoid: 7,
});
more(
  (d, op) => ({ op, inputs: [d.floats()], attrs: { alpha: maybe(d, f(d.next() * 2)), gamma: maybe(d, f(d.next() * 2)) } }),
  'sums',
  {
    Selu: 7,
  },
);
more((d, op) => ({ op, inputs: [d.floats()], attrs: { bias: maybe(d, f(d.next())), lambd: maybe(d, f(d.next())) } }), 'each', {
  Shrink: 9,
});
more((d, op) => ({ op, inputs: [d.floats()], attrs: { approximate: d.pick(['none', 'tanh']) } }), 'sums', { Gelu: 20 });
more((d, op) => ({ op, inputs: [d.floats()], attrs: { detect_negative: maybe(d, d.below(2)) } }), 'not', { IsInf: 10 });
const binary: Make = (d, op) => {
  const a = d.chance(0.15) ? d.ofType('i32', 'i64', 'f64') : d.floats();
  const b = d.beside(a);
  return { op, inputs: d.chance(0.3) ? [b, a] : [a, b] };
};
more(binary, 'each', { Add: 7, Sub: 7, Mul: 7, Div: 7, Pow: 7 });
more(binary, 'not', { Equal: 11, Less: 9, Greater: 9, LessOrEqual: 12, GreaterOrEqual: 12, Min: 8, Max: 8, PRelu: 9 });
more(
  (d, op) => {
    const a = d.ofType('i32', 'i64', 'f32');
    return { op, inputs: [a, d.beside(a)], attrs: { fmod: a.t.dtype === 'f32' ? 1 : d.below(2) } };
  },
  'not',
  { Mod: 10 },
);
const variadic: Make = (d, op) => {
  const a = d.floats();
  return { op, inputs: [a, ...Array.from({ length: d.below(3) }, () => d.beside(a))] };
};
more(variadic, 'each', { Sum: 8, Mean: 8 });
const bools = (d: Draw): Val => d.any(v => v.t.dtype === 'bool') ?? d.input('bool', d.shape());
more((d, op) => ({ op, inputs: [bools(d)] }), 'not', { Not: 7 });
more(
  (d, op) => {
    const a = bools(d);
    return { op, inputs: [a, d.beside(a)] };
  },
  'not',
  { And: 7, Or: 7, Xor: 7 },
);
more(
  (d, op) => {
    const c = bools(d);
    const a = d.any(v => v.t.dtype === 'f32' && v.t.dims.join() === c.t.dims.join()) ?? d.input('f32', c.t.dims);
    return {
      op,
      inputs: [c, a, d.chance(0.4) ? d.constant('f32', [], [d.pick([0, -1e4, -Infinity, -3.4028235e38, 1])]) : d.beside(a)],
    };
  },
  'not',
  { Where: 9 },
);
more(
  (d, op) => {
    const a = d.floats();
    const [lo, hi] = [d.pick([-1, 0, -3, -3.4028235e38]), d.pick([1, 6, 0.5, 3.4028235e38])];
    if (d.opset < 11) return { op, inputs: [a], attrs: { min: maybe(d, f(lo)), max: maybe(d, f(hi)) } };
    return { op, inputs: [a, maybe(d, d.constant('f32', [], [lo])), maybe(d, d.constant('f32', [], [hi]))] };
  },
  'not',
  { Clip: 7 },
);
more(
  (d, op) => ({
    op,
    inputs: [d.pick(d.values.length > 0 ? d.values : [d.floats()])],
    attrs: { to: d.pick([1, 1, 6, 7, 9, 11]) },
  }),
  'each',
  {
    Cast: 9,
  },
);

// ---- movement
more(
  (d, op) => {
    const a = d.floats();
    const perm = a.t.dims.map((_, i) => i).sort(() => d.next() - 0.5);
    return { op, inputs: [a], attrs: { perm: maybe(d, perm) } };
  },
  'not',
  { Transpose: 7 },
);
/** Sizes with the same product. */
function regrouped(d: Draw, dims: readonly number[]): number[] {
  const factors = dims.flatMap(n => {
    const out: number[] = [];
    for (let p = 2, m = n; m > 1; p++) for (; m % p === 0; m /= p) out.push(p);
    return out;
  });
  const out: number[] = [1];
  for (const p of factors) {
    if (d.chance(0.5) || out.length > 4) out[out.length - 1] = (out.at(-1) ?? 1) * p;
    else out.push(p);
  }
  return d.chance(0.5) && (out[0] ?? 0) === 1 && out.length > 1 ? out.slice(1) : out;
}
more(
  (d, op) => {
    const a = d.pick(d.values.length > 0 ? d.values : [d.floats()]);
    const to = regrouped(d, a.t.dims);
    if (d.chance(0.3)) to[d.below(to.length)] = -1;
    if (d.chance(0.2) && to[0] === a.t.dims[0]) to[0] = 0;
    return { op, inputs: [a, d.ints(to)] };
  },
  'not',
  { Reshape: 7 },
);
more((d, op) => ({ op, inputs: [d.floats()], attrs: { axis: maybe(d, d.between(0, 2)) } }), 'not', { Flatten: 7 });
more(
  (d, op) => {
    const a = d.floats();
    const ones = a.t.dims.flatMap((n, i) => (n === 1 && d.chance(0.7) ? [i] : []));
    if (d.opset >= 13) return { op, inputs: [a, ones.length > 0 ? d.ints(ones) : undefined] };
    return { op, inputs: [a], attrs: { axes: ones.length > 0 ? ones : undefined } };
  },
  'not',
  { Squeeze: 7 },
);
more(
  (d, op) => {
    const a = d.floats();
    if (a.t.dims.length > 4) return undefined;
    const axes = d.chance(0.5) ? [d.below(a.t.dims.length + 1)] : [0, a.t.dims.length + 1];
    return d.opset >= 13 ? { op, inputs: [a, d.ints(axes)] } : { op, inputs: [a], attrs: { axes } };
  },
  'not',
  { Unsqueeze: 7 },
);
more(
  (d, op) => {
    const a = d.floats();
    const to = a.t.dims.map(n => (n === 1 ? d.pick([1, 2, 5]) : d.chance(0.3) ? 1 : n));
    return { op, inputs: [a, d.ints(d.chance(0.3) ? [2, ...to] : to)] };
  },
  'not',
  { Expand: 8 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    return numel(a.t.dims) > 500 ? undefined : { op, inputs: [a, d.ints(a.t.dims.map(() => d.between(1, 3)))] };
  },
  'not',
  { Tile: 7 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.axis(a);
    const at = axis < 0 ? axis + a.t.dims.length : axis;
    const fits = (v: Val): boolean =>
      v.t.dtype === a.t.dtype && v.t.dims.length === a.t.dims.length && v.t.dims.every((n, i) => i === at || n === a.t.dims[i]);
    const others = Array.from(
      { length: d.between(1, 3) },
      () => (d.chance(0.7) ? d.any(fits) : undefined) ?? d.constant('f32', a.t.dims),
    );
    return { op, inputs: [a, ...others], attrs: { axis: d.opset < 11 ? at : axis } };
  },
  'not',
  { Concat: 7 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.below(a.t.dims.length);
    const n = a.t.dims[axis] ?? 1;
    if (n < 2) return undefined;
    const at = d.between(1, n - 1);
    const parts = [at, n - at];
    if (d.opset < 13) return { op, inputs: [a], outputs: 2, attrs: { axis, split: parts } };
    return { op, inputs: [a, d.ints(parts)], outputs: 2, attrs: { axis } };
  },
  'not',
  { Split: 7 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axes = a.t.dims.map((_, i) => i).filter(() => d.chance(0.6));
    if (axes.length === 0) return undefined;
    const size = (i: number): number => a.t.dims[i] ?? 1;
    const back = axes.map(() => d.opset >= 10 && d.chance(0.25));
    const starts = axes.map((i, k) => (back[k] ? d.between(-1, size(i)) : d.pick([0, 1, -size(i), -2, d.below(size(i))])));
    const ends = axes.map((i, k) =>
      back[k] ? d.pick([-size(i) - 1, 0, -1000]) : d.pick([size(i), -1, 2 ** 31 - 1, size(i) + 3]),
    );
    if (d.opset < 10) return { op, inputs: [a], attrs: { axes, starts, ends } };
    const steps = axes.map((_, k) => (back[k] ? -1 : 1) * d.pick([1, 1, 2]));
    const negative = axes.map(i => (d.chance(0.3) ? i - a.t.dims.length : i));
    return { op, inputs: [a, d.ints(starts), d.ints(ends), d.ints(negative), d.ints(steps)] };
  },
  'not',
  { Slice: 7 },
);
const indices = (d: Draw, dims: readonly number[], n: number): Val => {
  const low = d.opset >= 11 && d.chance(0.3) ? -n : 0;
  const values = Array.from({ length: numel(dims) }, () => d.between(low, n - 1));
  return d.constant(d.pick(['i64', 'i64', 'i32']), dims, values);
};
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.axis(a);
    return { op, inputs: [a, indices(d, d.shape(d.below(3), 4), a.t.dims.at(axis) ?? 1)], attrs: { axis: maybe(d, axis) } };
  },
  'not',
  { Gather: 7 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.axis(a);
    const dims = a.t.dims.map(n => d.between(1, n));
    return { op, inputs: [a, indices(d, dims, a.t.dims.at(axis) ?? 1)], attrs: { axis } };
  },
  'not',
  { GatherElements: 11 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const k = d.between(1, a.t.dims.length);
    const rows = d.between(1, 4);
    const least = Math.min(...a.t.dims.slice(0, k));
    return {
      op,
      inputs: [
        a,
        d.constant(
          'i64',
          [rows, k],
          Array.from({ length: rows * k }, () => d.below(least)),
        ),
      ],
    };
  },
  'not',
  { GatherND: 11 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.below(a.t.dims.length);
    const n = a.t.dims[axis] ?? 1;
    const dims = a.t.dims.map((size, i) => (i === axis ? 1 : d.between(1, size)));
    return { op, inputs: [a, indices(d, dims, n), d.constant('f32', dims)], attrs: { axis } };
  },
  'each',
  { ScatterElements: 11 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const pads = [...a.t.dims, ...a.t.dims].map(() => d.pick([0, 0, 1, 2]));
    const mode = d.pick(['constant', 'constant', 'reflect', 'edge']);
    const few = pads.map((p, i) => (mode === 'reflect' ? Math.min(p, (a.t.dims[i % a.t.dims.length] ?? 1) - 1) : p));
    const v = d.pick([0, 1.5, -2]);
    if (d.opset < 11) return { op, inputs: [a], attrs: { pads: few, mode, value: maybe(d, f(v)) } };
    return { op, inputs: [a, d.ints(few), maybe(d, d.constant('f32', [], [v]))], attrs: { mode } };
  },
  'not',
  { Pad: 7 },
);
more(
  (d, op) => {
    const a = d.floats(2);
    const upper = d.below(2);
    return { op, inputs: [a, maybe(d, d.constant('i64', [], [d.between(-2, 2)]))], attrs: { upper } };
  },
  'not',
  { Trilu: 14 },
);
more(
  (d, op) => {
    const n = d.between(1, 2);
    const b = d.pick([1, 2]);
    const deep = op === 'DepthToSpace';
    const a = d.input('f32', [n, deep ? 4 * d.between(1, 2) : d.between(1, 3), 2 * d.between(1, 3), 2 * d.between(1, 2)]);
    return { op, inputs: [a], attrs: { blocksize: b, mode: deep && d.opset >= 11 ? d.pick(['DCR', 'CRD']) : undefined } };
  },
  'not',
  { DepthToSpace: 7, SpaceToDepth: 7 },
);
more((d, op) => ({ op, inputs: [d.floats()] }), 'not', { Shape: 7, Size: 7 });
more(
  (d, op) => {
    const depth = d.between(2, 5);
    const i = d.constant('i64', d.shape(d.below(3), 4));
    return {
      op,
      inputs: [i, d.constant('i64', [1], [depth]), d.constant('f32', [2], [d.pick([0, -1]), 1])],
      attrs: { axis: maybe(d, -1) },
    };
  },
  'not',
  { OneHot: 11 },
);

// ---- reductions
const reduce: Make = (d, op) => {
  const a = d.floats();
  const axes = d.axes(a);
  const input = op === 'ReduceSum' ? d.opset >= 13 : d.opset >= 18;
  const plain = d.opset < 11 ? axes.map(x => (x < 0 ? x + a.t.dims.length : x)) : axes;
  const given = plain.length > 0 && d.chance(0.8);
  const keepdims = maybe(d, d.below(2));
  if (input)
    return {
      op,
      inputs: [a, given ? d.ints(plain) : undefined],
      attrs: { keepdims, noop_with_empty_axes: maybe(d, d.below(2)) },
    };
  return { op, inputs: [a], attrs: { keepdims, axes: given ? plain : undefined } };
};
more(reduce, 'sums', {
  ReduceSum: 7,
  ReduceMean: 7,
  ReduceProd: 7,
  ReduceL1: 7,
  ReduceL2: 7,
  ReduceLogSum: 7,
  ReduceLogSumExp: 7,
});
more(reduce, 'sums', { ReduceSumSquare: 7 });
more(reduce, 'not', { ReduceMax: 7, ReduceMin: 7 });
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.axis(a);
    const at = d.opset < 11 && axis < 0 ? axis + a.t.dims.length : axis;
    const select_last_index = d.opset >= 12 ? maybe(d, d.below(2)) : undefined;
    return { op, inputs: [a], attrs: { axis: at, keepdims: maybe(d, d.below(2)), select_last_index } };
  },
  'not',
  { ArgMax: 7, ArgMin: 7 },
);
const along: Make = (d, op) => {
  const a = d.floats(undefined, 1);
  const axis = d.axis(a);
  return { op, inputs: [a], attrs: { axis: maybe(d, d.opset < 11 && axis < 0 ? axis + a.t.dims.length : axis) } };
};
more(along, 'unit', { Softmax: 7 });
more(along, 'sums', { LogSoftmax: 7 });
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.constant('i32', [], [d.axis(a)]);
    return { op, inputs: [a, axis], attrs: { exclusive: maybe(d, d.below(2)), reverse: maybe(d, d.below(2)) } };
  },
  'sums',
  { CumSum: 11 },
);
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const axis = d.below(a.t.dims.length);
    const k = d.between(1, a.t.dims[axis] ?? 1);
    if (d.opset < 10) return { op, inputs: [a], outputs: 2, attrs: { axis, k } };
    return { op, inputs: [a, d.ints([k])], outputs: 2, attrs: { axis, largest: d.opset >= 11 ? d.below(2) : undefined } };
  },
  'not',
  { TopK: 7 },
);

// ---- networks
more(
  (d, op) => {
    const a = d.floats(undefined, 1);
    const k = a.t.dims.at(-1) ?? 1;
    const n = d.between(1, 9);
    const own = d.chance(0.5) ? d.any(v => v.t.dtype === a.t.dtype && v.t.dims.length >= 2 && v.t.dims.at(-2) === k) : undefined;
    return { op, inputs: [a, own ?? (d.chance(0.8) ? d.constant('f32', [k, n]) : d.input('f32', [k, n]))] };
  },
  'each',
  { MatMul: 7 },
);
more(
  (d, op) => {
    const a = d.floats(2);
    const [m = 1, k = 1] = a.t.dims;
    const [transA, transB] = [d.below(2), d.below(2)];
    const n = d.between(1, 9);
    const inner = transA ? m : k;
    const rows = transA ? k : m;
    const b = d.constant('f32', transB ? [n, inner] : [inner, n]);
    const c = d.constant('f32', d.pick([[n], [1, n], [rows, n], [rows, 1], [1], []]));
    const optional = d.opset >= 11 && d.chance(0.3) ? undefined : c;
    return {
      op,
      inputs: [a, b, optional],
      attrs: { transA, transB, alpha: maybe(d, f(d.next() * 2)), beta: maybe(d, f(d.next() * 2)) },
    };
  },
  'sums',
  { Gemm: 7 },
);
/** An image or a signal, [N, C, spatial…]. */
const image = (d: Draw, spatial = d.pick([1, 2, 2, 2, 3])): Val =>
  (d.chance(0.7) ? d.any(v => v.t.dtype === 'f32' && v.t.dims.length === spatial + 2) : undefined) ??
  d.input('f32', [d.between(1, 2), d.pick([1, 2, 3, 4, 8]), ...d.shape(spatial, 9)]);
function window(d: Draw, v: Val, withDilations: boolean): Record<string, Attr | undefined> & { kernel_shape: number[] } {
  const s = v.t.dims.slice(2);
  const kernel = s.map(n => Math.min(d.between(1, 3), n));
  const auto = d.chance(0.2) ? d.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID']) : undefined;
  return {
    kernel_shape: kernel,
    strides: maybe(
      d,
      s.map(() => d.pick([1, 1, 2])),
    ),
    dilations: withDilations && !auto && d.chance(0.3) ? s.map((n, i) => ((kernel[i] ?? 1) * 2 - 1 <= n ? 2 : 1)) : undefined,
    pads: auto || d.chance(0.4) ? undefined : [...kernel, ...kernel].map(k => d.below(k)),
    auto_pad: auto,
  };
}
more(
  (d, op) => {
    const x = image(d);
    const c = x.t.dims[1] ?? 1;
    const group = d.pick([1, 1, c, c % 2 === 0 ? 2 : 1]);
    const w = window(d, x, true);
    const out = group * d.between(1, 4);
    const bias = d.chance(0.6) ? d.constant('f32', [out]) : undefined;
    return { op, inputs: [x, d.constant('f32', [out, c / group, ...w.kernel_shape]), bias], attrs: { ...w, group } };
  },
  'each',
  { Conv: 7 },
);
more(
  (d, op) => {
    const x = image(d, d.pick([1, 2, 2]));
    const c = x.t.dims[1] ?? 1;
    const group = d.pick([1, c]);
    const { kernel_shape, strides, pads } = window(d, x, false);
    const n = d.between(1, 3);
    const bias = d.chance(0.5) ? d.constant('f32', [n * group]) : undefined;
    return { op, inputs: [x, d.constant('f32', [c, n, ...kernel_shape]), bias], attrs: { kernel_shape, strides, pads, group } };
  },
  'each',
  { ConvTranspose: 7 },
);
const pool: Make = (d, op) => {
  const x = image(d);
  const ceil_mode = d.opset >= 10 ? maybe(d, d.below(2)) : undefined;
  const average =
    op === 'AveragePool' ? { count_include_pad: maybe(d, d.below(2)) } : op === 'LpPool' ? { p: d.between(1, 3) } : {};
  return {
    op,
    inputs: [x],
    attrs: { ...window(d, x, op === 'MaxPool' && d.opset >= 10), ...average, ceil_mode: op === 'LpPool' ? undefined : ceil_mode },
  };
};
more(pool, 'each', { AveragePool: 7, LpPool: 7 });
more(pool, 'not', { MaxPool: 8 });
more((d, op) => ({ op, inputs: [image(d)] }), 'each', { GlobalAveragePool: 7 });
more((d, op) => ({ op, inputs: [image(d)] }), 'not', { GlobalMaxPool: 7 });
more(
  (d, op) => {
    const x = image(d);
    const c = x.t.dims[1] ?? 1;
    const norm = (): Val => d.constant('f32', [c]);
    const variance = d.constant(
      'f32',
      [c],
      Array.from({ length: c }, () => 0.1 + d.next()),
    );
    return { op, inputs: [x, norm(), norm(), norm(), variance], attrs: { epsilon: maybe(d, f(1e-3)) } };
  },
  'sums',
  { BatchNormalization: 9 },
);
more(
  (d, op) => {
    const x = image(d);
    const c = x.t.dims[1] ?? 1;
    return { op, inputs: [x, d.constant('f32', [c]), d.constant('f32', [c])], attrs: { epsilon: maybe(d, f(1e-2)) } };
  },
  'sums',
  { InstanceNormalization: 7 },
);
more(
  (d, op) => {
    const x = d.floats(undefined, 1);
    const axis = d.axis(x);
    const dims = x.t.dims.slice(axis);
    return {
      op,
      inputs: [x, d.constant('f32', dims), maybe(d, d.constant('f32', dims))],
      attrs: { axis, epsilon: maybe(d, f(1e-2)) },
    };
  },
  'sums',
  { LayerNormalization: 17 },
);
more(
  (d, op) => ({ op, inputs: [image(d)], attrs: { size: d.pick([1, 3, 5]), alpha: maybe(d, f(0.1)), bias: maybe(d, f(2)) } }),
  'sums',
  {
    LRN: 7,
  },
);
more(
  (d, op) => {
    const x = image(d, 2);
    const scale = (): number => d.pick([1, 2, 0.5, 1.5, 3, 0.7, 0.33]);
    const linear = d.pick(['nearest', 'nearest', 'linear']);
    const scales = d.constant('f32', [4], [1, 1, scale(), scale()]);
    if (d.opset < 10)
      return {
        op: 'Upsample',
        inputs: [x, d.constant('f32', [4], [1, 1, d.pick([1, 2, 3]), d.pick([1, 2])])],
        attrs: { mode: linear },
      };
    if (d.opset < 11) return { op, inputs: [x, scales], attrs: { mode: linear } };
    const mode = d.pick(['nearest', 'linear', 'cubic']);
    const way = d.pick(['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric']);
    const nearest_mode = mode === 'nearest' ? d.pick(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']) : undefined;
    // Of a size that is no integer, onnxruntime takes the integer for these, and ONNX's own cases the product.
    const bySizes = way === 'align_corners' || way === 'pytorch_half_pixel' || d.chance(0.4);
    const [n = 1, c = 1] = x.t.dims;
    const empty = d.opset < 13 ? d.constant('f32', [0], []) : undefined;
    const inputs = bySizes ? [x, empty, empty, d.ints([n, c, d.between(1, 12), d.between(1, 12)])] : [x, empty, scales];
    return {
      op,
      inputs,
      attrs: {
        mode,
        coordinate_transformation_mode: way,
        nearest_mode,
        cubic_coeff_a: mode === 'cubic' ? maybe(d, f(-0.5)) : undefined,
      },
    };
  },
  'sums',
  { Resize: 9 },
);
more(
  (d, op) => {
    const x = d.floats(3);
    const [, , size = 1] = x.t.dims;
    const h = d.between(1, 5);
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op] ?? 1;
    const direction = d.pick(['forward', 'reverse', 'bidirectional']);
    const dirs = direction === 'bidirectional' ? 2 : 1;
    const w = (...dims: number[]): Val =>
      d.constant(
        'f32',
        dims,
        Array.from({ length: numel(dims) }, () => d.next() * 2 - 1),
      );
    const bias = d.chance(0.6) ? w(dirs, 2 * gates * h) : undefined;
    const linear_before_reset = op === 'GRU' ? maybe(d, d.below(2)) : undefined;
    return {
      ...{ op, inputs: [x, w(dirs, gates * h, size), w(dirs, gates * h, h), bias], outputs: op === 'LSTM' ? 3 : 2 },
      attrs: { hidden_size: h, direction, linear_before_reset },
    };
  },
  'sums',
  { LSTM: 7, GRU: 7, RNN: 7 },
);

// ---- 8-bit integers
more(
  (d, op) => {
    const x = d.floats();
    const zero = d.pick([d.constant('u8', [], [d.below(256)]), d.constant('i8', [], [d.between(-9, 9)])]);
    return { op, inputs: [x, d.constant('f32', [], [0.01 + d.next() * 0.1]), zero] };
  },
  'not',
  { QuantizeLinear: 10 },
);
more(
  (d, op) => {
    const x = d.ofType('u8', 'i8');
    return { op, inputs: [x, d.constant('f32', [], [0.01 + d.next() * 0.1]), maybe(d, d.constant(x.t.dtype, [], [d.below(9)]))] };
  },
  'each',
  { DequantizeLinear: 10 },
);
more((d, op) => ({ op, inputs: [d.floats()], outputs: 3 }), 'each', { DynamicQuantizeLinear: 11 });
more(
  (d, op) => {
    const a = d.any(v => v.t.dtype === 'u8' && v.t.dims.length >= 2) ?? d.input('u8', d.shape(2));
    const k = a.t.dims.at(-1) ?? 1;
    const zeros = d.chance(0.5) ? [d.constant('u8', [], [d.below(9)]), d.constant('i8', [], [d.below(4)])] : [];
    return { op, inputs: [a, d.constant('i8', [k, d.between(1, 9)]), ...zeros] };
  },
  'not',
  { MatMulInteger: 10 },
);

export const GENERATORS: readonly Generator[] = list;
