import { describe, expect } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { typed, type Tensor } from '../../compiler/core/tensor.ts';
import { importFor } from '../../compiler/compile.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { quantizeWith, samplesOf } from '../../compiler/quantization.ts';
import { insertQuantization } from '../../compiler/quantize/insert.ts';
import { nameCollector } from '../../compiler/quantize/names.ts';
import { evaluator } from '../../compiler/quantize/samples.ts';
import { SCHEMES } from '../../compiler/quantize/scheme.ts';
import { compiledEngine } from '../../compiler/run/graph.ts';
import { native } from '../native/build.ts';
import { needs } from '../needs.ts';
import { expectClose, target } from '../ops/problems.ts';
import { smallInput, smallModel } from './model.ts';

const model = smallModel();
const inputs = new Map([['x', smallInput(9)]]);
const calibrate = [1, 2, 3].map(seed => ({ x: { data: typed(smallInput(seed)) as Float32Array, dims: [1, 4, 6, 7] } }));
const bits = (all: ReadonlyMap<string, Tensor>): string =>
  [...all].map(([name, t]) => `${name} ${Buffer.from(t.bytes).toString('hex')}`).join();

/** The evaluator computes in float64, so its bits are those of the kernels only where it rounds as they do: it is compared closely. */
describe('a quantized model gives the same bits', () => {
  for (const scheme of SCHEMES)
    needs('cc').it(`in the interpreter, WebAssembly and C: ${scheme}`, async () => {
      const { plan } = await quantizeWith({ model, scheme }, evaluator, ({ graph }) => samplesOf(graph, calibrate));
      const { onValue, names } = nameCollector();
      const { graph } = importFor({ model }, onValue);
      const quantized = insertQuantization(graph, plan, names).graph;
      const want = evaluate(quantized, inputs);
      const profile = target('wasm-simd');
      const program = lowerGraph(runPasses(quantized, profile), profile);
      const interpreted = interpretProgram(program, inputs);
      expectClose(interpreted.get('y'), must(want.get('y')), 1e-5, 1e-6);
      expect(bits((await compiledEngine(quantized))(inputs))).toBe(bits(interpreted));
      const c = target('c-portable');
      const own = lowerGraph(runPasses(quantized, c), c);
      const built = native(own, planMemory(own, c), c)(inputs);
      expect(bits(built)).toBe(bits(interpretProgram(own, inputs)));
      expectClose(built.get('y'), must(want.get('y')), 1e-5, 1e-6);
      // What floats would give is further away.
      expect(bits(evaluate(graph, inputs))).not.toBe(bits(want));
    });
});
