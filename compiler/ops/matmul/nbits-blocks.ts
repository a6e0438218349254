import { toNumbers, typed, type Tensor } from '../../core/tensor.ts';

/** How the weights of `MatMulNBits` lie in memory: whole numbers of 2, 4 or 8 bits, in blocks along k with a scale and a zero each. */
export interface NBitsAttrs {
  readonly bits: number;
  readonly block: number;
  readonly k: number;
  readonly n: number;
}
/** Blocks along k of a row of weights, and bytes of a block. */
export const blocksOf = (a: NBitsAttrs): { readonly blocks: number; readonly bytes: number } => ({
  blocks: Math.ceil(a.k / a.block),
  bytes: (a.block * a.bits) / 8,
});
/** The whole number that a weight is stored as. The first one of a byte is in its lowest bits. */
export function storedAt(a: NBitsAttrs, q: ArrayLike<number | bigint>, row: number, k: number): number {
  const { blocks, bytes } = blocksOf(a);
  const per = 8 / a.bits;
  const inBlock = k % a.block;
  const byte = Number(q[(row * blocks + Math.floor(k / a.block)) * bytes + Math.floor(inBlock / per)] ?? 0);
  return (byte >> ((inBlock % per) * a.bits)) & (2 ** a.bits - 1);
}
/** The weights [n, k] as numbers. */
export function dequantized(a: NBitsAttrs, q: Tensor, scales: Tensor, zeros: Tensor | undefined): Float64Array {
  const { blocks } = blocksOf(a);
  const [bytes, s, z] = [typed(q), toNumbers(scales), zeros && toNumbers(zeros)];
  const out = new Float64Array(a.n * a.k);
  for (let row = 0; row < a.n; row++)
    for (let k = 0; k < a.k; k++) {
      const b = row * blocks + Math.floor(k / a.block);
      out[row * a.k + k] = (storedAt(a, bytes, row, k) - (z?.[b] ?? 2 ** (a.bits - 1))) * (s[b] ?? 0);
    }
  return out;
}
