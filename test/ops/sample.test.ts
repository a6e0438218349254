import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { DeformedColumns, GridSample, RoiAlign, RoiPool } from '../../compiler/ops/resample/sample.ts';
import { expectAgreement, inputsFor, noise, single, target } from './problems.ts';

const profile = target('wasm-simd');
const scaled = (dims: readonly number[], seed: number, by: number, plus: number): ReturnType<typeof noise> =>
  fromNumbers(
    'f32',
    dims,
    toNumbers(noise('f32', dims, seed)).map(v => v * by + plus),
  );

describe('sampling', () => {
  it('GridSample agrees with the reference in all modes, borders and numbers of axes', () => {
    fc.assert(
      fc.property(
        fc.record({
          mode: fc.constantFrom('nearest', 'linear', 'cubic'),
          border: fc.constantFrom('zeros', 'border', 'reflection'),
          alignCorners: fc.boolean(),
          sizes: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
          out: fc.integer({ min: 1, max: 5 }),
          symbolic: fc.boolean(),
          seed: fc.nat(1000),
        }),
        r => {
          if (r.mode === 'cubic' && r.sizes.length > 2) return;
          const sizes = r.sizes.map((s, i): Dim => (r.symbolic ? symbol(`s${i}`, 1, 8) : s));
          const g = single(
            GridSample,
            [{ shape: [2, 3, ...sizes] }, { shape: [2, ...r.sizes.map(() => r.out), r.sizes.length] }],
            { mode: r.mode, border: r.border, alignCorners: r.alignCorners },
          );
          const inputs = inputsFor(g, Object.fromEntries(r.sizes.map((s, i) => [`s${i}`, s])), r.seed);
          // Beyond the border too; not near halves, where float32 and float64 round to different neighbours.
          inputs.set('x1', scaled([2, ...r.sizes.map(() => r.out), r.sizes.length], r.seed + 1, 1.7, 0.0123));
          expectAgreement(g, inputs, profile, 1e-3, 1e-3);
        },
      ),
      { numRuns: 60 },
    );
  });
  it('deformable columns, regions aligned and pooled agree with the reference', () => {
    for (const seed of [1, 2, 3]) {
      const deform = single(
        DeformedColumns,
        [{ shape: [2, 4, 7, symbol('w', 5, 9)] }, { shape: [2, 2 * 6 * 2, 4, 6] }, { shape: [2, 2 * 6, 4, 6] }],
        { strides: [2, 1], pads: [1, 1, 1, 0], dilations: [1, 1], kernel: [2, 3], offsetGroups: 2 },
      );
      expectAgreement(deform, inputsFor(deform, { w: 7 }, seed), profile);
      const rois = scaled([5, 4], seed, 6, 7);
      for (const kind of ['mean', 'max'])
        for (const samples of [0, 2])
          for (const halfPixel of [true, false]) {
            const g = single(RoiAlign, [{ shape: [2, 3, 9, 11] }, { shape: [5, 4] }, { shape: [5], dtype: 'i64' }], {
              of: kind,
              samples,
              halfPixel,
              height: 3,
              width: 2,
              scale: 0.75,
            });
            const inputs = inputsFor(g, {}, seed);
            // Corners in order, or the bins are empty.
            const [a, b] = [toNumbers(rois), toNumbers(scaled([5, 4], seed + 9, 3, 4))];
            inputs.set(
              'x1',
              fromNumbers(
                'f32',
                [5, 4],
                a.map((v, i) => (i % 4 < 2 ? v : (a[i - 2] ?? 0) + (b[i] ?? 0))),
              ),
            );
            inputs.set('x2', fromNumbers('i64', [5], [0, 1, 1, 0, 1]));
            expectAgreement(g, inputs, profile);
          }
      const pool = single(RoiPool, [{ shape: [2, 3, 9, 11] }, { shape: [4, 5] }], { height: 2, width: 3, scale: 0.5 });
      const inputs = inputsFor(pool, {}, seed);
      inputs.set('x1', fromNumbers('f32', [4, 5], [0, 1, 2, 14, 9, 1, 0, 0, 21, 17, 0, -5, 3, 3, 30, 1, 8, 8, 8, 8]));
      expectAgreement(pool, inputs, profile);
    }
  });
});
