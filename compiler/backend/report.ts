import type { ModuleReport } from '../options.ts';
import type { MemoryPlan, Program } from '../program/program.ts';
import { callsOf } from '../program/steps.ts';
import type { Profile } from '../target/profile.ts';

/** Sizes of a module: `bytes` of all its code, and, where they are known, those of each kernel. */
export const moduleReport = (
  { program, plan, profile }: { readonly program: Program; readonly plan: MemoryPlan; readonly profile: Profile },
  bytes: number,
  code: ModuleReport['code'] = [],
): ModuleReport => ({
  profile: profile.name,
  kernels: program.kernels.length,
  steps: callsOf(program.steps).length,
  weights: plan.weightsBytes,
  arena: plan.arenaBytes,
  bytes,
  code,
});
