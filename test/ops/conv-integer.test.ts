import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noLoc, must } from '../../compiler/core/diagnostic.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { ConvInteger } from '../../compiler/ops/conv/conv-integer.ts';
import { Mul } from '../../compiler/ops/elementwise/index.ts';
import { QuantizeLinear } from '../../compiler/ops/quant/quant.ts';
import { layoutShape } from '../../compiler/ops/spatial.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { races } from '../kernel/races.ts';
import { expectAgreement, expectBits, noise, single, target, type Operand } from './problems.ts';

/** Dot products of u8 by i8, of i8 by i8 and of i16 pairs, and targets without any. */
const profiles = ['linux-x64-v4', 'linux-arm64-dotprod', 'linux-x64-v3', 'c-portable', 'wasm-simd'].map(target);
const axis = fc.record({
  size: fc.integer({ min: 1, max: 11 }),
  kernel: fc.constantFrom(1, 2, 3, 3, 5),
  stride: fc.constantFrom(1, 1, 2, 3),
  dilation: fc.constantFrom(1, 1, 2),
  before: fc.nat(2),
  after: fc.nat(2),
  symbolic: fc.boolean(),
});
const byte = fc.constantFrom('u8' as const, 'i8' as const);
/** Known when the model is compiled, when it runs, or left out. */
const zero = fc.constantFrom('known', 'known', 'input', 'none');
const problem = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  group: fc.constantFrom(1, 1, 1, 2, 3),
  channels: fc.constantFrom(...[1, 2, 3, 4, 5, 8, 12, 16]),
  outs: fc.constantFrom(1, 2, 4, 8, 9, 16, 33),
  nhwc: fc.constantFrom(true, true, true, false),
  noPads: fc.boolean(),
  x: byte,
  w: byte,
  xZero: zero,
  wZero: fc.constantFrom('known', 'each', 'none'),
  to: fc.constantFrom('i32', 'f32'),
  tail: fc.boolean(),
  seed: fc.nat(1000),
  profile: fc.nat(profiles.length - 1),
});
const LIMITS = { u8: [0, 255], i8: [-128, 127] } as const;
const anyOf = (type: 'u8' | 'i8', dims: readonly number[], seed: number): Tensor =>
  randomTensor(type, dims, seed, ...LIMITS[type]);

/** The graph of a problem, and values for its inputs. */
function made(r: typeof problem extends fc.Arbitrary<infer T> ? T : never): {
  readonly graph: Graph;
  readonly inputs: Map<string, Tensor>;
} {
  const layout = r.nhwc ? 'NHWC' : 'NCHW';
  // With three axes all are short: the interpreter is slow.
  const axes = r.axes
    .map(a => (r.axes.length < 3 ? a : { ...a, size: Math.min(a.size, 3), kernel: Math.min(a.kernel, 2) }))
    .map(a => ({ ...a, size: Math.max(a.size, (a.kernel - 1) * a.dilation + 1) }));
  const names = ['d', 'h', 'w'].slice(3 - axes.length);
  const sizes = axes.map((a, i): Dim => (a.symbolic ? symbol(must(names[i]), (a.kernel - 1) * a.dilation + 1, 40) : a.size));
  const channels = r.channels * r.group;
  const outs = r.outs * r.group;
  const wDims = [outs, r.channels, ...axes.map(a => a.kernel)];
  const operand = (type: 'u8' | 'i8', dims: readonly number[], seed: number): Operand => ({
    shape: dims,
    constant: anyOf(type, dims, seed),
  });
  const xZero: Operand | undefined =
    r.xZero === 'known' ? operand(r.x, [], r.seed + 1) : r.xZero === 'input' ? { shape: [], dtype: r.x } : undefined;
  const wZero: Operand | undefined =
    r.wZero === 'none' ? undefined : operand(r.w, r.wZero === 'known' ? [] : [outs, 1, ...axes.map(() => 1)], r.seed + 2);
  const scale = constant(noise('f32', [outs, ...(r.nhwc ? [] : axes.map(() => 1))], r.seed + 5));
  const one = constant(randomTensor('f32', [], 1, 1, 1));
  const tail = (v: Value): Value =>
    r.tail && r.to === 'f32'
      ? apply1(
          QuantizeLinear,
          [apply1(Mul, [v, scale], {}, noLoc), one, constant(randomTensor('u8', [], 1, 100, 100))],
          {},
          noLoc,
        )
      : v;
  const graph = single(
    ConvInteger,
    [{ shape: layoutShape<Dim>(layout, r.batch, channels, sizes), dtype: r.x }, operand(r.w, wDims, r.seed), xZero, wZero],
    {
      layout,
      group: r.group,
      strides: axes.map(a => a.stride),
      dilations: axes.map(a => a.dilation),
      pads: r.noPads ? axes.flatMap(() => [0, 0]) : [...axes.map(a => a.before), ...axes.map(a => a.after)],
      to: r.to,
    },
    tail,
  );
  const dims = layoutShape(
    layout,
    r.batch,
    channels,
    axes.map(a => a.size),
  );
  const x: [string, Tensor][] = [['x0', anyOf(r.x, dims, r.seed + 3)]];
  return { graph, inputs: new Map(r.xZero === 'input' ? [...x, ['x2', anyOf(r.x, [], r.seed + 4)]] : x) };
}

describe('ConvInteger', () => {
  it('computes what the reference does, exactly, by the dot products of each target and without', () => {
    fc.assert(
      fc.property(problem, r => {
        const { graph, inputs } = made(r);
        expectAgreement(graph, inputs, must(profiles[r.profile]), 0, 0);
      }),
      { numRuns: 60 },
    );
  });
  it('computes by blocks, where channels fill them', () => {
    const amx = target('linux-x64-amx');
    let blocks = 0;
    fc.assert(
      fc.property(problem, r => {
        // Of two axes, with enough outputs for a block.
        const axes = [must(r.axes[0]), r.axes[1] ?? must(r.axes[0])].map(a => ({
          ...a,
          size: 5 + (a.size % 4),
          stride: 1 as const,
        }));
        const { graph, inputs } = made({
          ...r,
          axes,
          channels: 64,
          nhwc: true,
          group: r.group > 2 ? 1 : r.group,
          w: 'i8',
          wZero: 'none',
        });
        expectAgreement(graph, inputs, amx, 0, 0);
        blocks += lowerGraph(graph, amx).kernels.filter(k => showKernel(k).includes('mma')).length;
      }),
      { numRuns: 12 },
    );
    expect(blocks).toBeGreaterThan(0);
  }, 60_000);
  it('computes the same in floats where that is faster', () => {
    fc.assert(
      fc.property(problem, r => {
        const { graph, inputs } = made(r);
        const profile = must(profiles[r.profile]);
        const want = evaluate(graph, inputs);
        const got = interpretProgram(lowerGraph(runPasses(graph, profile), profile), inputs, races());
        for (const [name, t] of want) expectBits(got.get(name), t, name);
      }),
      { numRuns: 40 },
    );
  });
});
