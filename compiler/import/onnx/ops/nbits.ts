import { must } from '../../../core/diagnostic.ts';
import { fromNumbers, fromTyped, numel, typed, type Tensor } from '../../../core/tensor.ts';
import { tensorOf, type Value } from '../../../graph/graph.ts';
import { Add } from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { MatMulNBits } from '../../../ops/matmul/nbits.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { blocksOf, dequantized } from '../../../ops/matmul/nbits-blocks.ts';

/** Weights of at most this many elements are turned into floats at once: the products are faster and the file hardly larger. */
const SMALL = 1 << 16;

const matMulNBits: OnnxBuilder = (n, c) => {
  if (n.inputs[4]) n.unsupported('g_idx is not supported');
  if (n.int('weight_prepacked', 0) !== 0) n.unsupported('weights packed for another device');
  const a = { bits: n.int('bits', 4), block: n.int('block_size'), k: n.int('K'), n: n.int('N') };
  if (![2, 4, 8].includes(a.bits)) n.unsupported(`weights of ${a.bits} bits`);
  if (a.block < 16 || a.k < 1 || a.n < 1) n.reject(`K ${a.k}, N ${a.n}, blocks of ${a.block}`);
  const [x, q, scales] = [n.input(0, 'A'), n.input(1, 'B'), n.input(2, 'scales')];
  const zeros = n.inputs[3] && zeroPoints(n, c, n.inputs[3], a);
  const [bytes, factors, origin] = [tensorOf(q), tensorOf(scales), tensorOf(zeros)];
  const small = a.n * a.k <= SMALL && bytes && factors && (origin !== undefined || !zeros);
  let y: Value;
  if (small) {
    const { blocks, bytes: each } = blocksOf(a);
    if (numel(bytes.dims) !== a.n * blocks * each || numel(factors.dims) !== a.n * blocks)
      n.reject('weights or scales are not of the size that K, N and the block size ask for');
    const w = c.constant(fromNumbers(x.type.dtype, [a.n, a.k], dequantized(a, bytes, factors, origin)));
    y = c.apply1(MatMul, [x, w], { transB: true });
  } else y = c.apply1(MatMulNBits, [x, q, scales, zeros], a);
  return [n.inputs[5] ? c.apply1(Add, [y, n.inputs[5]]) : y];
};
/** Zero points, which may be packed like weights, as one number a block. */
function zeroPoints(
  n: OnnxNode,
  c: ImportCtx,
  z: Value,
  a: { readonly bits: number; readonly block: number; readonly k: number; readonly n: number },
): Value {
  const { blocks } = blocksOf(a);
  if (z.type.dtype !== 'u8' || a.bits === 8) return z;
  const t: Tensor = tensorOf(z) ?? n.unsupported('zero points known only when the model runs');
  const row = Math.ceil((blocks * a.bits) / 8);
  if (numel(t.dims) !== a.n * row) n.reject(`${numel(t.dims)} bytes of zero points, must be ${a.n * row}`);
  const packed = typed(t);
  const per = 8 / a.bits;
  const out = Uint8Array.from({ length: a.n * blocks }, (_, i) => {
    const b = i % blocks;
    const byte = Number(must(packed[Math.floor(i / blocks) * row + Math.floor(b / per)]));
    return (byte >> ((b % per) * a.bits)) & (2 ** a.bits - 1);
  });
  return c.constant(fromTyped('u8', [a.n, blocks], out));
}

export const nbitsOps: OnnxOps = { 'com.microsoft.MatMulNBits': matMulNBits };
