import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimEq, dimFloorDiv, dimHi, dimMul, dimSub, rangeOf, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import { normAxis } from '../../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../../core/tensor.ts';
import { tensorOf, symbolicOf, type Value } from '../../../graph/graph.ts';
import { Add, Cast, Cos, Mul, Reciprocal } from '../../../ops/elementwise/index.ts';
import { Range } from '../../../ops/movement/range.ts';
import { Frames, melWeights, MelWeights } from '../../../ops/signal/signal.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { cosTurn } from '../../../ops/signal/dft.ts';
import { axesFrom } from '../../shared/axes.ts';
import { alongDataAxis } from '../../shared/data-axes.ts';
import { sizeOf, sizesValue } from '../../shared/sizes.ts';
import { transform } from '../../shared/fourier.ts';
import { reshape } from '../../shared/views.ts';

/** The largest length, step or size of a window taken from data where the file bounds none. */
const LONGEST = 4096;

/** A window's size from data: what the file says of the result bounds it. */
const windowSize = (n: OnnxNode, c: ImportCtx): Dim =>
  sizeOf(c, n.input(0, 'size'), { what: 'window', lo: 0, hi: n.declared(0)?.[0] ?? LONGEST });

/** sum of a[m] * cos(2 pi m i / n): all of the standard's windows. */
const window =
  (terms: readonly number[]): OnnxBuilder =>
  (n, c) => {
    const size = windowSize(n, c);
    const periodic = n.bool('periodic', true);
    const dtype = n.dtype('output_datatype', 'f32');
    const over = periodic ? size : dimSub(size, 1);
    if (typeof size === 'number' && typeof over === 'number') {
      c.room(size, 'a window');
      const at = (i: number): number => terms.reduce((sum, a, m) => sum + a * (over === 0 ? 1 : cosTurn(m * i, over)), 0);
      const values = Array.from({ length: size }, (_, i) => at(i));
      return [c.constant(fromNumbers(dtype, [size], values))];
    }
    const work = dtype === 'f64' ? 'f64' : 'f32';
    const cast = (v: Value, to: typeof dtype): Value => (v.type.dtype === to ? v : c.apply1(Cast, [v], { to }));
    const i = c.apply1(Range, [c.literal(work, 0), c.literal(work, 1)], { n: size });
    const turn = c.apply1(Mul, [i, reciprocal(c, cast(sizesValue(c, [over], []), work))]);
    const parts = terms.map((a, m) =>
      m === 0
        ? c.literal(work, a)
        : c.apply1(Mul, [c.apply1(Cos, [c.apply1(Mul, [turn, c.literal(work, 2 * Math.PI * m)])]), c.literal(work, a)]),
    );
    return [
      cast(
        parts.reduce((a, b) => c.apply1(Add, [a, b])),
        dtype,
      ),
    ];
  };
const reciprocal = (c: ImportCtx, v: Value): Value => c.apply1(Reciprocal, [v]);

const dft: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const rank = x.type.shape.length;
  const parts = x.type.shape.at(-1);
  if (rank < 2 || (parts !== 1 && parts !== 2)) n.reject('the last axis of a signal must have 1 or 2 elements');
  const [inverse, onesided] = [n.bool('inverse', false), n.bool('onesided', false)];
  const lengthValue = n.inputs[1];
  const along = (axis: number): Value | undefined => {
    const size = must(x.type.shape[axis]);
    const longest = dimHi(size) * 2;
    const length = lengthValue
      ? sizeOf(c, lengthValue, { what: 'dft', lo: 1, hi: Math.max(longest, n.declared(0)?.[axis] ?? LONGEST) })
      : inverse && onesided
        ? dimMul(2, dimSub(size, 1))
        : size;
    if (rangeOf(length).lo < 1) return undefined;
    return transform(c, x, { axis, length, inverse, onesided });
  };
  const given = (axis: number): number => {
    const a = normAxis(axis, rank);
    return a === undefined || a === rank - 1 ? n.reject(`axis ${axis} of a signal with ${rank} axes`) : a;
  };
  const axisValue = n.opset < 20 ? undefined : n.inputs[2];
  const fixed = (axis: number): Value => along(given(axis)) ?? n.reject('the length of a transform must be at least 1');
  if (!axisValue) return [fixed(n.opset < 20 ? n.int('axis', 1) : -2)];
  const known = symbolicOf(axisValue)?.[0];
  if (typeof known === 'number') return [fixed(known)];

  const declared = n.declared(0);
  const fits = (v: Value): boolean => declared?.every((d, i) => d === undefined || d === v.type.shape[i]) ?? true;
  return [alongDataAxis(c, axisValue, rank, axesFrom(x).slice(0, -1), along, fits)];
};

const stft: OnnxBuilder = (n, c) => {
  const given = n.input(0, 'signal');
  const x = given.type.shape.length === 2 ? reshape(c, given, [...given.type.shape, 1]) : given;
  const [, samples, parts] = x.type.shape;
  if (samples === undefined || x.type.shape.length !== 3 || (parts !== 1 && parts !== 2))
    return n.reject('the signal must have axes [batch, samples, 1 or 2]');
  const windowValue = n.inputs[2];
  const onesided = n.bool('onesided', true);
  const bins = n.declared(0)?.[2];
  const longest = bins === undefined ? dimHi(samples) : Math.min(dimHi(samples), onesided ? 2 * bins - 1 : bins);
  const length = n.inputs[3]
    ? sizeOf(c, n.inputs[3], { what: 'frame', lo: 1, hi: longest })
    : (windowValue?.type.shape[0] ?? n.reject('needs a window or the length of a frame'));
  const step = sizeOf(c, n.input(1, 'frame_step'), { what: 'frame_step', lo: 1, hi: dimHi(samples) });
  for (const d of [step, length]) if (rangeOf(d).lo < 1) n.reject('step and length of frames must be at least 1');
  if (windowValue && windowValue.type.shape.length !== 1) n.reject('the window must have one axis');
  const count = dimAdd(dimFloorDiv(dimSub(samples, length), step), 1);
  let frames = c.apply1(Frames, [x], { axis: 1, count, length, step });
  const attrs = { axis: 2, length, inverse: false, onesided };
  const constant = tensorOf(windowValue);
  if (constant && dimEq(length, must(constant.dims[0]))) return [transform(c, frames, attrs, [...toNumbers(constant)])];
  if (windowValue) frames = c.apply1(Mul, [frames, reshape(c, windowValue, [length, 1])]);
  return [transform(c, frames, attrs)];
};

const melWeightMatrix: OnnxBuilder = (n, c) => {
  const [, , rate, low, high] = [0, 1, 2, 3, 4].map(i => n.input(i));
  const [rows, columns] = n.declared(0) ?? [];
  const mels = sizeOf(c, n.input(0), { what: 'mel', lo: 0, hi: columns ?? 256 });
  const length = sizeOf(c, n.input(1), { what: 'dft', lo: 0, hi: rows === undefined ? LONGEST : 2 * rows - 1 });
  const dtype = n.dtype('output_datatype', 'f32');
  const [r, l, h] = [rate, low, high].map(v => {
    const t = tensorOf(v);
    return t && toNumbers(t)[0];
  });
  if (typeof mels === 'number' && typeof length === 'number' && r !== undefined && l !== undefined && h !== undefined) {
    const bins = Math.floor(length / 2) + 1;
    c.room(bins * mels, `weights of ${bins} x ${mels}`);
    return [c.constant(fromNumbers(dtype, [bins, mels], melWeights(bins, mels, length, r, l, h)))];
  }
  const work = isFloat(dtype) ? dtype : 'f32';
  const y = c.apply1(MelWeights, [must(rate), must(low), must(high)], { length, mels, dtype: work });
  return [work === dtype ? y : c.apply1(Cast, [y], { to: dtype })];
};

export const signalOps: OnnxOps = {
  DFT: dft,
  STFT: stft,
  MelWeightMatrix: melWeightMatrix,
  HannWindow: window([0.5, -0.5]),
  HammingWindow: window([25 / 46, -21 / 46]),
  BlackmanWindow: window([0.42, -0.5, 0.08]),
};
