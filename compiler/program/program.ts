import type { Loc } from '../core/diagnostic.ts';
import type { Dim } from '../core/dim.ts';
import type { TensorType } from '../core/shape.ts';
import type { Guard } from '../ops/define.ts';
import type { SlotId } from '../ops/lowering.ts';
import type { Kernel } from '../kernel/ir.ts';

/**
 * A place in memory: input and output slots are the caller's, weights are constant, what is prepared is made of them once, when the model is
 * loaded, and the arena is for a run.
 */
export interface Slot extends SlotId {
  readonly where: 'input' | 'output' | 'weights' | 'prepared' | 'arena';
  /** Weights only: the contents. */
  readonly bytes?: Uint8Array;
}
export type Arg = { readonly k: 'buf'; readonly slot: Slot; readonly offset: Dim } | { readonly k: 'int'; readonly dim: Dim };
/** What code does. Symbols hold i32 values; input symbols are set by the caller. */
export type Step =
  | { readonly k: 'call'; readonly kernel: Kernel; readonly args: readonly Arg[]; readonly loc: Loc; readonly what: string }
  /** Gives a symbol a value that was computed. The run traps where it is outside of the symbol's range. */
  | { readonly k: 'read'; readonly symbol: string; readonly slot: Slot; readonly offset: Dim; readonly trap: number }
  /** The run traps where two sizes differ. */
  | { readonly k: 'check'; readonly a: Dim; readonly b: Dim; readonly trap: number }
  /** The run traps where the data are not what they must be: where this element is not 0. */
  | { readonly k: 'stop'; readonly slot: Slot; readonly offset: Dim; readonly trap: number }
  | {
      readonly k: 'branch';
      readonly cond: { readonly slot: Slot; readonly offset: Dim };
      readonly then: readonly Step[];
      readonly else: readonly Step[];
    }
  | {
      readonly k: 'loop';
      readonly symbol: string;
      readonly trip: Dim | undefined;
      readonly cond: { readonly slot: Slot; readonly offset: Dim } | undefined;
      /** The iterations are independent, as those of a parallel `for`: it has a `trip`, no `cond`, and its body is calls. */
      readonly parallel?: true;
      readonly body: readonly Step[];
    };
/** An input or output of the model: a compact tensor at the start of its slot. */
export interface Port {
  readonly name: string;
  readonly type: TensorType;
  readonly slot: Slot;
  /** Callers take it for texts of one axis less: it has what they hold, as `Graph.spelt` says. */
  readonly spelt?: true;
}
export interface SymbolInfo {
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
  /** `input`: follows from the sizes of the inputs; `run`: computed by a step. */
  readonly from: 'input' | 'run';
}
/** What a back end reads. Nothing in it refers back to the graph. */
export interface Program {
  readonly name: string;
  /** Each kernel once, in order of first use; those that a kernel calls stand before it. */
  readonly kernels: readonly Kernel[];
  readonly slots: readonly Slot[];
  /** What happens once, when the model is loaded: calls that write prepared slots. */
  readonly prepare: readonly Step[];
  /** What happens in each run. */
  readonly steps: readonly Step[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly symbols: readonly SymbolInfo[];
  /** Over symbols of the inputs: checked by the loader before a run. */
  readonly guards: readonly Guard[];
  /** Why a run may trap, by the number in the step. */
  readonly traps: readonly string[];
  /** The texts that the model knows, by their places; absent where it has none. */
  readonly texts?: readonly string[];
}
/** Byte offsets of the slots. Weights, inputs, outputs and arena are one address space for WebAssembly, so offsets are absolute there. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<Slot, number>;
  /** Bytes of all constant slots, which come first. */
  readonly weightsBytes: number;
  /** Of them, at the start, those of the file that the modules of a bundle share. */
  readonly commonBytes: number;
  /** Bytes of what is prepared, inputs, outputs and scratch together. */
  readonly arenaBytes: number;
  /** Of them, at the start, those of what is prepared. */
  readonly preparedBytes: number;
  /** Of them, at the end, those of scratch slots for each thread of the profile; 0 where there is one thread. */
  readonly threadBytes: number;
  /** First byte of the weights; what lies before is never written. */
  readonly base: number;
}
