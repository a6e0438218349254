import { dimAdd, dimFloorDiv, dimSub } from '../../../core/dim.ts';
import { symbolicOf } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { cosTurn } from '../../../ops/signal/dft.ts';
import { Frames } from '../../../ops/signal/signal.ts';
import { transform } from '../../shared/fourier.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { reshape, transpose } from '../../shared/views.ts';
import type { TfBuilder, TfNode, TfOps } from '../registry.ts';
import { quoteShell } from '../../../core/quote.ts';

/** Samples [time, channels] as the power of their frequencies, [channels, frames, bins] (core/kernels/spectrogram.cc). */
const spectrogram: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [samples = 1, channels = 1] = x.type.shape;
  const [window, step] = [n.int('window_size'), n.int('stride')];
  if (window < 2 || step < 1) n.reject(`a window of ${window} every ${step} samples`);
  c.room(2 * window, 'a window');
  const length = 2 ** Math.ceil(Math.log2(window));
  const count = dimAdd(dimFloorDiv(dimSub(samples, window), step), 1);
  const signal = reshape(c, transpose(c, x, [1, 0]), [channels, samples, 1]);
  const frames = c.apply1(Frames, [signal], { axis: 1, count, length: window, step });
  // A periodic Hann window.
  const weights = Array.from({ length: window }, (_, i) => 0.5 - 0.5 * cosTurn(i, window));
  const y = transform(c, frames, { axis: 2, length, inverse: false, onesided: true }, weights);
  const power = reduceOver(c, 'sum', c.apply1(e.Mul, [y, y]), [3], false);
  return [n.bool('magnitude_squared', false) ? power : c.apply1(e.Sqrt, [power])];
};

const mel = (hertz: number): number => 1127 * Math.log1p(hertz / 700);
/** How much of each bin each channel gets, [bins, channels]: triangles on the mel scale (core/kernels/mfcc_mel_filterbank.cc). */
function melWeights(n: TfNode, bins: number, channels: number, rate: number): Float64Array {
  const [low, high] = [n.float('lower_frequency_limit', 20), n.float('upper_frequency_limit', 4000)];
  const bottom = mel(low);
  const spacing = (mel(high) - bottom) / (channels + 1);
  const center = (i: number): number => bottom + spacing * (i + 1);
  const hertz = (0.5 * rate) / (bins - 1);
  const [start, end] = [Math.floor(1.5 + low / hertz), Math.floor(high / hertz)];
  const out = new Float64Array(bins * channels);
  let channel = 0;
  for (let i = 0; i < bins; i++) {
    const at = mel(i * hertz);
    if (i < start || i > end) continue;
    while (channel < channels && center(channel) < at) channel++;
    const below = channel - 1;
    const weight = (center(below + 1) - at) / spacing;
    if (below >= 0) out[i * channels + below] = weight;
    if (below + 1 < channels) out[i * channels + below + 1] = 1 - weight;
  }
  return out;
}
/** Coefficients of the cosine transform of the logarithm of mel bands (core/kernels/mfcc.cc). */
const mfcc: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [rate] = symbolicOf(n.input(1)) ?? [];
  const bins = x.type.shape[2];
  if (typeof rate !== 'number' || typeof bins !== 'number')
    return n.unsupported('its sample rate and the number of bins must be constants');
  const channels = n.int('filterbank_channel_count', 40);
  const count = n.int('dct_coefficient_count', 13);
  c.room(bins * channels + channels * count, 'weights of mel bands');
  if (bins < 2 || channels < 1 || count < 1 || count > channels)
    n.reject(`${count} coefficients of ${channels} bands of ${bins} bins`);
  const bands = c.literal('f32', melWeights(n, bins, channels, rate), [bins, channels]);
  const cosines = Array.from({ length: channels * count }, (_, at) => {
    const [j, i] = [Math.floor(at / count), at % count];
    return Math.sqrt(2 / channels) * Math.cos(((i * Math.PI) / channels) * (j + 0.5));
  });
  const sums = c.apply1(MatMul, [c.apply1(e.Sqrt, [x]), bands]);
  const logs = c.apply1(e.Log, [c.apply1(e.Max, [sums, c.literal('f32', 1e-12)])]);
  return [c.apply1(MatMul, [logs, c.literal('f32', cosines, [channels, count])])];
};
const decodeWav: TfBuilder = n =>
  n.unsupported(`it decodes a .wav file; pass its samples instead: --inputs-at ${quoteShell(n.name)}`);

export const audioOps: TfOps = { AudioSpectrogram: spectrogram, DecodeWav: decodeWav, Mfcc: mfcc };
