import { CompileError, must } from '../../../core/diagnostic.ts';
import { dimAdd, dimEq, dimHi, dimMax, dimMul, dimSub, dimsNeverEqual, rangeOf, symbolsOf, type Dim } from '../../../core/dim.ts';
import { normAxis, showType, tensorType, type TensorType } from '../../../core/shape.ts';
import { symbolicOf, input, type Graph, type Value } from '../../../graph/graph.ts';
import { If as IfOp, outTypes } from '../../../ops/control/if.ts';
import { atIteration, Loop as LoopOp } from '../../../ops/control/loop.ts';
import { Guarded } from '../../../ops/movement/shape.ts';
import { Reshape } from '../../../ops/movement/view.ts';
import type { GraphProto } from '../records.ts';
import {
  isSequence,
  isSpelt,
  itemLike,
  valuesOf,
  type Formal,
  type ImportCtx,
  type Item,
  type OnnxNode,
  type OnnxOps,
} from '../registry.ts';

/** The most iterations of a loop whose number comes out only when it runs, where memory for each iteration's results is needed. */
const LOOP_LIMIT = 1024;
const ENDLESS = 2 ** 31 - 1;

type Imported = { readonly graph: Graph; readonly captures: readonly Value[]; readonly items: readonly Item[] };
/** Imports one sub-graph. */
function importOne(c: ImportCtx, graph: GraphProto, inputs: readonly Formal[], sequences?: true): Imported {
  const { graphs, captures, items } = c.graphs([{ graph, inputs, ...(sequences && { sequences }) }]);
  return { graph: must(graphs[0]), captures, items: must(items[0]) };
}
/** A sub-graph, or why it cannot run with the sizes it would get. */
function attempt(c: ImportCtx, graph: GraphProto): Imported | CompileError {
  try {
    return importOne(c, graph, [], true);
  } catch (e) {
    if (e instanceof CompileError && e.code === 'E102') return e;
    throw e;
  }
}

function importIf(n: OnnxNode, c: ImportCtx): readonly Item[] {
  const cond = n.input(0, 'cond');
  const [known] = symbolicOf(cond) ?? [];
  if (typeof known === 'number') return c.inlineItems(n.graph(known === 0 ? 'else_branch' : 'then_branch'), []);
  const a = attempt(c, n.graph('then_branch'));
  const b = attempt(c, n.graph('else_branch'));
  if (a instanceof CompileError) {
    if (b instanceof CompileError) throw a;
    warnAbsent(c, 'then', a);
    const shapes = outTypes(b.graph).flatMap(t => t.shape);
    return itemsLike(b.items, c.apply(IfOp, [cond, ...b.captures], { else: b.graph, split: 0, shapes }));
  }
  if (b instanceof CompileError) {
    warnAbsent(c, 'else', b);
    const shapes = outTypes(a.graph).flatMap(t => t.shape);
    return itemsLike(a.items, c.apply(IfOp, [cond, ...a.captures], { then: a.graph, split: a.captures.length, shapes }));
  }
  if (a.items.length !== b.items.length) n.reject(`the branches have ${a.items.length} and ${b.items.length} outputs`);
  a.items.forEach((x, i) => {
    const y = must(b.items[i]);
    const [p, q] = [valuesOf(x).length, valuesOf(y).length];
    if (isSequence(x) !== isSequence(y) || isSpelt(x) !== isSpelt(y)) n.reject(`output ${i} is of two kinds`);
    if (p !== q) n.unsupported(`output ${i} is a sequence of ${p} tensors in one branch and of ${q} in the other`);
  });
  const then = likeRanks(c, a.graph, b.graph);
  const other = likeRanks(c, b.graph, a.graph);
  const [t, e] = [outTypes(then), outTypes(other)];
  const shapes = t.flatMap((x, i) => joinShapes(n, c, x, must(e[i]), i));
  const outs = c.apply(IfOp, [cond, ...a.captures, ...b.captures], {
    then,
    else: other,
    split: a.captures.length,
    shapes,
  });
  return itemsLike(a.items, outs);
}
function itemsLike(items: readonly Item[], values: readonly Value[]): readonly Item[] {
  const next = values.values();
  return items.map(x => itemLike(x, next));
}
/** The graph with single numbers of as many axes as the other side gives them: [] and [1] go together. */
function likeRanks(c: ImportCtx, g: Graph, other: Graph): Graph {
  const single = (t: TensorType | undefined): boolean => t?.shape.every(d => d === 1) ?? false;
  const outputs = g.outputs.map((o, i) => {
    const [own, peer] = [o.value.type, other.outputs[i]?.value.type];
    if (!peer || !single(own) || !single(peer) || own.shape.length >= peer.shape.length) return o;
    return { name: o.name, value: c.apply1(Reshape, [o.value], { shape: peer.shape }) };
  });
  return { ...g, outputs };
}
function warnAbsent(c: ImportCtx, side: string, why: CompileError): void {
  c.warn('branch', `the ${side} branch cannot run with these sizes and gives NaN if it is taken: ${why.message}`);
}
/** The free sizes that alone decide a value, or none where data have a say. */
function symbolsBehind(v: Value): readonly string[] {
  const names = new Set<string>();
  const seen = new Set<Value>();
  const todo = [v];
  for (let x = todo.pop(); x; x = todo.pop()) {
    if (seen.has(x) || x.def.k === 'const') continue;
    seen.add(x);
    const known = symbolicOf(x);
    if (known) for (const d of known) for (const s of symbolsOf(d)) names.add(s.name);
    else if (x.def.k === 'node') todo.push(...x.def.inputs.filter(i => i !== undefined));
    else return [];
  }
  return [...names];
}
/** The sizes of an output: where the two sides differ, a new symbol. */
export function joinShapes(n: OnnxNode, c: ImportCtx, a: TensorType, b: TensorType, o: number): readonly Dim[] {
  if (a.dtype !== b.dtype || a.shape.length !== b.shape.length) {
    const two = `output ${o} is ${showType(a)} in one branch and ${showType(b)} in the other`;
    const sizes = symbolsBehind(n.input(0, 'cond'));
    if (sizes.length === 0) n.reject(`${two}, and the condition is known only at run time`);
    const flags = sizes.map(s => `--dim ${s}=N`).join(' ');
    n.unsupported(
      `${two}, and ${sizes.join(', ')} decide${sizes.length === 1 ? 's' : ''} which: fix it with ${flags}, or give a range without the size that makes the difference, such as --dim ${must(sizes[0])}=2..16`,
    );
  }
  return a.shape.map((x, axis) => {
    const y = must(b.shape[axis]);
    if (dimEq(x, y)) return x;
    const [p, q] = [rangeOf(x), rangeOf(y)];
    return c.symbol(`if_${o}_${axis}`, Math.max(0, Math.min(p.lo, q.lo)), Math.max(p.hi, q.hi));
  });
}

/** Whether a condition that the body gives is true whenever the one that it was given is. */
const staysTrue = (out: Value, cond: Value | undefined): boolean =>
  (cond !== undefined && out === cond) || symbolicOf(out)?.[0] === 1;

function importLoop(n: OnnxNode, c: ImportCtx): readonly Value[] {
  const proto = n.graph('body');
  const initial = n.inputs.slice(2).map((v, i) => v ?? n.input(i + 2));
  const scans = proto.output.length - 1 - initial.length;
  if (scans < 0) n.reject(`the body has ${proto.output.length} outputs, at least ${initial.length + 1} are needed`);
  const first = n.inputs[1];
  if (first && symbolicOf(first)?.[0] === 0 && scans === 0) return initial;

  if (n.inputs[0] && n.inputs[0].type.dtype !== 'i64') n.reject(`the number of iterations is ${n.inputs[0].type.dtype}, not i64`);
  if (first && first.type.dtype !== 'bool') n.reject(`the condition is ${first.type.dtype}, not bool`);

  // The number of iterations. What the file says about the results bounds it.
  const declared = Array.from({ length: scans }, (_, i) => n.declared(initial.length + i)?.[0]).filter(
    d => typeof d === 'number',
  );
  const limit = declared.length > 0 ? Math.min(...declared) : LOOP_LIMIT;
  const tripValue = n.inputs[0];
  const [known] = symbolicOf(tripValue) ?? [];
  if (known === 1 && (!first || symbolicOf(first)?.[0] === 1)) {
    const once = c.inline(proto, [c.literal('i64', 0), c.literal('bool', 1), ...initial]).slice(1);
    return once.map((v, i) => (i < initial.length ? v : c.apply1(Reshape, [v], { shape: [1, ...v.type.shape] })));
  }
  const asked = known === undefined ? undefined : dimMax(0, known);
  const tripInput = known === undefined ? tripValue : undefined;
  let trip = asked ?? (tripInput ? c.symbol('trip', 0, scans > 0 ? limit : ENDLESS) : ENDLESS);
  if (dimHi(trip) >= ENDLESS) trip = scans > 0 ? limit : typeof trip === 'number' ? ENDLESS : trip;
  const bounded = !tripInput && trip !== asked;
  const guessed = scans > 0 && declared.length === 0 && (tripInput !== undefined || bounded);
  const iter = c.symbol('iteration', 0, Math.max(0, dimHi(trip) - 1));

  const body = fixpoint(n, c, proto, initial, iter, dimHi(trip) < ENDLESS);
  const condOut = must(body.graph.outputs[0]).value;
  const conditional = !staysTrue(condOut, body.graph.inputs[1]);
  const always = !first || symbolicOf(first)?.[0] === 1;
  const decided = !conditional && always;
  if (decided && bounded) n.reject('nothing ends this loop');
  if (guessed)
    c.warn(
      'loop',
      `how often this loop runs is not known: there is memory for the results of ${LOOP_LIMIT} iterations, and a run that needs more stops; a model that declares how many results it has is compiled for those`,
    );
  return c.apply(LoopOp, [tripInput, always ? undefined : first, ...initial, ...body.captures], {
    body: body.graph,
    carried: initial.length,
    counts: true,
    conditional,
    iter,
    trip,
    bounded,
    count: decided ? trip : c.symbol('count', 0, dimHi(trip)),
    outAxes: new Array<number>(scans).fill(0),
    outReverse: new Array<number>(scans).fill(0),
  });
}

/**
 * Imports the body of a loop with types for the carried values that it keeps to: those of the initial values, or sizes that grow by
 * the same amount in each iteration.
 */
function fixpoint(
  n: OnnxNode,
  c: ImportCtx,
  proto: GraphProto,
  initial: readonly Value[],
  iter: Dim,
  bounded: boolean,
): Imported {
  const head: Formal[] = [{ type: tensorType('i64', []), symbolic: [iter] }, { type: tensorType('bool', []) }];
  let types = initial.map(v => v.type);
  for (let round = 0; ; round++) {
    const body = importOne(c, proto, [...head, ...types.map(type => ({ type }))]);
    const made = outTypes(body.graph).slice(1, 1 + types.length);
    const next = types.map((t, i) => grown(n, t, must(made[i]), declaredShape(proto, i + 1), iter, i, bounded && round === 0));
    if (next.every(x => x.k !== 'grows')) {
      const kept = next.map((x, i) => (x.k === 'promised' ? types[i] : undefined));
      return { ...body, graph: promised(c, proto, body.graph, kept, types.length, iter) };
    }
    types = types.map((t, i) => next[i]?.type ?? t);
  }
}
/** The sizes that the file declares for an output of a sub-graph. */
const declaredShape = (g: GraphProto, i: number): readonly (number | undefined)[] | undefined =>
  g.output[i]?.type?.tensorType?.shape?.dim.map(d => d.dimValue);

type Next = { readonly k: 'same' | 'promised' | 'grows'; readonly type: TensorType };
/** How the type of a carried value goes on: `t` is what the body was given, `made` what came out. */
function grown(
  n: OnnxNode,
  t: TensorType,
  made: TensorType,
  declared: readonly (number | undefined)[] | undefined,
  iter: Dim,
  which: number,
  mayGrow: boolean,
): Next {
  const changes = (): never =>
    n.reject(
      `carried value ${which} is ${showType(t)} before an iteration and ${showType(made)} after it; its bound is not known`,
    );
  if (made.dtype !== t.dtype || made.shape.length !== t.shape.length) return changes();
  const want = t.shape.map(d => atIteration(d, iter, dimAdd(iter, 1)));
  if (want.every((d, i) => dimEq(d, must(made.shape[i])))) return { k: 'same', type: t };
  const promise = want.every((d, i) => {
    const m = must(made.shape[i]);
    return dimEq(d, m) || (dimEq(d, must(t.shape[i])) && declared?.[i] === d && !dimsNeverEqual(d, m));
  });
  if (promise) return { k: 'promised', type: t };
  if (!mayGrow) return changes();
  const shape = t.shape.map((d, i) => {
    const step = dimSub(must(made.shape[i]), d);
    if (!dimEq(step, atIteration(step, iter, 0))) return changes();
    return dimAdd(d, dimMul(iter, step));
  });
  return { k: 'grows', type: tensorType(t.dtype, shape) };
}
/** The body with outputs whose sizes the file promises: `types` of those among the carried values, and what it declares of results. */
function promised(
  c: ImportCtx,
  proto: GraphProto,
  g: Graph,
  types: readonly (TensorType | undefined)[],
  carried: number,
  iter: Dim,
): Graph {
  const outputs = g.outputs.map((o, i) => {
    const shape = i <= carried ? types[i - 1]?.shape : settled(o.value.type, declaredShape(proto, i), iter);
    if (!shape) return o;
    const what = 'a body does not give the sizes that the file declares';
    const waits = c.apply1(Guarded, [o.value], { a: o.value.type.shape, b: shape, what });
    return { name: o.name, value: c.apply1(Reshape, [waits], { shape }) };
  });
  return { ...g, outputs };
}
/** The declared sizes of a result whose own sizes seem to change from iteration to iteration. */
function settled(t: TensorType, declared: readonly (number | undefined)[] | undefined, iter: Dim): readonly Dim[] | undefined {
  const changes = (d: Dim): boolean => !dimEq(d, atIteration(d, iter, 0));
  if (declared?.length !== t.shape.length || !t.shape.some(changes)) return undefined;
  const shape = t.shape.map((d, axis) => (changes(d) ? (declared[axis] ?? d) : d));
  return shape.some((d, axis) => dimsNeverEqual(d, must(t.shape[axis]))) ? undefined : shape;
}

interface ScanSpec {
  readonly proto: GraphProto;
  readonly states: readonly Value[];
  readonly scans: readonly Value[];
  readonly inAxes: readonly number[];
  readonly inReverse: readonly number[];
  readonly outAxes: readonly number[];
  readonly outReverse: readonly number[];
}
/** The attributes of Scan, for values without a batch axis. */
function scanSpec(n: OnnxNode, values: readonly Value[], batch: number): ScanSpec {
  const proto = n.graph('body');
  const m = n.int('num_scan_inputs');
  const states = values.slice(0, values.length - m);
  const scans = values.slice(values.length - m);
  const outs = proto.output.length - states.length;
  if (m < 1 || m > values.length || outs < 0) n.reject(`${m} scan inputs of ${values.length} inputs`);
  const old = n.opset < 9;
  const axes = (name: string, count: number): readonly number[] =>
    old ? new Array<number>(count).fill(0) : n.ints(name, new Array<number>(count).fill(0));
  const list = (name: string, count: number): readonly number[] => {
    const xs = n.ints(name, new Array<number>(count).fill(0));
    if (xs.length !== count) n.reject(`${name} has ${xs.length} entries, must have ${count}`);
    return xs;
  };
  return {
    proto,
    states,
    scans,
    inAxes: axes('scan_input_axes', m).map((a, i) => {
      const rank = must(scans[i]).type.shape.length - batch;
      return normAxis(a, rank) ?? n.reject(`scan_input_axes: ${a} of ${rank} axes`);
    }),
    inReverse: list(old ? 'directions' : 'scan_input_directions', m),
    outAxes: axes('scan_output_axes', outs),
    outReverse: old ? new Array<number>(outs).fill(0) : list('scan_output_directions', outs),
  };
}
const dropped = (t: TensorType, axis: number): TensorType =>
  tensorType(
    t.dtype,
    t.shape.filter((_, i) => i !== axis),
  );

/** Imports the body for values of these types (without batch) and gives the attributes of the loop. */
function scanLoop(n: OnnxNode, c: ImportCtx, s: ScanSpec, states: readonly TensorType[], scans: readonly TensorType[]) {
  const formals = [...states, ...scans.map((t, i) => dropped(t, must(s.inAxes[i])))].map(type => ({ type }));
  const body = importOne(c, s.proto, formals);
  const trip = must(must(scans[0]).shape[must(s.inAxes[0])]);
  const results = outTypes(body.graph).slice(states.length);
  const attrs = {
    body: body.graph,
    carried: states.length,
    scanned: scans.length,
    counts: false,
    conditional: false,
    iter: c.symbol('iteration', 0, Math.max(0, dimHi(trip) - 1)),
    trip,
    count: trip,
    inAxes: s.inAxes,
    inReverse: s.inReverse,
    outAxes: s.outAxes.map((a, i) => {
      const rank = must(results[i]).shape.length + 1;
      return normAxis(a, rank) ?? n.reject(`scan_output_axes: ${a} of ${rank} axes`);
    }),
    outReverse: s.outReverse,
  };
  return { attrs, captures: body.captures };
}

function importScan(n: OnnxNode, c: ImportCtx): readonly Value[] {
  const values = (n.opset < 9 ? n.inputs.slice(1) : n.inputs).map((v, i) => v ?? n.input(i));
  if (n.opset >= 9) {
    const s = scanSpec(n, values, 0);
    const types = (vs: readonly Value[]): TensorType[] => vs.map(v => v.type);
    const { attrs, captures } = scanLoop(n, c, s, types(s.states), types(s.scans));
    return c.apply(LoopOp, [undefined, undefined, ...values, ...captures], attrs);
  }
  // Version 8 scans each sample of a batch: a loop over the batch around a loop over the sequence.
  if (n.inputs[0]) n.unsupported('sequence_lens is not supported');
  for (const v of values) if (v.type.shape.length === 0) n.reject('an input has no batch axis');
  const s = scanSpec(n, values, 1);
  const inner = (vs: readonly Value[]): TensorType[] => vs.map(v => dropped(v.type, 0));
  const { attrs, captures } = scanLoop(n, c, s, inner(s.states), inner(s.scans));
  const own = [...inner(values), ...captures.map(v => v.type)].map((t, i) => input(`batch_${i}`, t));
  const outs = c.apply(LoopOp, [undefined, undefined, ...own], attrs);
  const body: Graph = {
    name: 'batch',
    inputs: own,
    outputs: outs.map((value, i) => ({ name: `out_${i}`, value })),
    symbolDefinitions: [],
  };
  const batch = must(must(values[0]).type.shape[0]);
  const zeros = (count: number): number[] => new Array<number>(count).fill(0);
  return c.apply(LoopOp, [undefined, undefined, ...values, ...captures], {
    body,
    carried: 0,
    scanned: values.length,
    counts: false,
    conditional: false,
    iter: c.symbol('sample', 0, Math.max(0, dimHi(batch) - 1)),
    trip: batch,
    count: batch,
    inAxes: zeros(values.length),
    inReverse: zeros(values.length),
    outAxes: zeros(outs.length),
    outReverse: zeros(outs.length),
  });
}

export const controlOps: OnnxOps = { If: importIf, Loop: importLoop, Scan: importScan };
