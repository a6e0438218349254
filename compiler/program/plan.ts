import { fail, must } from '../core/diagnostic.ts';
import { dimHi } from '../core/dim.ts';
import { bytesOf } from '../core/dtype.ts';
import type { Profile } from '../target/profile.ts';
import type { MemoryPlan, Program, Slot, Step } from './program.ts';

/** The first bytes stay unused, so that no tensor has address 0. */
const BASE = 64;
/** Memory of two threads is at least this far apart, so that they do not fight for lines of the cache. */
const APART = 128;
/** Up to this many slots the better, quadratic packing is used. */
const QUADRATIC_LIMIT = 1500;

interface Live {
  readonly slot: Slot;
  readonly bytes: number;
  /** First and last step that touches it, inclusive. */
  from: number;
  to: number;
}

/** The largest size a slot can take, rounded up to the alignment. */
export function slotBytes(s: Slot, align: number): number {
  return roundUp(Math.max(1, dimHi(s.size)) * bytesOf(s.dtype), align);
}
const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/**
 * Gives every slot its place. Constants come first, each with its own (of them `common`, those of a file that several modules share, before
 * the others), then what is prepared from them; where inputs and outputs lie in the module's memory, they have theirs alone too, so that a
 * caller may hold views on them; arena slots that never live at the same time share. Where the profile has threads, each of them has the
 * scratch slots once, at the end of the arena. Fails with E402 beyond the target's memory.
 */
export function planMemory(program: Program, profile: Profile, common?: ReadonlySet<Slot>): MemoryPlan {
  const { align } = profile.memory;
  const offsets = new Map<Slot, number>();
  let end = roundUp(BASE, align);
  const base = end;
  const append = (s: Slot): void => {
    offsets.set(s, end);
    end += slotBytes(s, align);
  };
  const used = lifetimes(program);
  for (const s of common ?? []) append(s);
  const alone = program.slots.filter(s => s.where === 'weights' && used.has(s) && common?.has(s) !== true);
  const commonBytes = common ? end - base : undefined;
  for (const s of alone) append(s);
  const weightsBytes = end - base;
  // Prepared slots from which others are prepared, and which no run reads, lie where runs have their arena.
  const passing = (s: Slot): boolean => s.where === 'prepared' && (used.get(s)?.to ?? 0) <= program.prepare.length;
  for (const s of program.slots) if (s.where === 'prepared' && used.has(s) && !passing(s)) append(s);
  const preparedBytes = end - base - weightsBytes;
  if (profile.backEnd.io === 'module') for (const s of program.slots) if (s.where === 'input' || s.where === 'output') append(s);
  const arenaStart = end;
  const threads = profile.threads;
  const [shared, own]: readonly [Live[], Live[]] = [[], []];
  for (const s of program.slots) {
    const live = used.get(s);
    if (!live || !(s.where === 'arena' || passing(s))) continue;
    (s.scratch && threads > 1 ? own : shared).push({ slot: s, bytes: slotBytes(s, align), ...live });
  }
  /** Places slots from `start` on; gives the end. */
  const pack = (slots: readonly Live[], start: number): number => {
    const at = (slots.length <= QUADRATIC_LIMIT ? packBySize : packByTime)(slots);
    slots.forEach((l, i) => offsets.set(l.slot, start + must(at[i])));
    return slots.reduce((end, l, i) => Math.max(end, start + must(at[i]) + l.bytes), start);
  };
  const threadsStart = pack(shared, arenaStart);
  const threadBytes = roundUp(pack(own, threadsStart) - threadsStart, own.length > 0 ? Math.max(align, APART) : 1);
  const top = threadsStart + threads * threadBytes;
  const arenaBytes = top - base - weightsBytes;
  checkMemory(top, profile);
  return { offsets, weightsBytes, commonBytes: commonBytes ?? weightsBytes, arenaBytes, preparedBytes, threadBytes, base };
}
/** Fails with E402 where a model needs more memory than the target has. */
export function checkMemory(bytes: number, profile: Profile): void {
  const limit = profile.memory.arenaLimit;
  if (!(bytes <= limit))
    fail('E402', {
      need: megabytes(bytes),
      limit: megabytes(limit),
      target: `${profile.name}; narrow a dimension's range with --dim NAME=A..B`,
    });
}
const megabytes = (n: number): string => `${(n / 2 ** 20).toFixed(1)} MB`;

/** When each slot is first and last touched. A slot touched inside a loop lives as long as the loop. */
export function lifetimes(program: Program): ReadonlyMap<Slot, { readonly from: number; readonly to: number }> {
  const out = new Map<Slot, { from: number; to: number }>();
  let time = 0;
  const touch = (s: Slot, t: number): void => {
    const had = out.get(s);
    if (!had) out.set(s, { from: t, to: t });
    else {
      had.from = Math.min(had.from, t);
      had.to = Math.max(had.to, t);
    }
  };
  const walk = (steps: readonly Step[], inLoop: Set<Slot> | undefined): void => {
    const use = (s: Slot): void => {
      touch(s, time);
      inLoop?.add(s);
    };
    for (const s of steps) {
      time++;
      switch (s.k) {
        case 'call':
          for (const a of s.args) if (a.k === 'buf') use(a.slot);
          break;
        case 'read':
        case 'stop':
          use(s.slot);
          break;
        case 'check':
          break;
        case 'branch':
          use(s.cond.slot);
          walk(s.then, inLoop);
          walk(s.else, inLoop);
          break;
        case 'loop': {
          const body = inLoop ?? new Set<Slot>();
          const start = time;
          if (s.cond) {
            touch(s.cond.slot, time);
            body.add(s.cond.slot);
          }
          walk(s.body, body);
          time++;
          if (!inLoop)
            for (const slot of body) {
              touch(slot, start);
              touch(slot, time);
            }
          break;
        }
      }
    }
  };
  walk(program.prepare, undefined);
  walk(program.steps, undefined);
  return out;
}

/** Largest first, each at the lowest place that no slot alive at the same time takes (greedy by size). */
function packBySize(all: readonly Live[]): number[] {
  const at = new Array<number>(all.length).fill(0);
  const placed: { live: Live; at: number }[] = [];
  const bySize = all.map((live, i) => ({ live, i })).sort((a, b) => b.live.bytes - a.live.bytes || a.i - b.i);
  for (const { live, i } of bySize) {
    let offset = 0;
    for (const p of placed) {
      if (p.live.to < live.from || p.live.from > live.to) continue;
      if (p.at >= offset + live.bytes) break;
      offset = Math.max(offset, p.at + p.live.bytes);
    }
    at[i] = offset;
    const pos = placed.findIndex(p => p.at > offset);
    placed.splice(pos < 0 ? placed.length : pos, 0, { live, at: offset });
  }
  return at;
}
/** In order of time with a list of free ranges (best fit): for graphs of many thousand nodes. */
function packByTime(all: readonly Live[]): number[] {
  const at = new Array<number>(all.length).fill(0);
  const starts = all.map((_, i) => i).sort((a, b) => must(all[a]).from - must(all[b]).from || a - b);
  const ends = all.map((_, i) => i).sort((a, b) => must(all[a]).to - must(all[b]).to || a - b);
  let free: { at: number; bytes: number }[] = [];
  let top = 0;
  let e = 0;
  for (const i of starts) {
    const live = must(all[i]);
    for (let j = ends[e]; j !== undefined && must(all[j]).to < live.from; j = ends[++e])
      free = giveBack(free, must(at[j]), must(all[j]).bytes);
    let best: { at: number; bytes: number } | undefined;
    for (const f of free) if (f.bytes >= live.bytes && (!best || f.bytes < best.bytes)) best = f;
    if (best) {
      at[i] = best.at;
      best.at += live.bytes;
      best.bytes -= live.bytes;
      if (best.bytes === 0) free = free.filter(f => f.bytes > 0);
    } else {
      at[i] = top;
      top += live.bytes;
    }
  }
  return at;
}
function giveBack(free: readonly { at: number; bytes: number }[], at: number, bytes: number): { at: number; bytes: number }[] {
  const all = [...free, { at, bytes }].sort((a, b) => a.at - b.at);
  const out: { at: number; bytes: number }[] = [];
  for (const f of all) {
    const last = out.at(-1);
    if (last && last.at + last.bytes === f.at) last.bytes += f.bytes;
    else out.push({ ...f });
  }
  return out;
}
