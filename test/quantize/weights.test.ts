import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { importFor } from '../../compiler/compile.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { quantizeWith, samplesOf, type QuantizedModel } from '../../compiler/quantization.ts';
import { insertQuantization } from '../../compiler/quantize/insert.ts';
import { nameCollector } from '../../compiler/quantize/names.ts';
import { readPlan, writePlan } from '../../compiler/quantize/plan.ts';
import { evaluator } from '../../compiler/quantize/samples.ts';
import type { Scheme } from '../../compiler/quantize/scheme.ts';
import { needOnnxruntime, openOrt } from '../../compiler/reference/onnxruntime.ts';
import { compiledEngine } from '../../compiler/run/graph.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { native } from '../native/build.ts';
import { needs } from '../needs.ts';
import { expectClose, target } from '../ops/problems.ts';
import { floatWeights, someIds, weightsModel } from './model.ts';

const model = weightsModel();
const inputs = new Map([['ids', someIds(9)]]);
const calibrate = [1, 2, 3].map(seed => ({ ids: { data: typed(someIds(seed)) as BigInt64Array, dims: [6, 1] } }));
const bits = (all: ReadonlyMap<string, Tensor>): string =>
  [...all].map(([name, t]) => `${name} ${Buffer.from(t.bytes).toString('hex')}`).join();
/** The weights of each node, and where the file has them. */
const NODES = { rows: 'table', states: 'W', 'states (2)': 'R', m: 'blocks', g: 'odd', c: 'kernel', y: 'spread' };
const WAYS = [
  { scheme: 'w8' },
  { scheme: 'w8', perTensor: true },
  { scheme: 'w4' },
  { scheme: 'w4', asymmetric: true },
  { scheme: 'f16' },
] as const;
type Way = { readonly scheme: Scheme; readonly perTensor?: boolean; readonly asymmetric?: boolean };
const quantized = (way: Way): Promise<QuantizedModel> =>
  quantizeWith({ model, ...way, biasCorrection: false }, evaluator, ({ graph }) => samplesOf(graph, calibrate));
function inserted(q: QuantizedModel): Graph {
  const { onValue, names } = nameCollector();
  return insertQuantization(importFor({ model }, onValue).graph, q.plan, names).graph;
}
const named = (way: Way): string =>
  Object.entries(way)
    .map(e => e.join(' '))
    .join(', ');

describe('weights in few bits', () => {
  it.each(WAYS)('$scheme: all kinds are, and onnxruntime computes the same from the same plan (%j)', async way => {
    const q = await quantized(way);
    expect(Object.keys(q.plan.nodes)).toEqual(Object.keys(NODES));
    expect(q.plan.float).toEqual({});
    const want = must(evaluate(inserted(q), inputs).get('y'));
    const ort = await openOrt(await needOnnxruntime(), q.onnx(), 'q.onnx', { graphOptimizationLevel: 'disabled' });
    const theirs = must((await ort.run(inputs)).get('y'));
    await ort.release();
    expectClose(theirs, want, 1e-4, 1e-5);
    expect(bits(evaluate(importFor({ model }).graph, inputs))).not.toBe(bits(new Map([['y', want]])));
  });
  it.each([
    ['w8', 40],
    ['f16', 65],
    ['w4', 15],
  ] as const)('%s keeps the output to %d dB and more', async (scheme, decibels) => {
    const q = await quantized({ scheme });
    const [got, want] = [inserted(q), importFor({ model }).graph].map(g => toNumbers(must(evaluate(g, inputs).get('y'))));
    const [noise, power] = [0, 0].map((_, i) => must(want).reduce((s, v, at) => s + (i === 0 ? v - must(got?.[at]) : v) ** 2, 0));
    expect(10 * Math.log10(must(power) / must(noise))).toBeGreaterThan(decibels);
  });
  for (const way of WAYS)
    needs('cc').it(`give the same bits in the interpreter, WebAssembly and C: ${named(way)}`, async () => {
      const graph = inserted(await quantized(way));
      const want = must(evaluate(graph, inputs).get('y'));
      for (const name of ['wasm-mvp', 'wasm-simd']) {
        const profile = target(name);
        const interpreted = interpretProgram(lowerGraph(runPasses(graph, profile), profile), inputs);
        expectClose(interpreted.get('y'), want, 1e-4, 1e-5);
        if (name === 'wasm-simd') expect(bits((await compiledEngine(graph))(inputs))).toBe(bits(interpreted));
      }
      // What has little memory reads bytes and widens them in registers.
      const portable = target('c-portable');
      for (const c of [portable, { ...portable, memory: { ...portable.memory, scarce: true } }]) {
        const own = lowerGraph(runPasses(graph, c), c);
        const built = native(own, planMemory(own, c), c)(inputs);
        expect(bits(built)).toBe(bits(interpretProgram(own, inputs)));
        expectClose(built.get('y'), want, 1e-4, 1e-5);
        if (c !== portable && way.scheme === 'w8')
          expect(own.slots.filter(s => s.where === 'weights' && s.dtype === 'i8').length).toBeGreaterThan(4);
      }
    });
  it.each([
    ['w8', 1 / 3.3],
    ['w4', 1 / 5],
    ['f16', 1 / 1.9],
  ] as const)('%s: a bundle holds about %d of the weights of the float one', async (scheme, share) => {
    const size = async (quantization?: string): Promise<number> => {
      const { files } = await compile({
        model,
        target: 'wasm-simd',
        embedBelow: 0,
        ...(quantization !== undefined && { quantization }),
      });
      return must([...files].find(([name]) => name.endsWith('.bin') || name.includes('weights'))?.[1]).length;
    };
    expect(await size(writePlan((await quantized({ scheme })).plan))).toBeLessThan(share * (await size()));
  });
  it('the integers are those that the plan says, computed here from the floats of the file', async () => {
    const q = await quantized({ scheme: 'w8' });
    const { odd } = floatWeights();
    const floats = toNumbers(must(odd));
    // Rows of `odd` are channels: the largest magnitude is 127.
    const rounded = floats.map((_, i) => {
      const row = floats.subarray(Math.floor(i / 64) * 64, Math.floor(i / 64) * 64 + 64);
      const scale = Math.fround(row.reduce((m, v) => Math.max(m, Math.abs(v)), 0) / 127);
      return Math.round(must(floats[i]) / scale) * scale;
    });
    const only = { ...q.plan, nodes: { g: must(q.plan.nodes['g']) } };
    const { onValue, names } = nameCollector();
    const ours = evaluate(insertQuantization(importFor({ model }, onValue).graph, only, names).graph, inputs).get('y');
    const changed = weightsModel({
      ...floatWeights(),
      odd: { ...must(odd), bytes: new Uint8Array(Float32Array.from(rounded).buffer) },
    });
    expectClose(ours, must(evaluate(importFor({ model: changed }).graph, inputs).get('y')), 1e-5, 1e-6);
  });
  it('limits give 8 bits to what 4 cost the most for their bytes, as few as need be; then floats', async () => {
    const limited = (limits: object): Promise<QuantizedModel> =>
      quantizeWith({ model, scheme: 'w4', limits }, evaluator, ({ graph }) => samplesOf(graph, calibrate));
    const schemes = (q: QuantizedModel): string[] => Object.values(q.plan.nodes).map(n => n.scheme);
    const all = await limited({});
    const loss = (q: QuantizedModel): number => must(q.report.outputs[0]).error;
    expect(new Set(schemes(all))).toEqual(new Set(['w4']));
    const some = await limited({ maxDrop: loss(all) / 2 });
    expect(new Set(schemes(some))).toEqual(new Set(['w4', 'w8']));
    expect(loss(some)).toBeLessThanOrEqual(loss(all) / 2);
    expect(some.sizes.after).toBeLessThan(2 * all.sizes.after);
    // Corrections are for the bits that a node has: the plan compiles, and is read again.
    expect(readPlan(writePlan(some.plan), 'p')).toEqual(some.plan);
    const none = await limited({ maxDrop: 1e-6 });
    expect([schemes(none), Object.keys(none.plan.float).sort()]).toEqual([[], Object.keys(NODES).sort()]);
    const room = await limited({ maxSize: all.sizes.after + 3000 });
    expect(new Set(schemes(room))).toEqual(new Set(['w4', 'w8']));
    expect(room.sizes.after).toBeLessThanOrEqual(all.sizes.after + 3000);
  });
});
