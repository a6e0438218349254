import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd } from '../../core/dim.ts';
import { isFloat } from '../../core/dtype.ts';
import { showType, tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { lowerNBits } from './schedules/nbits.ts';
import { blocksOf, dequantized } from './nbits-blocks.ts';

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
  macs: n => dimMul(dimProd(must(n.outputs[0]).type.shape), n.attrs.k),
  lower: {
    k: 'kernel',
    iterationSpace: n => {
      const rank = must(n.outputs[0]).type.shape.length;
      return rank === 1 ? [[0]] : [Array.from({ length: rank - 1 }, (_, i) => i), [rank - 1]];
    },
    build: lowerNBits,
  },
});
