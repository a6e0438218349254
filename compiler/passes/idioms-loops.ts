import { must } from '../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimEq, dimMax, dimMin, dimMul, dimSub, rangeOf, type Dim } from '../core/dim.ts';
import { fromNumbers } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/build.ts';
import { apply, constant, input, nodesOf, subgraphs, symbolicOf, type Graph, type Node, type Value } from '../graph/graph.ts';
import { op, rule, type Rule } from '../graph/rewrite.ts';
import { atIteration, Loop } from '../ops/control/loop.ts';
import { attrsOf, type Typed } from '../ops/define.ts';
import { Add, And, Cast, Greater, Less, Mul } from '../ops/elementwise/index.ts';
import { Gather } from '../ops/movement/gather.ts';
import { Indices } from '../ops/movement/indices.ts';
import { ScatterND } from '../ops/movement/scatter.ts';
import { Sizes } from '../ops/movement/shape.ts';
import { Reshape } from '../ops/movement/view.ts';
import { madeBy, out } from './match.ts';

/**
 * Loops that count: a condition over a counter becomes a number of iterations, elements that the counter picks of a sequence become
 * elements that the loop takes apart, and elements that it puts into a list become results of iterations. So lists are neither
 * copied nor carried, and what is left can be a recurrent operator (`idioms-recurrent.ts`).
 */

type LoopAttrs = Typed<(typeof Loop)['attrs']>;
/** A loop with what goes into its body and out of it by what it is for. */
export interface LoopParts {
  readonly attrs: LoopAttrs;
  /** Inside: the number of the iteration, where the body takes it. */
  readonly iteration: Value | undefined;
  readonly carried: readonly Carried[];
  readonly scanned: readonly {
    readonly formal: Value;
    readonly given: Value;
    readonly axis: number;
    readonly reverse: boolean;
  }[];
  readonly captured: readonly { readonly formal: Value; readonly given: Value }[];
  /** Inside: the elements of the results. */
  readonly results: readonly { readonly value: Value; readonly axis: number; readonly reverse: boolean }[];
  /** Inside: whether to go on. */
  readonly goesOn: Value | undefined;
}
interface Carried {
  readonly formal: Value;
  readonly start: Value;
  readonly next: Value;
}
export function partsOf(n: Node): LoopParts {
  const a = attrsOf(n, Loop);
  const lead = a.counts ? 2 : 0;
  const first = a.counts ? 1 : 0;
  const ins = n.inputs.slice(2).map(v => must(v));
  const formals = a.body.inputs.slice(lead);
  const outs = a.body.outputs.map(o => o.value);
  const pairs = ins.map((given, i) => ({ given, formal: must(formals[i]) }));
  const elements = a.carried + a.scanned;
  return {
    attrs: a,
    iteration: a.counts ? a.body.inputs[0] : undefined,
    carried: pairs.slice(0, a.carried).map((p, i) => ({ formal: p.formal, start: p.given, next: must(outs[first + i]) })),
    scanned: pairs
      .slice(a.carried, elements)
      .map((p, i) => ({ ...p, axis: must(a.inAxes[i]), reverse: (a.inReverse[i] ?? 0) !== 0 })),
    captured: pairs.slice(elements),
    results: outs
      .slice(first + a.carried)
      .map((value, i) => ({ value, axis: must(a.outAxes[i]), reverse: (a.outReverse[i] ?? 0) !== 0 })),
    goesOn: a.counts ? outs[0] : undefined,
  };
}
/** Whether sizes in the body are those of the first iteration in each. */
export function keepsSizes(p: LoopParts): boolean {
  const fixed = (v: Value): boolean => v.type.shape.every(d => dimEq(d, atIteration(d, p.attrs.iter, 0)));
  const { body } = p.attrs;
  return (
    body.symbolDefinitions.length === 0 &&
    body.inputs.every(fixed) &&
    nodesOf(body).every(n => n.outputs.every(fixed) && subgraphs(n).length === 0)
  );
}

/** start + step * iteration. */
interface Counter {
  readonly at: number;
  readonly start: number;
  readonly step: number;
}
function countersOf(p: LoopParts): ReadonlyMap<Value, Counter> {
  const found = new Map<Value, Counter>();
  if (p.iteration) found.set(p.iteration, { at: -1, start: 0, step: 1 });
  p.carried.forEach((c, at) => {
    const [start, ...more] = symbolicOf(c.start) ?? [];
    const sum = madeBy(c.next, Add);
    const by = sum?.inputs[0] === c.formal ? sum.inputs[1] : sum?.inputs[1] === c.formal ? sum.inputs[0] : undefined;
    const [step] = symbolicOf(by) ?? [];
    const scalar = c.formal.type.shape.length === 0 && more.length === 0;
    if (scalar && typeof start === 'number' && typeof step === 'number' && step > 0) found.set(c.formal, { at, start, step });
  });
  return found;
}
/** How often a loop runs whose first iteration runs in any case; undefined: its condition is no comparison of its counters with sizes. */
function tripOf(p: LoopParts, counters: ReadonlyMap<Value, Counter>): Dim | 'endless' | undefined {
  const next = new Map([...counters.values()].flatMap(c => (c.at < 0 ? [] : [[must(p.carried[c.at]).next, c] as const])));
  const of = (v: Value | undefined): Dim | 'endless' | undefined => {
    const and = madeBy(v, And);
    if (and) return both(of(and.inputs[0]), of(and.inputs[1]));
    const [known] = symbolicOf(v) ?? [];
    if (known === 1) return 'endless';
    const less = madeBy(v, Less);
    const [a, b] = less?.inputs ?? madeBy(v, Greater)?.inputs.toReversed() ?? [];
    const counter = a && next.get(a);
    const [most] = symbolicOf(b) ?? [];
    return counter && most !== undefined ? dimCeilDiv(dimSub(most, counter.start), counter.step) : undefined;
  };
  return of(p.goesOn);
}
function both(a: Dim | 'endless' | undefined, b: Dim | 'endless' | undefined): Dim | 'endless' | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a === 'endless') return b;
  return b === 'endless' || dimEq(a, b) ? a : dimMin(a, b);
}

/** The number of iterations where it follows from sizes; undefined elsewhere. */
function iterationsOf(n: Node, p: LoopParts, counters: ReadonlyMap<Value, Counter>): Dim | undefined {
  const { conditional, trip } = p.attrs;
  if (n.inputs[0] !== undefined || n.inputs[1] !== undefined || p.attrs.bounded) return undefined;
  if (!conditional) return trip;
  // The number of results would be another size than the one that what is behind was made with.
  if (p.results.length > 0 || typeof trip !== 'number') return undefined;
  const wanted = tripOf(p, counters);
  if (wanted === undefined || wanted === 'endless') return undefined;
  const count = dimMax(1, wanted);
  return rangeOf(count).hi <= trip ? count : undefined;
}
/** The counter that indices are: themselves, or looked at, or as a tuple. */
function counterIn(v: Value | undefined, counters: ReadonlyMap<Value, Counter>): Counter | undefined {
  let now = v;
  for (let i = 0; now && i < 4; i++) {
    const found = counters.get(now);
    if (found) return found;
    now = (madeBy(now, Indices) ?? madeBy(now, Reshape) ?? madeBy(now, Cast))?.inputs[0];
  }
  return undefined;
}

/** Values of a body with others in the place of some. */
function replacedIn(body: Graph, values: readonly Value[], map: Map<Value, Value>): readonly Value[] {
  const get = (v: Value): Value => map.get(v) ?? v;
  const whole: Graph = { ...body, outputs: values.map((value, i) => ({ name: `${i}`, value })) };
  for (const n of nodesOf(whole)) {
    if (n.outputs.some(v => map.has(v))) continue;
    const inputs = n.inputs.map(v => v && get(v));
    if (inputs.every((v, i) => v === n.inputs[i])) continue;
    apply(n.op, inputs, n.attrs, n.loc).forEach((v, i) => map.set(must(n.outputs[i]), v));
  }
  return values.map(get);
}
/** The inputs of a body that some of its values depend on. */
function inputsIn(body: Graph, values: readonly Value[]): ReadonlySet<Value> {
  const whole: Graph = { ...body, outputs: values.map((value, i) => ({ name: `${i}`, value })) };
  return new Set([...values, ...nodesOf(whole).flatMap(n => n.inputs.flatMap(v => v ?? []))]);
}
const scalarOf = (m: GraphBuilder, d: Dim, like: Value): Value =>
  typeof d === 'number'
    ? constant(fromNumbers(like.type.dtype, [], [d]))
    : m.apply1(Sizes, [], { values: [d], shape: [], dtype: like.type.dtype });

const counted: Rule = rule('a loop that counts', op(Loop, [], { more: true }), m => {
  const p = partsOf(m.root);
  if (!keepsSizes(p)) return undefined;
  const counters = countersOf(p);
  const trip = iterationsOf(m.root, p, counters);
  if (trip === undefined) return undefined;
  const isPlain = (c: Counter | undefined): boolean => c?.start === 0 && c.step === 1;
  const uses = new Map<Value, number>();
  const use = (v: Value | undefined): void => {
    if (v) uses.set(v, (uses.get(v) ?? 0) + 1);
  };
  for (const n of nodesOf(p.attrs.body)) n.inputs.forEach(use);
  for (const o of p.attrs.body.outputs) use(o.value);
  const map = new Map<Value, Value>();

  // Elements of sequences.
  const scanned: { readonly formal: Value; readonly given: Value }[] = [];
  const outside = new Map(p.captured.map(c => [c.formal, c.given]));
  for (const n of nodesOf(p.attrs.body)) {
    const [x, at] = madeBy(n.outputs[0], Gather)?.inputs ?? [];
    const given = x && (x.def.k === 'const' ? x : outside.get(x));
    if (!given || attrsOf(n, Gather).axis !== 0 || at?.type.shape.length !== 0) continue;
    if (!isPlain(counterIn(at, counters)) || !dimEq(must(given.type.shape[0]), trip)) continue;
    const formal = input(`element${scanned.length}`, out(n).type);
    map.set(out(n), formal);
    scanned.push({ formal, given });
  }
  // Lists that get their elements one by one.
  const elementOf = (c: Carried): Value | undefined => {
    const put = madeBy(c.next, ScatterND);
    const [list, at, update] = put?.inputs ?? [];
    const [size, ...shape] = c.formal.type.shape;
    const alone = list === c.formal && uses.get(c.formal) === 1 && uses.get(c.next) === 1;
    if (!alone || !update || put?.attrs.reduction !== 'none' || !isPlain(counterIn(at, counters))) return undefined;
    if (size === undefined || !dimEq(size, trip)) return undefined;
    return m.apply1(Reshape, [update], { shape });
  };
  const lists = new Map(
    p.carried.flatMap((c, at) => {
      const element = elementOf(c);
      return element ? [[at, element] as const] : [];
    }),
  );
  // Counters follow from the number of the iteration.
  const own = [...counters].filter(([, c]) => c.at >= 0);
  if (!p.attrs.conditional && scanned.length === 0 && lists.size === 0 && own.length === 0) return undefined;
  const iteration = p.iteration ?? input('iteration', { dtype: 'i64', shape: [] });
  for (const [formal, c] of own) {
    const { dtype } = formal.type;
    const times = (v: Value): Value => (c.step === 1 ? v : m.apply1(Mul, [v, m.literal(dtype, c.step)]));
    const plus = (v: Value): Value => (c.start === 0 ? v : m.apply1(Add, [v, m.literal(dtype, c.start)]));
    map.set(formal, plus(times(dtype === 'i64' ? iteration : m.apply1(Cast, [iteration], { to: dtype }))));
  }
  const counterAt = new Set(own.map(([, c]) => c.at));
  const kept = p.carried.filter((_, at) => !lists.has(at) && !counterAt.has(at));
  const values = [...kept.map(c => c.next), ...p.results.map(r => r.value), ...lists.values()];
  const made = replacedIn(p.attrs.body, values, map);
  const read = inputsIn(p.attrs.body, made);
  const counts = read.has(iteration);
  const captured = p.captured.filter(c => read.has(c.formal));
  const body: Graph = {
    ...p.attrs.body,
    inputs: [
      ...(counts ? [iteration, p.attrs.body.inputs[1] ?? input('goes_on', { dtype: 'bool', shape: [] })] : []),
      ...[...kept, ...p.scanned, ...scanned, ...captured].map(c => c.formal),
    ],
    outputs: [...(counts ? [m.literal('bool', 1)] : []), ...made].map((value, i) => ({ name: `out${i}`, value })),
  };
  const outs = m.apply(
    Loop,
    [undefined, undefined, ...kept.map(c => c.start), ...[...p.scanned, ...scanned, ...captured].map(c => c.given)],
    {
      ...p.attrs,
      body,
      counts,
      conditional: false,
      trip,
      count: trip,
      carried: kept.length,
      scanned: p.scanned.length + scanned.length,
      inAxes: [...p.attrs.inAxes, ...scanned.map(() => 0)],
      inReverse: [...p.attrs.inReverse, ...scanned.map(() => 0)],
      outAxes: [...p.attrs.outAxes, ...[...lists].map(() => 0)],
      outReverse: [...p.attrs.outReverse, ...[...lists].map(() => 0)],
    },
  );
  const results = kept.length + p.results.length;
  let [carriedAt, listAt] = [0, results];
  const finals = p.carried.map((c, at): Value => {
    if (lists.has(at)) return must(outs[listAt++]);
    const counter = own.find(([, k]) => k.at === at)?.[1];
    if (counter) return scalarOf(m, dimAdd(counter.start, dimMul(counter.step, trip)), c.start);
    return must(outs[carriedAt++]);
  });
  return [...finals, ...outs.slice(kept.length, results)];
});

export const loopRules: readonly Rule[] = [counted];
