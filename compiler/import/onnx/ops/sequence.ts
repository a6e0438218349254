import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimsEq, type Dim } from '../../../core/dim.ts';
import { input, symbolicOf, type Graph, type Value } from '../../../graph/graph.ts';
import { If } from '../../../ops/control/if.ts';
import { Add, Equal, Less, Where } from '../../../ops/elementwise/index.ts';
import { Indices } from '../../../ops/movement/indices.ts';
import { joinShapes } from './control.ts';
import {
  isSequence,
  isTensor,
  type ImportCtx,
  type Item,
  type OnnxNode,
  type Sequence,
  type SequenceBuilder,
} from '../registry.ts';
import { axisOf, positionOf } from '../../shared/axes.ts';
import { element, lengthOf, sizeOf } from '../../shared/sizes.ts';
import { concat, reshape, slice } from '../../shared/views.ts';

/**
 * Operators over sequences and optional values, which exist only while a model is imported: a sequence is a list of values whose length
 * and positions must be known, an optional value is there or not.
 */
const sequence = (n: OnnxNode, x: Item | undefined, i = 0): Sequence =>
  isSequence(x) ? x : n.reject(`input ${i} must be a sequence`);
const tensor = (n: OnnxNode, x: Item | undefined, i: number): Value =>
  isTensor(x)
    ? x
    : isSequence(x) || x === undefined
      ? n.reject(`input ${i} must be a tensor`)
      : n.unsupported('sequences of text that the model looks into');

/**
 * A position in a sequence of `length`, which may count from the end; `end` allows the place behind the last element. One that only data tell
 * is checked when the model runs.
 */
function position(n: OnnxNode, c: ImportCtx, v: Value, length: number, end: boolean): number | Value {
  const places = length + Number(end);
  const [at] = symbolicOf(v) ?? [];
  if (typeof at !== 'number') {
    const raw = reshape(c, v, []);
    const back = c.apply1(Add, [raw, c.literal(raw.type.dtype, length)]);
    const i = c.apply1(Where, [c.apply1(Less, [raw, c.literal(raw.type.dtype, 0)]), back, raw]);
    return c.apply1(Indices, [i], { sizes: [places], negative: false });
  }
  const i = at < 0 ? at + length : at;
  return i >= 0 && i < places ? i : n.reject(`position ${at} in a sequence of ${length}`);
}
/** One of two tensors by what data say: as they are, for their sizes may differ. */
function either(n: OnnxNode, c: ImportCtx, cond: Value, a: Value, b: Value): Value {
  if (a === b) return a;
  if (a.type.dtype === b.type.dtype && dimsEq(a.type.shape, b.type.shape)) return c.apply1(Where, [cond, a, b]);
  const shapes = joinShapes(n, c, a.type, b.type, 0);
  const same = (v: Value): Graph => {
    const x = input('x', v.type);
    return { name: 'same', inputs: [x], outputs: [{ name: 'x', value: x }], symbolDefinitions: [] };
  };
  return c.apply1(If, [cond, a, b], { then: same(a), else: same(b), split: 1, shapes });
}
/** The element at a position. */
function at(n: OnnxNode, c: ImportCtx, items: readonly Value[], p: number | Value): Value {
  if (typeof p === 'number') return must(items[p]);
  const [first, ...others] = items;
  return others.reduce((y, x, i) => either(n, c, c.apply1(Equal, [p, c.literal('i32', i + 1)]), x, y), must(first));
}
/** Whether position i is in front of p. */
const before = (c: ImportCtx, i: number, p: Value): Value => c.apply1(Less, [c.literal('i32', i), p]);
function inserted(n: OnnxNode, c: ImportCtx, items: readonly Value[], x: Value, p: number | Value): readonly Value[] {
  if (typeof p === 'number') return [...items.slice(0, p), x, ...items.slice(p)];
  return [...items, x].map((_, i) => {
    const [here, last] = [items[i], items[i - 1]];
    const other = here && last ? either(n, c, before(c, i, p), here, last) : (here ?? last);
    return other ? either(n, c, c.apply1(Equal, [p, c.literal('i32', i)]), x, other) : x;
  });
}
function erased(n: OnnxNode, c: ImportCtx, items: readonly Value[], p: number | Value): readonly Value[] {
  if (typeof p === 'number') return items.filter((_, i) => i !== p);
  return items.slice(1).map((x, i) => either(n, c, before(c, i, p), must(items[i]), x));
}

/** Every part becomes a node. */
const MOST_PARTS = 4096;
/** The sizes of the parts that an axis is split into. */
function parts(n: OnnxNode, c: ImportCtx, x: Value, axis: number): readonly Dim[] {
  const whole = must(x.type.shape[axis]);
  const given = n.inputs[1];
  if (given && given.type.shape.length > 0) {
    const known = symbolicOf(given);
    if (known) return known;
    return Array.from({ length: lengthOf(c, given) }, (_, i) =>
      sizeOf(c, element(c, given, i), { what: `part_${i}`, lo: 0, hi: dimHi(whole) }),
    );
  }
  const [each = 1] = given ? c.intsIn(given, 'size of the parts') : [1];
  if (typeof whole !== 'number') return n.unsupported('how many parts there are depends on a free dimension; fix it with --dim');
  if (each < 1) n.reject(`parts of ${each}`);
  if (whole / each > MOST_PARTS) n.reject(`${Math.ceil(whole / each)} parts`);
  return Array.from({ length: Math.ceil(whole / each) }, (_, i) => Math.min(each, whole - i * each));
}
const splitToSequence: SequenceBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', 0), x.type.shape.length);
  const sizes = parts(n, c, x, axis);
  const keep = n.inputs[1] !== undefined || n.bool('keepdims', true);
  let start: Dim = 0;
  const items = sizes.map(size => {
    const part = slice(c, x, new Map([[axis, { start, size, step: 1 }]]));
    start = dimAdd(start, size);
    return keep
      ? part
      : reshape(
          c,
          part,
          x.type.shape.filter((_, a) => a !== axis),
        );
  });
  return [{ items }];
};

const concatFromSequence: SequenceBuilder = (n, c, [s]) => {
  const { items } = sequence(n, s);
  const [first] = items;
  if (!first) return n.reject('the sequence is empty');
  const rank = first.type.shape.length;
  if (!n.bool('new_axis', false)) return [concat(c, items, axisOf(n, n.int('axis'), rank))];
  const axis = positionOf(n, n.int('axis') < 0 ? n.int('axis') + rank + 1 : n.int('axis'), rank);
  const wide = items.map(v => reshape(c, v, [...v.type.shape.slice(0, axis), 1, ...v.type.shape.slice(axis)]));
  return [concat(c, wide, axis)];
};

/** Runs the body once for each element of the first sequence. */
const sequenceMap: SequenceBuilder = (n, c, inputs) => {
  const { items } = sequence(n, inputs[0]);
  const body = n.graph('body');
  const runs = items.map((first, i) => {
    const args = inputs.slice(1).map((x, j) => {
      if (!isSequence(x)) return tensor(n, x, j + 1);
      return x.items[i] ?? n.reject(`the sequences have ${items.length} and ${x.items.length} elements`);
    });
    return c.inline(body, [first, ...args]);
  });
  return body.output.map((_, o) => ({ items: runs.map(r => must(r[o])) }));
};

/** A loop that carries sequences: its iterations, whose number must be known, one after the other. */
const loop: SequenceBuilder = (n, c, inputs) => {
  const body = n.graph('body');
  const [trip] = (n.inputs[0] && symbolicOf(n.inputs[0])) ?? [];
  if (typeof trip !== 'number')
    return n.unsupported('a loop that carries a sequence and whose number of iterations is not known');
  if (trip > MOST_PARTS) n.reject(`${trip} iterations that carry a sequence`);
  const first = n.inputs[1];
  let on = first ? conditionOf(n, first) : true;
  let carried = inputs.slice(2).map((x, i) => x ?? n.input(i + 2));
  const results: Value[][] = Array.from({ length: body.output.length - 1 - carried.length }, () => []);
  for (let i = 0; i < trip && on; i++) {
    const [next, ...made] = c.inlineItems(body, [c.literal('i64', i), c.literal('bool', 1), ...carried]);
    on = conditionOf(n, tensor(n, next, 1));
    results.forEach((r, j) => r.push(tensor(n, made[carried.length + j], j)));
    carried = made.slice(0, carried.length);
  }
  if (results.some(r => r.length === 0)) n.unsupported('results of a loop without iterations');
  const stacked = results.map(r =>
    concat(
      c,
      r.map(v => reshape(c, v, [1, ...v.type.shape])),
      0,
    ),
  );
  return [...carried, ...stacked];
};
function conditionOf(n: OnnxNode, v: Value): boolean {
  const [known] = symbolicOf(v) ?? [];
  return typeof known === 'number'
    ? known !== 0
    : n.unsupported('a loop that carries a sequence and ends by a condition on data');
}

export const sequenceOps: ReadonlyMap<string, SequenceBuilder> = new Map<string, SequenceBuilder>([
  ['Identity', (n, _, [x]) => [x ?? n.input(0)]],
  ['SequenceEmpty', () => [{ items: [] }]],
  ['SequenceConstruct', (n, _, xs) => [{ items: xs.map((x, i) => tensor(n, x, i)) }]],
  ['SequenceLength', (n, c, [s]) => [c.literal('i64', sequence(n, s).items.length)]],
  [
    'SequenceAt',
    (n, c, [s]) => {
      const { items } = sequence(n, s);
      if (items.length === 0) n.reject('the sequence is empty');
      return [at(n, c, items, position(n, c, n.input(1), items.length, false))];
    },
  ],
  [
    'SequenceInsert',
    (n, c, [s, x]) => {
      const { items } = sequence(n, s);
      c.room(items.length + 1, 'a sequence');
      const p = n.inputs[2] ? position(n, c, n.inputs[2], items.length, true) : items.length;
      return [{ items: inserted(n, c, items, tensor(n, x, 1), p) }];
    },
  ],
  [
    'SequenceErase',
    (n, c, [s]) => {
      const { items } = sequence(n, s);
      c.room(items.length, 'a sequence');
      if (items.length === 0) n.reject('the sequence is empty');
      const p = n.inputs[1] ? position(n, c, n.inputs[1], items.length, false) : items.length - 1;
      return [{ items: erased(n, c, items, p) }];
    },
  ],
  ['SplitToSequence', splitToSequence],
  ['ConcatFromSequence', concatFromSequence],
  ['SequenceMap', sequenceMap],
  ['Loop', loop],
  ['Optional', (n, _, [x]) => [x ?? n.unsupported('an optional value that is never there')]],
  ['OptionalHasElement', (_, c, [x]) => [c.literal('bool', x === undefined ? 0 : 1)]],
  ['OptionalGetElement', (n, _, [x]) => [x ?? n.reject('the optional value is not there')]],
]);
