import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, numel, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { importFor } from '../../compiler/compile.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { quantizeWith, samplesOf } from '../../compiler/quantization.ts';
import { fittedIntegers, type Grid } from '../../compiler/quantize/gptq.ts';
import { eachMoments } from '../../compiler/quantize/moments.ts';
import { insertQuantization } from '../../compiler/quantize/insert.ts';
import { movedOf, movedText } from '../../compiler/quantize/moved.ts';
import { nameCollector } from '../../compiler/quantize/names.ts';
import { evaluator, parted, type Samples } from '../../compiler/quantize/samples.ts';
import { sitesOf } from '../../compiler/quantize/sites.ts';
import { compiledEngine } from '../../compiler/run/graph.ts';
import { expectClose, noise } from '../ops/problems.ts';
import { attribute, model, node, sub, tensor, value, type Part } from '../onnx-writer.ts';
import { smallModel, someIds, weightsModel } from './model.ts';

const numbers = (dims: readonly number[], seed: number): Float64Array => toNumbers(noise('f32', dims, seed));
/** A grid of whole numbers of the step 1/4. */
const quarters = (values: Float64Array, columns: number): Grid => ({
  rows: values.length / columns,
  columns,
  values,
  integer: (_, v) => Math.round(4 * v),
  number: (_, n) => n / 4,
});
/** Inputs whose columns go together: four of their own, mixed. */
function alike(count: number, k: number): Float64Array {
  const [own, mix] = [numbers([count, 4], 1), numbers([4, k], 2)];
  return Float64Array.from({ length: count * k }, (_, at) => {
    const [i, j] = [Math.floor(at / k), at % k];
    return [0, 1, 2, 3].reduce((sum, m) => sum + must(own[i * 4 + m]) * must(mix[m * k + j]), 0);
  });
}
const momentsOf = (x: Float64Array, k: number): Float64Array =>
  Float64Array.from({ length: k * k }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < x.length; i += k) sum += must(x[i + Math.floor(at / k)]) * must(x[i + (at % k)]);
    return sum;
  });

describe('rounding for data', () => {
  it('results on inputs whose columns go together are off by less than a quarter of what the nearest integers make', () => {
    const [k, rows, count] = [16, 6, 400];
    const w = numbers([rows, k], 3);
    const x = alike(count, k);
    const grid = quarters(w, k);
    const fitted = must(fittedIntegers(grid, { sum: momentsOf(x, k), count }));
    const error = (q: ArrayLike<number>): number => {
      let sum = 0;
      for (let i = 0; i < x.length; i += k)
        for (let r = 0; r < rows; r++) {
          let e = 0;
          for (let j = 0; j < k; j++) e += must(x[i + j]) * (must(w[r * k + j]) - must(q[r * k + j]) / 4);
          sum += e * e;
        }
      return sum;
    };
    expect(error(fitted)).toBeLessThan(error(w.map(v => Math.round(4 * v))) / 4);
    expect([...fitted].every((q, i) => Math.abs(q / 4 - must(w[i])) < 2)).toBe(true);
  });
  it('rounds to the nearest where no two columns go together, and says so where there is nothing to fit to', () => {
    const k = 8;
    const w = numbers([3, k], 4);
    const apart = new Float64Array(k * k).map((_, i) => (i % (k + 1) === 0 ? 1 + i : 0));
    expect(must(fittedIntegers(quarters(w, k), { sum: apart, count: 100 }))).toEqual(Int8Array.from(w, v => Math.round(4 * v)));
    expect(fittedIntegers(quarters(w, k), { sum: new Float64Array(k * k), count: 100 })).toBeUndefined();
    expect(fittedIntegers(quarters(w, k), { sum: apart.map(() => NaN), count: 100 })).toBeUndefined();
  });
  it.each([
    ['NCHW, strides, padding and holes', { pads: [1, 0, 2, 1], strides: [2, 1], dilations: [1, 2] }],
    ['one place', { pads: [0, 0, 0, 0], strides: [1, 1], dilations: [1, 1] }],
  ] as const)('moments are those of what a convolution sums: %s', async (_, o) => {
    const kernel = o.strides[0] === 2 ? [3, 2] : [1, 1];
    const w = noise('f32', [5, 3, ...kernel], 5);
    const bytes = model([
      node(
        'Conv',
        ['x', 'w'],
        ['y'],
        attribute('kernel_shape', kernel),
        attribute('pads', o.pads),
        attribute('strides', o.strides),
        attribute('dilations', o.dilations),
      ),
      sub(5, tensor({ name: 'w', dims: w.dims, type: 1, raw: w.bytes })),
      value(11, 'x', 1, [2, 3, 7, 6]),
      value(12, 'y', 1, ['a', 'b', 'c', 'd']),
    ]);
    const { graph } = importFor({ model: bytes });
    const x = noise('f32', [2, 3, 7, 6], 6);
    const samples: Samples = { name: 's', read: () => [new Map([['x', x]])] };
    const found: { sum: Float64Array; count: number }[] = [];
    await eachMoments(
      graph,
      sitesOf(graph).sites,
      samples,
      evaluator,
      () => undefined,
      (_, m) => found.push(m),
    );
    const { sum, count } = must(found[0]);
    // A convolution whose weights are one of these tells one of the sums: wᵀ M w is the sum of squares of its results.
    const y = toNumbers(must(evaluate(graph, new Map([['x', x]])).get('y')));
    const k = numel(w.dims) / 5;
    const weights = toNumbers(w);
    let [want, got] = [0, 0];
    for (const v of y) want += v * v;
    for (let r = 0; r < 5; r++)
      for (let a = 0; a < k; a++)
        for (let b = 0; b < k; b++) got += must(weights[r * k + a]) * must(weights[r * k + b]) * must(sum[a * k + b]);
    expect(got).toBeCloseTo(want, 3);
    expect(count).toBe(y.length / 5);
  });
  it('steps go through text and back, and other texts are none', () => {
    const steps = Int8Array.from({ length: 100 }, (_, i) => (i % 7 === 0 ? (i % 3) - 1 : 0));
    expect(movedOf(movedText(steps), 100)).toEqual(steps);
    expect(movedOf(movedText(steps), 99)).toBeUndefined();
    expect(movedOf(movedText(steps), 101)).toBeUndefined();
    expect(movedOf('no base64!', 100)).toBeUndefined();
    expect(movedOf('AAAA', 100)).toBeUndefined();
  });
  it('every fourth sample is kept to choose by, where there are enough', async () => {
    const of = (n: number): Samples => ({ name: 's', read: () => Array.from({ length: n }, (_, i) => new Map([['i', one(i)]])) });
    const one = (i: number): Tensor => fromNumbers('f32', [1], [i]);
    const places = async (s: Samples): Promise<number[]> => {
      const out: number[] = [];
      for await (const x of s.read()) out.push(Number(typed(must(x.get('i')))[0]));
      return out;
    };
    const { fit, choose } = parted(of(9), 9);
    expect(await places(fit)).toEqual([0, 1, 2, 4, 5, 6, 8]);
    expect(await places(choose)).toEqual([3, 7]);
    expect([fit.count, choose.count]).toEqual([7, 2]);
    expect(await places(parted(of(7), 7).choose)).toHaveLength(7);
  });
  it('w4: what sums over few numbers has 8 bits from the start', async () => {
    const q = await quantizeWith({ model: smallModel(), scheme: 'w4' }, evaluator, () => undefined);
    // 36, 4, 8 and 32 numbers.
    expect(Object.entries(q.plan.nodes).map(([name, n]) => `${name} ${n.scheme}`)).toEqual(['c1 w4', 'c2 w8', 'g w8', 'm w4']);
  });
  it('w4: a plan with data has less error than the nearest, and a wrong one is refused', async () => {
    const bytes = weightsModel();
    const calibrate = [1, 2, 3].map(seed => ({ ids: { data: typed(someIds(seed)) as BigInt64Array, dims: [6, 1] } }));
    const made = (rounding: 'data' | 'nearest') =>
      quantizeWith({ model: bytes, scheme: 'w4', rounding }, evaluator, ({ graph }) => samplesOf(graph, calibrate));
    const [data, nearest] = [await made('data'), await made('nearest')];
    expect(must(data.report.outputs[0]).error).toBeLessThan(0.9 * must(nearest.report.outputs[0]).error);
    expect(Object.values(nearest.plan.nodes).some(n => n.moved !== undefined)).toBe(false);
    const m = must(data.plan.nodes['m']);
    expect(m.moved).toBeDefined();
    for (const how of [
      { ...m, moved: movedText(new Int8Array(7)) },
      { ...m, scheme: 'w8' as const },
    ])
      await expect(
        compile({ model: bytes, stopAfter: 'import', quantization: { ...data.plan, nodes: { ...data.plan.nodes, m: how } } }),
      ).rejects.toThrow(/E208: .*node 'm' has in moved/);
  });
});

/** y = x w, with the weights of one of two branches. */
function branches(): Uint8Array {
  const branch = (name: string, seed: number): { readonly graph: Part } => {
    const parts = [
      node('MatMul', ['x', `w${seed}`], [name]),
      sub(5, tensor({ name: `w${seed}`, dims: [64, 48], type: 1, raw: noise('f32', [64, 48], seed).bytes })),
      value(12, name, 1, [2, 48]),
    ];
    return { graph: w => parts.forEach(p => p(w)) };
  };
  return model([
    node('If', ['flag'], ['y'], attribute('then_branch', branch('a', 1)), attribute('else_branch', branch('b', 2))),
    value(11, 'x', 1, [2, 64]),
    value(11, 'flag', 9, []),
    value(12, 'y', 1, [2, 48]),
  ]);
}
describe('inside of branches', () => {
  const x = noise('f32', [2, 64], 3);
  it.each(['w8', 'int8-dynamic', 'int8', 'w4'] as const)('%s: weights get few bits too', async scheme => {
    const bytes = branches();
    const calibrate = [{ x: { data: typed(x) as Float32Array, dims: [2, 64] }, flag: { data: new Uint8Array([1]), dims: [] } }];
    const q = await quantizeWith({ model: bytes, scheme }, evaluator, ({ graph }) => samplesOf(graph, calibrate));
    // Nothing watches what is inside: no range, and no 4 bits.
    const inside = scheme === 'int8-dynamic' ? scheme : 'w8';
    expect(Object.values(q.plan.nodes).map(n => n.scheme)).toEqual([inside, inside]);
    expect(() => q.onnx()).toThrow(scheme === 'int8-dynamic' ? /int8-dynamic/ : /inside of loops and branches/);
    const { onValue, names } = nameCollector();
    const { graph } = importFor({ model: bytes }, onValue);
    const few = insertQuantization(graph, q.plan, names).graph;
    const run = await compiledEngine(few);
    for (const flag of [0, 1]) {
      const inputs = new Map([
        ['x', x],
        ['flag', fromNumbers('bool', [], [flag])],
      ]);
      const [float, want] = [graph, few].map(g => must(evaluate(g, inputs).get('y')));
      expectClose(run(inputs).get('y'), must(want), 1e-4, 1e-4);
      expectClose(want, must(float), 0.02, 0.2);
      expect(want).not.toEqual(float);
    }
  });
});
