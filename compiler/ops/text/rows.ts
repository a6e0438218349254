import { must } from '../../core/diagnostic.ts';
import type { Dim } from '../../core/dim.ts';
import { showType, type TensorType } from '../../core/shape.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, int, mul, type Expr } from '../../kernel/ir.ts';
import type { InferCtx } from '../define.ts';
import { forAll } from '../loops.ts';
import type { LowerCtx, Ref } from '../lowering.ts';
import type { Row } from './search.ts';

/**
 * Texts by what they hold: bytes of UTF-8 along the last axis, with zeros behind the end, as NumPy's type S has them. (What only moves or
 * compares texts handles their places in a list: the type `text`.)
 */

export function checkSpelt(c: InferCtx<unknown>, i: number): TensorType {
  const t = must(c.types[i]);
  if (t.dtype !== 'u8' || t.shape.length === 0) c.reject(`takes bytes of texts along the last axis, not ${showType(t)}`);
  return t;
}
/** The bytes of each text, without the zeros behind it. */
export function spellings(t: Tensor): Uint8Array[] {
  const width = t.dims.at(-1) ?? 0;
  const count = t.dims.slice(0, -1).reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, i) => {
    let n = width;
    while (n > 0 && t.bytes[i * width + n - 1] === 0) n--;
    return t.bytes.subarray(i * width, i * width + n);
  });
}
/** A tensor of texts of `width` bytes each; what is longer is cut off. */
export function spelt(dims: readonly number[], width: number, texts: readonly Uint8Array[]): Tensor {
  const bytes = new Uint8Array(texts.length * width);
  texts.forEach((t, i) => {
    bytes.set(t.subarray(0, width), i * width);
  });
  return { dtype: 'u8', dims: [...dims, width], bytes };
}
/** Input i, of texts, in compact memory. */
export function textsIn(
  c: LowerCtx<unknown>,
  i: number,
): { readonly x: Ref; readonly width: Dim; readonly sizes: readonly Dim[] } {
  const x = c.contiguous(i);
  return { x, width: must(x.dims.at(-1)), sizes: x.dims.slice(0, -1) };
}
/** Walks texts of some sizes: the index of each, and which one it is in row-major order. */
export function eachText(
  k: KernelBuilder,
  sizes: readonly Dim[],
  body: (idx: readonly Expr[], n: Expr) => void,
  parallel = true,
): void {
  forAll(
    k,
    sizes,
    idx => {
      const n = idx.reduce<Expr | undefined>((at, i, a) => (at ? add(mul(at, k.dim(must(sizes[a]))), i) : i), undefined);
      body(idx, k.let(n ?? int(0)));
    },
    parallel,
  );
}
/** Text n of compact texts. */
export const rowOf = (k: KernelBuilder, x: Ref, n: Expr): Row => ({
  buffer: x.buffer,
  base: k.let(mul(n, k.dim(must(x.dims.at(-1))))),
});
