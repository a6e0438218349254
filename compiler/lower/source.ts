import { bytesOf, regOf, type DType } from '../core/dtype.ts';
import { must } from '../core/diagnostic.ts';
import { dimProd, showDim, type Dim } from '../core/dim.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Node, Value } from '../graph/graph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import {
  add,
  and,
  cast,
  ex,
  int,
  konst,
  lane,
  loadType,
  ne,
  splat,
  vec,
  vtype,
  type Expr,
  type Lanes,
  type Num,
  type VType,
} from '../kernel/ir.ts';
import type { Op } from '../ops/define.ts';
import { roundToHalf } from '../ops/elementwise/convert.ts';
import * as e from '../ops/elementwise/index.ts';
import type { Ref, Sink, SlotBuffer, Source } from '../ops/lowering.ts';
import type { Profile } from '../target/profile.ts';
import { broadcastRef, canMergeRef, mergeRef, refIndex } from '../ops/ref.ts';
import type { SharedValues } from './shared-values.ts';

type Groups = readonly (readonly number[])[];

/** Types whose vectors fit the f32 lanes: what vector code computes on. */
const vectorReg = (t: DType): boolean => regOf(t) === 'f32' || regOf(t) === 'i32' || regOf(t) === 'u32';
/** Whether memory of this type is loaded and stored by whole vectors. */
const vectorMemory = (t: DType, narrow: boolean): boolean => vectorReg(t) && (narrow || bytesOf(t) === 4);

/** Whether the code of a target loads and stores vectors of narrow integers as wide ones. */
export const hasNarrowVectors = (p: Profile): boolean => p.backEnd.narrowVectors && p.vector.bits > 0;

/** The register type of `lanes` values: truth values in vectors are masks as wide as an i32. */
const valueType = (t: DType, lanes: Lanes): VType => vtype(regOf(t), lanes);
const stepLast = (idx: readonly Num[], by: number): Num[] => idx.map((x, i) => (i === idx.length - 1 ? add(ex(x), by) : x));
/** Neighbours along the last axis from scalars. */
function gatherLanes(lanes: Lanes, one: (i: number) => Expr, dtype: DType): Expr {
  const v = vec(Array.from({ length: lanes }, (_, i) => one(i)));
  return dtype === 'bool' ? ne(v, konst(v.t, 0)) : v;
}

/** Plain memory. `narrow`: whether the target loads and stores vectors of narrow integers. */
export function memorySource(ref: Ref, narrow: boolean): Source {
  const dtype = ref.buffer.dtype;
  const last = ref.dims.at(-1) === 1 ? 0 : (ref.strides.at(-1) ?? 0);
  return {
    dtype,
    dims: ref.dims,
    ref,
    vector: vectorReg(dtype) && (last === 0 || (last === 1 && (vectorMemory(dtype, narrow) || dtype === 'bool'))),
    at: (k, idx, lanes = 1) => {
      const at = refIndex(k, ref, idx);
      if (lanes === 1) return k.load(ref.buffer, at);
      if (last === 0) {
        const v = splat(k.load(ref.buffer, at), lanes);
        return dtype === 'bool' ? ne(v, konst(v.t, 0)) : v;
      }
      if (last === 1 && vectorMemory(dtype, narrow)) {
        const v = cast(valueType(dtype, lanes), k.load(ref.buffer, at, lanes));
        return dtype === 'bool' ? ne(v, konst(v.t, 0)) : v;
      }
      return gatherLanes(lanes, i => k.load(ref.buffer, refIndex(k, ref, stepLast(idx, i))), dtype);
    },
    broadcast: dims => memorySource(broadcastRef(ref, dims), narrow),
    canMerge: i => canMergeRef(ref, i),
    merge: groups => memorySource(mergeRef(ref, groups), narrow),
  };
}
/** A constant with the same value everywhere: an immediate, no memory. */
export function constantSource(dtype: DType, dims: readonly Dim[], value: number): Source {
  return {
    dtype,
    dims,
    vector: vectorReg(dtype),
    at: (_, __, lanes = 1) => konst(valueType(dtype, lanes), dtype === 'bool' && lanes > 1 ? -value : value),
    broadcast: to => constantSource(dtype, to, value),
    canMerge: () => true,
    merge: groups => constantSource(dtype, mergeDims(dims, groups), value),
  };
}
const mergeDims = (dims: readonly Dim[], groups: Groups): Dim[] => groups.map(g => dimProd(g.map(a => must(dims[a]))));

/** Stands for the anchor's result (that of the kernel that fusion started from) in the expression of an epilogue. */
interface EpiloguePlaceholder {
  readonly source: Source;
  fill(value: Expr): void;
}
export function epiloguePlaceholder(dtype: DType, dims: readonly Dim[]): EpiloguePlaceholder {
  let current: Expr | undefined;
  const at = (ds: readonly Dim[]): Source => ({
    dtype,
    dims: ds,
    vector: vectorReg(dtype),
    at: () => must(current, 'the result of the anchor'),
    broadcast: to => at(to),
    canMerge: () => true,
    merge: groups => at(mergeDims(ds, groups)),
  });
  return { source: at(dims), fill: v => (current = v) };
}

/** Operators that give a half float for half floats without rounding, and Cast, which rounds by itself. */
const KEEPING: ReadonlySet<Op> = new Set([
  e.Abs,
  e.Cast,
  e.Ceil,
  e.Floor,
  e.Max,
  e.Min,
  e.Neg,
  e.Relu,
  e.Round,
  e.Sign,
  e.Trunc,
  e.Where,
]);
/**
 * What fusion computes for a consumer: halves are computed as f32, and rounded here as they would be if they were stored. What is stored
 * is rounded there. `n`: what computes them.
 */
export function roundedSource(s: Source, n: Node): Source {
  const { dtype } = s;
  if ((dtype !== 'f16' && dtype !== 'bf16') || n.op.lower.k === 'indexMap' || KEEPING.has(n.op)) return s;
  return {
    ...s,
    at: (k, idx, lanes = 1) => roundToHalf(k, k.let(s.at(k, idx, lanes)), dtype),
    broadcast: dims => roundedSource(s.broadcast(dims), n),
    merge: groups => roundedSource(s.merge(groups), n),
  };
}

/** What code that is fused shares with the rest of its graph. */
interface Fusion {
  readonly shared: SharedValues;
  weights(name: string, t: Tensor): SlotBuffer;
}
/** An elementwise operator computed where its value is needed. The operands have been broadcast to its shape. */
export function elementwiseSource(v: Value, node: Node, operands: readonly Source[], dims: readonly Dim[], g: Fusion): Source {
  const lower = node.op.lower;
  if (lower.k !== 'elementwise') throw new Error(`${node.op.name} is not elementwise`);
  const types = operands.map(o => o.dtype);
  const out = v.type.dtype;
  const vectorizes = [...types, out].every(vectorReg);
  const one = (k: KernelBuilder, idx: readonly Num[], lanes: Lanes): Expr => {
    const args = operands.map(o => k.let(o.at(k, idx, lanes)));
    return lower.scalar(args, { k, attrs: node.attrs, types, out, lanes, table: t => g.weights('table', t) });
  };
  const as = (to: readonly Source[], ds: readonly Dim[]): Source => elementwiseSource(v, node, to, ds, g);
  return onceEach({
    dtype: out,
    dims,
    vector: vectorizes && operands.every(o => o.vector),
    at: (k, idx, lanes = 1) =>
      g.shared.bind(k, v, idx, lanes, () =>
        lanes === 1 || vectorizes ? one(k, idx, lanes) : gatherLanes(lanes, i => one(k, stepLast(idx, i), 1), out),
      ),
    broadcast: to =>
      as(
        operands.map(o => o.broadcast(to)),
        to,
      ),
    canMerge: i => operands.every(o => o.canMerge(i)),
    merge: groups =>
      as(
        operands.map(o => o.merge(groups)),
        mergeDims(dims, groups),
      ),
  });
}
/**
 * A source that works out each form of itself once. Operands are shared: without this, a chain in which each value is used twice would
 * be walked as the tree that it unfolds to.
 */
function onceEach(s: Source): Source {
  return {
    ...s,
    broadcast: memo(
      dims => s.broadcast(dims),
      dims => dims.map(showDim).join(),
    ),
    canMerge: memo((i: number) => s.canMerge(i), String),
    merge: memo(
      groups => s.merge(groups),
      groups => groups.map(g => g.join(' ')).join(),
    ),
  };
}
function memo<A, R>(f: (a: A) => R, keyOf: (a: A) => string): (a: A) => R {
  const done = new Map<string, R>();
  return a => {
    const key = keyOf(a);
    const had = done.get(key);
    if (had !== undefined) return had;
    const made = f(a);
    done.set(key, made);
    return made;
  };
}

/** An index map (gather, pad, resize …) computed where its value is needed. */
export function pointSource(v: Value, node: Node, ins: readonly (Source | undefined)[], shared: SharedValues): Source {
  const lower = node.op.lower;
  if (lower.k !== 'indexMap') throw new Error(`${node.op.name} is not an index map`);
  const types = node.inputs.map(x => x?.type);
  const vector = vectorReg(v.type.dtype) && (lower.vector?.({ attrs: node.attrs, types, out: v.type }) ?? false);
  const own: Source = {
    dtype: v.type.dtype,
    dims: v.type.shape,
    vector,
    at: (k, idx, lanes = 1) => {
      const one = (at: readonly Num[], n: Lanes): Expr => lower.at({ k, attrs: node.attrs, ins, out: v.type }, at.map(ex), n);
      return shared.bind(k, v, idx, lanes, () =>
        lanes === 1 || vector ? one(idx, lanes) : gatherLanes(lanes, i => one(stepLast(idx, i), 1), v.type.dtype),
      );
    },
    broadcast: dims => broadcastSource(own, dims),
    canMerge: i => joinsOnes(own.dims, i),
    merge: groups => unmergeSource(own, groups),
  };
  return own;
}
/** Whether merging axes i and i + 1 leaves at most one axis that counts in a merged one, whatever else is merged by this rule. */
const joinsOnes = (dims: readonly Dim[], i: number): boolean => dims[i + 1] === 1 || dims.slice(0, i + 1).every(d => d === 1);

/** A source repeated along axes of size 1 and missing leading axes. */
function broadcastSource(x: Source, dims: readonly Dim[]): Source {
  const pad = dims.length - x.dims.length;
  const last = x.dims.at(-1) ?? 1;
  const fixed = last === 1 && dims.at(-1) !== 1;
  return {
    dtype: x.dtype,
    dims,
    vector: x.vector,
    at: (k, idx, lanes = 1) => {
      const inner = x.dims.map((d, i) => (d === 1 ? 0 : (idx[i + pad] ?? 0)));
      if (!fixed || lanes === 1) return x.at(k, inner, lanes);
      const v = splat(k.let(x.at(k, inner, 1)), lanes);
      return x.dtype === 'bool' ? ne(v, konst(v.t, 0)) : v;
    },
    broadcast: to => broadcastSource(x, to),
    canMerge: i => joinsOnes(dims, i),
    merge: groups => unmergeSource(broadcastSource(x, dims), groups),
  };
}
/** A source whose merged axes hold at most one axis that counts: indices go to that axis. */
function unmergeSource(x: Source, groups: Groups): Source {
  const home = groups.map(g => g.find(a => x.dims[a] !== 1) ?? g[0] ?? 0);
  const dims = mergeDims(x.dims, groups);
  const lastCounts = x.dims.findLastIndex(d => d !== 1);
  return {
    dtype: x.dtype,
    dims,
    // Neighbours along the merged last axis are neighbours of x only if its own last axis is the one that counts.
    vector: x.vector && (lastCounts === x.dims.length - 1 || lastCounts < 0),
    at: (k, idx, lanes = 1) => {
      const inner = (at: readonly Num[]): Num[] => {
        const out: Num[] = x.dims.map(() => 0);
        home.forEach((a, g) => {
          if (groups[g]?.length) out[a] = at[g] ?? 0;
        });
        return out;
      };
      if (lanes === 1 || lastCounts === x.dims.length - 1) return x.at(k, inner(idx), lanes);
      return gatherLanes(lanes, i => x.at(k, inner(stepLast(idx, i)), 1), x.dtype);
    },
    broadcast: to => broadcastSource(unmergeSource(x, groups), to),
    canMerge: i => joinsOnes(dims, i),
    merge: gs => unmergeSource(unmergeSource(x, groups), gs),
  };
}

/** Stores to plain memory; `narrow` as in `memorySource`. */
export function memorySink(ref: Ref, narrow: boolean): Sink {
  const dtype = ref.buffer.dtype;
  const last = ref.strides.at(-1) ?? 0;
  return {
    dtype,
    dims: ref.dims,
    ref,
    vector: vectorReg(dtype) && (last === 1 || ref.dims.at(-1) === 1),
    store: (k, idx, value) => {
      if (value.t.lanes === 1) {
        k.store(ref.buffer, refIndex(k, ref, idx), value);
        return;
      }
      if (last === 1 && vectorMemory(dtype, narrow)) {
        const own = dtype === 'bool' ? and(value, konst(value.t, 1)) : value;
        k.store(ref.buffer, refIndex(k, ref, idx), cast(loadType(dtype, value.t.lanes), own));
        return;
      }
      const v = k.let(value);
      for (let i = 0; i < v.t.lanes; i++) {
        const x = lane(v, i);
        k.store(ref.buffer, refIndex(k, ref, stepLast(idx, i)), dtype === 'bool' ? ne(x, int(0)) : x);
      }
    },
    canMerge: i => canMergeRef(ref, i),
    merge: groups => memorySink(mergeRef(ref, groups), narrow),
  };
}
/** A sink with an epilogue: `tail` is computed from each value, with the value in the placeholder, and its result stored. */
export function fusedSink(anchor: EpiloguePlaceholder, tail: Source, to: Sink, shared: SharedValues): Sink {
  const vector = tail.vector && to.vector;
  return {
    dtype: anchor.source.dtype,
    dims: anchor.source.dims,
    vector,
    store: (k, idx, value) => {
      const run = (at: readonly Num[], v: Expr): void =>
        shared.evaluation(() => {
          anchor.fill(k.let(v));
          to.store(k, at, tail.at(k, at, v.t.lanes));
        });
      if (value.t.lanes === 1 || tail.vector) {
        run(idx, value);
        return;
      }
      const v = k.let(value);
      for (let i = 0; i < v.t.lanes; i++) run(stepLast(idx, i), anchor.source.dtype === 'bool' ? ne(lane(v, i), 0) : lane(v, i));
    },
    canMerge: i => tail.canMerge(i) && to.canMerge(i),
    merge: groups => fusedSink({ ...anchor, source: anchor.source.merge(groups) }, tail.merge(groups), to.merge(groups), shared),
  };
}
