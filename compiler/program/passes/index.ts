import { applyPasses, type Pass, type PassObserver } from '../../core/pass.ts';
import type { Kernel } from '../../kernel/ir.ts';
import {
  ADDRESSES,
  CSE,
  EXPAND_HALF,
  EXPAND_MATH,
  HOIST,
  INLINE,
  SIMPLIFY,
  SLICES,
  type KernelPass,
} from '../../kernel/passes/index.ts';
import type { Profile } from '../../target/profile.ts';
import type { Program } from '../program.ts';
import { withKernels } from '../steps.ts';

/** A pass over programs: what back ends do to kernels before they print them. Slots stay, so a memory plan stays valid. */
export type ProgramPass = Pass<Program>;

/** A pass over kernels as one over programs: kernel by kernel. What is one kernel stays one. */
const eachKernel = (pass: KernelPass): ProgramPass => ({
  name: pass.name,
  doc: pass.doc,
  run: (program, ctx) => {
    const to = new Map(program.kernels.map(k => [k, pass.run(k, ctx)]));
    if ([...to].every(([before, after]) => before === after)) return program;
    return { ...program, kernels: [...to.values()], steps: withKernels(program.steps, to) };
  },
});
const simplify = eachKernel(SIMPLIFY);
const expandMath = eachKernel(EXPAND_MATH);
const expandHalf = eachKernel(EXPAND_HALF);
const addresses = eachKernel(ADDRESSES);
const hoist = eachKernel(HOIST);
const cse = eachKernel(CSE);
const inline = eachKernel(INLINE);
const slices = eachKernel(SLICES);

/** The passes of each back end, in order. A C compiler does the rest itself. */
const PASSES: Readonly<Record<Profile['emit'], readonly ProgramPass[]>> = {
  wasm: [simplify, expandMath, expandHalf, addresses, hoist, cse, simplify, inline],
  c: [simplify, expandMath, expandHalf, slices],
};
/** What happens to a program's kernels before they are printed for a profile, in order. */
export const kernelPasses = (profile: Profile): readonly ProgramPass[] => PASSES[profile.emit];
/** Every such pass once. */
export const allKernelPasses: readonly ProgramPass[] = [...new Set(Object.values(PASSES).flat())];

/** The program as back ends print it for the profile. */
export const runKernelPasses = (program: Program, profile: Profile, observe?: PassObserver<Program>): Program =>
  applyPasses(program, kernelPasses(profile), profile, observe);

/** A program of kernels alone, which nothing calls. */
export const programOf = (name: string, kernels: readonly Kernel[]): Program => ({
  name,
  kernels,
  slots: [],
  steps: [],
  inputs: [],
  outputs: [],
  symbols: [],
  guards: [],
  traps: [],
});
