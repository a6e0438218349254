import { fail, must } from '../../core/diagnostic.ts';
import { dimAdd, dimEq, dimHi, dimMax, dimSub, substitute, symbol, type Dim } from '../../core/dim.ts';
import { elements, showType, tensorType, type TensorType } from '../../core/shape.ts';
import { scalar, stridesOf, typed, type Tensor } from '../../core/tensor.ts';
import { nodesOf, type Graph, type Node, type NodeOf, type Value } from '../../graph/graph.ts';
import { and, cast, eq, gt, I32, konst, max, ne, select, vtype } from '../../kernel/ir.ts';
import { memoryOf, outTypes, symbolName, truth } from './if.ts';
import { attr, defineOp } from '../define.ts';
import type { LowerCtx, Ref } from '../lowering.ts';
import { compactRef, sliceRef } from '../ref.ts';
import { cellsOf, forRows, gatherStrided, newCells } from '../strided.ts';

/** A size or a shape at another iteration. */
export const atIteration = (d: Dim, iter: Dim, value: Dim): Dim => {
  const name = symbolName(iter);
  return substitute(d, s => (s === name ? value : undefined));
};
const typeAt = (t: TensorType, iter: Dim, value: Dim): TensorType =>
  tensorType(
    t.dtype,
    t.shape.map(d => atIteration(d, iter, value)),
  );
const typesFit = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((d, i) => dimEq(d, must(b.shape[i])));

const schema = {
  body: attr.graph(),
  /** How many values go from one iteration to the next. */
  carried: attr.int(),
  /** How many inputs are taken apart, one element an iteration. */
  scanned: attr.int(0),
  /** Whether the body begins with the number of the iteration and the condition, and its outputs with the next condition. */
  counts: attr.bool(),
  /** Whether the condition that the body gives is looked at. */
  conditional: attr.bool(),
  /** The symbol of the iteration: sizes in the body may depend on it. */
  iter: attr.dim(),
  /** The most iterations; a symbol of this node where the input `trip` says so. */
  trip: attr.dim(),
  /** Whether the loop may want more iterations than a constant `trip`, which is all that there is memory for. A symbol has such a bound in any case. */
  bounded: attr.bool(false),
  /** The number of iterations that were run; a symbol of this node where the condition decides. */
  count: attr.dim(),
  inAxes: attr.ints([]),
  inReverse: attr.ints([]),
  outAxes: attr.ints(),
  outReverse: attr.ints(),
};
interface LoopAttrs {
  readonly body: Graph;
  readonly carried: number;
  readonly scanned: number;
  readonly counts: boolean;
  readonly conditional: boolean;
  readonly iter: Dim;
  readonly trip: Dim;
  readonly bounded: boolean;
  readonly count: Dim;
  readonly inAxes: readonly number[];
  readonly inReverse: readonly number[];
  readonly outAxes: readonly number[];
  readonly outReverse: readonly number[];
}
/** Where what stands among inputs (of the node from `first` on, of the body) and outputs of the body. */
function layout(a: LoopAttrs) {
  const lead = a.counts ? 2 : 0;
  const inputs = { first: 2, slices: 2 + a.carried, captures: 2 + a.carried + a.scanned };
  return { lead, inputs, outLead: a.counts ? 1 : 0, outs: a.body.outputs.length - (a.counts ? 1 : 0) };
}
/** Whether the number of iterations follows from `trip` alone. */
const decided = (n: NodeOf<LoopAttrs>): boolean => !n.attrs.conditional && n.inputs[1] === undefined;
/** Why a run stops whose loop goes on after as many iterations as it may have. */
const beyond = (trip: Dim): string =>
  `a loop runs more than ${dimHi(trip)} times, the most that the model was compiled for; a model that declares how many results it has may have more`;
const plusOne = (d: Dim): Dim => dimAdd(d, 1);
const lessOne = (d: Dim): Dim => dimSub(d, 1);
/** The symbol that an attribute is, where it is one. */
function symbolIn(n: Node, attribute: 'trip' | 'count'): readonly string[] {
  const d = n.attrs[attribute];
  const name = typeof d === 'number' || (typeof d === 'object' && 'k' in d) ? symbolName(d) : undefined;
  return name === undefined ? [] : [name];
}

/** A shape without an axis. */
const without = <T>(xs: readonly T[], axis: number): T[] => xs.filter((_, i) => i !== axis);
const inserted = <T>(xs: readonly T[], axis: number, x: T): T[] => [...xs.slice(0, axis), x, ...xs.slice(axis)];

export const Loop = defineOp({
  name: 'Loop',
  doc:
    'Runs `body` while the iteration is below `trip` and the condition holds, tested before each iteration. ' +
    'Where `trip` is less than what the loop wants, the run stops instead of leaving iterations out. ' +
    'Inputs: most iterations, first condition, carried values, inputs taken apart along `inAxes`, captures. ' +
    'The body: (iteration, condition,) carried values, elements, captures → (condition,) carried values, elements of the results. ' +
    'Outputs: the last carried values, then the elements of the results put together along `outAxes`. ' +
    'Sizes of carried values may depend on the iteration as long as the body keeps to it.',
  inputs: ['trip?', 'cond?', '...values'],
  attrs: schema,
  infer: c => {
    const a = c.attrs;
    const { lead, inputs, outLead, outs } = layout(a);
    const formals = a.body.inputs.map(v => v.type);
    const results = outTypes(a.body);
    if (formals.length !== lead + c.types.length - 2)
      c.reject(`the body has ${formals.length} inputs, ${lead + c.types.length - 2} are given`);
    if (outs < a.carried) c.reject(`the body gives ${outs} values, ${a.carried} are carried`);
    const types: TensorType[] = [];
    for (let i = 0; i < a.carried; i++) {
      const given = must(c.types[inputs.first + i]);
      const formal = must(formals[lead + i]);
      const next = must(results[outLead + i]);
      const start = typeAt(formal, a.iter, 0);
      if (given.dtype !== start.dtype || given.shape.length !== start.shape.length)
        c.reject(`carried value ${i} starts as ${showType(given)}, the body takes ${showType(formal)}`);
      given.shape.forEach((d, axis) => c.same(d, must(start.shape[axis]), `axis ${axis} of carried value ${i}`));
      const want = typeAt(formal, a.iter, plusOne(a.iter));
      if (!typesFit(next, want))
        c.reject(`carried value ${i} is ${showType(next)} after an iteration, must be ${showType(want)}`);
      types.push(typeAt(formal, a.iter, a.count));
    }
    for (let i = 0; i < a.scanned; i++) {
      const t = must(c.types[inputs.slices + i]);
      c.same(must(t.shape[must(a.inAxes[i])]), a.count, `the number of elements of input ${i}`);
    }
    for (let i = a.carried; i < outs; i++) {
      const t = must(results[outLead + i]);
      if (t.shape.some(d => !dimEq(d, atIteration(d, a.iter, 0)))) c.reject(`the elements of result ${i} have sizes that change`);
      types.push(tensorType(t.dtype, inserted(t.shape, must(a.outAxes[i - a.carried]), a.count)));
    }
    return types;
  },
  definesSymbols: n => [...(n.inputs[0] ? symbolIn(n, 'trip') : []), ...(decided(n) ? [] : symbolIn(n, 'count'))],
  eval: (c, trip, cond, ...values) => {
    const a = c.attrs;
    const { lead, outLead, outs } = layout(a);
    const ins = values.map(t => must(t));
    const wanted = trip ? Math.max(0, Number(typed(trip)[0])) : a.bounded ? Infinity : c.dim(a.trip);
    const most = Math.min(wanted, dimHi(a.trip));
    let on = cond ? truth(cond) : true;
    let carried = ins.slice(0, a.carried);
    const scans = ins.slice(a.carried, a.carried + a.scanned);
    const captures = ins.slice(a.carried + a.scanned);
    const parts: Tensor[][] = Array.from({ length: outs - a.carried }, () => []);
    let i = 0;
    for (; i < most && on; i++) {
      const head = lead > 0 ? [scalar('i64', i), scalar('bool', 1)] : [];
      const slices = scans.map((t, j) => element(t, must(a.inAxes[j]), a.inReverse[j] ? most - 1 - i : i));
      const res = c.graph(a.body, [...head, ...carried, ...slices, ...captures]);
      if (a.conditional) on = truth(res[0]);
      carried = res.slice(outLead, outLead + a.carried);
      parts.forEach((p, j) => p.push(must(res[outLead + a.carried + j])));
    }
    if (on && i < wanted) fail('E502', { why: beyond(a.trip) });
    const types = outTypes(a.body).slice(outLead + a.carried);
    return [
      ...carried,
      ...parts.map((p, j) => {
        const t = must(types[j]);
        const list = a.outReverse[j] ? [...p].reverse() : p;
        return together(t.dtype, must(list[0]?.dims ?? t.shape.map(d => c.dim(d))), list, must(a.outAxes[j]));
      }),
    ];
  },
  lower: { k: 'kernel', build: c => lowerLoop(c) },
});

/** Element `i` along an axis. */
function element(t: Tensor, axis: number, i: number): Tensor {
  const s = stridesOf(t.dims);
  return gatherStrided(t, without(t.dims, axis), i * must(s[axis]), without(s, axis));
}
/** Puts tensors of equal sizes together along a new axis. */
function together(dtype: Tensor['dtype'], dims: readonly number[], list: readonly Tensor[], axis: number): Tensor {
  const all = inserted(dims, axis, list.length);
  const { cells, tensor } = newCells(dtype, all);
  const s = stridesOf(all);
  const row = dims.at(-1) ?? 1;
  const to = without(s, axis);
  const step = to.at(-1) ?? 1;
  list.forEach((t, i) => {
    const from = cellsOf(typed(t));
    let p = 0;
    forRows(dims, [{ offset: i * must(s[axis]), strides: to }], ([q = 0]) => {
      for (let j = 0; j < row; j++) cells[q + j * step] = must(from[p++]);
    });
  });
  return tensor;
}

function lowerLoop(c: LowerCtx<LoopAttrs>): void {
  const a = c.attrs;
  const { lead, inputs, outLead } = layout(a);
  const cell = c.temp('count', 'i32', 1);
  const tripInput = c.source(0);
  const tested = !decided(c.node);
  const most = dimHi(a.trip);
  /** Whether the input asks for more than there may be. */
  const excess = tripInput && c.temp('excess', 'i32', 1);
  if (tripInput && excess) {
    const t = vtype(tripInput.dtype === 'i32' ? 'i32' : 'i64');
    c.kernel('trip', k => {
      const v = k.let(
        tripInput.at(
          k,
          tripInput.dims.map(() => 0),
        ),
      );
      const over = k.let(gt(v, konst(t, most)));
      k.store(excess, 0, over);
      // Where nothing else ends the loop, the count that is read is none.
      k.store(cell, 0, select(over, tested ? most : -1, cast(I32, max(v, konst(t, 0)))));
    });
    c.readSymbol(must(symbolName(a.trip)), cell, beyond(a.trip));
  }
  const formals = a.body.inputs.map(v => v.type);
  const slots = Array.from({ length: a.carried }, (_, j) => carriedSlot(c, must(formals[lead + j]), j));
  slots.forEach((s, j) => c.copy('first', c.need(inputs.first + j), s.at(0)));
  const scans = Array.from({ length: a.scanned }, (_, j) => memoryOf(c, inputs.slices + j));
  const captures = c.node.inputs.slice(inputs.captures).map((_, j) => memoryOf(c, inputs.captures + j));
  const results = c.out.slice(a.carried).map((_, j) => must(c.sink(a.carried + j).ref, 'the memory of a result'));
  const cond = tested ? c.temp('condition', 'bool', 1) : undefined;
  if (cond) {
    const first = c.source(1);
    const to = compactRef(cond, []);
    if (first)
      c.copy('condition', first.dims.length === 0 ? first : c.sourceOf({ ...memoryOf(c, 1), dims: [], strides: [] }), to);
    else c.kernel('condition', k => k.store(cond, 0, konst(I32, 1)));
  }
  const head: Ref[] = [];
  const number = c.temp('iteration', 'i64', 1);
  const yes = c.temp('yes', 'bool', 1);
  if (lead > 0) {
    head.push(compactRef(number, []), compactRef(yes, []));
    c.kernel('yes', k => k.store(yes, 0, konst(I32, 1)));
  }
  // What runs at most once has no symbol of its own to count with.
  const counter = symbolName(a.iter) === undefined ? symbol('loop:once', 0, 1) : a.iter;
  // Sizes know the iteration without it; often nothing else asks.
  const counted = lead > 0 && isUsed(a.body, must(a.body.inputs[0]));
  c.loop(counter, a.trip, cond, () => {
    if (counted) c.kernel('iteration', k => k.store(number, 0, cast(vtype('i64'), k.dim(a.iter))));
    const now = slots.map(s => s.at(a.iter));
    const slices = scans.map((r, j) => dropAxis(r, must(a.inAxes[j]), a.inReverse[j] ? dimSub(lessOne(a.trip), a.iter) : a.iter));
    const outs = c.graph(a.body, [...head, ...now, ...slices, ...captures]);
    results.forEach((r, j) => {
      const at = a.outReverse[j] ? dimSub(lessOne(a.trip), a.iter) : a.iter;
      c.copy('part', c.sourceOf(must(outs[outLead + a.carried + j])), dropAxis(r, must(a.outAxes[j]), at));
    });
    nextCarried(c, slots, now, outs.slice(outLead, outLead + a.carried));
    if (cond && a.conditional) {
      const next = must(outs[0]);
      c.copy('condition', c.sourceOf({ ...next, dims: [], strides: [] }), compactRef(cond, []));
    }
  });
  const name = symbolName(a.count);
  if (cond && name !== undefined) {
    c.kernel('size', k => {
      const n = k.dim(counter);
      const more = excess ? k.load(excess, 0) : a.bounded ? eq(n, most) : undefined;
      // A loop that is not through has no count.
      k.store(cell, 0, more ? select(and(ne(k.load(cond, 0), 0), more), -1, n) : n);
    });
    c.readSymbol(name, cell, beyond(a.trip));
  }
  slots.forEach((s, j) => {
    if (!s.own) return;
    const to = must(c.sink(j).ref, 'the memory of a carried value');
    c.copy('last', c.sourceOf(s.at(a.count)), to);
  });
}
const isUsed = (g: Graph, v: Value): boolean => nodesOf(g).some(n => n.inputs.includes(v)) || g.outputs.some(o => o.value === v);
const dropAxis = (r: Ref, axis: number, i: Dim): Ref => {
  const one = sliceRef(r, axis, i, 1);
  return { buffer: one.buffer, dims: without(one.dims, axis), strides: without(one.strides, axis) };
};

/** Where a carried value lies: in the node's own output where its sizes stay, else in scratch memory. */
interface CarriedSlot {
  readonly own: boolean;
  /** As it lies before an iteration. */
  at(iter: Dim): Ref;
}
function carriedSlot(c: LowerCtx<LoopAttrs>, formal: TensorType, j: number): CarriedSlot {
  const { iter, trip } = c.attrs;
  const first = typeAt(formal, iter, 0);
  if (typesFit(first, formal)) {
    const r = must(c.sink(j).ref, 'the memory of a carried value');
    return { own: false, at: () => r };
  }
  const buffer = c.temp('carried', formal.dtype, dimMax(elements(first), elements(typeAt(formal, iter, trip))));
  return { own: true, at: i => compactRef(buffer, typeAt(formal, iter, i).shape) };
}
/** Moves what an iteration made to where the next one reads it. What lies in memory that is about to be overwritten goes first. */
function nextCarried(c: LowerCtx<LoopAttrs>, slots: readonly CarriedSlot[], now: readonly Ref[], made: readonly Ref[]): void {
  const next = slots.map(s => s.at(plusOne(c.attrs.iter)));
  const places = now.map(r => r.buffer.slot);
  const moves: { readonly from: Ref; readonly to: Ref }[] = [];
  made.forEach((r, j) => {
    const to = must(next[j]);
    if (sameMemory(r, to)) return;
    if (!places.includes(r.buffer.slot)) {
      moves.push({ from: r, to });
      return;
    }
    const aside = c.tensor('aside', { dtype: r.buffer.dtype, shape: r.dims });
    c.copy('aside', c.sourceOf(r), aside);
    moves.push({ from: aside, to });
  });
  for (const m of moves) c.copy('next', c.sourceOf(m.from), m.to);
}
const sameMemory = (a: Ref, b: Ref): boolean =>
  a.buffer.slot === b.buffer.slot &&
  dimEq(a.buffer.offset, b.buffer.offset) &&
  a.dims.every((d, i) => d === 1 || dimEq(must(a.strides[i]), must(b.strides[i])));
