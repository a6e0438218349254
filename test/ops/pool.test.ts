import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool } from '../../compiler/ops/pool/pool.ts';
import { layoutShape } from '../../compiler/ops/spatial.ts';
import { expectAgreement, inputsFor, single, target } from './problems.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
const axis = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.constantFrom(1, 1, 2),
  before: fc.nat(2),
  after: fc.nat(2),
  symbolic: fc.boolean(),
});
const problem = fc.record({
  kind: fc.constantFrom('max', 'indices', 'average', 'norm'),
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.constantFrom(1, 3, 4, 8, 9),
  nhwc: fc.boolean(),
  noPads: fc.boolean(),
  ceil: fc.boolean(),
  flag: fc.boolean(),
  p: fc.integer({ min: 1, max: 3 }),
  f64: fc.constantFrom(false, false, true),
  seed: fc.nat(1000),
  profile: fc.nat(3),
});

describe('pools', () => {
  it('compute what the reference does, for all windows, layouts and symbolic sizes', () => {
    fc.assert(
      fc.property(problem, r => {
        const op = { max: MaxPool, indices: MaxPoolIndices, average: AveragePool, norm: LpPool }[r.kind];
        const layout = r.nhwc && r.kind !== 'indices' ? 'NHWC' : 'NCHW';
        const axes = r.axes.map(a => {
          const size = Math.max(a.size, (a.kernel - 1) * a.dilation + 1);
          // A pad as large as the window would leave windows without an element.
          const pad = (n: number): number => (r.noPads ? 0 : Math.min(n, a.kernel - 1));
          return { ...a, size, before: pad(a.before), after: pad(a.after) };
        });
        const names = ['d', 'h', 'w'];
        const sizes = axes.map((a, i): Dim => (a.symbolic ? symbol(names[i] ?? '', a.size, 30) : a.size));
        const g = single(op, [{ shape: layoutShape<Dim>(layout, r.batch, r.channels, sizes), dtype: r.f64 ? 'f64' : 'f32' }], {
          layout,
          kernel: axes.map(a => a.kernel),
          strides: axes.map(a => a.stride),
          dilations: axes.map(a => a.dilation),
          pads: [...axes.map(a => a.before), ...axes.map(a => a.after)],
          ceil: r.ceil,
          ...(r.kind === 'indices' ? { columns: r.flag } : {}),
          ...(r.kind === 'average' ? { countPads: r.flag } : {}),
          ...(r.kind === 'norm' ? { p: r.p } : {}),
        });
        const env = Object.fromEntries(axes.map((a, i) => [names[i] ?? '', a.size]));
        expectAgreement(g, inputsFor(g, env, r.seed), profiles[r.profile] ?? target('wasm-simd'));
      }),
      { numRuns: 120 },
    );
  });
  it('share the parts of large windows', () => {
    const large = fc.record({
      kind: fc.constantFrom('max' as const, 'average' as const, 'norm' as const),
      kernel: fc.integer({ min: 5, max: 70 }),
      stride: fc.integer({ min: 1, max: 3 }),
      dilation: fc.constantFrom(1, 1, 2),
      more: fc.nat(20),
      channels: fc.constantFrom(1, 3, 5),
      nhwc: fc.boolean(),
      symbolic: fc.boolean(),
      f16: fc.boolean(),
      seed: fc.nat(1000),
      profile: fc.nat(3),
    });
    fc.assert(
      fc.property(large, r => {
        const op = { max: MaxPool, average: AveragePool, norm: LpPool }[r.kind];
        const layout = r.nhwc ? 'NHWC' : 'NCHW';
        const pad = Math.floor(r.kernel / 2);
        const size = (r.kernel - 1) * r.dilation + 1 - 2 * pad + r.more;
        if (size < 1) return;
        const width: Dim = r.symbolic ? symbol('w', size, size + 9) : size;
        const g = single(op, [{ shape: layoutShape<Dim>(layout, 1, r.channels, [3, width]), dtype: r.f16 ? 'f16' : 'f32' }], {
          layout,
          kernel: [2, r.kernel],
          strides: [1, r.stride],
          dilations: [1, r.dilation],
          pads: [1, pad, 0, pad],
          ceil: false,
        });
        const profile = profiles[r.profile] ?? target('wasm-simd');
        expectAgreement(g, inputsFor(g, { w: size }, r.seed), profile, r.f16 ? 2 ** -10 : 1e-4);
      }),
      { numRuns: 60 },
    );
  });
  it('are undone by positions, and positions outside are left out', () => {
    for (const p of profiles) {
      const g = single(MaxUnpool, [{ shape: [1, 2, 2, 2] }, { shape: [1, 2, 2, 2], dtype: 'i64' }], { shape: [1, 2, 4, 4] });
      const inputs = inputsFor(g, {}, 3);
      const at = new BigInt64Array([0n, 5n, 10n, 15n, 17n, 31n, 32n, -1n]);
      inputs.set('x1', { dtype: 'i64', dims: [1, 2, 2, 2], bytes: new Uint8Array(at.buffer) });
      expectAgreement(g, inputs, p);
    }
  });
});
