import { equalBytes, hashOf } from '../core/bytes.ts';
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
 * Of each program of one model the weights that go into a file which all of them share, in the order of that file. A program that has more of its
 * own than it would share has all of its weights in a file of its own.
 */
export function commonWeights(programs: readonly Program[]): readonly ReadonlySet<Slot>[] {
  const used = programs.map(weightSlots);
  if (used.length < 2) return used.map(slots => new Set(slots));
  const byContents = used.map(slots => new Map(slots.map(s => [s, hashOf(must(s.bytes))])));
  let sharing = programs.map((_, i) => i);
  for (;;) {
    const common = inAll(sharing.map(i => must(byContents[i])));
    const own = sharing.map((i, j) => bytesOf(must(used[i])) - 2 * bytesOf([...must(common[j])]));
    const most = Math.max(...own);
    if (!(most > 0)) return used.map((all, i) => common[sharing.indexOf(i)] ?? new Set(all));
    sharing = sharing.filter((_, j) => j !== own.indexOf(most));
  }
}
function weightSlots(p: Program): readonly Slot[] {
  const live = lifetimes(p);
  return p.slots.filter(s => s.where === 'weights' && live.has(s));
}
const bytesOf = (slots: readonly Slot[]): number => slots.reduce((n, s) => n + must(s.bytes).length, 0);
/** Of each list of slots with the hashes of their contents those that are in all of them, in the order of the first. */
function inAll(lists: readonly ReadonlyMap<Slot, number>[]): readonly ReadonlySet<Slot>[] {
  const [first, ...others] = lists;
  const tables = others.map(list => {
    const byHash = new Map<number, Slot[]>();
    for (const [s, h] of list) byHash.set(h, [...(byHash.get(h) ?? []), s]);
    return byHash;
  });
  const rows = [...(first ?? [])].flatMap(([s, h]) => {
    const bytes = must(s.bytes);
    const same = tables.map(t => t.get(h)?.find(x => x.dtype === s.dtype && equalBytes(must(x.bytes), bytes)));
    return same.every(x => x !== undefined) ? [[s, ...same]] : [];
  });
  return lists.map((_, i) => new Set(rows.map(r => must(r[i]))));
}
