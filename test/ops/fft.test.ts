import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { Dft } from '../../compiler/ops/signal/signal.ts';
import { expectAgreement, inputsFor, single, target } from './problems.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
const problem = fc.record({
  // Lengths of small factors, of which the fast transform is made, and of a large one.
  length: fc.constantFrom(16, 18, 30, 32, 49, 60, 64, 100, 128, 17, 22, 4),
  /** Elements that there are more, or less. */
  more: fc.integer({ min: -5, max: 3 }),
  free: fc.boolean(),
  complex: fc.boolean(),
  inverse: fc.boolean(),
  onesided: fc.boolean(),
  behind: fc.constantFrom(1, 3),
  dtype: fc.constantFrom('f32' as const, 'f32' as const, 'f64' as const, 'f16' as const),
  seed: fc.nat(1000),
  profile: fc.nat(3),
});

describe('Dft', () => {
  it('computes what the reference does, fast or by its definition', () => {
    fc.assert(
      fc.property(problem, r => {
        const size = Math.max(1, (r.inverse && r.onesided ? r.length / 2 + 1 : r.length) + r.more) | 0;
        const along: Dim = r.free ? symbol('n', size, size + 9) : size;
        // A one-sided spectrum is that of real numbers.
        const parts = r.complex && !(r.onesided && !r.inverse) ? 2 : 1;
        const g = single(Dft, [{ shape: [2, along, r.behind, parts], dtype: r.dtype }], {
          axis: 1,
          length: r.length,
          inverse: r.inverse,
          onesided: r.onesided,
        });
        const profile = profiles[r.profile] ?? target('wasm-simd');
        const rtol = r.dtype === 'f16' ? 2 ** -10 : 1e-4;
        expectAgreement(g, inputsFor(g, { n: size }, r.seed), profile, rtol, r.dtype === 'f16' ? 1e-3 : 2e-5);
      }),
      { numRuns: 80 },
    );
  });
});
