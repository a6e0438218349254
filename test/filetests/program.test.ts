import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { allKernelPasses } from '../../compiler/backend/index.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { evalDim } from '../../compiler/core/dim.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { parseProgram } from '../../compiler/program/parse.ts';
import { printProgram } from '../../compiler/program/print.ts';
import type { Program } from '../../compiler/program/program.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { races } from '../kernel/races.ts';
import { bless, blessing, fileTests, type FileTest, type Section } from './filetest.ts';

/** The program before and after passes over kernels, named or `all` of the target; it is sound after each. */
function run(s: Section, { name: file, profile }: FileTest): { readonly before: Program; readonly after: Program } {
  const before = parseProgram(s.text, file);
  verifyProgram(before, 'parsing');
  const passes = s.run.flatMap(name =>
    name === 'all'
      ? profile.backEnd.kernelPasses
      : [
          must(
            allKernelPasses.find(p => p.name === name),
            `${file}: pass ${name}`,
          ),
        ],
  );
  const after = passes.reduce((p, pass) => {
    const next = pass.run(p, { profile });
    verifyProgram(next, pass.name);
    return next;
  }, before);
  return { before, after };
}
/** Symbols of the inputs at their lowest, somewhere between, and at their highest. */
const SIZES: readonly ((lo: number, hi: number) => number)[] = [lo => lo, (lo, hi) => (lo + hi) >> 1, (_, hi) => hi];

for (const f of fileTests(fileURLToPath(new URL('./program', import.meta.url)), '.program'))
  describe(f.name, () => {
    const results = f.sections.map(s => run(s, f));
    if (blessing)
      bless(
        f,
        results.map(r => printProgram(r.after, { data: true })),
      );
    f.sections.forEach((s, i) => {
      const title = s.notes[0] ?? s.run.join(' ');
      const { before, after } = must(results[i]);
      const text = printProgram(after, { data: true });
      it(`${title}: the text`, () => {
        if (!blessing) expect(text.trim()).toBe(s.expect);
        expect(printProgram(parseProgram(text), { data: true })).toBe(text);
      });
      it(`${title}: the meaning, and no races`, () => {
        SIZES.forEach((size, seed) => {
          const env = new Map(before.symbols.map(x => [x.name, size(x.lo, x.hi)]));
          const inputs = new Map(
            before.inputs.map(p => [
              p.name,
              randomTensor(
                p.type.dtype,
                p.type.shape.map(d => evalDim(d, env)),
                seed,
              ),
            ]),
          );
          const want = interpretProgram(before, inputs, races());
          expect(interpretProgram(after, inputs, races())).toEqual(want);
          expect(interpretProgram(after, inputs)).toEqual(want);
        });
      });
    });
  });
