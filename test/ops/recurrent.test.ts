import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { fromNumbers } from '../../compiler/core/tensor.ts';
import { apply, input } from '../../compiler/graph/graph.ts';
import { tensorType } from '../../compiler/core/shape.ts';
import { activationName, parseActivations, showActivations } from '../../compiler/ops/recurrent/activation.ts';
import { Recurrent } from '../../compiler/ops/recurrent/recurrent.ts';
import { expectAgreement, inputsFor, noise, single, target, type Operand } from './problems.ts';
import { ACTIVATIONS, CELLS, GATES } from '../../compiler/ops/recurrent/cells.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'wasm-relaxed-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
const problem = fc.record({
  cell: fc.constantFrom(...CELLS),
  time: fc.integer({ min: 1, max: 4 }),
  batch: fc.constantFrom(1, 1, 2, 5, 7, 13),
  hidden: fc.constantFrom(1, 3, 4, 6, 8, 13),
  symbols: fc.subarray(['time', 'batch'] as const),
  constant: fc.boolean(),
  reverse: fc.boolean(),
  lengths: fc.boolean(),
  state: fc.boolean(),
  resetAfter: fc.boolean(),
  scales: fc.boolean(),
  cellClip: fc.constantFrom(0, 0, 0.1),
  dtype: fc.constantFrom('f32', 'f32', 'f32', 'f64'),
  seed: fc.nat(1000),
  profile: fc.nat(4),
});

describe('Recurrent', () => {
  it('computes what the reference does, for all cells, symbolic lengths and batches', () => {
    fc.assert(
      fc.property(problem, r => {
        const { cell, dtype } = r;
        const dim = (name: 'time' | 'batch', v: number): Dim => (r.symbols.includes(name) ? symbol(name, 1, 20) : v);
        const [time, batch] = [dim('time', r.time), dim('batch', r.batch)];
        const g = GATES[cell] * r.hidden;
        const weights = [g, r.hidden];
        const state: Operand | undefined = r.state ? { shape: [batch, r.hidden], dtype } : undefined;
        const fixed = !r.symbols.includes('batch');
        const graph = single(
          Recurrent,
          [
            { shape: [time, batch, g], dtype },
            { shape: weights, dtype, ...(r.constant ? { constant: noise(dtype, weights, r.seed) } : {}) },
            r.lengths && fixed
              ? {
                  shape: [batch],
                  constant: fromNumbers(
                    'i32',
                    [r.batch],
                    Array.from({ length: r.batch }, (_, i) => (i + r.seed) % (r.time + 1)),
                  ),
                }
              : undefined,
            state,
            cell === 'lstm' ? state : undefined,
            undefined,
            cell === 'gru' && r.resetAfter ? { shape: [r.hidden], dtype } : undefined,
            r.scales ? { shape: [g], dtype } : undefined,
          ],
          {
            cell,
            reverse: r.reverse,
            resetAfter: r.resetAfter,
            cellClip: r.cellClip,
            activations: ['Sigmoid,Tanh,Tanh', 'Sigmoid,Tanh', 'Tanh'][CELLS.indexOf(cell)] ?? '',
          },
        );
        expectAgreement(
          graph,
          inputsFor(graph, { time: r.time, batch: r.batch }, r.seed),
          profiles[r.profile] ?? target('wasm-simd'),
        );
      }),
      { numRuns: 60 },
    );
  });
  it('rejects what does not fit', () => {
    const make = (x: readonly number[], r: readonly number[], activations = 'Sigmoid,Tanh,Tanh') =>
      apply(
        Recurrent,
        [input('x', tensorType('f32', x)), input('r', tensorType('f32', r))],
        { cell: 'lstm', activations },
        noLoc,
      );
    expect(make([2, 1, 12], [12, 3]).map(v => v.type.shape)).toEqual([
      [2, 1, 3],
      [1, 3],
      [1, 3],
    ]);
    expect(() => make([2, 1, 12], [9, 3])).toThrow(/E102.*the rows of r: 9 and 12 differ/);
    expect(() => make([2, 12], [12, 3])).toThrow(/E102.*must have three axes/);
    expect(() => make([2, 1, 12], [12, 3], 'Sigmoid')).toThrow(/E102.*activations 'Sigmoid' of lstm/);
  });
  it('writes and reads activations', () => {
    const text = 'Sigmoid,Affine(2,0.5),LeakyRelu';
    const list = parseActivations(text);
    expect(list && showActivations(list)).toBe(text);
    expect(parseActivations('Sigmoid,Nothing')).toBeUndefined();
    expect(activationName('hardsigmoid')).toBe('HardSigmoid');
    expect(ACTIVATIONS.lstm).toBe(3);
  });
});
