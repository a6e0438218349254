import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { newHelpers } from '../../compiler/backend/c/helpers.ts';
import { kernelText } from '../../compiler/backend/c/kernel.ts';
import { emitKernels } from '../../compiler/backend/wasm/emit.ts';
import { parseKernel } from '../../compiler/kernel/parse.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { programOf, runKernelPasses } from '../../compiler/program/passes/index.ts';
import { bless, blessing, fileTests, type FileTest, type Section } from './filetest.ts';

/** Milliseconds that the first use of binaryen may take. */
const LOADING = 60_000;

/** The code of a kernel: the functions that it needs and its own in C, or the text of a WebAssembly module. */
async function emit(s: Section, { name: file, profile }: FileTest): Promise<string> {
  expect(s.run).toEqual(['emit']);
  const kernel = parseKernel(s.text, file);
  verifyKernel(kernel);
  const prepared = must(runKernelPasses(programOf('filetest', [kernel]), profile).kernels[0]);
  if (profile.emit === 'wasm') return (await emitKernels([prepared], profile, 1)).text();
  const helpers = newHelpers();
  const text = kernelText(prepared, helpers, [], new Set());
  return `${helpers.text()}\n${text}`;
}

for (const f of fileTests(fileURLToPath(new URL('./code', import.meta.url)), '.kernel'))
  describe(f.name, () => {
    const made = Promise.all(f.sections.map(s => emit(s, f)));
    if (blessing)
      it(
        'is written',
        async () => {
          bless(f, await made);
        },
        LOADING,
      );
    else
      f.sections.forEach((s, i) =>
        it(
          s.notes[0] ?? 'emit',
          async () => {
            expect(must((await made)[i]).trim()).toBe(s.expect);
          },
          LOADING,
        ),
      );
  });
