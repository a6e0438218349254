import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd } from '../../core/dim.ts';
import { isFloat } from '../../core/dtype.ts';
import { showType, tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { lowerNBits } from './schedules/nbits.ts';

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

export const MatMulNBits = defineOp({
  name: 'MatMulNBits',
  doc:
    'x w^T, with weights [n, k] of 2, 4 or 8 bits: (stored - zero) * scale. q [n, blocks, bytes of a block], scales and zeros [n, blocks]; ' +
    'a block is `block` weights along k. Without zeros the middle of the range is zero.',
  inputs: ['x', 'q', 'scales', 'zeros?'],
  attrs: { bits: attr.int(), block: attr.int(), k: attr.int(), n: attr.int() },
  infer: c => {
    const a = c.attrs;
    const [x, q, s] = [must(c.types[0]), must(c.types[1]), must(c.types[2])];
    if (!isFloat(x.dtype)) c.reject(`takes floats, not ${x.dtype}`);
    if (![2, 4, 8].includes(a.bits)) c.reject(`weights of ${a.bits} bits`);
    const { blocks, bytes } = blocksOf(a);
    if (!Number.isInteger(bytes) || a.block < 1) c.reject(`blocks of ${a.block} weights of ${a.bits} bits`);
    if (q.dtype !== 'u8') c.reject(`weights of type ${q.dtype}`);
    c.same(dimProd(q.shape), a.n * blocks * bytes, 'the number of bytes of the weights');
    c.same(dimProd(s.shape), a.n * blocks, 'the number of scales');
    if (s.dtype !== x.dtype) c.reject(`scales of type ${s.dtype} for ${x.dtype}`);
    const z = c.types[3];
    if (z) c.same(dimProd(z.shape), a.n * blocks, 'the number of zeros');
    const width = x.shape.at(-1) ?? c.reject(`x is ${showType(x)}`);
    c.same(width, a.k, 'the width of x');
    return [tensorType(x.dtype, [...x.shape.slice(0, -1), a.n])];
  },
  eval: (c, x, q, scales, zeros) => {
    const a = c.attrs;
    const w = dequantized(a, must(q), must(scales), zeros);
    const data = toNumbers(must(x));
    const rows = a.k === 0 ? 0 : data.length / a.k;
    const out = new Float64Array(rows * a.n);
    for (let r = 0; r < rows; r++)
      for (let j = 0; j < a.n; j++) {
        let sum = 0;
        for (let k = 0; k < a.k; k++) sum += (data[r * a.k + k] ?? 0) * (w[j * a.k + k] ?? 0);
        out[r * a.n + j] = sum;
      }
    return [fromNumbers(must(x).dtype, c.dims(0), out)];
  },
  macs: n => dimMul(dimProd(must(n.outputs[0]).type.shape), Number(n.attrs['k'])),
  lower: {
    k: 'kernel',
    iterationSpace: n => {
      const rank = must(n.outputs[0]).type.shape.length;
      return rank === 1 ? [[0]] : [Array.from({ length: rank - 1 }, (_, i) => i), [rank - 1]];
    },
    build: lowerNBits,
  },
});
