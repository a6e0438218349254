import { assert } from '../core/diagnostic.ts';
import type { Dim } from '../core/dim.ts';
import type { DType } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Buffer } from '../kernel/builder.ts';
import type { Guard } from '../ops/define.ts';
import type { LowerSettings, SlotBuffer } from '../ops/lowering.ts';
import type { Profile } from '../target/profile.ts';
import { checkMemory, slotBytes } from '../program/plan.ts';
import type { Slot, Step, SymbolInfo } from '../program/program.ts';
import type { KernelPool } from './kernel-pool.ts';
import type { SharedValues } from './shared-values.ts';

/** A slot and the call that prepares it. */
export interface Prepared {
  readonly to: Slot;
  readonly call: Extract<Step, { k: 'call' }>;
}
/** What is collected while a graph is lowered, over all of its sub-graphs. */
export interface State {
  readonly profile: Profile;
  readonly settings: LowerSettings;
  readonly texts: readonly string[];
  readonly slots: Slot[];
  readonly kernels: KernelPool;
  readonly shared: SharedValues;
  /** Where steps go: replaced while a branch or a loop body is recorded. */
  steps: Step[];
  readonly prepare: Prepared[];
  /** Constants by type and contents: weights of several uses, packed in one way, are there once. */
  readonly weights: (t: Pick<Tensor, 'dtype' | 'bytes'>, make: () => Slot) => Slot;
  readonly symbols: Map<string, SymbolInfo>;
  readonly guards: Guard[];
  readonly traps: string[];
}
/** Whether weights may be prepared when the model is loaded: the back end can, and the caller does not want them ready. */
export const prepares = ({ profile, settings }: State): boolean =>
  profile.backEnd.prepares(profile) && settings.optimize !== 'start';
export function newSlot(
  state: State,
  name: string,
  dtype: DType,
  size: Dim,
  where: Slot['where'],
  more: Pick<Slot, 'bytes' | 'scratch'> = {},
): Slot {
  const slot: Slot = { name, dtype, size, where, ...more };
  // Kernels are built, and their tables made, after the memory that they are for.
  checkMemory(slotBytes(slot, 1), state.profile);
  state.slots.push(slot);
  return slot;
}
/** The number of a trap; equal ones are one. */
export function newTrap(state: State, why: string): number {
  const at = state.traps.indexOf(why);
  return at >= 0 ? at : state.traps.push(why) - 1;
}
function isSlot(x: SlotBuffer['slot']): x is Slot {
  return 'where' in x;
}
export function slotOf(b: Buffer): { slot: Slot; offset: Dim } {
  const s = b as SlotBuffer;
  assert(isSlot(s.slot), `buffer ${b.name} is not of this program`);
  return { slot: s.slot, offset: s.offset };
}
/** The steps that a function adds. */
export function record(state: State, f: () => void): readonly Step[] {
  const outer = state.steps;
  state.steps = [];
  try {
    f();
    return state.steps;
  } finally {
    state.steps = outer;
  }
}
