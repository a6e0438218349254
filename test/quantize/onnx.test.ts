import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers, typed } from '../../compiler/core/tensor.ts';
import { importFor } from '../../compiler/compile.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { quantizeWith, samplesOf } from '../../compiler/quantization.ts';
import { insertQuantization } from '../../compiler/quantize/insert.ts';
import { nameCollector } from '../../compiler/quantize/names.ts';
import { evaluator } from '../../compiler/quantize/samples.ts';
import { needOnnxruntime, openOrt } from '../../compiler/reference/onnxruntime.ts';
import { smallInput, smallModel } from './model.ts';

const model = smallModel();
const calibrate = [1, 2, 3].map(seed => ({ x: { data: typed(smallInput(seed)) as Float32Array, dims: [1, 4, 6, 7] } }));

describe('a plan written as ONNX', () => {
  it('computes in onnxruntime what it does in the evaluator, and comes back as the same graph', async () => {
    const q = await quantizeWith({ model, scheme: 'int8' }, evaluator, ({ graph }) => samplesOf(graph, calibrate));
    const bytes = q.onnx();
    expect(bytes.length).toBeLessThan(model.length + 3000);
    const inputs = new Map([['x', smallInput(7)]]);
    const { onValue, names } = nameCollector();
    const { graph } = importFor({ model }, onValue);
    const want = toNumbers(must(evaluate(insertQuantization(graph, q.plan, names).graph, inputs).get('y')));
    const again = toNumbers(must(evaluate(importFor({ model: bytes }).graph, inputs).get('y')));
    const ort = await openOrt(await needOnnxruntime(), bytes, 'q.onnx', { graphOptimizationLevel: 'disabled' });
    const theirs = toNumbers(must((await ort.run(inputs)).get('y')));
    await ort.release();
    for (const got of [again, theirs]) got.forEach((v, i) => expect(v).toBeCloseTo(must(want[i]), 6));
    expect([...toNumbers(must(evaluate(graph, inputs).get('y')))]).not.toEqual([...want]);
  });
});
