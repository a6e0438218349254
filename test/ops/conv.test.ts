import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { apply1, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import type { Program } from '../../compiler/program/program.ts';
import { Add, Mul, Relu, Sigmoid } from '../../compiler/ops/elementwise/index.ts';
import { Conv, ConvTranspose } from '../../compiler/ops/conv/conv.ts';
import { Transpose } from '../../compiler/ops/movement/view.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { layoutShape } from '../../compiler/ops/spatial.ts';
import { expectAgreement, expectBits, inputsFor, noise, single, target } from './problems.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'wasm-relaxed-simd', 'linux-x64-v3', 'linux-x64-v4'].map(target);
/** What is fused behind: a bias and an activation; one of little code, one of much. */
function tailOf(kind: 'none' | 'relu' | 'swish', bias: Tensor): (v: Value) => Value {
  return v => {
    if (kind === 'none') return v;
    const y = apply1(Add, [v, constant(bias)], {}, noLoc);
    return kind === 'relu' ? apply1(Relu, [y], {}, noLoc) : apply1(Mul, [y, apply1(Sigmoid, [y], {}, noLoc)], {}, noLoc);
  };
}
const tail = fc.constantFrom('none', 'relu', 'relu', 'swish');
const axis = fc.record({
  size: fc.integer({ min: 1, max: 13 }),
  kernel: fc.constantFrom(1, 2, 3, 3, 5),
  stride: fc.constantFrom(1, 1, 2, 3),
  dilation: fc.constantFrom(1, 1, 1, 2),
  before: fc.nat(2),
  after: fc.nat(2),
  symbolic: fc.boolean(),
});
const problem = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  axes: fc.oneof(
    fc.array(axis, { minLength: 2, maxLength: 2 }),
    fc.array(axis, { minLength: 1, maxLength: 1 }),
    fc.array(axis, { minLength: 3, maxLength: 3 }),
  ),
  group: fc.constantFrom(1, 1, 1, 2, 3),
  channels: fc.constantFrom(1, 2, 3, 4, 8, 9),
  outs: fc.constantFrom(1, 2, 4, 6, 8, 9, 16, 17),
  nhwc: fc.boolean(),
  constantWeights: fc.constantFrom(true, true, true, false),
  noPads: fc.boolean(),
  tail,
  seed: fc.nat(1000),
  profile: fc.nat(4),
});
const depthwise = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  channels: fc.constantFrom(2, 4, 5, 8, 9),
  tail,
  seed: fc.nat(1000),
  profile: fc.nat(4),
});
interface Axis {
  size: number;
  kernel: number;
  stride: number;
  dilation: number;
  before: number;
  after: number;
  symbolic: boolean;
}
/** The window must fit at least once. */
const fit = (a: Axis): Axis => ({ ...a, size: Math.max(a.size, (a.kernel - 1) * a.dilation + 1) });

describe('Conv', () => {
  it('computes what the reference does, for all windows, layouts, groups and symbolic sizes', () => {
    fc.assert(
      fc.property(problem, r => {
        const layout = r.nhwc ? 'NHWC' : 'NCHW';
        const axes = r.axes.map(fit);
        const names = ['d', 'h', 'w'].slice(3 - axes.length);
        const sizes = axes.map((a, i): Dim =>
          a.symbolic ? symbol(names[i] ?? '', (a.kernel - 1) * a.dilation + 1, 40) : a.size,
        );
        const wDims = [r.outs * r.group, r.channels, ...axes.map(a => a.kernel)];
        const g = single(
          Conv,
          [
            { shape: layoutShape<Dim>(layout, r.batch, r.channels * r.group, sizes) },
            r.constantWeights ? { shape: wDims, constant: noise('f32', wDims, r.seed) } : { shape: wDims },
          ],
          {
            layout,
            group: r.group,
            strides: axes.map(a => a.stride),
            dilations: axes.map(a => a.dilation),
            pads: r.noPads ? axes.flatMap(() => [0, 0]) : [...axes.map(a => a.before), ...axes.map(a => a.after)],
          },
          tailOf(r.tail, noise('f32', [r.outs * r.group, ...(r.nhwc ? [] : axes.map(() => 1))], r.seed + 5)),
        );
        const env = Object.fromEntries(axes.map((a, i) => [names[i] ?? '', a.size]));
        expectAgreement(g, inputsFor(g, env, r.seed), profiles[r.profile] ?? target('wasm-simd'));
      }),
      { numRuns: 40 },
    );
  });
  it('computes one filter a channel, for windows that reach over any border', () => {
    fc.assert(
      fc.property(depthwise, r => {
        const axes = r.axes.map(fit);
        const names = ['d', 'h', 'w'].slice(3 - axes.length);
        const sizes = axes.map((a, i): Dim =>
          a.symbolic ? symbol(names[i] ?? '', (a.kernel - 1) * a.dilation + 1, 40) : a.size,
        );
        const wDims = [r.channels, 1, ...axes.map(a => a.kernel)];
        const g = single(
          Conv,
          [{ shape: [r.batch, ...sizes, r.channels] }, { shape: wDims, constant: noise('f32', wDims, r.seed) }],
          {
            layout: 'NHWC',
            group: r.channels,
            strides: axes.map(a => a.stride),
            dilations: axes.map(a => a.dilation),
            pads: [...axes.map(a => a.before), ...axes.map(a => a.after)],
          },
          tailOf(r.tail, noise('f32', [r.channels], 3)),
        );
        const env = Object.fromEntries(axes.map((a, i) => [names[i] ?? '', a.size]));
        expectAgreement(g, inputsFor(g, env, r.seed), profiles[r.profile] ?? target('wasm-simd'));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a picture in planes', () => {
  it('is turned on the way into the padded copy', () => {
    for (const channels of [3, 4])
      for (const width of [5, 8, 11])
        for (const p of profiles) {
          const x = input('x0', { dtype: 'f32', shape: [2, channels, 6, symbol('w', 3, 12)] });
          const nhwc = apply1(Transpose, [x], { perm: [0, 2, 3, 1] }, noLoc);
          const w = constant(noise('f32', [8, channels, 3, 3], 2));
          const attrs = { layout: 'NHWC', strides: [2, 2], dilations: [1, 1], pads: [1, 1, 1, 1] };
          const y = apply1(Conv, [nhwc, w], attrs, noLoc);
          const g = { name: 'g', inputs: [x], outputs: [{ name: 'y0', value: y }], symbolDefinitions: [] };
          expectAgreement(g, inputsFor(g, { w: width }, 5), p);
        }
  });
});

describe('convolutions by Winograd tiles', () => {
  it('compute what the reference does, also at ragged borders, dilated, along one axis and for several chunks', () => {
    const shapes = [
      [1, 12, 16, 16, 8, false, 1, [3, 3], 1],
      [2, 13, 17, 18, 9, false, 1, [3, 3], 1],
      [1, 18, 14, 16, 24, false, 0, [3, 3], 1],
      [1, 11, 21, 20, 8, true, 1, [3, 3], 1],
      [3, 7, 9, 16, 10, true, 2, [3, 3], 1],
      [1, 13, 19, 16, 8, false, 2, [3, 3], 2],
      [1, 21, 17, 17, 9, true, 3, [3, 3], 3],
      [2, 9, 13, 24, 26, false, 1, [1, 3], 1],
      [1, 14, 6, 24, 24, true, 0, [3, 1], 1],
      [1, 1, 41, 25, 24, true, 1, [3], 1],
      [2, 1, 33, 24, 28, false, 2, [3], 2],
      [1, 13, 14, 36, 27, false, 1, [3, 3], 1, 3],
      [2, 1, 33, 24, 32, true, 1, [3], 1, 2],
    ] as const;
    for (const [i, [batch, h, w, channels, outs, symbolic, pad, kernel, dilation, group = 1]] of shapes.entries())
      // Each shape on every other profile, each profile with every other shape.
      for (const p of profiles.filter((_, j) => (i + j) % 2 === 0)) {
        const small = { ...p, cache: { ...p.cache, l2: 100_000 } };
        const wDims = [outs, channels / group, ...kernel];
        const size = (name: string, n: number): Dim => (symbolic ? symbol(name, n, 48) : n);
        const spatial = kernel.length === 1 ? [size('w', w)] : [size('h', h), size('w', w)];
        const pads = kernel.map(n => (n === 1 ? 0 : pad));
        const g = single(
          Conv,
          [{ shape: [batch, ...spatial, channels] }, { shape: wDims, constant: noise('f32', wDims, 4) }],
          {
            layout: 'NHWC',
            group,
            strides: kernel.map(() => 1),
            dilations: kernel.map(() => dilation),
            pads: [...pads, ...pads],
          },
          tailOf(symbolic ? 'swish' : 'relu', noise('f32', [outs], 3)),
        );
        const program = lowerGraph(g, small);
        expect(program.kernels.some(k => k.name.startsWith('winograd'))).toBe(true);
        const inputs = inputsFor(g, { h, w }, 9);
        expectAgreement(g, inputs, small, 1e-3, 2e-5);
        if (!small.backEnd.prepares(small)) continue;
        // Weights that are stored small give the bits of those that are stored transformed.
        const ready = lowerGraph(g, small, { optimize: 'start' });
        expect([program, ready].map(x => x.prepare.length)).toEqual([1, 0]);
        const bytes = (x: Program): number => x.slots.reduce((n, s) => n + (s.bytes?.length ?? 0), 0);
        expect(bytes(program)).toBeLessThan(bytes(ready));
        const want = interpretProgram(program, inputs);
        for (const [name, t] of interpretProgram(ready, inputs)) expectBits(t, must(want.get(name)), name);
      }
  });
  it('prepare equal weights once', () => {
    const w = constant(noise('f32', [16, 16, 3, 3], 1), 'w');
    const x = input('x', { dtype: 'f32', shape: [1, 24, 24, 16] });
    const conv = (v: Value): Value =>
      apply1(Conv, [v, w], { layout: 'NHWC', strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] }, noLoc);
    const y = conv(conv(x));
    const g: Graph = { name: 'g', inputs: [x], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] };
    expect(lowerGraph(g, target('wasm-simd')).prepare).toHaveLength(1);
  });
});

const transposed = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  axes: fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 5 }),
      kernel: fc.constantFrom(1, 2, 3, 4),
      stride: fc.constantFrom(1, 2, 3),
      dilation: fc.constantFrom(1, 1, 2),
      before: fc.integer({ min: -1, max: 2 }),
      after: fc.integer({ min: -1, max: 2 }),
      extra: fc.nat(1),
      symbolic: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  /** The windows tile the output. */
  tiles: fc.boolean(),
  group: fc.constantFrom(1, 1, 2),
  channels: fc.constantFrom(1, 3, 8),
  outs: fc.constantFrom(1, 2, 4, 9, 16),
  nhwc: fc.boolean(),
  tail,
  seed: fc.nat(1000),
  profile: fc.nat(4),
});

describe('ConvTranspose', () => {
  it('computes what the reference does', () => {
    fc.assert(
      fc.property(transposed, r => {
        const layout = r.nhwc || r.tiles ? 'NHWC' : 'NCHW';
        const axes = r.axes.map(a => (r.tiles ? { ...a, kernel: a.stride, dilation: 1, before: 0, after: 0, extra: 0 } : a));
        const names = ['d', 'h', 'w'].slice(3 - axes.length);
        const group = r.tiles ? 1 : r.group;
        const full = axes.map(a => (a.size - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 + a.extra - a.before - a.after);
        if (full.some(n => n < 1)) return;
        const wDims = [r.channels * group, r.outs, ...axes.map(a => a.kernel)];
        const sizes = axes.map((a, i): Dim => (a.symbolic ? symbol(names[i] ?? '', a.size, 20) : a.size));
        const outs = r.outs * group;
        const g = single(
          ConvTranspose,
          [
            { shape: layoutShape<Dim>(layout, r.batch, r.channels * group, sizes) },
            { shape: wDims, constant: noise('f32', wDims, r.seed) },
          ],
          {
            layout,
            group,
            strides: axes.map(a => a.stride),
            dilations: axes.map(a => a.dilation),
            pads: [...axes.map(a => a.before), ...axes.map(a => a.after)],
            outputPadding: axes.map(a => a.extra),
          },
          tailOf(r.tail, noise('f32', [outs, ...(layout === 'NHWC' ? [] : axes.map(() => 1))], 5)),
        );
        const env = Object.fromEntries(axes.map((a, i) => [names[i] ?? '', a.size]));
        expectAgreement(g, inputsFor(g, env, r.seed), profiles[r.profile] ?? target('wasm-simd'));
      }),
      { numRuns: 80 },
    );
  });
});
