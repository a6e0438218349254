import { utf8 } from './bytes.ts';
import { must } from './diagnostic.ts';
import { fromTyped, numel, toNumbers, zeros, type Tensor } from './tensor.ts';

/**
 * Texts are handled by their places in a list, 32-bit integers: equal texts have one place. The list begins with the texts that a model knows;
 * a run adds what its inputs hold besides, in the order in which it comes. A tensor of texts has the list with it, but for constants of a
 * graph, whose list is the graph's.
 */
export interface TextList {
  /** So far. */
  readonly texts: readonly string[];
  /** The place of a text; one that is new comes last. */
  placeOf(text: string): number;
}
export function textList(known: readonly string[] = []): TextList {
  const texts = [...known];
  const places = new Map(texts.map((t, i) => [t, i]));
  return {
    texts,
    placeOf: text => {
      const had = places.get(text);
      if (had !== undefined) return had;
      places.set(text, texts.length);
      return texts.push(text) - 1;
    },
  };
}
/** Row-major texts as a tensor with a list of its own. */
export function textTensor(dims: readonly number[], values: readonly string[], list: TextList = textList()): Tensor {
  const data = Int32Array.from(values, v => list.placeOf(v));
  return { ...fromTyped('text', dims, data), texts: list.texts };
}
/** The elements of a tensor of texts. */
export const textsOf = (t: Tensor): string[] => [...toNumbers(t)].map(i => must(t.texts?.[i], 'a text'));
/** A tensor of texts by the places of another list, or any other tensor as it is. */
export const relisted = (t: Tensor, list: TextList): Tensor =>
  t.texts && t.texts !== list.texts ? textTensor(t.dims, textsOf(t), list) : t;
/** A tensor of places in a list, or any other as it is. */
export const listed = (t: Tensor, list: TextList): Tensor => (t.dtype === 'text' ? { ...t, texts: list.texts } : t);
/** Zeros, and empty texts. */
export const blank = (dtype: Tensor['dtype'], dims: readonly number[]): Tensor =>
  dtype === 'text' ? textTensor(dims, new Array<string>(numel(dims)).fill('')) : zeros(dtype, dims);

/** Texts as bytes of UTF-8 along a last axis more, as wide as the longest, with zeros behind the end; any other tensor as it is. */
export function asSpelt(t: Tensor): Tensor {
  if (t.dtype !== 'text') return t;
  const all = textsOf(t).map(text => utf8(text));
  const width = all.reduce((n, b) => Math.max(n, b.length), 1);
  const bytes = new Uint8Array(all.length * width);
  all.forEach((b, i) => {
    bytes.set(b, i * width);
  });
  return { dtype: 'u8', dims: [...t.dims, width], bytes };
}
/** The texts that `asSpelt` made bytes of. */
export function asTexts(t: Tensor): Tensor {
  const dims = t.dims.slice(0, -1);
  const width = t.dims.at(-1) ?? 0;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const values = Array.from({ length: numel(dims) }, (_, i) => {
    let n = width;
    while (n > 0 && t.bytes[i * width + n - 1] === 0) n--;
    return decoder.decode(t.bytes.subarray(i * width, i * width + n));
  });
  return textTensor(dims, values);
}
