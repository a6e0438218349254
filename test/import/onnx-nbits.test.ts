import { describe, it } from '@jest/globals';
import { fromNumbers, fromTyped, type Tensor } from '../../compiler/core/tensor.ts';
import { expectPeer, numbers } from './peer.ts';

const f = (dims: readonly number[], seed: number): Tensor => numbers('f32', dims, seed);
const bytes = (dims: readonly number[], seed: number): Tensor =>
  fromTyped(
    'u8',
    dims,
    Uint8Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.imul(i + seed, 2654435761) >>> 24),
  );
interface Options {
  readonly rows: readonly number[];
  readonly n: number;
  readonly k: number;
  readonly block?: number;
  readonly bits?: number;
  readonly zeros?: 'packed' | 'float';
  readonly constant?: boolean;
}
function check({ rows, n, k, block = 32, bits = 4, zeros, constant = true }: Options): Promise<void> {
  const blocks = Math.ceil(k / block);
  const z =
    zeros === 'packed'
      ? bytes([n * Math.ceil((blocks * bits) / 8)], 5)
      : zeros === 'float'
        ? fromNumbers(
            'f32',
            [n * blocks],
            Array.from({ length: n * blocks }, (_, i) => (i % 13) + 0.5),
          )
        : undefined;
  return expectPeer(
    {
      op: 'MatMulNBits',
      domain: 'com.microsoft',
      inputs: [f([...rows, k], 1), bytes([n, blocks, (block * bits) / 8], 2), f([n * blocks], 3), z],
      constants: constant ? [1, 2, 3] : [],
      outputs: ['f32'],
      attrs: { K: k, N: n, bits, block_size: block },
    },
    {},
    1e-3,
    1e-3,
  );
}
describe('MatMulNBits gives what onnxruntime gives', () => {
  it('small weights', () => check({ rows: [3], n: 8, k: 64 }));
  it('weights kept packed', () => check({ rows: [2, 7], n: 264, k: 256 }));
  it('one row, packed zero points', () => check({ rows: [1], n: 520, k: 128, zeros: 'packed' }));
  it('zero points that are floats', () => check({ rows: [2], n: 520, k: 128, block: 16, zeros: 'float' }));
  it('eight bits, and columns that fill no panel', () => check({ rows: [2], n: 523, k: 128, bits: 8 }));
  it('weights that are inputs', () => check({ rows: [2], n: 9, k: 64, constant: false }));
});
