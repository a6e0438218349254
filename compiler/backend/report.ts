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
  stored: storedBy(program, plan),
  arena: plan.arenaBytes,
  bytes,
  code,
});
function storedBy(program: Program, plan: MemoryPlan): ModuleReport['stored'] {
  const by = new Map<string, number>();
  for (const { where, name, bytes } of program.slots.filter(s => plan.offsets.has(s)))
    if (where === 'weights') by.set(name, (by.get(name) ?? 0) + (bytes?.length ?? 0));
  return [...by].map(([what, bytes]) => ({ what, bytes })).sort((a, b) => b.bytes - a.bytes || (a.what < b.what ? -1 : 1));
}
