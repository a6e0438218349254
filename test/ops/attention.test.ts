import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1 } from '../../compiler/graph/graph.ts';
import { Attention } from '../../compiler/ops/attention/attention.ts';
import { Relu } from '../../compiler/ops/elementwise/index.ts';
import { expectAgreement, inputsFor, noise, single, target, type Operand } from './problems.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'wasm-relaxed-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
const problem = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  rows: fc.oneof(fc.integer({ min: 1, max: 14 }), fc.constant(25)),
  keys: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(33)),
  d: fc.constantFrom(1, 4, 7, 8, 16),
  dv: fc.constantFrom(1, 4, 7, 8, 12, 16),
  symbols: fc.subarray(['rows', 'keys', 'batch'] as const),
  mask: fc.constantFrom('none', 'none', 'add', 'bool', 'row'),
  softcap: fc.constantFrom(0, 0, 0.5),
  causal: fc.boolean(),
  offset: fc.integer({ min: -3, max: 5 }),
  align: fc.constantFrom('none', 'end', 'past'),
  window: fc.constantFrom(0, 0, 3),
  lengths: fc.boolean(),
  tail: fc.boolean(),
  dtype: fc.constantFrom('f32', 'f32', 'f64'),
  seed: fc.nat(1000),
  profile: fc.nat(4),
});

describe('Attention', () => {
  it('computes what the reference does, for all masks, groups of heads and symbolic sizes', () => {
    fc.assert(
      fc.property(problem, r => {
        const dim = (name: 'rows' | 'keys' | 'batch', v: number): Dim => (r.symbols.includes(name) ? symbol(name, 1, 40) : v);
        const [batch, rows, keys] = [dim('batch', r.batch), dim('rows', r.rows), dim('keys', r.keys)];
        const heads = r.kvHeads * r.group;
        const { dtype } = r;
        const mask: Operand | undefined =
          r.mask === 'none'
            ? undefined
            : r.mask === 'row'
              ? { shape: [batch, 1, 1, keys], dtype }
              : { shape: [rows, keys], dtype: r.mask === 'bool' ? 'bool' : dtype };
        const g = single(
          Attention,
          [
            { shape: [batch, heads, rows, r.d], dtype },
            { shape: [batch, r.kvHeads, keys, r.d], dtype },
            { shape: [batch, r.kvHeads, keys, r.dv], dtype },
            mask,
            r.lengths
              ? {
                  shape: [batch],
                  dtype: 'i32',
                  ...(r.symbols.includes('batch')
                    ? {}
                    : { constant: fromNumbers('i32', [r.batch], [r.keys - 1, r.keys].slice(0, r.batch)) }),
                }
              : undefined,
          ],
          {
            scale: 0.7,
            softcap: r.softcap,
            causal: r.causal,
            offset: r.offset,
            align: r.lengths && r.causal ? r.align : 'none',
            window: r.window,
          },
          v => (r.tail ? apply1(Relu, [v], {}, noLoc) : v),
        );
        expectAgreement(
          g,
          inputsFor(g, { batch: r.batch, rows: r.rows, keys: r.keys }, r.seed),
          profiles[r.profile] ?? target('wasm-simd'),
        );
      }),
      { numRuns: 80 },
    );
  });
  it('is the mean of the values where all scores are equal, and zero where nothing is seen', () => {
    const shape = [1, 1, 2, 4];
    const g = single(Attention, [{ shape }, { shape }, { shape }], { scale: 1, causal: true, offset: -1 });
    const v = noise('f32', shape, 3);
    const zero = fromNumbers('f32', shape, new Array<number>(8).fill(0));
    const out = evaluate(
      g,
      new Map([
        ['x0', zero],
        ['x1', zero],
        ['x2', v],
      ]),
    );
    const y = [...toNumbers([...out.values()][0] ?? v)];
    expect(y).toEqual([0, 0, 0, 0, ...toNumbers(v).slice(0, 4)]);
  });
});
