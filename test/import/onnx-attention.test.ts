import { describe, it } from '@jest/globals';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { asFloat, expectPeer, numbers } from './peer.ts';

const domain = 'com.microsoft';
const ints = (dims: readonly number[], values: readonly number[]): Tensor => fromNumbers('i32', dims, values);
const f = (dims: readonly number[], seed: number): Tensor => numbers('f32', dims, seed);

describe('attention operators of com.microsoft give what onnxruntime gives', () => {
  const mha = (inputs: readonly (Tensor | undefined)[], attrs = {}, outputs = 1) =>
    expectPeer({
      op: 'MultiHeadAttention',
      domain,
      inputs,
      outputs: new Array<'f32'>(outputs).fill('f32'),
      attrs: { num_heads: 2, ...attrs },
    });
  const q = f([2, 3, 16], 1);
  const k = f([2, 5, 16], 2);
  const v = f([2, 5, 24], 3);

  it('MultiHeadAttention', () => mha([q, k, v]));
  it('MultiHeadAttention with bias and scale', () => mha([q, k, v, f([56], 4)], { scale: asFloat(0.3) }));
  it('MultiHeadAttention with a mask of keys', () =>
    mha([q, k, v, undefined, ints([2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1])], { mask_filter_value: asFloat(-100) }));
  it('MultiHeadAttention with lengths', () => mha([q, k, v, undefined, ints([2], [3, 5])]));
  it('MultiHeadAttention with an added bias', () => mha([q, k, v, undefined, undefined, f([1, 2, 3, 5], 5)]));
  it('MultiHeadAttention, causal, with a past', () =>
    mha(
      [
        f([1, 3, 16], 1),
        f([1, 3, 16], 2),
        f([1, 3, 16], 3),
        undefined,
        undefined,
        undefined,
        f([1, 2, 4, 8], 6),
        f([1, 2, 4, 8], 7),
      ],
      { unidirectional: 1 },
      3,
    ));
  it('MultiHeadAttention over cached keys of four axes', () => mha([q, f([2, 2, 5, 8], 8), f([2, 2, 5, 8], 9)]));

  const attention = (inputs: readonly (Tensor | undefined)[], attrs = {}, outputs = 1) =>
    expectPeer({
      op: 'Attention',
      domain,
      inputs,
      outputs: new Array<'f32'>(outputs).fill('f32'),
      attrs: { num_heads: 2, ...attrs },
    });
  const x = f([2, 4, 6], 11);
  it('Attention', () => attention([x, f([6, 24], 12), f([24], 13)]));
  it('Attention, causal', () => attention([x, f([6, 24], 12), f([24], 13)], { unidirectional: 1 }));
  it('Attention with a mask', () => attention([x, f([6, 24], 12), f([24], 13), ints([2, 4], [1, 1, 0, 0, 1, 1, 1, 0])]));
  it('Attention with a past', () =>
    attention(
      [x, f([6, 24], 12), f([24], 13), ints([2, 7], [1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]), f([2, 2, 2, 3, 4], 14)],
      {},
      2,
    ));

  const gqa = (inputs: readonly (Tensor | undefined)[], attrs = {}) =>
    expectPeer({
      op: 'GroupQueryAttention',
      domain,
      inputs,
      outputs: ['f32', 'f32', 'f32'],
      attrs: { num_heads: 4, kv_num_heads: 2, ...attrs },
    });
  const none = f([1, 2, 0, 8], 1);
  it('GroupQueryAttention of a prompt', () =>
    gqa([f([1, 5, 32], 21), f([1, 5, 16], 22), f([1, 5, 16], 23), none, none, ints([1], [4]), ints([], [5])]));
  it('GroupQueryAttention of one more token, with rotation', () =>
    gqa(
      [
        f([1, 1, 64], 21),
        f([1, 1, 32], 22),
        f([1, 1, 32], 23),
        f([1, 2, 6, 16], 24),
        f([1, 2, 6, 16], 25),
        ints([1], [6]),
        ints([], [7]),
        f([16, 8], 26),
        f([16, 8], 27),
      ],
      {
        do_rotary: 1,
      },
    ));
  it('GroupQueryAttention packed, in a window, with a cap', () =>
    gqa([f([1, 6, 64], 21), undefined, undefined, none, none, ints([1], [5]), ints([], [6])], {
      local_window_size: 3,
      softcap: asFloat(0.7),
    }));
  it('GroupQueryAttention of a prompt filled up at the right, with interleaved rotation', () => {
    const empty = f([2, 2, 0, 16], 1);
    return gqa(
      [
        f([2, 5, 64], 21),
        f([2, 5, 32], 22),
        f([2, 5, 32], 23),
        empty,
        empty,
        ints([2], [4, 2]),
        ints([], [5]),
        f([16, 8], 26),
        f([16, 8], 27),
      ],
      {
        do_rotary: 1,
        rotary_interleaved: 1,
      },
    );
  });

  const rotary = (inputs: readonly Tensor[], attrs = {}) =>
    expectPeer({ op: 'RotaryEmbedding', domain, inputs, outputs: ['f32'], attrs });
  const i64 = (dims: readonly number[], values: readonly number[]): Tensor => fromNumbers('i64', dims, values);
  it('RotaryEmbedding from a first position', () => rotary([f([2, 3, 32], 31), i64([1], [4]), f([10, 4], 32), f([10, 4], 33)]));
  it('RotaryEmbedding at positions, of heads in front', () =>
    rotary([f([1, 2, 3, 8], 31), i64([1, 3], [4, 0, 9]), f([10, 4], 32), f([10, 4], 33)], { interleaved: 1 }));
  it('RotaryEmbedding of a part of each head', () =>
    rotary([f([2, 3, 32], 31), i64([1], [0]), f([10, 2], 32), f([10, 2], 33)], { num_heads: 4, rotary_embedding_dim: 4 }));
});
