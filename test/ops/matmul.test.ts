import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { evalDim, symbol, type Dim } from '../../compiler/core/dim.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, nodesOf } from '../../compiler/graph/graph.ts';
import { Add, Relu, Sigmoid } from '../../compiler/ops/elementwise/index.ts';
import { MatMulInteger } from '../../compiler/ops/matmul/matmul-integer.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { KernelBuilder, type Buffer } from '../../compiler/kernel/builder.ts';
import { interpret } from '../../compiler/kernel/interpret.ts';
import { add, le } from '../../compiler/kernel/ir.ts';
import { forRowBlocks, splitRows, type BlockBody } from '../../compiler/ops/schedules/rows.ts';
import { expectAgreement, inputsFor, noise, single, target, type Operand } from './problems.ts';

const v3 = target('linux-x64-v3');
/** The last has so little cache that products are walked panel by panel. */
const profiles = [
  ...['wasm-mvp', 'wasm-simd', 'wasm-relaxed-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target),
  { ...v3, cache: { ...v3.cache, l2: 4096 } },
];
const size = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(1, 6, 8, 16, 24, 64));
const problem = fc.record({
  m: fc.oneof(size, fc.constantFrom(61, 67)),
  n: size,
  k: size,
  batchA: fc.constantFrom([], [2], [3, 1], [2, 3]),
  batchB: fc.constantFrom([], [], [1], [2], [1, 3], [2, 3]),
  transA: fc.boolean(),
  transB: fc.boolean(),
  constantB: fc.boolean(),
  /** Which sizes are symbols. */
  symbols: fc.subarray(['m', 'n', 'k'] as const),
  tail: fc.constantFrom('none', 'relu', 'sigmoid'),
  seed: fc.nat(1000),
  profile: fc.nat(profiles.length - 1),
});

describe('MatMul', () => {
  it('computes products as the reference does, for all layouts of the operands and symbolic sizes', () => {
    fc.assert(
      fc.property(problem, r => {
        const broadcast = r.batchA.length === 0 || r.batchB.length === 0 || r.batchA.join() === '3,1';
        const batchB = broadcast || r.batchB.join() === r.batchA.join() ? r.batchB : [];
        if (r.batchA.join() === '3,1' && r.batchB.join() === '2,3') return;
        const dim = (name: 'm' | 'n' | 'k', v: number): Dim =>
          r.symbols.includes(name) && !(r.constantB && name !== 'm') ? symbol(name, 1, 70) : v;
        const [m, n, k] = [dim('m', r.m), dim('n', r.n), dim('k', r.k)];
        const a: Operand = { shape: [...r.batchA, ...(r.transA ? [k, m] : [m, k])] };
        const bShape = [...batchB, ...(r.transB ? [n, k] : [k, n])];
        const b: Operand = r.constantB
          ? { shape: bShape, constant: noise('f32', bShape.map(Number), r.seed) }
          : { shape: bShape };
        const bias = noise('f32', [r.n], r.seed + 7);
        const g = single(MatMul, [a, b], { transA: r.transA, transB: r.transB }, v =>
          r.tail === 'none' || typeof n !== 'number'
            ? v
            : apply1(r.tail === 'relu' ? Relu : Sigmoid, [apply1(Add, [v, constant(bias)], {}, noLoc)], {}, noLoc),
        );
        expectAgreement(g, inputsFor(g, { m: r.m, n: r.n, k: r.k }, r.seed), profiles[r.profile] ?? target('wasm-simd'));
      }),
      { numRuns: 70 },
    );
  });
  it('takes vectors on either side', () => {
    for (const [a, b] of [
      [[5], [5]],
      [[5], [5, 9]],
      [[7, 5], [5]],
      [[2, 7, 5], [5]],
      [[5], [2, 5, 9]],
      [
        [0, 5],
        [5, 3],
      ],
      [
        [4, 0],
        [0, 3],
      ],
    ] as const)
      for (const p of profiles) {
        const g = single(MatMul, [{ shape: a }, { shape: b }], {});
        expectAgreement(g, inputsFor(g, {}, 3), p);
      }
  });
  it('computes with every numeric type', () => {
    for (const dtype of ['f64', 'f16', 'bf16', 'i8', 'u8', 'i16', 'i32', 'u32', 'i64', 'u64'] as const satisfies DType[])
      for (const [m, n, k] of [
        [1, 9, 7],
        [7, 1, 9],
        [7, 13, 5],
      ] as const) {
        const g = single(
          MatMul,
          [
            { shape: [m, k], dtype },
            { shape: [k, n], dtype },
          ],
          {},
        );
        expectAgreement(g, inputsFor(g, {}, 5), target('wasm-simd'), 2e-2, 1e-2);
      }
  });
  it('multiplies small integers exactly by the dot products and blocks of each target, and in floats', () => {
    const byte = fc.constantFrom('u8' as const, 'i8' as const);
    const bytes = (type: 'u8' | 'i8', dims: readonly number[], seed: number): Tensor =>
      randomTensor(type, dims, seed, ...(type === 'u8' ? ([0, 255] as const) : ([-128, 127] as const)));
    const targets = [
      ...['linux-x64-v2', 'linux-x64-v4', 'linux-x64-amx', 'linux-arm64-dotprod'],
      ...['c-portable', 'wasm-simd', 'wasm-relaxed-simd'],
    ].map(target);
    const sizes = fc.record({
      m: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(15, 16, 17, 31, 33, 48)),
      n: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(16, 32, 48)),
      k: fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(32, 64, 128)),
      a: byte,
      b: byte,
      // Known when the model is compiled, when it runs, one for each row, or left out.
      aZero: fc.constantFrom('known', 'known', 'input', 'rows', 'none'),
      bZero: fc.constantFrom('known', 'columns', 'none'),
      constantB: fc.constantFrom(true, true, true, false),
      transB: fc.boolean(),
      dynamic: fc.boolean(),
      batch: fc.constantFrom([], [2]),
      target: fc.constantFrom(...targets),
      seed: fc.nat(1000),
    });
    fc.assert(
      fc.property(sizes, r => {
        const m = r.dynamic && r.aZero !== 'rows' ? symbol('m', 1, 70) : r.m;
        const operand = (type: 'u8' | 'i8', dims: readonly number[], known: boolean, seed: number): Operand =>
          known ? { shape: dims, constant: bytes(type, dims, seed) } : { shape: dims, dtype: type };
        const bDims = r.transB ? [r.n, r.k] : [r.k, r.n];
        const columns = r.transB ? [r.n, 1] : [r.n];
        const g = single(
          MatMulInteger,
          [
            { shape: [...r.batch, m, r.k], dtype: r.a },
            operand(r.b, bDims, r.constantB, r.seed),
            r.aZero === 'none' ? undefined : operand(r.a, r.aZero === 'rows' ? [r.m, 1] : [], r.aZero !== 'input', r.seed + 2),
            r.bZero === 'none' ? undefined : operand(r.b, r.bZero === 'columns' ? columns : [], true, r.seed + 3),
          ],
          { transB: r.transB },
        );
        const x = new Map([
          ['x0', bytes(r.a, [...r.batch, r.m, r.k], r.seed + 1)],
          ['x1', bytes(r.b, bDims, r.seed)],
          ['x2', bytes(r.a, [], r.seed + 4)],
        ]);
        const inputs = new Map([...x].filter(([name]) => g.inputs.some(v => v.def.k === 'input' && v.def.name === name)));
        expectAgreement(g, inputs, r.target, 0, 0);
        expectAgreement(runPasses(g, r.target), inputs, r.target, 0, 0);
      }),
      { numRuns: 30 },
    );
  });
  it('takes rows whose length is known from the other operand alone', () => {
    const g = single(
      MatMulInteger,
      [
        { shape: [symbol('n', 1, 12), symbol('k', 1, 14)], dtype: 'u8' },
        { shape: [7, 3], constant: noise('i8', [7, 3], 3) },
        { shape: [], constant: noise('u8', [], 5) },
      ],
      {},
    );
    for (const name of ['wasm-mvp', 'wasm-simd', 'wasm-relaxed-dot-u8', 'wasm-relaxed-dot-i8', 'linux-x64-v4', 'linux-x64-amx'])
      expectAgreement(g, inputsFor(g, { n: 6, k: 7 }, 3), target(name), 0, 0);
  });
  it('cuts sums that floats do not hold', () => {
    const ends = (type: 'u8' | 'i8', dims: readonly number[]): Tensor => randomTensor(type, dims, 1, 255, 255);
    const g = single(
      MatMulInteger,
      [
        { shape: [2, 700], dtype: 'u8' },
        { shape: [700, 3], constant: ends('u8', [700, 3]) },
      ],
      {},
    );
    const profile = target('wasm-mvp');
    const after = runPasses(g, profile);
    expect(nodesOf(after).filter(n => n.op === MatMul)).toHaveLength(3);
    const x = new Map([['x0', ends('u8', [2, 700])]]);
    expectAgreement(after, x, profile, 0, 0);
    expect([...toNumbers(must(evaluate(g, x).get('y0')))]).toEqual(new Array(6).fill(700 * 255 * 255));
  });
  it('wraps 32-bit integers as machines do', () => {
    const g = single(
      MatMul,
      [
        { shape: [1, 2], dtype: 'i32' },
        { shape: [2, 1], dtype: 'i32' },
      ],
      {},
    );
    const x = new Map([
      ['x0', { ...noise('i32', [1, 2], 1), bytes: new Uint8Array(new Int32Array([2 ** 30, 5]).buffer) }],
      ['x1', { ...noise('i32', [2, 1], 1), bytes: new Uint8Array(new Int32Array([8, -7]).buffer) }],
    ]);
    expect([...toNumbers(evaluate(g, x).get('y0') ?? noise('i32', [], 0))]).toEqual([-35]);
    expectAgreement(g, x, target('wasm-simd'));
  });
});

describe('rows of a product', () => {
  it('are split into blocks that cover them once and never exceed the micro-kernel', () => {
    for (let n = 0; n <= 80; n++) {
      const blocks = splitRows(n, 6);
      expect(blocks.reduce((s, b) => s + b.rows * b.times, 0)).toBe(n);
      expect(Math.max(0, ...blocks.map(b => b.rows))).toBeLessThanOrEqual(6);
      expect(blocks.reduce((s, b) => s + b.times, 0)).toBe(Math.ceil(n / 6));
    }
  });
  it.each([
    [4, false],
    [6, false],
    [6, true],
    [12, true],
    [14, false],
    [28, false],
  ])(
    'are each new once, in blocks of up to %i (few: %s), of a number that is known or comes out when the model runs',
    (most, few) => {
      const seen: Buffer = { name: 'seen', dtype: 'i32' };
      // Every row that a block touches must be there, also the ones that it computes again.
      const rows = (n: Dim): ReturnType<KernelBuilder['finish']> => {
        const b = new KernelBuilder();
        const block: BlockBody = (first, height, skip) => {
          for (let i = 0; i < height; i++) {
            const at = add(first, i);
            const count = (by: number): void => b.store(seen, at, add(b.load(seen, at), by));
            count(1000);
            if (skip === undefined) count(1);
            else b.if(le(skip, i), () => count(1));
          }
        };
        forRowBlocks(b, n, most, block, { few });
        return b.finish('rows', noLoc);
      };
      const largest = 10 * most + 40;
      const late = rows(symbol('n', 1, largest));
      for (let n = 1; n <= largest; n += n < 4 * most ? 1 : 3)
        for (const { kernel, actuals } of [late, rows(n)]) {
          const data = new Int32Array(n);
          interpret(
            kernel,
            actuals.map(a => (a.k === 'int' ? evalDim(a.dim, new Map([['n', n]])) : { dtype: 'i32', data })),
          );
          expect([n, ...data.map(x => x % 1000)]).toEqual([n, ...data.map(() => 1)]);
          // Blocks of 6 and 4 leave hardly anything to do twice.
          const computed = data.reduce((sum, x) => sum + Math.floor(x / 1000), 0);
          if (few && most === 6 && n > 5) expect([n, computed - n <= 1]).toEqual([n, true]);
        }
    },
  );
});
