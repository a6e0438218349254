import { applyPasses, type PassObserver } from '../../core/pass.ts';
import type { Kernel } from '../../kernel/ir.ts';
import {
  ADDRESSES,
  CSE,
  EXPAND_CODES,
  EXPAND_MATH,
  HOIST,
  INLINE,
  SIMPLIFY,
  SLICES,
  type KernelPass,
} from '../../kernel/passes/index.ts';
import { withCallees } from '../../kernel/passes/rewrite.ts';
import type { Profile } from '../../target/profile.ts';
import type { Program } from '../program.ts';
import { withKernels } from '../steps.ts';
import type { ProgramPass } from './pass.ts';

/** A pass over kernels as one over programs: kernel by kernel. What is one kernel stays one. */
const eachKernel = (pass: KernelPass): ProgramPass => ({
  name: pass.name,
  doc: pass.doc,
  run: (program, ctx) => {
    const to = new Map<Kernel, Kernel>();
    for (const k of program.kernels) to.set(k, pass.run(withCallees(k, to), ctx));
    if ([...to].every(([before, after]) => before === after)) return program;
    return {
      ...program,
      kernels: [...to.values()],
      prepare: withKernels(program.prepare, to),
      steps: withKernels(program.steps, to),
    };
  },
});
export const simplify = eachKernel(SIMPLIFY);
export const expandMath = eachKernel(EXPAND_MATH);
export const expandCodes = eachKernel(EXPAND_CODES);
export const addresses = eachKernel(ADDRESSES);
export const hoist = eachKernel(HOIST);
export const cse = eachKernel(CSE);
export const inline = eachKernel(INLINE);
export const slices = eachKernel(SLICES);

/** The program as its back end prints it for the profile. */
export const runKernelPasses = (program: Program, profile: Profile, observe?: PassObserver<Program>): Program =>
  applyPasses(program, profile.backEnd.kernelPasses, { profile }, observe);

/** A program of kernels alone, which nothing calls. */
export const programOf = (name: string, kernels: readonly Kernel[]): Program => ({
  name,
  kernels,
  slots: [],
  prepare: [],
  steps: [],
  inputs: [],
  outputs: [],
  symbols: [],
  guards: [],
  traps: [],
});
