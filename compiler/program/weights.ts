import { must } from '../core/diagnostic.ts';
import type { MemoryPlan, Program } from './program.ts';

/** The constant slots as they lie from `plan.base` on. Those that nothing uses have no place. */
export function weightsOf(program: Program, plan: MemoryPlan): Uint8Array {
  const out = new Uint8Array(plan.weightsBytes);
  for (const s of program.slots) {
    const at = plan.offsets.get(s);
    if (s.where === 'weights' && at !== undefined) out.set(must(s.bytes, `contents of ${s.name}`), at - plan.base);
  }
  return out;
}
