import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { dimFloorDiv, dimMax, dimMul, symbol, type Dim } from '../../compiler/core/dim.ts';
import { COORDINATES, NEAREST_MODES, RESIZE_MODES } from '../../compiler/ops/resample/resize-taps.ts';
import { Resize } from '../../compiler/ops/resample/resize.ts';
import { expectAgreement, inputsFor, single, target } from './problems.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
const axis = fc.record({
  from: fc.integer({ min: 1, max: 11 }),
  /** The new size is floor(size * up / down), at least 1. */
  up: fc.integer({ min: 1, max: 3 }),
  down: fc.integer({ min: 1, max: 7 }),
  symbolic: fc.boolean(),
  /** A crop that reaches over both ends. */
  start: fc.constantFrom(0, 0.2, -0.3),
  end: fc.constantFrom(1, 0.7, 1.4),
});
// With tf_half_pixel_for_nn an axis that keeps its size by chance moves, one that always does stays.
const problem = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  mode: fc.constantFrom(...RESIZE_MODES),
  coordinates: fc.constantFrom(...COORDINATES),
  nearest: fc.constantFrom(...NEAREST_MODES),
  excludeOutside: fc.boolean(),
  antialias: fc.boolean(),
  dtype: fc.constantFrom('f32' as const, 'f32' as const, 'f16' as const),
  seed: fc.nat(1000),
  profile: fc.nat(3),
});

describe('Resize', () => {
  it('computes what the reference does, along any axes, at known and free sizes', () => {
    fc.assert(
      fc.property(problem, r => {
        fc.pre(r.coordinates !== 'tf_half_pixel_for_nn' || r.axes.every(a => !a.symbolic));
        const names = ['a', 'b', 'c'];
        const from = r.axes.map((a, i): Dim =>
          a.symbolic ? symbol(names[i] ?? '', Math.max(1, a.from - 2), a.from + 2) : a.from,
        );
        const to = r.axes.map((a, i) => dimMax(1, dimFloorDiv(dimMul(from[i] ?? 1, a.up), a.down)));
        const g = single(Resize, [{ shape: from, dtype: r.dtype }], {
          shape: to,
          scales: r.axes.map(() => 0),
          mode: r.mode,
          coordinates: r.coordinates,
          nearest: r.nearest,
          cubic: -0.75,
          excludeOutside: r.excludeOutside,
          antialias: r.antialias && r.mode !== 'nearest',
          starts: r.axes.map(a => a.start),
          ends: r.axes.map(a => a.end),
          extrapolation: 7,
        });
        const env = Object.fromEntries(r.axes.map((a, i) => [names[i] ?? '', a.from]));
        const profile = profiles[r.profile] ?? target('wasm-simd');
        // Halves may be rounded to either neighbour.
        expectAgreement(g, inputsFor(g, env, r.seed), profile, r.dtype === 'f16' ? 2 ** -10 : 1e-4);
      }),
      { numRuns: 80 },
    );
  });
});
