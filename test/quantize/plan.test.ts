import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { must } from '../../compiler/core/diagnostic.ts';
import { typed } from '../../compiler/core/tensor.ts';
import { compile, quantize, type CompileOptions, type QuantizationPlan } from '../../compiler/index.ts';
import { importFor } from '../../compiler/compile.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { insertQuantization } from '../../compiler/quantize/insert.ts';
import { nameCollector } from '../../compiler/quantize/names.ts';
import { readPlan, writePlan } from '../../compiler/quantize/plan.ts';
import { smallInput, smallModel } from './model.ts';

const model = smallModel();
const sample = (seed: number): Record<string, { data: Float32Array; dims: readonly number[] }> => {
  const t = smallInput(seed);
  return { x: { data: typed(t) as Float32Array, dims: t.dims } };
};
let plan: QuantizationPlan;
beforeAll(async () => {
  plan = (await quantize({ model, file: 'small.onnx', scheme: 'int8', calibrate: [sample(1), sample(2), sample(3)] })).plan;
});
const at = (options: Omit<CompileOptions, 'model'>): Promise<unknown> => compile({ model, stopAfter: 'import', ...options });
type Loose = Record<string, unknown>;
/** The plan with one place changed. */
function changed(path: readonly string[], to: unknown): QuantizationPlan {
  const copy = structuredClone(plan) as unknown as Loose;
  const [last, ...way] = [...path].reverse();
  const place = way.reverse().reduce((o, k) => o[k] as Loose, copy);
  if (to === undefined) Reflect.deleteProperty(place, last ?? '');
  else place[last ?? ''] = to;
  return copy as unknown as QuantizationPlan;
}

describe('plans', () => {
  it('are read as they were written, a line for each value and node', () => {
    const text = writePlan(plan);
    expect(readPlan(text, 'p')).toEqual(plan);
    expect(Object.keys(plan.nodes)).toEqual(['c1', 'c2', 'g', 'm']);
    expect(text.split('\n').filter(l => l.startsWith('    "'))).toHaveLength(4 + 4 + 1);
    expect(Object.keys(plan.values)).toEqual(['x', 'a1', 'flat', 'g']);
  });
  it('are the same for the same data', async () => {
    const again = await quantize({ model, file: 'small.onnx', scheme: 'int8', calibrate: [sample(1), sample(2), sample(3)] });
    expect(again.text).toBe(writePlan(plan));
  });
  const wrong: readonly (readonly [what: string, path: readonly string[], to: unknown, says: RegExp])[] = [
    ['for another model', ['model', 'sha256'], 'f'.repeat(64), /made for small\.onnx with the digest f+…/],
    ['with an unknown node', ['nodes', 'c9'], { scheme: 'int8', per: 'channel' }, /no node 'c9'.*did you mean/],
    ['with an unknown value', ['values', 'a9'], { min: -1, max: 1, scale: 2 / 255, zero: 128 }, /no value 'a9'/],
    ['with an unknown node in float', ['float', 'c9'], 'why not', /no node 'c9'/],
    ['with a node twice', ['float', 'c1'], 'why not', /'c1' is both/],
    ['without a range that is needed', ['values', 'a1'], undefined, /no range of its input 'a1'/],
    ['with a range without a width', ['values', 'a1'], { min: 0, max: 0, scale: 1, zero: 0 }, /without a width/],
    ['with a range without 0', ['values', 'a1'], { min: 1, max: 2, scale: 1 / 255, zero: 0 }, /does not hold 0/],
    ['with NaN', ['values', 'a1', 'min'], NaN, /values\.a1\.min must be a number/],
    ['with a scale of 0', ['values', 'a1', 'scale'], 0, /must be above 0/],
    ['with a scale that is none of f32', ['values', 'a1', 'scale'], 1e-60, /no float of 32 bits/],
    ['with a scale that does not fit', ['values', 'a1', 'scale'], 1, /but scale 1 and zero/],
    ['with a zero point that is no byte', ['values', 'a1', 'zero'], 256, /from 0 to 255/],
    ['with a field that nobody knows', ['colour'], 'red', /no field 'colour'/],
    ['of another version', ['quantization'], 2, /must be one of 1/],
    ['with too few corrections', ['nodes', 'c1', 'bias'], [1], /1 numbers in bias, and 8 channels/],
    ['with a scheme that nobody knows', ['nodes', 'c1', 'scheme'], 'int7', /must be one of int8/],
  ];
  it.each(wrong)('%s are refused', async (_, path, to, says) => {
    const broken = changed(path, to);
    await expect(at({ quantization: broken, quantizationFile: 'p.json' })).rejects.toMatchObject({
      code: 'E208',
      message: expect.stringMatching(says),
    });
  });
  it('that are damaged give a code', () => {
    const text = writePlan(plan);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(text.length), fc.string({ maxLength: 3 }), (from, length, put) => {
        try {
          readPlan(text.slice(0, from) + put + text.slice(from + (length % 9)), 'p');
        } catch (e) {
          expect(e).toMatchObject({ code: 'E208' });
        }
      }),
    );
  });
});
describe('a plan in a graph', () => {
  it('is Quantize and Dequantize around operators of floats, once for each value', () => {
    const { onValue, names } = nameCollector();
    const { graph } = importFor({ model }, onValue);
    const after = printGraph(insertQuantization(graph, plan, names).graph);
    expect(after.match(/\bQuantizeLinear\(/g)).toHaveLength(4);
    expect(after.match(/\bDequantizeLinear\(/g)).toHaveLength(4 + 4);
    // What lies between convolutions stays in floats and is rounded once.
    expect(after).toMatch(/HardSwish\(%\w+\)[^]*QuantizeLinear/);
    const ops = [...after.matchAll(/= (\w+)\(/g)].map(m => m[1]);
    expect(ops.filter(o => o === 'HardSwish' || o === 'Relu' || o === 'Softmax')).toHaveLength(3);
  });
});
describe('the report', () => {
  it('tells each node by its noise, its share of clipped elements and what it does to the outputs alone', async () => {
    const { report } = await quantize({
      model,
      file: 'small.onnx',
      scheme: 'int8',
      calibrate: [sample(1), sample(2)],
      sensitivity: true,
      exclude: ['Gemm'],
    });
    expect(report.nodes.map(n => [n.name, n.op, n.scheme])).toEqual([
      ['c1', 'Conv', 'int8'],
      ['c2', 'Conv', 'int8'],
      ['g', 'Gemm', 'float'],
      ['m', 'MatMul', 'int8'],
    ]);
    const [c1, c2, g] = report.nodes;
    expect(g?.why).toMatch(/excluded/);
    expect(c1?.own).toBeGreaterThan(35);
    // Before the first node there is no noise: all that it has is its own.
    expect(Math.abs(Number(c1?.own) - Number(c1?.accumulated))).toBeLessThan(1);
    expect(c2?.accumulated).toBeLessThan(Number(c2?.own));
    expect(c1?.sensitivity).toBeGreaterThan(0);
    expect(c1?.clipped).toBe(0);
    expect(c1?.histogram?.counts.reduce((a, b) => a + b, 0)).toBe(2 * 168);
    expect(report.outputs[0]?.cosine).toBeGreaterThan(0.999);
    expect(report.weights).toEqual({ before: 4 * (288 + 32 + 256 + 256), after: 288 + 32 + 4 * 16 + 4 * 256 + 256 + 4 * 8 });
  });
});
describe('limits', () => {
  const limited = (limits: object): Promise<{ plan: QuantizationPlan; report: { outputs: readonly { error: number }[] } }> =>
    quantize({ model, scheme: 'int8', calibrate: [sample(1), sample(2), sample(3)], limits });
  it('of the loss leave the most sensitive nodes in floats, and no more than need be', async () => {
    const all = (await limited({})).report.outputs[0]?.error ?? 0;
    const { plan: some, report } = await limited({ maxDrop: all / 2 });
    expect(Object.keys(some.float)).toHaveLength(1);
    expect(Object.keys(some.values)).toHaveLength(3);
    expect(report.outputs[0]?.error).toBeLessThanOrEqual(all / 2);
    expect(Object.keys((await limited({ maxDrop: 0 })).plan.nodes)).toEqual([]);
    expect(Object.keys((await limited({ maxDrop: all * 1.01 })).plan.float)).toEqual([]);
  });
  it('of the size are refused where nothing is so small', async () => {
    await expect(limited({ maxSize: 100 })).rejects.toMatchObject({ code: 'E403', message: expect.stringMatching(/max-size/) });
    // As small as it gets, and room for the product.
    expect(Object.keys((await limited({ maxSize: 1100 })).plan.float)).toEqual([]);
    expect(Object.keys((await limited({ maxSize: 1300 })).plan.float)).not.toEqual([]);
  });
});
describe('what quantizing refuses', () => {
  const q = (calibrate: unknown, more = {}): Promise<unknown> =>
    quantize({ model, scheme: 'int8', calibrate: calibrate as never, ...more });
  it('data of other names and sizes, with the number of the sample', async () => {
    const t = must(sample(1)['x']);
    await expect(q([sample(1), { z: t }])).rejects.toMatchObject({
      code: 'E501',
      message: expect.stringMatching(/'z'.*sample 2/),
    });
    await expect(q([{ x: { ...t, dims: [1, 4, 7, 6] } }])).rejects.toMatchObject({ code: 'E501' });
    await expect(q([{}])).rejects.toMatchObject({ code: 'E501', message: expect.stringMatching(/missing.*sample 1/) });
  });
  it('NaN, no samples, no data', async () => {
    const bad = { x: { data: new Float32Array(168).fill(NaN), dims: [1, 4, 6, 7] } };
    await expect(q([bad])).rejects.toMatchObject({ code: 'E501', message: expect.stringMatching(/NaN/) });
    await expect(q([])).rejects.toMatchObject({ code: 'E205', message: expect.stringMatching(/no samples/) });
    await expect(q(undefined)).rejects.toMatchObject({ code: 'E403' });
    await expect(q([sample(1)], { exclude: ['c8'] })).rejects.toMatchObject({
      code: 'E403',
      message: expect.stringMatching(/c8/),
    });
  });
  it('nothing of one sample, but it warns', async () => {
    const { warnings } = await quantize({ model, scheme: 'int8', calibrate: [sample(1)] });
    expect(warnings.join()).toMatch(/one sample/);
  });
  it('zeros: what is always 0 stays in floats', async () => {
    const zeros = { x: { data: new Float32Array(168), dims: [1, 4, 6, 7] } };
    const { plan: p } = await quantize({ model, scheme: 'int8', calibrate: [zeros] });
    expect(p.float['c1']).toMatch(/'x' is always 0/);
  });
});
