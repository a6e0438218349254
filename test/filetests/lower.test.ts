import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { allOps } from '../../compiler/ops/index.ts';
import { passNamed } from '../../compiler/passes/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import { parseProgram } from '../../compiler/program/parse.ts';
import { printProgram } from '../../compiler/program/print.ts';
import type { Program } from '../../compiler/program/program.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { difference } from '../conformance/compare.ts';
import { randomInputs } from '../random-inputs.ts';
import { bless, blessing, fileTests, type FileTest, type Section } from './filetest.ts';

/** The graph, after the passes that `RUN` names before `lower`, and the program that it becomes for the target. */
function run(s: Section, { name: file, profile }: FileTest): { readonly graph: Graph; readonly program: Program } {
  let graph = parseGraph(s.text, allOps, file);
  for (const name of s.run.slice(0, -1)) graph = must(passNamed(name), `pass ${name}`).run(graph, { profile });
  expect(s.run.at(-1)).toBe('lower');
  const program = lowerGraph(graph, profile);
  verifyProgram(program);
  return { graph, program };
}

for (const f of fileTests(fileURLToPath(new URL('./lower', import.meta.url)), '.graph'))
  describe(f.name, () => {
    const results = f.sections.map(s => run(s, f));
    const texts = results.map(r => printProgram(r.program, { data: true }));
    if (blessing) bless(f, texts);
    f.sections.forEach((s, i) => {
      const title = s.notes[0] ?? s.run.join(' ');
      const { graph, program } = must(results[i]);
      const text = must(texts[i]);
      it(`${title}: the text`, () => {
        if (!blessing) expect(text.trim()).toBe(s.expect);
        // Places in the model are comments of the text.
        expect(printProgram(parseProgram(text), { data: true })).toBe(text.replace(/\) ; .*$/gm, ')'));
      });
      it(`${title}: the meaning`, () => {
        const prepared = runKernelPasses(program, f.profile);
        for (const seed of [1, 2, 3]) {
          const inputs = randomInputs(graph, seed, sym => Math.min(sym.hi, sym.lo + 2 * seed));
          const got = interpretProgram(prepared, inputs);
          for (const [name, t] of evaluate(graph, inputs))
            expect(difference(got.get(name), t, { rtol: 1e-5, atol: 1e-6 })).toBeUndefined();
        }
      });
    });
  });
