import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { must } from '../../compiler/core/diagnostic.ts';
import { interpret, type InterpretArg } from '../../compiler/kernel/interpret.ts';
import type { Kernel } from '../../compiler/kernel/ir.ts';
import { parseKernel } from '../../compiler/kernel/parse.ts';
import { expandMath } from '../../compiler/kernel/passes/expand-math.ts';
import { programOf, runKernelPasses } from '../../compiler/program/passes/index.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import type { Limits } from './random-expr.ts';
import { argsOf, expectSame, loopArgs, randomKernel } from './random-kernel.ts';
import { randomLoops } from './random-loops.ts';
import { DOTS, MVP, RELAXED, runnable, SIMD, wasmKernel } from './wasm-run.ts';

/** More of them for a night: RUNS=2000. */
const RUNS = Number(process.env['RUNS'] ?? 40);

/** Interpreter before and after each pass, and WebAssembly, on the same memory. */
async function expectAgreement(kernel: Kernel, profile: Profile, args: () => InterpretArg[]): Promise<void> {
  verifyKernel(kernel);
  const want = args();
  interpret(expandMath(kernel), want);
  let expanded = false;
  runKernelPasses(programOf('random', [kernel]), profile, (pass, { kernels }) => {
    const k = must(kernels[0]);
    verifyKernel(k);
    expanded ||= pass.name === 'expand-math';
    if (!expanded) return;
    const after = args();
    interpret(k, after);
    expectSame(k, want, after, pass.name);
  });
  const got = args();
  (await wasmKernel(kernel, profile))(got);
  expectSame(kernel, want, got, 'WebAssembly');
}

describe.each(runnable([MVP, SIMD, RELAXED, ...DOTS]).map(p => [p.name, p] as const))(
  'random expressions on %s',
  (_, profile) => {
    const limits: Limits = { bits: profile.vector.bits, fma: profile.vector.fma === 'none', math: profile.vector.fma === 'none' };
    it('give the same bits in the interpreter, after the passes, and in WebAssembly', async () => {
      await fc.assert(
        fc.asyncProperty(fc.gen(), fc.integer(), async (g, seed) => {
          const { kernel, inputs } = randomKernel(g, limits);
          await expectAgreement(kernel, profile, () => argsOf(kernel, inputs, seed));
        }),
        { numRuns: RUNS },
      );
    });
    it('print and parse to the same kernel', () => {
      fc.assert(
        fc.property(fc.gen(), g => {
          const { kernel } = randomKernel(g, limits);
          for (const k of [kernel, ...runKernelPasses(programOf('random', [kernel]), profile).kernels]) {
            const text = showKernel(k);
            const parsed = parseKernel(text, 'again.kernel');
            expect(showKernel(parsed)).toBe(text);
            expect(parsed.body).toEqual(k.body);
            verifyKernel(parsed);
          }
        }),
        { numRuns: 20 },
      );
    });
  },
);

describe.each(runnable([MVP, SIMD]).map(p => [p.name, p] as const))('random loop nests on %s', (_, profile) => {
  it('give the same bits in the interpreter, after each pass, and in WebAssembly', async () => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async g => {
        const { kernel, actuals } = randomLoops(g, profile.vector.bits >= 128 ? 4 : 1);
        await expectAgreement(kernel, profile, () => loopArgs(actuals));
      }),
      { numRuns: RUNS },
    );
  });
});
