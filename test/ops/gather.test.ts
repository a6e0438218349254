import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { dimMul, symbol, type Dim } from '../../compiler/core/dim.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, type Value } from '../../compiler/graph/graph.ts';
import { Col2Im } from '../../compiler/ops/conv/col2im.ts';
import { Add } from '../../compiler/ops/elementwise/index.ts';
import { Gather, GatherElements, GatherND, OneHot, ReverseSequence, Trilu } from '../../compiler/ops/movement/gather.ts';
import { NonMaxSuppression } from '../../compiler/ops/sort/nms.ts';
import { Eye, Range, RangeSize } from '../../compiler/ops/movement/range.ts';
import { REDUCTIONS, ScatterElements, ScatterND, TensorScatter } from '../../compiler/ops/movement/scatter.ts';
import { Compress, NonZero } from '../../compiler/ops/sort/select.ts';
import { DimOf, Sizes } from '../../compiler/ops/movement/shape.ts';
import { TopK } from '../../compiler/ops/sort/topk.ts';
import { Unique } from '../../compiler/ops/sort/unique.ts';
import { Expand, Transpose } from '../../compiler/ops/movement/view.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectSame, type Given, type Problem } from './moves.ts';

const n = symbol('n', 1, 9);
const m = symbol('m', 1, 7);
const sizes = [
  { n: 1, m: 1 },
  { n: 5, m: 3 },
  { n: 9, m: 7 },
];
const whole = (shape: readonly Dim[], cycle: readonly number[], dtype: DType = 'i64'): Given => ({ shape, dtype, cycle });
// Indices of which some are negative and some far out of range: those are clamped.
const anywhere = [0, 3, -1, 2, -4, 99, 1, -99];

const turn = (v: Value): Value => apply1(Transpose, [v], { perm: [0, 2, 1] }, noLoc);
const problems: Problem[] = [
  {
    title: 'gather slices of a view, with something behind',
    op: Gather,
    operands: [{ shape: [n, 6, 4] }, whole([2, m], anywhere)],
    attrs: { axis: 0 },
    before: turn,
    after: v => apply1(Add, [v, v], {}, noLoc),
    sizes,
  },
  { title: 'gather rows', op: Gather, operands: [{ shape: [n, 6] }, whole([m], anywhere)], attrs: { axis: 0 }, sizes },
  {
    title: 'gather in the middle',
    op: Gather,
    operands: [{ shape: [2, n, 5] }, whole([2, m], anywhere)],
    attrs: { axis: 1 },
    sizes,
  },
  {
    title: 'gather elements of rows',
    op: Gather,
    operands: [{ shape: [3, n] }, whole([m], anywhere, 'i32')],
    attrs: { axis: 1 },
    sizes,
  },
  { title: 'gather bytes', op: Gather, operands: [{ shape: [n, 3], dtype: 'u8' }, whole([], [-1])], attrs: { axis: 0 }, sizes },
  {
    title: 'gather by element',
    op: GatherElements,
    operands: [{ shape: [4, n, 3] }, whole([2, m, 3], anywhere)],
    attrs: { axis: 1 },
    sizes,
  },
  { title: 'gather tuples', op: GatherND, operands: [{ shape: [n, 4, 6] }, whole([m, 2], anywhere)], attrs: { batch: 0 }, sizes },
  {
    title: 'gather tuples of a batch',
    op: GatherND,
    operands: [{ shape: [2, n, 4] }, whole([2, m, 2], anywhere)],
    attrs: { batch: 1 },
    sizes,
  },
  {
    title: 'one hot',
    op: OneHot,
    operands: [whole([n, 2], anywhere), { shape: [2], cycle: [-1, 5] }],
    attrs: { axis: 1, depth: 4 },
    sizes,
  },
  {
    title: 'one hot of floats',
    op: OneHot,
    operands: [whole([n], [0, 2, -1, 7], 'f32'), whole([2], [3, 8])],
    attrs: { axis: 0, depth: 5 },
    sizes,
  },
  ...[true, false].flatMap(upper =>
    ([0, 2, -1] as const).map((k): Problem => ({
      title: `triangle ${upper ? 'up' : 'low'} ${k}`,
      op: Trilu,
      operands: [{ shape: [2, n, m] }],
      attrs: { upper, k },
      sizes,
    })),
  ),
  { title: 'triangle of i64', op: Trilu, operands: [{ shape: [n, 5], dtype: 'i64' }], attrs: { upper: true, k: 1 }, sizes },
  {
    title: 'triangle of booleans',
    op: Trilu,
    operands: [{ shape: [n, 5], dtype: 'bool', cycle: [1, 1, 0] }],
    attrs: { upper: false },
    sizes,
  },
  {
    title: 'reverse sequences',
    op: ReverseSequence,
    operands: [{ shape: [n, m, 6] }, whole([m], [1, 3, 2, 0])],
    attrs: { batch: 1, time: 0 },
    sizes: [
      { n: 3, m: 5 },
      { n: 9, m: 7 },
    ],
  },
  {
    title: 'range of floats',
    op: Range,
    operands: [
      { shape: [], cycle: [0.5] },
      { shape: [], cycle: [0.25] },
    ],
    attrs: { n: 11 },
  },
  { title: 'range of i64', op: Range, operands: [whole([], [3]), whole([1], [-2])], attrs: { n: 9 } },
  ...(
    [
      [0, 10, 3],
      [10, 0, -3],
      [5, 5, 1],
      [0, 9, 3],
      [0, -9, 3],
      [7, -8, -4],
      [1, 2, 0],
    ] as const
  ).flatMap(([a, b, d]) =>
    (['f32', 'i32', 'i64', 'f64'] as const).map((t): Problem => ({
      title: `how many from ${a} to ${b} by ${d} (${t})`,
      op: RangeSize,
      operands: [a, b, d].map(v => ({ shape: [], dtype: t, cycle: [v] })),
      attrs: {},
    })),
  ),
  { title: 'eye', op: Eye, operands: [], attrs: { rows: 4, cols: 6, k: 1, dtype: 'f32' } },
  { title: 'eye of booleans', op: Eye, operands: [], attrs: { rows: 5, cols: 3, k: -2, dtype: 'bool' } },
  ...REDUCTIONS.flatMap(reduction =>
    (['f32', 'i64', 'i8'] as const).map((dtype): Problem => ({
      title: `scatter by element, ${reduction} of ${dtype}`,
      op: ScatterElements,
      operands: [{ shape: [3, n], dtype }, whole([2, m], anywhere), { shape: [2, m], dtype }],
      attrs: { axis: 1, reduction },
      rounds: dtype === 'f32',
      sizes,
    })),
  ),
  ...REDUCTIONS.map((reduction): Problem => ({
    title: `scatter slices, ${reduction}`,
    op: ScatterND,
    operands: [{ shape: [n, 4, 5] }, whole([m, 2], anywhere), { shape: [m, 5] }],
    attrs: { reduction },
    rounds: true,
    sizes,
  })),
  {
    title: 'scatter elements by tuples',
    op: ScatterND,
    operands: [{ shape: [n, 4], dtype: 'f64' }, whole([m, 2], anywhere), { shape: [m], dtype: 'f64' }],
    attrs: {},
    sizes,
  },
  {
    title: 'write into a cache',
    op: TensorScatter,
    operands: [{ shape: [2, 3, 9, 5] }, { shape: [2, 3, 4, 5] }, whole([2], [1, 5])],
    attrs: { axis: 2 },
  },
  {
    title: 'write around the end of a cache',
    op: TensorScatter,
    operands: [{ shape: [2, 9, 5] }, { shape: [2, 4, 5] }, whole([2], [7, 5])],
    attrs: { axis: 1, circular: true },
  },
  {
    title: 'compress rows',
    op: Compress,
    operands: [{ shape: [n, 6] }, whole([m], [1, 0, 0, 1], 'bool')],
    attrs: { axis: 0, count: symbol('c', 0, 7) },
    sizes,
  },
  {
    title: 'compress columns',
    op: Compress,
    operands: [{ shape: [n, 5], dtype: 'i16' }, whole([4], [0, 1, 1, 0], 'bool')],
    attrs: { axis: 1, count: symbol('c', 0, 4) },
    sizes,
  },
  {
    title: 'non-zero',
    op: NonZero,
    operands: [{ shape: [n, m], cycle: [0, 1, 2, 0, 0] }],
    attrs: { count: symbol('c', 0, 63) },
    sizes,
  },
  { title: 'non-zero, all zero', op: NonZero, operands: [whole([n], [0], 'bool')], attrs: { count: symbol('c', 0, 9) }, sizes },
  ...[true, false].flatMap((sorted): Problem[] => [
    {
      title: `unique, sorted ${sorted}`,
      op: Unique,
      operands: [{ shape: [n], cycle: [3, 1, 3, NaN, 1, 2, NaN] }],
      attrs: { axis: 0, sorted, count: symbol('c', 1, 9) },
      sizes,
    },
    {
      title: `unique columns, sorted ${sorted}`,
      op: Unique,
      operands: [whole([2, n, 3], [1, 1, 0, 1, 1, 0, 2])],
      attrs: { axis: 1, sorted, count: symbol('c', 1, 9) },
      sizes,
    },
  ]),
  ...[true, false].flatMap(largest => [
    {
      title: `top 3, largest ${largest}`,
      op: TopK,
      operands: [{ shape: [m, 8, 2], cycle: [3, 1, 4, 1, 5, 9, NaN, 2, 6] }],
      attrs: { k: 3, axis: 1, largest },
      sizes: [{ m: 1 }, { m: 7 }],
    },
    {
      title: `sort, largest ${largest}`,
      op: TopK,
      operands: [{ shape: [2, 77], dtype: 'i64' as const }],
      attrs: { k: 77, axis: 1, largest },
    },
    {
      title: `top of bytes, largest ${largest}`,
      op: TopK,
      operands: [{ shape: [n, 9], dtype: 'u8' as const }],
      attrs: { k: n, axis: 1, largest },
      sizes,
    },
  ]),
  // More results than a short list holds, of more values than a long one.
  ...(
    [
      ['f32', [3, 1, NaN, 4, -0, 0, 1, 5, 9, -2, 6, 5, 3, Infinity, 5, -Infinity, 8.5, 9, 7]],
      ['f16', [3, 1, 4, 0.5, -0.25, 9]],
      ['f64', [3, 1, NaN, -4, 0.5, -0, 0]],
      ['i32', [3, -1, 4, 2 ** 31 - 1, -(2 ** 31), 0, 9]],
      ['i64', [3, -1, 4, -500, 70000, 0, 9]],
      ['u8', [3, 255, 0, 128, 9]],
      ['i8', [3, -128, 127, 0, -9]],
    ] as const
  ).flatMap(([dtype, values]) =>
    [true, false].flatMap(largest => {
      // Mixed, and each value better than those before: the list is cut again and again.
      const mixed = Array.from({ length: 331 }, (_, i) => must(values[(i * i) % values.length]));
      const rising = [...mixed].sort((a, b) => (largest ? a - b : b - a));
      return [mixed, rising].map((cycle, way): Problem => ({
        title: `top 49 and 5 of many ${dtype}, largest ${largest}, ${way === 0 ? 'mixed' : 'each better'}`,
        op: TopK,
        operands: [{ shape: [2, 331], dtype, cycle }],
        attrs: { k: largest ? 49 : 5, axis: 1, largest },
      }));
    }),
  ),
  ...(['f32', 'f64', 'u8', 'i64'] as const).flatMap(dtype =>
    [true, false].map((sorted): Problem => ({
      title: `unique of many ${dtype}, sorted ${sorted}`,
      op: Unique,
      operands: [
        { shape: [300], dtype, cycle: [5, 3, 200, 7, 3, 1, dtype === 'u8' ? 2 : -70000, dtype.startsWith('f') ? NaN : 4] },
      ],
      attrs: { axis: 0, sorted, count: symbol('c', 1, 300) },
    })),
  ),
  {
    title: 'box suppression of many boxes, of which more are taken than a vector holds',
    op: NonMaxSuppression,
    operands: [
      { shape: [1, 150, 4], cycle: Array.from({ length: 332 }, (_, i) => ((i * 37) % 83) / 8) },
      { shape: [1, 2, 150], cycle: Array.from({ length: 61 }, (_, i) => ((i * 17) % 61) / 61) },
      whole([1], [60]),
      { shape: [1], cycle: [0.25] },
    ],
    attrs: { center: false, count: symbol('c', 0, 120) },
  },
  { title: 'top 0', op: TopK, operands: [{ shape: [2, 5] }], attrs: { k: 0, axis: 1 } },
  ...[true, false].flatMap(center =>
    [1, 3, 100].map((most): Problem => ({
      title: `box suppression, at most ${most}, ${center ? 'centres' : 'corners'}`,
      op: NonMaxSuppression,
      operands: [
        { shape: [2, n, 4] },
        { shape: [2, 3, n], cycle: [0.5, 0.9, 0.3, 0.9, 0.1] },
        whole([1], [most]),
        { shape: [1], cycle: [0.3] },
        { shape: [1], cycle: [0.2] },
      ],
      attrs: { center, count: symbol('c', 0, 54) },
      sizes,
    })),
  ),
  {
    title: 'columns to image',
    op: Col2Im,
    operands: [{ shape: [n, 12, 20], dtype: 'i32' }],
    attrs: { image: [5, 6], block: [2, 2], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
    sizes,
  },
  {
    title: 'columns to image with strides and pads',
    op: Col2Im,
    operands: [{ shape: [1, 3, dimMul(n, 2)], dtype: 'i64' }],
    attrs: { image: [dimMul(n, 4)], block: [3], strides: [2], dilations: [1], pads: [1, 0] },
    sizes: [{ n: 1 }, { n: 4 }],
  },
  { title: 'a size from data', op: DimOf, operands: [whole([1], [5])], attrs: { symbol: 'k', lo: 0, hi: 9 } },
  {
    title: 'a size from data, clamped',
    op: DimOf,
    operands: [whole([], [-(2 ** 40)])],
    attrs: { symbol: 'k', lo: -3, hi: 9, clamp: true },
  },
  { title: 'sizes as data', op: Sizes, operands: [], attrs: { values: [3, 2 ** 40, -1], shape: [3], dtype: 'i64' } },
];

describe('gathers, scatters and selections: compiled code against the evaluator', () => {
  for (const p of problems) it(p.title, () => expectSame(p, ['wasm-simd']));
});

describe('a size from data outside its range', () => {
  const x = input('x', { dtype: 'i64', shape: [1] });
  const size = apply1(DimOf, [x], { symbol: 'k', lo: 0, hi: 9 }, noLoc);
  const one = constant(fromNumbers('f32', [], [1]));
  const many = apply1(Expand, [one], { shape: [symbol('k', 0, 9)] }, noLoc);
  const graph = { name: 'sizes', inputs: [x], outputs: [{ name: 'y', value: many }], symbolDefinitions: [size] };
  const at = (k: number) => new Map([['x', fromNumbers('i64', [1], [k])]]);

  it('stops the model, however it is run', async () => {
    const runs = [
      (k: number) => evaluate(graph, at(k)),
      ...(await Promise.all((['program', 'wasm'] as const).map(async way => compiled(way, graph)))).map(
        r => (k: number) => r(at(k)),
      ),
    ];
    for (const run of runs) {
      expect(run(9).get('y')?.dims).toEqual([9]);
      expect(run(0).get('y')?.dims).toEqual([0]);
      expect(() => run(10)).toThrow();
      expect(() => run(-1)).toThrow();
      expect(() => run(2 ** 32)).toThrow();
    }
  });
});
