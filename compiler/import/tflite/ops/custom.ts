import { must } from '../../../core/diagnostic.ts';
import { biasAdd, transposedConvolution } from '../../shared/tensorflow/conv.ts';
import { transposedSize } from '../../shared/tensorflow/window.ts';
import { transpose } from '../../shared/views.ts';
import type { TfliteBuilder, TfliteOps } from '../registry.ts';
import { detections } from './detection.ts';
import { real, realOr, result } from './real.ts';

/**
 * MediaPipe's transposed convolution with a bias: x, filters [O, H, W, I], bias. Its options are the runtime's own record of padding and
 * strides, three numbers of 32 bits (mediapipe/util/tflite/operations/transpose_conv_bias.cc).
 */
const transposedBias: TfliteBuilder = (n, c) => {
  const o = n.customOptions;
  if (o.length < 12) n.reject('its options are too short');
  const view = new DataView(o.buffer, o.byteOffset, o.byteLength);
  const [padding, width, height] = [0, 4, 8].map(at => view.getInt32(at, true));
  const k = ({ 1: 'same', 2: 'valid' } as const)[padding ?? 0] ?? n.reject(`its padding is ${padding ?? 0}`);
  const strides = [must(height), must(width)];
  if (strides.some(s => s < 1)) n.reject('its strides must be positive');
  const [x, filters] = [real(n, c, 0), real(n, c, 1)];
  if (x.type.shape.length !== 4 || filters.type.shape.length !== 4) n.reject('x and the filters must have four axes');
  const sizes = strides.map((s, i) => transposedSize(must(x.type.shape[i + 1]), must(filters.type.shape[i + 1]), s, 1, k));
  const w = transpose(c, filters, [3, 0, 1, 2]);
  const y = transposedConvolution(c, x, w, { layout: 'NHWC', strides, padding: { k }, sizes });
  return [result(n, c, 0, biasAdd(c, y, realOr(n, c, 2), 'NHWC'))];
};

export const customOps: TfliteOps = { Convolution2DTransposeBias: transposedBias, TFLite_Detection_PostProcess: detections };
