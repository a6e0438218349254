import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimMul, dimProd } from '../../core/dim.ts';
import { isFloat } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, toNumbers } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { checkAxis } from '../movement/gather.ts';
import { lowerDft, lowerMelWeights } from './schedules/signal.ts';
import { gatherStrided } from '../strided.ts';
import { cosTurn, sinTurn, dftSize, mirrored } from './dft.ts';

/** Frames of signals and their spectra. */

export const Frames = defineOp({
  name: 'Frames',
  doc: 'Parts of `length` elements of an axis, one every `step` elements, `count` of them: [.., n, ..] → [.., count, length, ..]. They may overlap.',
  inputs: ['x'],
  attrs: { axis: attr.int(), count: attr.dim(), length: attr.dim(), step: attr.dim() },
  infer: c => {
    const x = must(c.types[0]);
    const { axis, count, length, step } = c.attrs;
    checkAxis(c, axis, x.shape.length);
    const n = must(x.shape[axis]);
    if ([n, count, length, step].every(d => typeof d === 'number') && Number(count) > 0) {
      const end = (Number(count) - 1) * Number(step) + Number(length);
      if (end > Number(n)) c.reject(`frames end at ${end} of ${Number(n)}`);
    }
    return [tensorType(x.dtype, x.shape.toSpliced(axis, 1, count, length))];
  },
  eval: (c, x) => {
    const t = must(x);
    const s = stridesOf(t.dims);
    const own = must(s[c.attrs.axis]);
    return [gatherStrided(t, c.dims(0), 0, s.toSpliced(c.attrs.axis, 1, own * c.dim(c.attrs.step), own))];
  },
  lower: {
    k: 'view',
    ref: (x, c) => {
      const { axis, count, length, step } = c.attrs;
      const own = must(x.strides[axis]);
      return {
        buffer: x.buffer,
        dims: x.dims.toSpliced(axis, 1, count, length),
        strides: x.strides.toSpliced(axis, 1, dimMul(own, step), own),
      };
    },
  },
});

export const Dft = defineOp({
  name: 'Dft',
  doc:
    'Discrete Fourier transform of `length` elements along an axis (what is missing is zero); the last axis holds real and imaginary parts, or only the real one. ' +
    '`onesided`: forwards, the first half of the spectrum of a real signal; inverse, the real signal of such a half.',
  inputs: ['x'],
  attrs: { axis: attr.int(), length: attr.dim(), inverse: attr.bool(false), onesided: attr.bool(false) },
  infer: c => {
    const x = must(c.types[0]);
    if (!isFloat(x.dtype)) c.reject(`takes floats, not ${x.dtype}`);
    const parts = x.shape.at(-1);
    if (x.shape.length < 2 || (parts !== 1 && parts !== 2)) c.reject('the last axis must have 1 or 2 elements');
    checkAxis(c, c.attrs.axis, x.shape.length - 1);
    const shape = x.shape.with(c.attrs.axis, dftSize(c.attrs));
    return [tensorType(x.dtype, shape.with(-1, c.attrs.onesided && c.attrs.inverse ? 1 : 2))];
  },
  eval: (c, x) => {
    const t = must(x);
    const a = c.attrs;
    const n = c.dim(a.length);
    const data = toNumbers(t);
    const dims = c.dims(0);
    const [parts, outParts] = [must(t.dims.at(-1)), must(dims.at(-1))];
    const [size, bins] = [must(t.dims[a.axis]), must(dims[a.axis])];
    const inner = numel(t.dims.slice(a.axis + 1, -1));
    const outer = numel(t.dims.slice(0, a.axis));
    const cos = Float64Array.from({ length: n }, (_, k) => cosTurn(k, n));
    const sin = Float64Array.from({ length: n }, (_, k) => sinTurn(k, n));
    const real = a.onesided && a.inverse;
    const used = Math.min(size, real ? Math.floor(n / 2) + 1 : n);
    const out = new Float64Array(numel(dims));
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++)
        for (let k = 0; k < bins; k++) {
          let [re, im] = [0, 0];
          for (let j = 0; j < used; j++) {
            const at = ((o * size + j) * inner + i) * parts;
            const [p, q] = [data[at] ?? 0, parts === 2 ? (data[at + 1] ?? 0) : 0];
            const angle = (j * k) % n;
            const [cs, sn] = [cos[angle] ?? 0, a.inverse ? -(sin[angle] ?? 0) : (sin[angle] ?? 0)];
            const w = real ? mirrored(j, n) : 1;
            re += w * (p * cs + q * sn);
            im += w * (q * cs - p * sn);
          }
          const to = ((o * bins + k) * inner + i) * outParts;
          out[to] = a.inverse ? re / n : re;
          if (outParts === 2) out[to + 1] = a.inverse ? im / n : im;
        }
    return [fromNumbers(t.dtype, dims, out)];
  },
  macs: n => dimMul(dimMul(4, dimProd(must(n.outputs[0]).type.shape)), must(must(n.inputs[0]).type.shape[n.attrs.axis])),
  lower: { k: 'kernel', build: lowerDft },
});

/** The mel scale of ONNX's MelWeightMatrix. */
const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
/** Weights [bins of the spectrum, mel bins] as the standard's function makes them. */
export function melWeights(bins: number, melBins: number, length: number, rate: number, low: number, high: number): Float64Array {
  const [from, to] = [mel(low), mel(high)];
  const step = (to - from) / (melBins + 2);
  const point = (i: number): number => Math.floor(((length + 1) * (700 * (10 ** ((i * step + from) / 2595) - 1))) / rate);
  const out = new Float64Array(bins * melBins);
  for (let i = 0; i < melBins; i++) {
    const [lower, center, higher] = [point(i), point(i + 1), point(i + 2)];
    for (let j = 0; j < bins; j++) {
      const up = j >= lower && j <= center ? (center === lower ? 1 : (j - lower) / (center - lower)) : 0;
      out[j * melBins + i] = j >= center && j < higher ? (higher - j) / (higher - center) : up;
    }
  }
  return out;
}
export const MelWeights = defineOp({
  name: 'MelWeights',
  doc: 'Triangles that turn a spectrum of [length / 2] + 1 bins into `mels` mel bins (ONNX MelWeightMatrix).',
  inputs: ['rate', 'low', 'high'],
  attrs: { length: attr.dim(), mels: attr.dim(), dtype: attr.dtype('f32') },
  infer: c => {
    for (const t of c.types) for (const d of must(t).shape) c.same(d, 1, 'rate and edges are single numbers');
    if (!isFloat(c.attrs.dtype)) c.reject(`weights of ${c.attrs.dtype}`);
    return [tensorType(c.attrs.dtype, [dimAdd(dimFloorDiv(c.attrs.length, 2), 1), c.attrs.mels])];
  },
  eval: (c, rate, low, high) => {
    const [r = 1, l = 0, h = 0] = [rate, low, high].map(t => toNumbers(must(t))[0] ?? 0);
    const dims = c.dims(0);
    return [fromNumbers(c.attrs.dtype, dims, melWeights(dims[0] ?? 0, dims[1] ?? 0, c.dim(c.attrs.length), r, l, h))];
  },
  lower: { k: 'kernel', build: lowerMelWeights },
});
