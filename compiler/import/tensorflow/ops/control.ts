import { CompileError, must } from '../../../core/diagnostic.ts';
import { dimEq, rangeOf, type Dim } from '../../../core/dim.ts';
import { showType, tensorType, type TensorType } from '../../../core/shape.ts';
import { symbolicOf, type Graph, type Value } from '../../../graph/graph.ts';
import { If as IfOp, outTypes } from '../../../ops/control/if.ts';
import { Loop as LoopOp } from '../../../ops/control/loop.ts';
import { cast, expand, reshape } from '../../shared/views.ts';
import { caseFunction } from '../cases.ts';
import { describe, isValue, type Item, type List } from '../item.ts';
import type { BodyOf, TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

const allItems = (n: TfNode, first = 0): Item[] => n.items.slice(first).map((_, i) => n.item(first + i));
const call: TfBuilder = (n, c) => c.call(n.func('f'), allItems(n), i => n.wants(i));

/** The one truth value of a condition: numbers are true where they are not 0. */
const truthOf = (c: TfCtx, v: Value): Value => cast(c, reshape(c, v, []), 'bool');
const tensors = (n: TfNode, items: readonly Item[]): Value[] =>
  items.map(x => (isValue(x) ? x : n.unsupported(`a branch or body gives ${describe(x)}`)));

const ifOp: TfBuilder = (n, c) => {
  const cond = truthOf(c, n.input(0));
  const [known] = symbolicOf(cond) ?? [];
  const rest = allItems(n, 1);
  const [then, other] = [n.func('then_branch'), n.func('else_branch')];
  if (typeof known === 'number') return c.call(known === 0 ? other : then, rest, i => n.wants(i));
  return branches(n, c, cond, then, other, rest);
};
/** Both branches as graphs of one node; sizes that differ come out when the model runs. */
function branches(n: TfNode, c: TfCtx, cond: Value, then: string, other: string, items: readonly Item[]): readonly Value[] {
  const body = (name: string): BodyOf => ({ name, formals: [], arguments: () => items, results: given => tensors(n, given) });
  const [a, b] = [c.bodies([body(then)]), c.bodies([body(other)])];
  const [t, e] = [must(a.graphs[0]), must(b.graphs[0])];
  const shapes = outTypes(t).flatMap((x, i) => joined(n, c, x, must(outTypes(e)[i]), i));
  return c.apply(IfOp, [cond, ...a.captures, ...b.captures], { then: t, else: e, split: a.captures.length, shapes });
}
function joined(n: TfNode, c: TfCtx, a: TensorType, b: TensorType, o: number): readonly Dim[] {
  if (a.dtype !== b.dtype || a.shape.length !== b.shape.length)
    return n.unsupported(`output ${o} is ${showType(a)} in one branch and ${showType(b)} in the other`);
  return a.shape.map((x, axis) => {
    const y = must(b.shape[axis]);
    if (dimEq(x, y)) return x;
    const [p, q] = [rangeOf(x), rangeOf(y)];
    return c.symbol(`if_${o}_${axis}`, Math.max(0, Math.min(p.lo, q.lo)), Math.max(p.hi, q.hi));
  });
}
/** One of several branches by number; a number without a branch takes the last. */
const caseOp: TfBuilder = (n, c) => {
  const which = reshape(c, n.input(0), []);
  const names = n.funcs('branches');
  const [known] = symbolicOf(which) ?? [];
  const last = names.length - 1;
  if (typeof known !== 'number' && last > 0) return c.call(caseFunction(names), [which, ...allItems(n, 1)], i => n.wants(i));
  if (typeof known !== 'number') return c.call(must(names[0]), allItems(n, 1), i => n.wants(i));
  return c.call(must(names[known >= 0 && known <= last ? known : last]), allItems(n, 1), i => n.wants(i));
};

/** What goes from one iteration to the next. */
interface Carried {
  /** The values that it is made of, as they begin. */
  readonly start: Value;
  item(v: Value): Item;
}
const ENDLESS = 2 ** 31 - 1;
/** The tensor that an item of a loop is made of. */
function partOf(n: TfNode, x: Item): Value {
  if (isValue(x)) return x;
  if (x.k === 'complex') return x.pair;
  if (x.k === 'list' && x.all) return x.all;
  return n.unsupported(`its body gives ${describe(x)}`);
}
function carriedOf(n: TfNode, x: Item): Carried {
  if (isValue(x)) return { start: x, item: v => v };
  if (x.k === 'complex') return { start: x.pair, item: pair => ({ k: 'complex', pair }) };
  if (x.k === 'list' && x.all) return { start: x.all, item: all => ({ ...x, all }) };
  return n.unsupported(`it carries ${describe(x)}`);
}
/** Lists whose elements have no shape yet get it from what the body puts into them. */
function shapedLists(n: TfNode, c: TfCtx, body: string, items: readonly Item[]): readonly Item[] {
  const open = (x: Item): x is List => !isValue(x) && x.k === 'list' && x.all === undefined;
  if (!items.some(open)) return items;
  const found: (Value | undefined)[] = [];
  c.bodies([
    {
      name: body,
      formals: [],
      arguments: () => items,
      results: given => {
        given.forEach((x, i) => (found[i] = !isValue(x) && x.k === 'list' ? x.all : undefined));
        return [];
      },
    },
  ]);
  return items.map((x, i) => {
    const made = found[i];
    if (!open(x)) return x;
    if (!made) return n.unsupported('a list of which nothing says how large its elements are');
    return { ...x, all: expand(c, c.literal(x.dtype, 0), made.type.shape) };
  });
}
const whileOp: TfBuilder = (n, c) => {
  const [cond, body] = [n.func('cond'), n.func('body')];
  const given = shapedLists(n, c, body, allItems(n));
  const first = truthOf(
    c,
    must(
      tensors(
        n,
        c.call(cond, given).flatMap(x => x ?? []),
      )[0],
    ),
  );
  const [known] = symbolicOf(first) ?? [];
  if (known === 0) return given;
  const fixed = invariants(n, c, body, given);
  const moving = given.flatMap((x, i) => (fixed[i] === true ? [] : [{ i, carried: carriedOf(n, x) }]));
  const graph = loopBody(n, c, given, moving, body, cond);
  const outs = c.apply(
    LoopOp,
    [undefined, known === 1 ? undefined : first, ...moving.map(m => m.carried.start), ...graph.captures],
    {
      body: graph.body,
      carried: moving.length,
      counts: true,
      conditional: true,
      iter: c.symbol('iteration', 0, ENDLESS - 1),
      trip: ENDLESS,
      count: c.symbol('count', 0, ENDLESS),
      outAxes: [],
      outReverse: [],
    },
  );
  const last = new Map(moving.map((m, at) => [m.i, m.carried.item(must(outs[at]))]));
  return given.map((x, i) => last.get(i) ?? x);
};
interface Moving {
  readonly i: number;
  readonly carried: Carried;
}
/** Items of an iteration from the values that are carried; all others are those from before the loop. */
const itemsOf = (given: readonly Item[], moving: readonly Moving[], values: readonly Value[]): Item[] => {
  const now = new Map(moving.map((m, at) => [m.i, m.carried.item(must(values[at]))]));
  return given.map((x, i) => now.get(i) ?? x);
};
/** Which items the body gives back as it got them: they are the same in all iterations. */
function invariants(n: TfNode, c: TfCtx, body: string, given: readonly Item[]): boolean[] {
  const all = given.map((x, i) => ({ i, carried: isHandle(x) ? undefined : carriedOf(n, x) }));
  const moving = all.flatMap(({ i, carried }) => (carried ? [{ i, carried }] : []));
  const same: boolean[] = given.map(isHandle);
  let formals: readonly Value[] = [];
  c.bodies([
    {
      name: body,
      formals: moving.map(m => ({ type: m.carried.start.type })),
      arguments: values => {
        formals = values;
        return itemsOf(given, moving, values);
      },
      results: items => {
        moving.forEach((m, at) => {
          const x = must(items[m.i]);
          same[m.i] = !isHandle(x) && partOf(n, x) === formals[at];
        });
        return [];
      },
    },
  ]);
  return same;
}
const isHandle = (x: Item): boolean => !isValue(x) && (x.k === 'handle' || x.k === 'text');
function loopBody(
  n: TfNode,
  c: TfCtx,
  given: readonly Item[],
  moving: readonly Moving[],
  body: string,
  cond: string,
): { readonly body: Graph; readonly captures: readonly Value[] } {
  const head = [{ type: tensorType('i64', []) }, { type: tensorType('bool', []) }];
  const { graphs, captures } = c.bodies([
    {
      name: body,
      formals: [...head, ...moving.map(m => ({ type: m.carried.start.type }))],
      arguments: values => itemsOf(given, moving, values.slice(2)),
      results: (items, inner, now) => {
        const made = moving.map((m, at) => settled(n, inner, partOf(n, must(items[m.i])), must(moving[at]).carried.start.type));
        const next = inner.call(cond, itemsOf(now, moving, made));
        const go = must(next[0]);
        return [truthOf(inner, isValue(go) ? go : n.unsupported('its condition is no tensor')), ...made];
      },
    },
  ]);
  return { body: must(graphs[0]), captures };
}
/** A carried value must have one type; sizes that only the run tells are checked there. */
function settled(n: TfNode, c: TfCtx, v: Value, t: TensorType): Value {
  if (v.type.dtype !== t.dtype || v.type.shape.length !== t.shape.length)
    return n.unsupported(`a loop variable is ${showType(t)} before an iteration and ${showType(v.type)} after it`);
  if (v.type.shape.every((d, a) => dimEq(d, must(t.shape[a])))) return v;
  try {
    return reshape(c, v, t.shape);
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    return n.unsupported(`a loop variable is ${showType(t)} before an iteration and ${showType(v.type)} after it`);
  }
}

export const controlOps: TfOps = {
  Case: caseOp,
  If: ifOp,
  PartitionedCall: call,
  StatefulPartitionedCall: call,
  StatelessCase: caseOp,
  StatelessIf: ifOp,
  StatelessWhile: whileOp,
  While: whileOp,
};
