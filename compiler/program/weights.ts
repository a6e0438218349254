import { equalBytes, hashOf } from '../core/bytes.ts';
import { byContents } from '../core/data.ts';
import { must } from '../core/diagnostic.ts';
import { lifetimes } from './plan.ts';
import type { MemoryPlan, Program, Slot } from './program.ts';

/** The constant slots as they lie from `plan.base` on. Those that nothing uses have no place. */
export function weightsOf(program: Program, plan: MemoryPlan): Uint8Array {
  const out = new Uint8Array(plan.weightsBytes);
  for (const s of program.slots) {
    const at = plan.offsets.get(s);
    if (s.where === 'weights' && at !== undefined) out.set(must(s.bytes, `contents of ${s.name}`), at - plan.base);
  }
  return out;
}

/**
 * Of each program of one model the weights that go into a file which several of them share, in the order of that file. What else a program of these
 * has is inside of its module. The others have a file each; which are which makes the bundle the smallest.
 */
export function commonWeights(programs: readonly Program[]): readonly ReadonlySet<Slot>[] {
  const used = programs.map(weightSlots);
  const whole = used.map(slots => new Set(slots));
  if (used.length < 2) return whole;
  const first = byContents<Slot, Slot>(
    s => hashOf(must(s.bytes)),
    (s, t) => s.dtype === t.dtype && equalBytes(must(s.bytes), must(t.bytes)),
  );
  /** Each program's slots by the first one of all programs that has the same contents. */
  const contents = used.map(slots => new Map(slots.map(s => [first(s, () => s), s])));
  const sizes = used.map(bytesOf);
  const total = (sharing: readonly number[]): number => {
    const common = bytesOf(inAll(sharing.map(i => must(contents[i]))));
    return sum(sizes) - common * Math.max(0, sharing.length - 1);
  };
  let sharing = programs.map((_, i) => i);
  for (;;) {
    const fewer = sharing.map(i => sharing.filter(j => j !== i));
    const best = fewer.reduce((a, b) => (total(b) < total(a) ? b : a), sharing);
    if (best === sharing) break;
    sharing = best;
  }
  const common = inAll(sharing.map(i => must(contents[i])));
  return programs.map((_, i) =>
    sharing.length > 1 && sharing.includes(i) ? new Set(common.map(s => must(contents[i]?.get(s)))) : must(whole[i]),
  );
}
function weightSlots(p: Program): readonly Slot[] {
  const live = lifetimes(p);
  return p.slots.filter(s => s.where === 'weights' && live.has(s));
}
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
const bytesOf = (slots: readonly Slot[]): number => sum(slots.map(s => must(s.bytes).length));
/** The contents that all programs have, in the order of the first. */
const inAll = ([one, ...others]: readonly ReadonlyMap<Slot, Slot>[]): readonly Slot[] =>
  [...(one?.keys() ?? [])].filter(s => others.every(o => o.has(s)));
