import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimMin, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { rankOf } from '../../shared/axes.ts';
import { transform } from '../../shared/fourier.ts';
import { sizesOf } from '../../shared/sizes.ts';
import { magnitude, partOf, realTransform } from '../../shared/tensorflow/fourier.ts';
import { cast, concat, reshape, slice } from '../../shared/views.ts';
import { isValue, type Complex } from '../item.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

const complex = (pair: Value): Complex => ({ k: 'complex', pair });
/** Complex numbers of two parts of one shape. */
function complexOf(c: TfCtx, real: Value, imaginary: Value): Complex {
  const parts = [real, imaginary].map(v => reshape(c, v, [...v.type.shape, 1]));
  return complex(concat(c, parts, rankOf(real)));
}
/** The lengths of a transform, which are those of the last axes where they are not given. */
const lengthsOf = (n: TfNode, c: TfCtx, hi: number): readonly Dim[] =>
  sizesOf(c, n.input(1), () => ({ what: 'length', lo: 1, hi }));
const rfft: TfBuilder = (n, c) => {
  const x = n.input(0);
  const longest = Math.max(1, ...x.type.shape.map(dimHi));
  return [complex(realTransform(c, x, lengthsOf(n, c, 2 * longest)))];
};
/** The transform of complex numbers over the last `axes` axes. */
const fft =
  (axes: number, inverse: boolean): TfBuilder =>
  (n, c) => {
    const { pair } = n.complex(0);
    const last = rankOf(pair) - 2;
    let y = pair;
    for (let i = 0; i < axes; i++) {
      const axis = last - i;
      y = transform(c, y, { axis, length: must(y.type.shape[axis]), inverse, onesided: false });
    }
    return [complex(y)];
  };
/** Back to real numbers: all axes but the last are complex. */
const irfft: TfBuilder = (n, c) => {
  const { pair } = n.complex(0);
  const lengths = lengthsOf(n, c, 4 * Math.max(1, ...pair.type.shape.map(dimHi)));
  const first = rankOf(pair) - 1 - lengths.length;
  const y = lengths.reduce((v: Value, length, i) => {
    const axis = first + i;
    const onesided = i === lengths.length - 1;
    const size = must(v.type.shape[axis]);
    const cut = onesided ? v : slice(c, v, new Map([[axis, { start: 0, size: dimMin(size, length), step: 1 }]]));
    return transform(c, cut, { axis, length, inverse: true, onesided });
  }, pair);
  return [reshape(c, y, y.type.shape.slice(0, -1))];
};
/** One part of complex numbers; real numbers have no other. */
const part =
  (of: 'real' | 'imaginary'): TfBuilder =>
  (n, c) => {
    const x = n.item(0);
    if (!isValue(x)) return [partOf(c, n.complex(0).pair, of)];
    return [of === 'real' ? x : c.apply1(e.Sub, [x, x])];
  };
const conj: TfBuilder = (n, c) => {
  const x = n.item(0);
  if (isValue(x)) return [x];
  const { pair } = n.complex(0);
  return [complexOf(c, partOf(c, pair, 'real'), c.apply1(e.Neg, [partOf(c, pair, 'imaginary')]))];
};

export const signalOps: TfOps = {
  Complex: (n, c) => [complexOf(c, n.input(0), n.input(1))],
  ComplexAbs: (n, c) => [cast(c, magnitude(c, n.complex(0).pair), n.dtype('Tout', 'f32'))],
  Conj: conj,
  FFT: fft(1, false),
  FFT2D: fft(2, false),
  FFT3D: fft(3, false),
  IFFT: fft(1, true),
  IFFT2D: fft(2, true),
  IFFT3D: fft(3, true),
  IRFFT: irfft,
  IRFFT2D: irfft,
  IRFFT3D: irfft,
  Imag: part('imaginary'),
  RFFT: rfft,
  RFFT2D: rfft,
  RFFT3D: rfft,
  Real: part('real'),
};
