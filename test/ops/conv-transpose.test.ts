import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { ConvTranspose } from '../../compiler/ops/conv/conv.ts';
import { expectAgreement, inputsFor, noise, single, target } from './problems.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
const problem = fc.record({
  size: fc.integer({ min: 1, max: 7 }),
  kernel: fc.integer({ min: 1, max: 9 }),
  stride: fc.integer({ min: 1, max: 4 }),
  before: fc.nat(3),
  after: fc.nat(3),
  extra: fc.nat(2),
  channels: fc.constantFrom(2, 5, 8, 19),
  symbolic: fc.boolean(),
  seed: fc.nat(1000),
  profile: fc.nat(3),
});

/** One channel for each group, or one result of all. */
const agrees = (depthwise: boolean): void =>
  fc.assert(
    fc.property(problem, r => {
      const extra = Math.min(r.extra, r.stride - 1);
      const width = (r.size - 1) * r.stride + r.kernel + extra - r.before - r.after;
      if (width < 1) return;
      const wDims = [r.channels, 1, 2, r.kernel];
      const size: Dim = r.symbolic ? symbol('w', r.size, 20) : r.size;
      const g = single(
        ConvTranspose,
        [{ shape: [2, 2, size, r.channels] }, { shape: wDims, constant: noise('f32', wDims, r.seed) }],
        {
          layout: 'NHWC',
          group: depthwise ? r.channels : 1,
          strides: [1, r.stride],
          dilations: [1, 1],
          pads: [0, r.before, 1, r.after],
          outputPadding: [0, extra],
        },
      );
      expectAgreement(g, inputsFor(g, { w: r.size }, r.seed), profiles[r.profile] ?? target('wasm-simd'));
    }),
    { numRuns: 60 },
  );
describe('ConvTranspose, channels last', () => {
  it('computes what the reference does, with a channel for each group', () => agrees(true));
  it('computes what the reference does, with one output channel', () => agrees(false));
});
