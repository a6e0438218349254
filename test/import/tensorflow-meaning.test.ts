// What operators mean to TensorFlow where other frameworks see it otherwise: answers of TensorFlow 2.15.1, or its formulas by hand.
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Value } from '../../compiler/graph/graph.ts';
import { importBuilder, importSession } from '../../compiler/import/shared/builder.ts';
import { activation, cellActivationOf } from '../../compiler/import/shared/tensorflow/activation.ts';
import {
  convolution,
  transposedConvolution,
  weightsFromDepthwise,
  weightsFromHWIO,
} from '../../compiler/import/shared/tensorflow/conv.ts';
import { fusedBatchNorm } from '../../compiler/import/shared/tensorflow/norm.ts';
import { averagePool } from '../../compiler/import/shared/tensorflow/pool.ts';
import { recurrentLayer } from '../../compiler/import/shared/tensorflow/recurrent.ts';
import { resizeArea, resizeBicubic, resizeBilinear, resizeNearest } from '../../compiler/import/shared/tensorflow/resize.ts';
import { segmentsOf } from '../../compiler/import/shared/tensorflow/segment.ts';
import { oneHot } from '../../compiler/import/shared/tensorflow/select.ts';
import { NO_MASKS, stridedSlice } from '../../compiler/import/shared/tensorflow/slice.ts';
import { batchToSpace, depthToSpace, spaceToBatch, spaceToDepth } from '../../compiler/import/shared/tensorflow/space.ts';

const c = importBuilder(importSession('test', 1), { loc: { k: 'none' } }, []);
const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => i + from);
const f32 = (dims: readonly number[], values: readonly number[]): Value => c.literal('f32', values, dims);
const values = (v: Value): number[] => {
  const out = evaluate({ name: '', inputs: [], outputs: [{ name: 'y', value: v }], symbolDefinitions: [] }, new Map());
  return [...toNumbers(must(out.get('y')))].map(x => Math.round(x * 1e4) / 1e4);
};
const same = { k: 'same' } as const;
const NHWC = 'NHWC';
const gate = must(cellActivationOf('sigmoid', 3));
const tanh = must(cellActivationOf('tanh', 3));

describe('TensorFlow means', () => {
  it('by SAME the smaller half of the pads first', () => {
    const square = { layout: NHWC, strides: [2, 2], padding: same } as const;
    const w = (dims: readonly number[], v: readonly number[]): Value => weightsFromHWIO(c, f32(dims, v));
    expect(values(convolution(c, f32([1, 2, 2, 1], [1, 1, 1, 1]), w([3, 3, 1, 1], range(9)), square))).toEqual([8]);
    const line = { layout: NHWC, strides: [2], padding: same } as const;
    expect(values(convolution(c, f32([1, 5, 1], range(5, 1)), w([2, 1, 1], [1, 10]), line))).toEqual([21, 43, 5]);
  });
  it('by average pooling the mean of what is there', () => {
    const o = { layout: NHWC, kernel: [2, 2], strides: [2, 2], padding: same } as const;
    expect(values(averagePool(c, f32([1, 3, 3, 1], range(9, 1)), o))).toEqual([3, 4.5, 7.5, 9]);
  });
  it('by a transposed convolution the size that it is told', () => {
    const w = f32([1, 1, 3], [1, 10, 100]);
    const o = (size: number) => ({ layout: NHWC, strides: [2], padding: same, sizes: [size] }) as const;
    const x = f32([1, 3, 1], [1, 2, 3]);
    expect(values(transposedConvolution(c, x, w, o(6)))).toEqual([1, 10, 102, 20, 203, 30]);
    expect(values(transposedConvolution(c, x, w, o(5)))).toEqual([10, 102, 20, 203, 30]);
  });
  it('by depthwise channel c * M + m', () => {
    const w = weightsFromDepthwise(c, f32([1, 1, 2, 2], range(4, 1)));
    const o = { layout: NHWC, strides: [1, 1], padding: same } as const;
    expect(values(convolution(c, f32([1, 1, 1, 2], [1, 10]), w, o))).toEqual([1, 2, 30, 40]);
  });
  it('by resizing one of three coordinates', () => {
    const x = f32([1, 1, 3, 1], [0, 10, 20]);
    const to = (n: number, coordinates: 'legacy' | 'align_corners' | 'half_pixel') =>
      ({ layout: NHWC, sizes: [1, n], coordinates }) as const;
    expect(values(resizeBilinear(c, x, to(6, 'legacy')))).toEqual([0, 5, 10, 15, 20, 20]);
    expect(values(resizeBilinear(c, x, to(6, 'align_corners')))).toEqual([0, 4, 8, 12, 16, 20]);
    expect(values(resizeBilinear(c, x, to(6, 'half_pixel')))).toEqual([0, 2.5, 7.5, 12.5, 17.5, 20]);
    expect(values(resizeNearest(c, x, to(5, 'legacy')))).toEqual([0, 0, 10, 10, 20]);
    expect(values(resizeNearest(c, x, to(5, 'half_pixel')))).toEqual([0, 0, 10, 20, 20]);
    expect(values(resizeArea(c, f32([1, 1, 4, 1], [0, 10, 20, 40]), to(2, 'legacy')))).toEqual([5, 30]);
    // Keys' filter with -1/2 in the middle between two elements: -1/16 9/16 9/16 -1/16, of which one is outside.
    expect(values(resizeBicubic(c, f32([1, 1, 4, 1], [0, 16, 32, 0]), to(2, 'half_pixel')))).toEqual([6.5882, 16]);
  });
  it('by a slice with single indices, new axes and an ellipsis', () => {
    const x = f32([2, 3, 4], range(24));
    const v = (list: readonly number[]): Value => c.literal('i32', list);
    const y = stridedSlice(c, x, v([0, 0, 1, -1]), v([0, 0, 3, 0]), v([1, 1, 1, 1]), {
      ...NO_MASKS,
      ellipsis: 1,
      newAxis: 2,
      shrinkAxis: 8,
    });
    expect([y.type.shape, values(y)]).toEqual([
      [2, 1, 2],
      [7, 11, 19, 23],
    ]);
    const back = stridedSlice(c, f32([4], range(4)), v([0]), v([0]), v([-2]), { ...NO_MASKS, begin: 1, end: 1 });
    expect(values(back)).toEqual([3, 1]);
  });
  it('by batch normalisation in training the moments of the batch', () => {
    const one = (n: number): Value => f32([1], [n]);
    const y = fusedBatchNorm(c, f32([4, 1, 1, 1], [1, 2, 3, 6]), one(2), one(1), undefined, { layout: NHWC, epsilon: 1e-3 });
    expect(values(y.y)).toEqual([-1.1378, -0.0689, 1, 4.2067]);
    expect([values(y.mean), values(y.variance)]).toEqual([[3], [4.6667]]);
  });
  it('by a GRU z r h and two places for the reset gate', () => {
    const x = f32([1, 2, 2], [1, 2, 3, -1]);
    const kernel = f32(
      [2, 3],
      range(6).map(i => i / 10),
    );
    const recurrent = f32([1, 3], [0.5, -0.5, 0.25]);
    const o = { cell: 'gru', gate, activation: tanh } as const;
    const both = f32([2, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
    const after = recurrentLayer(c, x, { kernel, recurrent, bias: both }, { ...o, resetAfter: true });
    expect(values(after.sequence)).toEqual([0.2407, 0.4206]);
    const before = recurrentLayer(c, x, { kernel, recurrent, bias: f32([3], [0.1, 0.2, 0.3]) }, o);
    expect(values(before.sequence)).toEqual([0.3003, 0.357]);
  });
  it('by an LSTM i f c o', () => {
    const x = f32([1, 2, 2], [1, 2, 3, -1]);
    const kernel = f32(
      [2, 4],
      range(8).map(i => i / 10),
    );
    const w = { kernel, recurrent: f32([1, 4], [0.5, -0.5, 0.25, -0.25]), bias: f32([4], [0.1, 0.2, 0.3, 0.4]) };
    const { sequence, state } = recurrentLayer(c, x, w, { cell: 'lstm', gate, activation: tanh });
    expect([values(sequence), values(state)]).toEqual([[0.5182, 0.2786], [0.2786]]);
  });
  it('by a mask steps that are skipped', () => {
    const x = f32(
      [1, 3, 1],
      [9, 1, 2].map((_, i) => must([1, 9, 2][i])),
    );
    const w = { kernel: f32([1, 1], [1]), recurrent: f32([1, 1], [0.5]) };
    const o = { cell: 'rnn', gate, activation: tanh } as const;
    const mask = (bits: readonly number[]): Value => c.literal('bool', bits, [1, 3]);
    expect(values(recurrentLayer(c, x, w, { ...o, mask: mask([1, 0, 1]) }).sequence)).toEqual([0.7616, 0.7616, 0.983]);
    expect(values(recurrentLayer(c, x, w, { ...o, mask: mask([0, 0, 1]) }).sequence)).toEqual([0, 0, 0.964]);
  });
  it('by blocks of space what moves back', () => {
    const x = f32([1, 4, 4, 1], range(16));
    expect(values(spaceToDepth(c, x, 2, NHWC)).slice(0, 4)).toEqual([0, 1, 4, 5]);
    expect(values(depthToSpace(c, spaceToDepth(c, x, 2, NHWC), 2, NHWC))).toEqual(range(16));
    const pads = [
      [0, 0],
      [2, 0],
    ] as const;
    const blocks = spaceToBatch(c, x, [2, 2], pads);
    expect([blocks.type.shape, values(blocks).slice(0, 6)]).toEqual([
      [4, 2, 3, 1],
      [0, 0, 2, 0, 8, 10],
    ]);
    expect(values(batchToSpace(c, blocks, [2, 2], pads))).toEqual(range(16));
  });
  it('by segments what has their number, and by none what it says', () => {
    const x = f32([4, 2], range(8));
    const ids = c.literal('i32', [0, 2, 2, -1]);
    expect(values(segmentsOf(c, 'sum', x, ids, 3))).toEqual([0, 1, 0, 0, 6, 8]);
    expect(values(segmentsOf(c, 'mean', x, ids, 3))).toEqual([0, 1, 0, 0, 3, 4]);
    expect(values(segmentsOf(c, 'max', x, ids, 3, 0))).toEqual([0, 1, 0, 0, 4, 5]);
    expect(values(segmentsOf(c, 'prod', x, ids, 3))).toEqual([0, 1, 1, 1, 8, 15]);
  });
  it('by an index outside of one_hot nothing', () => {
    const hot = oneHot(c, c.literal('i32', [1, -1, 3]), 3, f32([], [5]), f32([], [-5]), 1);
    expect(values(hot)).toEqual([-5, 5, -5, -5, -5, -5, -5, -5, -5]);
  });
  it('by activations their own constants', () => {
    const of = (name: string, x: number): number => must(values(must(activation(c, name, f32([1], [x]))))[0]);
    expect([of('relu6', 7), of('selu', -1), of('HARD_SWISH', 1), of('gelu', 1)]).toEqual([6, -1.1113, 0.6667, 0.8413]);
  });
});
