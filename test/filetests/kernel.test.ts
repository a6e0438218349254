import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { DTYPES, isFloat } from '../../compiler/core/dtype.ts';
import { interpret, type InterpretArg } from '../../compiler/kernel/interpret.ts';
import type { Kernel } from '../../compiler/kernel/ir.ts';
import { parseKernels } from '../../compiler/kernel/parse.ts';
import { expandMath } from '../../compiler/kernel/passes/expand-math.ts';
import { allKernelPasses } from '../../compiler/backend/index.ts';
import { programOf } from '../../compiler/program/passes/index.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { races } from '../kernel/races.ts';
import { bless, blessing, fileTests, type FileTest, type Section } from './filetest.ts';

/** A pass by its name; `all` are those of the target, in order. */
function runPass(kernels: readonly Kernel[], name: string, profile: Profile): readonly Kernel[] {
  const passes = name === 'all' ? profile.backEnd.kernelPasses : allKernelPasses.filter(p => p.name === name);
  if (passes.length === 0) throw new Error(`no pass ${name}`);
  return passes.reduce((x, p) => p.run(x, { profile }), programOf('filetest', kernels)).kernels;
}
function run(
  s: Section,
  { name: file, profile }: FileTest,
): { readonly before: readonly Kernel[]; readonly after: readonly Kernel[] } {
  const before: readonly Kernel[] = parseKernels(s.text, file);
  before.forEach(verifyKernel);
  let after = before;
  for (const name of s.run) {
    after = runPass(after, name, profile);
    after.forEach(verifyKernel);
  }
  return { before, after };
}
const textOf = (kernels: readonly Kernel[]): string => kernels.map(showKernel).join('');
const ELEMENTS = 2048;
/** Small numbers of both signs, the same for each run; `; INT n: 5` gives the value of a size. */
function memory(k: Kernel, notes: readonly string[]): InterpretArg[] {
  return k.params.map((p, i) => {
    if (p.k !== 'buf') return Number(notes.find(n => n.startsWith(`INT ${p.name}:`))?.split(':')[1] ?? 3);
    const data = new DTYPES[p.dtype].array(ELEMENTS);
    for (let j = 0; j < ELEMENTS; j++) {
      const n = ((j * 31 + i * 7) % 23) - (isFloat(p.dtype) ? 11 : 0);
      if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[j] = BigInt(n);
      else data[j] = p.dtype === 'f16' || p.dtype === 'bf16' ? (n + 11) << 9 : n;
    }
    return { dtype: p.dtype, data };
  });
}

const folder = fileURLToPath(new URL('./kernel', import.meta.url));
for (const f of fileTests(folder, '.kernel'))
  describe(f.name, () => {
    const results = f.sections.map(s => run(s, f));
    if (blessing)
      bless(
        f,
        results.map(r => textOf(r.after)),
      );
    f.sections.forEach((s, i) => {
      const title = s.notes.find(n => !n.startsWith('INT ')) ?? s.run.join(' ');
      const r = must(results[i]);
      it(`${title}: the text`, () => {
        if (!blessing) expect(textOf(r.after).trim()).toBe(s.expect);
        expect(textOf(parseKernels(textOf(r.after), 'again'))).toBe(textOf(r.after));
      });
      it(`${title}: the meaning`, () => {
        // The last kernel calls the others.
        const [before, after] = [must(r.before.at(-1)), must(r.after.at(-1))];
        const want = memory(before, s.notes);
        interpret(expandMath(before), want);
        const got = memory(after, s.notes);
        interpret(expandMath(after), got);
        expect(got).toEqual(want);
        if (s.run.includes('outline')) interpret(after, memory(after, s.notes), races());
      });
    });
  });

it('every pass over kernels is run by some file', () => {
  const folder = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const files = [...fileTests(folder('./kernel'), '.kernel'), ...fileTests(folder('./program'), '.program')];
  const run = new Set(files.flatMap(f => f.sections.flatMap(s => s.run)));
  expect(allKernelPasses.map(p => p.name).filter(name => !run.has(name))).toEqual([]);
});
it('every pass over kernels has a section', () => {
  const tried = new Set(fileTests(folder, '.kernel').flatMap(f => f.sections.flatMap(s => s.run)));
  expect(allKernelPasses.map(p => p.name).filter(n => !tried.has(n))).toEqual([]);
});
