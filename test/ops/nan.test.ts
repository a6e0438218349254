/**
 * NaN, infinities and zeros of both signs where values are ordered or selected, and numbers beyond the range of the type they become. What
 * is wanted is what onnxruntime and ONNX's reference implementation give; where they differ, or depend on the order of elements, NaN
 * stays, as in NumPy.
 */
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import {
  Abs,
  Cast,
  Clip,
  Elu,
  HardSigmoid,
  HardSwish,
  LeakyRelu,
  Max,
  Min,
  Pow,
  PRelu,
  Relu,
  Round,
  Shrink,
  Sign,
  Softplus,
  Softsign,
  ThresholdedRelu,
  Where,
} from '../../compiler/ops/elementwise/index.ts';
import { ScatterElements } from '../../compiler/ops/movement/scatter.ts';
import { LpPool, MaxPool, MaxPoolIndices } from '../../compiler/ops/pool/pool.ts';
import { LayerNorm, Softmax } from '../../compiler/ops/reduce/norm.ts';
import { ArgReduce, Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { Resize } from '../../compiler/ops/resample/resize.ts';
import { TopK } from '../../compiler/ops/sort/topk.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { expectAgreement, single, target, type Operand } from './problems.ts';

const profiles = [target('wasm-simd'), target('wasm-mvp')];
const N = NaN;
const I = Infinity;
type Given =
  | readonly number[]
  | { readonly dims: readonly number[]; readonly data: readonly number[]; readonly dtype?: DType; readonly fixed?: true };
const tensor = (g: Given): Tensor =>
  'dims' in g ? fromNumbers(g.dtype ?? 'f32', g.dims, g.data) : fromNumbers('f32', [g.length], g);
/** The results of an operator on the evaluator and by its kernels, which must be the same; signs of zeros as they are. */
function results(op: Op, given: readonly Given[], attrs: Attrs = {}): number[][] {
  const tensors = given.map(tensor);
  const operands = tensors.map((t, i) => {
    const g = must(given[i]);
    const operand: Operand = { shape: t.dims, dtype: t.dtype, ...('dims' in g && g.fixed && { constant: t }) };
    return operand;
  });
  const g = single(op, operands, attrs);
  const inputs = new Map(tensors.flatMap((t, i) => (operands[i]?.constant ? [] : [[`x${i}`, t] as const])));
  const want = evaluate(g, inputs);
  const lists = (out: ReadonlyMap<string, Tensor>): number[][] => g.outputs.map(o => [...toNumbers(must(out.get(o.name)))]);
  for (const p of profiles) {
    const got = lists(interpretProgram(lowerGraph(g, p), inputs));
    lists(want).forEach((w, i) =>
      w.forEach((v, at) => {
        const k = got[i]?.[at] ?? 0;
        if (Math.abs(v) < 1e30 && v !== 0) expect(k).toBeCloseTo(v, 5);
        else expect([p.name, op.name, at, k]).toEqual([p.name, op.name, at, v]);
      }),
    );
  }
  return lists(want);
}
const one = (op: Op, given: readonly Given[], attrs: Attrs = {}): readonly number[] => must(results(op, given, attrs)[0]);
const scalar = (v: number): Given => ({ dims: [], data: [v], fixed: true });
/** Enough of them that vectors and what is left over are met. */
const long = (x: readonly number[], fill: number): number[] => [
  ...new Array<number>(21).fill(fill),
  ...x,
  ...new Array<number>(9).fill(fill),
];

describe('NaN', () => {
  it('stays in Max, Min and bounds, whichever operand it is', () => {
    const [a, b] = [
      [N, 1, N, I, -I, 2, 0],
      [1, N, N, N, N, 1, 5],
    ];
    expect(one(Max, [a, b])).toEqual([N, N, N, N, N, 2, 5]);
    expect(one(Min, [a, b])).toEqual([N, N, N, N, N, 1, 0]);
    for (const op of [Max, Min]) {
      expect(one(op, [[1, N], scalar(N)])).toEqual([N, N]);
      expect(one(op, [scalar(N), [1, N]])).toEqual([N, N]);
      expect(one(op, [[N, 2], scalar(2)])).toEqual([N, 2]);
      expect(one(op, [scalar(2), [N, 2]])).toEqual([N, 2]);
    }
    expect(one(Clip, [[N, I, -I, 5]], { lo: 0, hi: 2 })).toEqual([N, 2, 0, 2]);
    expect(one(Clip, [[N, I, -1, 3]], { lo: 4, hi: 2 })).toEqual([N, 2, 2, 2]);
  });
  it('stays in activations that choose', () => {
    const x = [N, I, -I, -1];
    expect(one(Relu, [x])).toEqual([N, I, 0, 0]);
    expect(one(LeakyRelu, [x], { alpha: 0.5 })).toEqual([N, I, -I, -0.5]);
    expect(one(PRelu, [x, [0.5]])).toEqual([N, I, -I, -0.5]);
    expect(one(Elu, [x])[0]).toBeNaN();
    expect(one(HardSigmoid, [x], { alpha: 0.2, beta: 0.5 })[0]).toBeNaN();
    expect(one(HardSwish, [x]).slice(0, 3)).toEqual([N, I, N]);
    expect(one(Softplus, [x]).slice(0, 3)).toEqual([N, I, 0]);
    expect(one(Softsign, [x]).slice(0, 3)).toEqual([N, N, N]);
    // These two ask whether x is beyond something, which NaN is not.
    expect(one(ThresholdedRelu, [x])).toEqual([0, I, 0, 0]);
    expect(one(Shrink, [x])).toEqual([0, I, -I, -1]);
    expect(one(Sign, [[N, I, -I, -0, 0]])).toEqual([N, 1, -1, 0, 0]);
    expect(one(Abs, [x])).toEqual([N, I, I, 1]);
    expect(one(Round, [x])).toEqual([N, I, -I, -1]);
    const condition: Given = { dims: [3], data: [1, 0, 1], dtype: 'bool' };
    expect(one(Where, [condition, [N, N, 1], [2, 2, N]])).toEqual([N, 2, 1]);
  });
  it('wins in reductions, wherever it is', () => {
    for (const x of [[1, N, 3, N], [N, 1, 2, 0], [3, 1, N], long([N], 1), long([N], 1).reverse()])
      for (const way of ['max', 'min']) {
        expect(one(Reduce, [x], { of: way, axes: [0], keep: false })).toEqual([N]);
        const columns = x.flatMap(v => [v, 1, 2, 3, v]);
        expect(one(Reduce, [{ dims: [x.length, 5], data: columns }], { of: way, axes: [0], keep: false })).toEqual([
          N,
          1,
          2,
          3,
          N,
        ]);
      }
  });
  it('has the first place of a maximum or minimum, or the last', () => {
    for (const way of ['max', 'min']) {
      for (const [x, first, last] of [
        [[1, N, 3, N], 1, 3],
        [[N, 1, 2, 0], 0, 0],
        [[N, N], 0, 1],
        [[3, 1, N], 2, 2],
        [long([N, 7, N], 1), 21, 23],
        [[-I, -I], 0, 1],
        [new Array<number>(19).fill(-I), 0, 18],
      ] as const) {
        expect(one(ArgReduce, [x], { of: way, axis: 0 })).toEqual([first]);
        expect(one(ArgReduce, [x], { of: way, axis: 0, last: true })).toEqual([last]);
        const columns = x.flatMap(v => [v, v, v, v, v]);
        expect(one(ArgReduce, [{ dims: [x.length, 5], data: columns }], { of: way, axis: 0 })).toEqual([
          first,
          first,
          first,
          first,
          first,
        ]);
      }
    }
  });
  it('is the largest in TopK and Unique', () => {
    expect(results(TopK, [[1, N, 3, N, 2]], { k: 4, axis: 0, largest: false })).toEqual([
      [1, 2, 3, N],
      [0, 4, 2, 1],
    ]);
    expect(results(TopK, [[1, N, 3, N, 2]], { k: 4, axis: 0 })).toEqual([
      [N, N, 3, 2],
      [1, 3, 2, 4],
    ]);
    expect(results(TopK, [[N, 1, 2, 0, N]], { k: 4, axis: 0 })).toEqual([
      [N, N, 2, 1],
      [0, 4, 2, 1],
    ]);
    expect(results(TopK, [long([N, 5], 1)], { k: 2, axis: 0 })).toEqual([
      [N, 5],
      [21, 22],
    ]);
  });
  it('stays in pools and what is scattered', () => {
    const pool = { kernel: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] };
    const picture = (data: number[]): Given => ({ dims: [1, 1, 2, 3], data });
    for (const [x, y, at] of [
      [
        [1, N, 3, N, 2, 0],
        [N, N],
        [1, 1],
      ],
      [
        [N, 1, 2, 0, N, 5],
        [N, N],
        [0, 4],
      ],
      [
        [N, N, N, N, N, N],
        [N, N],
        [0, 1],
      ],
      [
        [0, 1, 2, 0, 3, N],
        [3, N],
        [4, 5],
      ],
      [
        [-I, -I, -I, -I, -I, -I],
        [-I, -I],
        [0, 1],
      ],
    ] as const) {
      expect(one(MaxPool, [picture([...x])], pool)).toEqual([...y]);
      expect(results(MaxPoolIndices, [picture([...x])], pool)).toEqual([[...y], [...at]]);
    }
    for (const p of [1, 2, 3]) expect(one(LpPool, [picture([N, 0, 0, 0, 0, 0])], { ...pool, p })[0]).toBe(N);
    const indices: Given = { dims: [5], data: [0, 1, 2, 3, 3], dtype: 'i64' };
    const scattered = (reduction: string): readonly number[] =>
      one(ScatterElements, [[N, 1, 5, 2], indices, [1, N, 7, N, 9]], { axis: 0, reduction });
    expect(scattered('max')).toEqual([N, N, 7, N]);
    expect(scattered('min')).toEqual([N, N, 5, N]);
  });
  it('is what softmax and normalisation give where all is infinite', () => {
    const rows: Given = { dims: [4, 3], data: [1, N, 2, -I, -I, -I, I, 1, 2, -I, 0, -I] };
    const [softmax, log] = [false, true].map(log => one(Softmax, [rows], { axis: 1, log }));
    expect(softmax?.map(v => Math.round(v))).toEqual([N, N, N, N, N, N, N, N, N, 0, 1, 0]);
    expect(log?.slice(0, 9).every(Number.isNaN)).toBe(true);
    expect(log?.slice(9)).toEqual([-I, 0, -I]);
    expect(one(LayerNorm, [{ dims: [1, 3], data: [I, 1, 2] }], { axes: [1] })).toEqual([N, N, N]);
  });
});

describe('special numbers', () => {
  it('have the powers of C', () => {
    const x = [-I, -0, 0, -8, I, 1, N];
    const powers = (p: number): readonly number[] => one(Pow, [x, scalar(p)]);
    const run = (p: number): readonly number[] => one(Pow, [x, new Array<number>(x.length).fill(p)]);
    for (const [p, want] of [
      [0.5, [I, 0, 0, N, I, 1, N]],
      [-0.5, [0, I, I, N, 0, 1, N]],
      [1.5, [I, 0, 0, N, I, 1, N]],
      [-1, [-0, -I, I, -0.125, 0, 1, N]],
      [-2, [0, I, I, 0.015625, 0, 1, N]],
      [3, [-I, -0, 0, -512, I, 1, N]],
      [0, [1, 1, 1, 1, 1, 1, 1]],
    ] as const) {
      expect(powers(p)).toEqual([...want]);
      expect(run(p)).toEqual([...want]);
    }
    // Results below the smallest normal number are there too.
    expect(must(one(Pow, [[1e20], scalar(-2)])[0]) / 1e-40).toBeCloseTo(1, 4);
  });
  it('become integers by truncation, saturate, and NaN is 0', () => {
    const x = [300.7, -300.7, -1, -0.5, 70000, 3e9, -3e9, 1e20, -1e20, I, -I, N];
    const to = (t: DType): readonly number[] => one(Cast, [x], { to: t });
    expect(to('u8')).toEqual([255, 0, 0, 0, 255, 255, 0, 255, 0, 255, 0, 0]);
    expect(to('i8')).toEqual([127, -128, -1, 0, 127, 127, -128, 127, -128, 127, -128, 0]);
    expect(to('i32').slice(4)).toEqual([70000, 2147483647, -2147483648, 2147483647, -2147483648, 2147483647, -2147483648, 0]);
    expect(to('bool')).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });
  it('are overshoots of cubic weights, at which bytes saturate', () => {
    const cubic = (dtype: DType, data: number[]): readonly number[] =>
      one(Resize, [{ dims: [1, data.length], data, dtype }], {
        shape: [1, 2 * data.length],
        scales: [1, 2],
        mode: 'cubic',
        coordinates: 'half_pixel',
        starts: [0, 0],
        ends: [1, 1],
      });
    expect(cubic('u8', [0, 0, 255, 255, 0, 0])).toEqual([0, 0, 0, 57, 197, 255, 255, 197, 57, 0, 0, 0]);
    // A bright square's corner, as in onnxruntime: rows saturate before columns are made of them.
    const square = Array.from({ length: 64 * 64 }, (_, i) =>
      Math.abs((i % 64) - 31.5) < 12 && Math.abs(Math.floor(i / 64) - 31.5) < 12 ? 255 : 0,
    );
    const g = single(Resize, [{ shape: [64, 64], dtype: 'u8' }], {
      shape: [20, 20],
      scales: [0, 0],
      mode: 'cubic',
      coordinates: 'half_pixel',
      cubic: -0.5,
      antialias: true,
      starts: [0, 0],
      ends: [1, 1],
    });
    const given = new Map([['x0', fromNumbers('u8', [64, 64], square)]]);
    // Of what is nearly a whole number, float32 and float64 truncate to neighbours.
    for (const p of profiles) expectAgreement(g, given, p, 0, 1);
    const at = toNumbers(must(evaluate(g, given).get('y0')));
    [
      [6, 6, 140],
      [6, 7, 189],
      [7, 6, 195],
      [7, 7, 255],
    ].forEach(([row = 0, column = 0, want = 0]) => {
      expect(Math.abs(must(at[row * 20 + column]) - want)).toBeLessThanOrEqual(2);
    });
    expect(cubic('i8', [-128, -128, 127, 127, -128, -128])).toEqual([
      -128, -128, -128, -70, 69, 127, 127, 69, -70, -128, -128, -128,
    ]);
  });
});
