import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { invertPerm } from '../../compiler/core/shape.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { Add, Mul, Relu } from '../../compiler/ops/elementwise/index.ts';
import { LayerNorm, LRN, Softmax } from '../../compiler/ops/reduce/norm.ts';
import { ArgReduce, Cumulative, Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { Transpose } from '../../compiler/ops/movement/view.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { expectAgreement, expectClose, inputsFor, noise, target } from './problems.ts';
import { REDUCTIONS } from '../../compiler/ops/reduce/axes.ts';

/** How the operand lies in memory and what runs before and after the kernel. */
interface Setting {
  readonly dims: readonly number[];
  /** Which sizes stay open. */
  readonly open: readonly boolean[];
  readonly axes: readonly number[];
  /** The operand is a transposed view. */
  readonly turned: boolean;
  /** It is computed on the way. */
  readonly before: boolean;
  /** Its result is worked on in the store. */
  readonly after: 'none' | 'relu' | 'last';
  readonly dtype: DType;
  readonly profile: string;
  readonly seed: number;
}
const setting = (dtypes: readonly DType[], smallest: number): fc.Arbitrary<Setting> =>
  fc
    .array(fc.constantFrom(smallest, 1, 2, 3, 5, 8, 17, 35), { minLength: 1, maxLength: 4 })
    .filter(d => d.reduce((a, b) => a * Math.max(b, 1), 1) < 4000)
    .chain(dims =>
      fc.record({
        dims: fc.constant(dims),
        open: fc.array(fc.boolean(), { minLength: dims.length, maxLength: dims.length }),
        axes: fc.subarray(
          dims.map((_, i) => i),
          { minLength: 1 },
        ),
        turned: fc.boolean(),
        before: fc.boolean(),
        after: fc.constantFrom('none', 'relu', 'last'),
        dtype: fc.constantFrom(...dtypes),
        profile: fc.constantFrom('wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'),
        seed: fc.nat(1000),
      }),
    );
/** The kernels give what the reference gives. */
function check(s: Setting, op: Op, attrs: Attrs, rtol = 1e-4, atol = 1e-4): void {
  const shape = s.dims.map((d, i): Dim => (s.open[i] ? symbol(`s${i}`, 0, 40) : d));
  const perm = s.dims.map((_, i) => (i + 1) % s.dims.length);
  const x = input('x0', { dtype: s.dtype, shape: s.turned ? perm.map(p => must(shape[p])) : shape });
  const seen = s.turned ? apply1(Transpose, [x], { perm: invertPerm(perm) }, noLoc) : x;
  const y = apply1(op, [s.before ? apply1(Mul, [seen, seen], {}, noLoc) : seen], attrs, noLoc);
  const inputs = [x];
  const worked = (): Value => {
    if (s.after === 'none' || y.type.dtype === 'bool') return y;
    if (s.after === 'relu') return apply1(Relu, [y], {}, noLoc);
    const b = input('x1', { dtype: y.type.dtype, shape: y.type.shape.slice(-1) });
    inputs.push(b);
    return apply1(Add, [y, b], {}, noLoc);
  };
  const g: Graph = { name: op.name, inputs: [], outputs: [{ name: 'y', value: worked() }], symbolDefinitions: [] };
  const graph = { ...g, inputs };
  const env = Object.fromEntries(s.dims.map((d, i) => [`s${i}`, d]));
  expectAgreement(graph, inputsFor(graph, env, s.seed), target(s.profile), rtol, atol);
}
const runs = { numRuns: 150 };

describe('reductions', () => {
  it('compute what the reference does along any axes of any layout', () => {
    fc.assert(
      fc.property(
        setting(['f32', 'f32', 'f64', 'i32', 'i64', 'u8', 'f16'], 0),
        fc.constantFrom(...REDUCTIONS),
        fc.boolean(),
        (s, of, keep) =>
          // Half floats round what they fold.
          check(s, Reduce, { of, axes: s.axes, keep }, ...(s.dtype === 'f16' ? [2e-2, 2e-2] : [])),
      ),
      runs,
    );
  });
  it('find the place of the extreme', () => {
    fc.assert(
      fc.property(
        setting(['f32', 'f32', 'i32', 'u8', 'i64'], 1),
        fc.constantFrom('max', 'min'),
        fc.boolean(),
        fc.boolean(),
        (s, of, keep, last) => check({ ...s, after: 'none' }, ArgReduce, { of, axis: must(s.axes[0]), keep, last }),
      ),
      runs,
    );
  });
  it('run along', () => {
    fc.assert(
      fc.property(
        setting(['f32', 'f64', 'i32', 'i64', 'u8'], 0),
        fc.constantFrom('sum', 'prod'),
        fc.boolean(),
        fc.boolean(),
        (s, of, exclusive, reverse) => check(s, Cumulative, { of, axis: must(s.axes[0]), exclusive, reverse }),
      ),
      runs,
    );
  });
  it('of equal elements ArgReduce takes the first, or the last, across vectors', () => {
    const x = input('x0', { dtype: 'f32', shape: [2, 50] });
    const data = fromNumbers(
      'f32',
      [2, 50],
      [...Array.from({ length: 50 }, (_, i) => i % 7), ...new Array<number>(50).fill(-Infinity)],
    );
    const at = (last: boolean): number[] => {
      const y = apply1(ArgReduce, [x], { of: 'max', axis: 1, keep: false, last }, noLoc);
      const g: Graph = { name: 'arg', inputs: [x], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] };
      return [...toNumbers(must(interpretProgram(lowerGraph(g, target('wasm-simd')), new Map([['x0', data]])).get('y')))];
    };
    expect(at(false)).toEqual([6, 0]);
    expect(at(true)).toEqual([48, 49]);
  });
  it('NaN goes through maximum and minimum, wherever it lies', () => {
    for (const which of ['max', 'min'] as const)
      for (const at of [0, 5, 16, 33, 34]) {
        const x = input('x0', { dtype: 'f32', shape: [35] });
        const y = apply1(Reduce, [x], { of: which, axes: [0], keep: false }, noLoc);
        const g: Graph = { name: 'nan', inputs: [x], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] };
        const values = Array.from({ length: 35 }, (_, i) => (i === at ? NaN : i));
        const inputs = new Map([['x0', fromNumbers('f32', [35], values)]]);
        expect([...toNumbers(must(evaluate(g, inputs).get('y')))]).toEqual([NaN]);
        expect([...toNumbers(must(interpretProgram(lowerGraph(g, target('wasm-simd')), inputs).get('y')))]).toEqual([NaN]);
      }
  });
});

describe('normalisations', () => {
  it('softmax along any axis', () => {
    fc.assert(
      fc.property(setting(['f32', 'f32', 'f64'], 1), fc.boolean(), (s, log) => check(s, Softmax, { axis: must(s.axes[0]), log })),
      runs,
    );
  });
  it('layer norm over any axes', () => {
    fc.assert(
      fc.property(setting(['f32', 'f32', 'f64'], 1), fc.boolean(), (s, center) =>
        check(s, LayerNorm, { axes: s.axes, epsilon: 1e-3, center }, 1e-3),
      ),
      runs,
    );
  });
  it('local response over channels', () => {
    fc.assert(
      fc.property(
        setting(['f32', 'f64'], 1),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(0.5, 0.75, 0.6),
        (s, size, beta) => {
          if (s.dims.length > 1) check(s, LRN, { size, alpha: 0.5, beta, bias: 1 });
        },
      ),
      runs,
    );
  });
  it('softmax of large numbers neither overflows nor loses its sum', () => {
    const x = input('x0', { dtype: 'f32', shape: [3, 37] });
    const g: Graph = {
      name: 'large',
      inputs: [x],
      outputs: [{ name: 'y', value: apply1(Softmax, [x], { axis: 1 }, noLoc) }],
      symbolDefinitions: [],
    };
    const base = toNumbers(noise('f32', [3, 37], 5));
    const inputs = new Map([
      [
        'x0',
        fromNumbers(
          'f32',
          [3, 37],
          base.map((v, i) => v * 50 + ([0, 1e4, -1e4][Math.floor(i / 37)] ?? 0)),
        ),
      ],
    ]);
    const y = must(interpretProgram(lowerGraph(g, target('wasm-simd')), inputs).get('y'));
    expectClose(y, must(evaluate(g, inputs).get('y')), 1e-4, 1e-7);
    for (let r = 0; r < 3; r++)
      expect(
        toNumbers(y)
          .slice(r * 37, r * 37 + 37)
          .reduce((a, b) => a + b, 0),
      ).toBeCloseTo(1, 5);
  });
});
