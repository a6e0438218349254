import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { DTYPES, isFloat } from '../../compiler/core/dtype.ts';
import { interpret, type InterpretArg } from '../../compiler/kernel/interpret.ts';
import type { Kernel } from '../../compiler/kernel/ir.ts';
import { parseKernel } from '../../compiler/kernel/parse.ts';
import { expandMath } from '../../compiler/kernel/passes/expand-math.ts';
import { allKernelPasses } from '../../compiler/backend/index.ts';
import { programOf } from '../../compiler/program/passes/index.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { bless, blessing, fileTests, type FileTest, type Section } from './filetest.ts';

/** A pass by its name; `all` are those of the target, in order. */
function runPass(k: Kernel, name: string, profile: Profile): Kernel {
  const passes = name === 'all' ? profile.backEnd.kernelPasses : allKernelPasses.filter(p => p.name === name);
  if (passes.length === 0) throw new Error(`no pass ${name}`);
  return must(passes.reduce((x, p) => p.run(x, { profile }), programOf('filetest', [k])).kernels[0]);
}
function run(s: Section, { name: file, profile }: FileTest): { readonly before: Kernel; readonly after: Kernel } {
  const before = parseKernel(s.text, file);
  verifyKernel(before);
  let after = before;
  for (const name of s.run) {
    after = runPass(after, name, profile);
    verifyKernel(after);
  }
  return { before, after };
}
const ELEMENTS = 2048;
/** Small numbers of both signs, the same for each run; `; INT n: 5` gives the value of a size. */
function memory(k: Kernel, notes: readonly string[]): InterpretArg[] {
  return k.params.map((p, i) => {
    if (p.k === 'int') return Number(notes.find(n => n.startsWith(`INT ${p.name}:`))?.split(':')[1] ?? 3);
    const data = new DTYPES[p.dtype].array(ELEMENTS);
    for (let j = 0; j < ELEMENTS; j++) {
      const n = ((j * 31 + i * 7) % 23) - (isFloat(p.dtype) ? 11 : 0);
      if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[j] = BigInt(n);
      else data[j] = p.dtype === 'f16' || p.dtype === 'bf16' ? (n + 11) << 9 : n;
    }
    return { dtype: p.dtype, data };
  });
}

for (const f of fileTests(fileURLToPath(new URL('./kernel', import.meta.url)), '.kernel'))
  describe(f.name, () => {
    const results = f.sections.map(s => run(s, f));
    if (blessing)
      bless(
        f,
        results.map(r => showKernel(r.after)),
      );
    f.sections.forEach((s, i) => {
      const title = s.notes.find(n => !n.startsWith('INT ')) ?? s.run.join(' ');
      const r = must(results[i]);
      it(`${title}: the text`, () => {
        if (!blessing) expect(showKernel(r.after).trim()).toBe(s.expect);
        expect(showKernel(parseKernel(showKernel(r.after), 'again'))).toBe(showKernel(r.after));
      });
      it(`${title}: the meaning`, () => {
        const want = memory(r.before, s.notes);
        interpret(expandMath(r.before), want);
        const got = memory(r.after, s.notes);
        interpret(expandMath(r.after), got);
        expect(got).toEqual(want);
      });
    });
  });
