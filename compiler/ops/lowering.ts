import type { Loc } from '../core/diagnostic.ts';
import type { Dim } from '../core/dim.ts';
import type { DType } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { TensorType } from '../core/shape.ts';
import type { Graph, NodeOf } from '../graph/graph.ts';
import type { Buffer, KernelBuilder } from '../kernel/builder.ts';
import type { Expr, Lanes, Num } from '../kernel/ir.ts';
import type { Profile } from '../target/profile.ts';
import type { Aspect, Tuned } from './tuning.ts';

/** Weights in less than 32 bits are stored as whole groups of so many elements, filled up with zeros. */
export const WEIGHT_GROUP = 32;
/** A region of a slot from an element offset on. */
export interface SlotBuffer extends Buffer {
  readonly slot: SlotId;
  /** In elements. */
  readonly offset: Dim;
}
/** A storage cell of the program, laid out by the memory plan. */
export interface SlotId {
  readonly name: string;
  readonly dtype: DType;
  /** In elements; storage is planned for its largest value. */
  readonly size: Dim;
  /** Each iteration of a parallel loop has its own. */
  readonly scratch?: true;
}
/** A tensor as it lies in memory: element [i, j, …] is at i*strides[0] + j*strides[1] + … of the buffer. */
export interface Ref {
  readonly buffer: SlotBuffer;
  readonly dims: readonly Dim[];
  readonly strides: readonly Dim[];
}
/** A tensor as a kernel reads it: memory, or an expression computed on the way. */
export interface Source {
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  /** The value at an index; with lanes > 1 that many neighbours along the last axis (idx.at(-1) is the first). Bound if costly. */
  at(k: KernelBuilder, idx: readonly Num[], lanes?: Lanes): Expr;
  /** Where it is plain memory. */
  readonly ref?: Ref;
  /** Whether a vector (lanes > 1) is read efficiently. A vector can be asked for in any case. */
  readonly vector: boolean;
  /** The same tensor seen in a larger space: sizes of 1 and missing leading axes repeat. */
  broadcast(dims: readonly Dim[]): Source;
  /** Whether axis i and axis i + 1 can be walked as one. */
  canMerge(i: number): boolean;
  /** The same tensor with groups of neighbouring axes walked as one; every pair must be mergeable. */
  merge(groups: readonly (readonly number[])[]): Source;
}
/** Where a kernel stores its result. The epilogue (the elementwise consumers fused behind the kernel) runs in the store. */
export interface Sink {
  /** The type of the stored value, before the epilogue. */
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  /** Stores a scalar or neighbours along the last axis. Each element is stored exactly once. */
  store(k: KernelBuilder, idx: readonly Num[], value: Expr): void;
  /** The memory, where there is no epilogue. */
  readonly ref?: Ref;
  readonly vector: boolean;
  canMerge(i: number): boolean;
  merge(groups: readonly (readonly number[])[]): Sink;
}
/** How `TreeEnsemble` becomes code; see `trees/schedules/plan.ts`. `auto` chooses by the size of the ensemble. */
export const TREE_STRATEGIES = ['auto', 'quickscorer', 'interleave', 'gather', 'walk'] as const;
export type TreeStrategy = (typeof TREE_STRATEGIES)[number];
/**
 * What a bundle is made for where both cannot be had: `size`, weights are stored as small as the model has them and transformed when it is
 * loaded; `start`, they are stored as the kernels want them.
 */
export const OPTIMIZE = ['size', 'start'] as const;
export type Optimize = (typeof OPTIMIZE)[number];
/** What the caller decides about the code. */
export interface LowerSettings {
  readonly treeStrategy?: TreeStrategy;
  readonly optimize?: Optimize;
  readonly tuned?: Tuned;
}
export interface LowerCtx<A> {
  readonly attrs: A;
  readonly node: NodeOf<A>;
  readonly types: readonly (TensorType | undefined)[];
  readonly out: readonly TensorType[];
  readonly profile: Profile;
  readonly settings: LowerSettings;
  readonly loc: Loc;
  /** The texts that the model knows, by their places. */
  readonly texts: readonly string[];
  /** Input i as it is, with producers fused where `accepts` says so; undefined where absent. */
  source(i: number): Source | undefined;
  /** Input i, which must be present. */
  need(i: number): Source;
  /** Input i as compact row-major memory, copied first if it lies otherwise. */
  contiguous(i: number): Ref;
  /** Input i as memory whose last axis is contiguous (the other strides are free). */
  rows(i: number): Ref;
  /** The contents of input i if it is a constant. */
  constant(i: number): Tensor | undefined;
  sink(i: number): Sink;
  /** Memory for the kernels of this node. */
  temp(name: string, dtype: DType, size: Dim): SlotBuffer;
  /** Memory that means nothing from one iteration of a parallel loop to the next: each thread has its own. */
  scratch(name: string, dtype: DType, size: Dim): SlotBuffer;
  /**
   * A constant made at compile time (packed weights, tables); equal bytes are stored once. Floats that a narrower type holds exactly are
   * stored so and widened when the model is loaded, where `prepares` says so.
   */
  weights(name: string, t: Tensor): SlotBuffer;
  /** Whether weights may be `prepared`: the back end can, and the caller does not want them ready. */
  readonly prepares: boolean;
  /**
   * Memory that the one kernel of `build` writes when the model is loaded, from weights and what is prepared; equal ones are stored once.
   * Only where `prepares` says so.
   */
  prepared(name: string, dtype: DType, size: number, build: (k: KernelBuilder, to: SlotBuffer) => void): SlotBuffer;
  /** A part of a buffer, `offset` elements further on. */
  part(b: SlotBuffer, offset: Dim): SlotBuffer;
  /** The candidate that was found best for this node, else the estimate's. */
  choose<T>(aspect: Aspect, candidates: Readonly<Record<string, T>>, estimate: string): T;
  /** Adds a kernel and the call of it. Kernels with equal text are emitted once. */
  kernel(name: string, build: (k: KernelBuilder) => void): void;
  /**
   * After the steps so far, reads a run-time symbol from element 0 of an i32 or i64 buffer. What is not in its range stops the run; `why`
   * says what that means, where there is more to say.
   */
  readSymbol(name: string, from: SlotBuffer, why?: string): void;
  /** After the steps so far, stops the run where element 0 of a buffer is not 0; `why` says what is wrong with the data. */
  stopIf(cell: SlotBuffer, why: string): void;
  /** Copies a source into memory laid out as `to`. */
  copy(name: string, from: Source, to: Ref): void;
  /** A source over plain memory. */
  sourceOf(r: Ref): Source;
  /** Lowers a sub-graph in place: its inputs are the given memory; gives the memory of its outputs. */
  graph(g: Graph, inputs: readonly Ref[]): readonly Ref[];
  /** `if (cond[0] != 0) then() else otherwise()`: each records the steps that it adds. */
  branch(cond: SlotBuffer, then: () => void, otherwise: () => void): void;
  /**
   * A loop of steps. `symbol` counts the iterations from 0 and may be used in views and sizes. It runs while the count is below
   * `trip` (if given) and `cond[0] != 0` (if given), tested before each iteration. Afterwards the symbol holds the number of iterations.
   */
  loop(symbol: Dim, trip: Dim | undefined, cond: SlotBuffer | undefined, body: () => void): void;
  /** A loop whose iterations may run in any order and at the same time: of memory that they write they share none but `scratch`. */
  parallelLoop(symbol: Dim, trip: Dim, body: () => void): void;
  /** Compact memory for a tensor of this type, alive while it is used. */
  tensor(name: string, t: TensorType): Ref;
}
