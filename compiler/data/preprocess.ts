import { fail, must } from '../core/diagnostic.ts';
import { fromTyped, type Tensor } from '../core/tensor.ts';
import { didYouMean } from '../core/suggest.ts';
import type { InputType } from './slices.ts';

/** How pictures become an input: (pixel * scale - mean) / std, where mean and std may differ by channel. */
export interface ImageOptions {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3 | 4;
  /** Whether channels are the second axis or the last. */
  readonly layout: 'nchw' | 'nhwc';
  readonly order: 'rgb' | 'bgr';
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** `fill` stretches, `contain` keeps the proportions and pads with black, `cover` keeps them and cuts. */
  readonly fit: 'fill' | 'contain' | 'cover';
}
/** How sound becomes an input: pieces of `length` samples, `hop` apart, times `scale`. */
interface AudioOptions {
  readonly rate: number;
  readonly length: number;
  readonly hop: number;
  readonly scale: number;
}

/** Words `key=value`, separated by spaces or commas between them; numbers of a list by colons. */
function wordsOf(text: string, option: string, known: readonly string[]): Map<string, string> {
  const out = new Map<string, string>();
  for (const word of text.split(/[\s,]+/).filter(w => w !== '')) {
    const at = word.indexOf('=');
    const key = at < 1 ? word : word.slice(0, at);
    if (!known.includes(key) || at < 1)
      fail('E403', { option, why: `'${word}' is none of ${known.map(k => `${k}=…`).join(', ')}${didYouMean(key, known)}` });
    if (out.has(key)) fail('E403', { option, why: `${key} is given twice` });
    out.set(key, word.slice(at + 1));
  }
  return out;
}
function numberOf(words: ReadonlyMap<string, string>, key: string, option: string, otherwise: number): number {
  const text = words.get(key);
  if (text === undefined) return otherwise;
  const [a, b, ...more] = text.split('/').map(Number);
  const v = b === undefined ? must(a) : must(a) / b;
  return text !== '' && more.length === 0 && Number.isFinite(v)
    ? v
    : fail('E403', { option, why: `${key}=${text} is no number such as 0.5 or 1/255` });
}
function listOf(words: ReadonlyMap<string, string>, key: string, option: string, otherwise: number): number[] {
  const text = words.get(key);
  return text === undefined ? [otherwise] : text.split(':').map(part => numberOf(new Map([[key, part]]), key, option, otherwise));
}
function wordOf<T extends string>(
  words: ReadonlyMap<string, string>,
  key: string,
  option: string,
  of: readonly T[],
  otherwise: T,
): T {
  const text = words.get(key);
  if (text === undefined) return otherwise;
  return of.find(w => w === text) ?? fail('E403', { option, why: `${key}=${text} is none of ${of.join(', ')}` });
}

/**
 * Reads a line of options for pictures, such as `size=48x192 mean=0.5 std=0.5 layout=nchw order=bgr`. What is left out follows from the
 * input. E403 where a word is not known, or the input's size is free and not given.
 */
export function imageOptions(text: string, input: InputType): ImageOptions {
  const option = 'image';
  const words = wordsOf(text, option, ['size', 'scale', 'mean', 'std', 'layout', 'order', 'fit', 'channels']);
  const { shape } = input;
  if (shape.length !== 4)
    fail('E403', { option, why: `the input '${input.name}' has ${shape.length} axes, and pictures need 4` });
  const few = (d: unknown): boolean => d === 1 || d === 3 || d === 4;
  const layout = wordOf(words, 'layout', option, ['nchw', 'nhwc'], few(shape[1]) || !few(shape[3]) ? 'nchw' : 'nhwc');
  const own = layout === 'nchw' ? shape[1] : shape[3];
  const channels = numberOf(words, 'channels', option, typeof own === 'number' ? own : 3);
  if (channels !== 1 && channels !== 3 && channels !== 4)
    return fail('E403', { option, why: `pictures have 1, 3 or 4 channels, not ${channels}` });
  const [high, wide] = layout === 'nchw' ? [shape[2], shape[3]] : [shape[1], shape[2]];
  const size = /^(\d+)x(\d+)$/.exec(words.get('size') ?? '');
  if (words.has('size') && !size) fail('E403', { option, why: `size=${words.get('size') ?? ''}: write size=HEIGHTxWIDTH` });
  const height = size ? Number(size[1]) : high;
  const width = size ? Number(size[2]) : wide;
  if (typeof height !== 'number' || typeof width !== 'number' || height < 1 || width < 1)
    return fail('E403', { option, why: `the size of '${input.name}' is free; give size=HEIGHTxWIDTH` });
  const byChannel = (key: string, otherwise: number): number[] => {
    const list = listOf(words, key, option, otherwise);
    if (list.length !== 1 && list.length !== channels)
      fail('E403', { option, why: `${key} has ${list.length} numbers for ${channels} channels` });
    return Array.from({ length: channels }, (_, c) => must(list[list.length === 1 ? 0 : c]));
  };
  const std = byChannel('std', 1);
  if (std.includes(0)) fail('E403', { option, why: 'std must not be 0' });
  return {
    height,
    width,
    channels,
    layout,
    order: wordOf(words, 'order', option, ['rgb', 'bgr'], 'rgb'),
    scale: numberOf(words, 'scale', option, 1 / 255),
    mean: byChannel('mean', 0),
    std,
    fit: wordOf(words, 'fit', option, ['fill', 'contain', 'cover'], 'fill'),
  };
}
/** A picture's pixels (rows of bytes, channels in the order red, green, blue, alpha) as an input of one picture. */
export function imageTensor(pixels: Uint8Array, o: ImageOptions): Tensor {
  const { channels, height, width } = o;
  const area = height * width;
  const out = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++) {
    const from = o.order === 'bgr' && c < 3 && channels > 1 ? 2 - c : c;
    const [mean, std] = [must(o.mean[c]), must(o.std[c])];
    for (let i = 0; i < area; i++) {
      const v = ((pixels[i * channels + from] ?? 0) * o.scale - mean) / std;
      out[o.layout === 'nchw' ? c * area + i : i * channels + c] = v;
    }
  }
  return fromTyped('f32', o.layout === 'nchw' ? [1, channels, height, width] : [1, height, width, channels], out);
}

/** Reads a line of options for sound, such as `rate=16000 length=512 hop=256 scale=32768`. E403. */
export function audioOptions(text: string, input: InputType): AudioOptions {
  const option = 'audio';
  const words = wordsOf(text, option, ['rate', 'length', 'hop', 'scale']);
  const last = input.shape.at(-1);
  const length = numberOf(words, 'length', option, typeof last === 'number' ? last : 0);
  if (!Number.isInteger(length) || length < 1)
    fail('E403', { option, why: `the length of '${input.name}' is free; give length=SAMPLES` });
  const hop = numberOf(words, 'hop', option, length);
  if (!Number.isInteger(hop) || hop < 1) fail('E403', { option, why: `hop=${hop} is no whole number of 1 or more` });
  return { rate: numberOf(words, 'rate', option, 16000), length, hop, scale: numberOf(words, 'scale', option, 1) };
}
/** The pieces of a sound, each as an input. */
export function* audioTensors(data: Float32Array, o: AudioOptions, input: InputType): Generator<Tensor> {
  for (let at = 0; at + o.length <= data.length; at += o.hop) {
    const dims = input.shape.map((_, i) => (i === input.shape.length - 1 ? o.length : 1));
    yield fromTyped(
      'f32',
      dims,
      Float32Array.from(data.subarray(at, at + o.length), v => v * o.scale),
    );
  }
}
