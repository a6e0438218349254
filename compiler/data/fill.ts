import { number, oneOf, tagged, whole, type Check } from '../core/check.ts';
import { numel } from '../core/tensor.ts';
import { random } from './random.ts';

/** What an input is made of from a seed, where plain random numbers would not be like the real thing. */
export type Fill =
  | { readonly k: 'uniform'; readonly lo: number; readonly hi: number }
  /** Rows of dark glyphs on paper with a vignette, a margin and ruled lines; a fourth channel is 1. `channels`: their axis is the second or the last. */
  | { readonly k: 'page'; readonly lo: number; readonly hi: number; readonly channels: 'second' | 'last' }
  /** Tones that rise and fall under noise, 16 kHz, in ±`peak`; successive steps of a run continue the sound. */
  | { readonly k: 'audio'; readonly peak: number }
  /** [CLS] words [SEP], then padding in some rows. */
  | { readonly k: 'tokens'; readonly vocabulary: number }
  /** 1 where `tokens` of the same shape put a word. */
  | { readonly k: 'mask' }
  | { readonly k: 'constant'; readonly value: number };
export const FILL: Check<Fill> = tagged({
  uniform: { lo: number, hi: number },
  page: { lo: number, hi: number, channels: oneOf('second', 'last') },
  audio: { peak: number },
  tokens: { vocabulary: whole(2000, 2 ** 31) },
  mask: {},
  constant: { value: number },
});

/** The elements of a tensor. The same everywhere for the same seed; `step` counts the steps of a run that carries state. */
export function filled(fill: Fill, dims: readonly number[], seed: number, step: number): Float64Array {
  const out = new Float64Array(numel(dims));
  const next = random(seed * 1000 + step);
  const width = dims.at(-1) ?? 1;
  switch (fill.k) {
    case 'constant':
      return out.fill(fill.value);
    case 'uniform':
      return out.map(() => fill.lo + (fill.hi - fill.lo) * next());
    case 'page':
      return page(fill, dims, next, out);
    case 'audio':
      return out.map((_, i) => {
        const t = (step * out.length + i) / 16000;
        const voice = Math.max(0, Math.sin(2 * Math.PI * 3 * t));
        const pitch = 110 + 40 * Math.sin(2 * Math.PI * 0.7 * t);
        const tone = [1, 2, 3, 5].reduce((sum, h) => sum + Math.sin(2 * Math.PI * pitch * h * t) / (2 * h), 0);
        return fill.peak * (0.7 * voice * tone + 0.06 * (next() - 0.5));
      });
    case 'tokens':
      return out.map((_, i) => {
        const at = i % width;
        const end = lengthOf(Math.floor(i / width), width) - 1;
        return at === 0 ? 101 : at === end ? 102 : at > end ? 0 : 1000 + Math.floor(next() * (fill.vocabulary - 1000));
      });
    case 'mask':
      return out.map((_, i) => (i % width < lengthOf(Math.floor(i / width), width) ? 1 : 0));
  }
}
// Under Jest every look-up of a global goes through a proxy, and these loops run a million times.
const { ceil, floor, max, min, sqrt } = Math;
const GLYPH = { width: 12, height: 18, line: 28, margin: 10 };
function page(fill: Extract<Fill, { k: 'page' }>, dims: readonly number[], next: () => number, out: Float64Array): Float64Array {
  const last = fill.channels === 'last';
  const [channels = 1, height = 1, width = 1] = last ? [dims[3], dims[1], dims[2]] : dims.slice(1);
  // A glyph is a few strokes of a 4 by 6 raster; a third of the cells are spaces between words.
  const glyphs = Array.from({ length: 64 }, () => Array.from({ length: 24 }, () => next() < 0.45));
  const across = ceil(width / GLYPH.width);
  const text = Array.from({ length: across * ceil(height / GLYPH.line) }, () => (next() < 0.3 ? -1 : floor(next() * 64)));
  const { lo, hi } = fill;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const glyph = glyphs[text[floor(y / GLYPH.line) * across + floor(x / GLYPH.width)] ?? -1];
      const row = floor(((y % GLYPH.line) - 6) / 3);
      const col = floor((x % GLYPH.width) / 3);
      const inside = min(x, y, width - 1 - x, height - 1 - y) >= min(GLYPH.margin, height / 8) && row >= 0 && row < 6;
      const ruled = y % (4 * GLYPH.line) === 0;
      const vignette = 0.15 * sqrt((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2);
      const ink = ruled || (inside && glyph?.[row * 4 + col] === true) ? 0.1 : 0.95 - vignette;
      for (let c = 0; c < channels; c++) {
        const at = last ? (y * width + x) * channels + c : (c * height + y) * width + x;
        out[at] = c === 3 ? 1 : lo + (hi - lo) * min(1, max(0, ink - 0.03 * c + 0.04 * (next() - 0.5)));
      }
    }
  return out;
}
/** How many tokens a row holds: the first row is full, the others are padded. */
const lengthOf = (row: number, width: number): number => Math.max(2, width - 3 * row);
