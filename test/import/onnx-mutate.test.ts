import { expect, it } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { complaints } from '../../compiler/graph/verify.ts';
import { decodeModel } from '../../compiler/import/onnx/decode.ts';
import { importProto } from '../../compiler/import/onnx/import.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { needs, onnxTests } from '../needs.ts';
import { backendCases, findBackendTests } from '../suites/onnx-backend.ts';
import { mutateGraph } from './mutate.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const COUNT = Number(process.env['COUNT'] ?? 1500);
const profile = must(resolveTarget('wasm-simd').profiles[0]);

needs(onnxTests).describe('models with one thing changed', () => {
  it('become valid programs, or errors with a code (SEED and COUNT choose others)', () => {
    const all = [...backendCases(must(findBackendTests()))];
    const next = randomStream(SEED);
    const ends = new Map<string, number>();
    for (let i = 0; i < COUNT; i++) {
      const c = must(all[Math.floor(next() * all.length)]);
      const model = decodeModel(c.modelBytes);
      const graph = mutateGraph(next, model.graph);
      const opsetImport =
        next() < 0.1 ? model.opsetImport.map(o => ({ ...o, version: 7 + Math.floor(next() * 20) })) : model.opsetImport;
      let end = 'compiled';
      try {
        const imported = importProto({ ...model, opsetImport, graph }, { file: c.name });
        expect(complaints(imported.graph)).toEqual([]);
        const program = lowerGraph(runPasses(imported.graph, profile), profile);
        verifyProgram(program);
        planMemory(program, profile);
      } catch (e) {
        if (!(e instanceof CompileError)) throw new Error(`change ${i} of seed ${SEED}, ${c.name}`, { cause: e });
        end = e.code;
      }
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    // The changes do hurt: both ends are there.
    expect(ends.get('compiled')).toBeGreaterThan(COUNT / 20);
    expect(COUNT - (ends.get('compiled') ?? 0)).toBeGreaterThan(COUNT / 20);
  }, 300_000);
});
