import { must } from '../core/diagnostic.ts';
import { dimEq, dimMul, dimSub, rangeOf, type Dim } from '../core/dim.ts';
import { nodesOf, type Value } from '../graph/graph.ts';
import { op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { packedSteps } from '../import/shared/tensorflow/recurrent.ts';
import { concat, expand, flip, reshape, slice, transpose } from '../import/shared/views.ts';
import { Loop } from '../ops/control/loop.ts';
import * as e from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Expand, Reshape, Slice } from '../ops/movement/view.ts';
import { activationOf, hardSigmoid, IDENTITY, showActivations, type Activation } from '../ops/recurrent/activation.ts';
import type { Cell } from '../ops/recurrent/cells.ts';
import { Recurrent } from '../ops/recurrent/recurrent.ts';
import { keepsSizes, partsOf, type LoopParts } from './idioms-loops.ts';
import { linear, type Linear } from './linear.ts';
import { madeBy, splat } from './match.ts';
import { fits, moveAxis, stepsOf, type Steps } from './steps.ts';

/**
 * Loops over the cells of LSTM, GRU and RNN as the operator that they are. Each carried value must be the state of a cell, or what a mask
 * keeps of its results; everything else in the body must be arithmetic that can be done for all steps at once.
 */

type Carried = LoopParts['carried'][number];

/** A function of gates and what it is applied to; as itself where it is none of them. */
function activated(m: Match, v: Value): { readonly f: Activation; readonly of: Value } {
  // All gates may go through the function together, and be taken apart behind it.
  const part = madeBy(v, Slice);
  if (part) {
    const { f, of } = activated(m, must(part.inputs[0]));
    return { f, of: m.apply1(Slice, [of], part.attrs) };
  }
  const d = v.def;
  const [x] = d.k === 'node' ? d.inputs : [];
  const f = d.k === 'node' ? activationOf(d.op, d.attrs) : undefined;
  return f && x ? { f, of: x } : (clipped(v) ?? { f: IDENTITY, of: v });
}
/** `clip(a x + b, 0, h) / h`, however much of it is there. */
function clipped(v: Value): { readonly f: Activation; readonly of: Value } | undefined {
  const [scaled, by] = factorOf(v);
  const clip = madeBy(scaled, e.Clip);
  if (clip?.attrs.lo !== 0 || clip.attrs.hi === undefined || Math.abs(clip.attrs.hi * by - 1) > 1e-6) return undefined;
  const sum = madeBy(clip.inputs[0], e.Add);
  const [x, offset] = [0, 1].flatMap(i => {
    const k = splat(sum?.inputs[1 - i]);
    return k === undefined ? [] : [[sum?.inputs[i], k] as const];
  })[0] ?? [clip.inputs[0], 0];
  const [of, slope] = factorOf(must(x));
  return { f: hardSigmoid(slope * by, offset * by), of };
}
/** A value without a factor. */
function factorOf(v: Value): readonly [Value, number] {
  const d = v.def;
  if (d.k === 'node' && (d.op === e.Mul || d.op === e.Div)) {
    const [a, b] = d.inputs;
    const k = splat(b);
    if (a && k !== undefined) return [a, d.op === e.Mul ? k : 1 / k];
    const first = splat(a);
    if (b && first !== undefined && d.op === e.Mul) return [b, first];
  }
  return [v, 1];
}
const sameFunction = (a: Activation, b: Activation): boolean => showActivations([a]) === showActivations([b]);
/** The two operands of a node in both orders. */
const orders = (v: Value | undefined, o: typeof e.Add): readonly (readonly [Value, Value])[] => {
  const [a, b] = madeBy(v, o)?.inputs ?? [];
  return a && b
    ? [
        [a, b],
        [b, a],
      ]
    : [];
};

/** What the operator needs of a cell. */
interface Found {
  readonly cell: Cell;
  /** The carried values that are its states: h, and c of an LSTM. */
  readonly states: readonly Carried[];
  readonly functions: readonly Activation[];
  /** In the order of the operator. */
  readonly gates: readonly Linear[];
  /** By gate the factors of the state c: i, o, f. */
  readonly peepholes?: readonly (Value | undefined)[];
  readonly cellClip?: number;
  readonly resetAfter?: boolean;
  /** Behind the product of a GRU that its reset gate is applied to. */
  readonly bias?: Value | undefined;
  /** What the new state is before a mask, in the body. */
  readonly made: Value;
  /** Inside: where steps count. */
  readonly mask: Mask | undefined;
}
interface Mask {
  readonly cond: Value;
  /** Where it holds, the step does not count. */
  readonly not: boolean;
}
/** The new value of a state, which a mask may keep from it. */
function unmasked(c: Carried, s: Steps): { readonly made: Value; readonly mask: Mask | undefined } {
  const [cond, a, b] = madeBy(c.next, e.Where)?.inputs ?? [];
  const counts = cond && (s.all(cond) ?? s.same(cond));
  if (!counts || !a || !b) return { made: c.next, mask: undefined };
  if (b === c.formal) return { made: a, mask: { cond, not: false } };
  return a === c.formal ? { made: b, mask: { cond, not: true } } : { made: c.next, mask: undefined };
}
const sameMask = (a: Mask | undefined, b: Mask | undefined): boolean => a?.cond === b?.cond && a?.not === b?.not;
/** A gate as sums of products with the inputs and with the state alone. */
function gateOf(m: Match, s: Steps, v: Value, state: Value, scaled: readonly Value[] = []): Linear | undefined {
  const l = linear(m, s, v);
  const fed = [...l.products.keys()].every(x => x === state || s.all(x));
  const plain = l.others.every(x => s.all(x)) && [...l.scaled.keys()].every(x => scaled.includes(x));
  return fed && plain ? l : undefined;
}

function lstm(m: Match, s: Steps, p: LoopParts, h: Carried): Found | undefined {
  const now = unmasked(h, s);
  for (const [gate, outer] of orders(now.made, e.Mul)) {
    const o = activated(m, gate);
    const y = activated(m, outer);
    const c = p.carried.find(x => x !== h && unmasked(x, s).made === y.of);
    if (!c || !sameMask(unmasked(c, s).mask, now.mask)) continue;
    const clip = madeBy(y.of, e.Clip);
    const bound = clip?.attrs.hi;
    if (clip && (bound === undefined || !(bound > 0) || clip.attrs.lo !== -bound)) continue;
    for (const [kept, added] of orders(clip ? clip.inputs[0] : y.of, e.Add))
      for (const [forget, old] of orders(kept, e.Mul))
        for (const [first, second] of orders(added, e.Mul)) {
          const [f, i, g] = [activated(m, forget), activated(m, first), activated(m, second)];
          if (old !== c.formal || !sameFunction(f.f, i.f) || !sameFunction(f.f, o.f)) continue;
          const before = gateOf(m, s, i.of, h.formal, [c.formal]);
          const output = gateOf(m, s, o.of, h.formal, [y.of]);
          const forgets = gateOf(m, s, f.of, h.formal, [c.formal]);
          const candidate = gateOf(m, s, g.of, h.formal);
          if (!before || !output || !forgets || !candidate) continue;
          return {
            cell: 'lstm',
            states: [h, c],
            functions: [f.f, g.f, y.f],
            gates: [before, output, forgets, candidate],
            peepholes: [before.scaled.get(c.formal), output.scaled.get(y.of), forgets.scaled.get(c.formal)],
            ...(bound !== undefined && { cellClip: bound }),
            made: now.made,
            mask: now.mask,
          };
        }
  }
  return undefined;
}
function gru(m: Match, s: Steps, h: Carried): Found | undefined {
  const now = unmasked(h, s);
  for (const [kept, added] of orders(now.made, e.Add))
    for (const [gate, old] of orders(kept, e.Mul))
      for (const [rest, candidate] of orders(added, e.Mul)) {
        const [one, same] = madeBy(rest, e.Sub)?.inputs ?? [];
        if (old !== h.formal || splat(one) !== 1 || same !== gate) continue;
        const [z, g] = [activated(m, gate), activated(m, candidate)];
        const update = gateOf(m, s, z.of, h.formal);
        const inner = update && linear(m, s, g.of);
        const reset = inner && resetOf(m, s, inner, h.formal);
        if (!update || !reset || !sameFunction(reset.f, z.f)) continue;
        const { own, gate: r, bias, after } = reset;
        return {
          cell: 'gru',
          states: [h],
          functions: [z.f, g.f],
          gates: [update, r, own],
          resetAfter: after,
          bias,
          made: now.made,
          mask: now.mask,
        };
      }
  return undefined;
}
interface Reset {
  readonly f: Activation;
  readonly gate: Linear;
  /** The candidate, its product with the state as if there were no reset. */
  readonly own: Linear;
  readonly bias: Value | undefined;
  readonly after: boolean;
}
/** The reset gate in the sum of a candidate: r * (U h + b), or U (r * h). */
function resetOf(m: Match, s: Steps, l: Linear, h: Value): Reset | undefined {
  if (l.scaled.size > 0) return undefined;
  const open = l.others.filter(v => !s.all(v));
  const inner = [...l.products].filter(([v]) => !s.all(v));
  const [term, ...more] = [...open, ...inner.map(([v]) => v)];
  if (!term || more.length > 0) return undefined;
  for (const [gate, rest] of orders(term, e.Mul)) {
    const r = activated(m, gate);
    const own = gateOf(m, s, r.of, h);
    if (!own || own.scaled.size > 0) continue;
    const [, u] = inner[0] ?? [];
    if (u) {
      if (rest !== h) continue;
      const products = new Map([...l.products].filter(([v]) => v !== term)).set(h, u);
      return { f: r.f, gate: own, own: { ...l, products }, bias: undefined, after: false };
    }
    const state = linear(m, s, rest);
    const [only] = state.products;
    if (state.products.size !== 1 || only?.[0] !== h || state.others.length > 0 || state.scaled.size > 0) continue;
    const products = new Map(l.products).set(h, only[1]);
    return {
      f: r.f,
      gate: own,
      own: { ...l, products, others: l.others.filter(v => v !== term) },
      bias: state.same,
      after: true,
    };
  }
  return undefined;
}
function rnn(m: Match, s: Steps, h: Carried): Found | undefined {
  const now = unmasked(h, s);
  const { f, of } = activated(m, now.made);
  const gate = gateOf(m, s, of, h.formal);
  return gate?.products.has(h.formal) && gate.scaled.size === 0
    ? { cell: 'rnn', states: [h], functions: [f], gates: [gate], made: now.made, mask: now.mask }
    : undefined;
}

/** A list without gaps; undefined where there is one. */
const allOf = (list: readonly (Value | undefined)[]): readonly Value[] | undefined => {
  const some = list.flatMap(v => v ?? []);
  return some.length === list.length ? some : undefined;
};
/** What the operator is fed with: [steps, batch, gates * width]; undefined where sizes do not fit. */
function fedOf(m: Match, s: Steps, f: Found): Value | undefined {
  const h = must(f.states[0]).formal;
  const [batch, width] = h.type.shape;
  if (batch === undefined || typeof width !== 'number') return undefined;
  const shape = [s.trip, batch, dimMul(width, f.gates.length)];
  const terms: Value[] = [];
  const operands = new Set(f.gates.flatMap(g => [...g.products.keys()]));
  operands.delete(h);
  for (const x of operands) {
    // Weights of zero in the place of none would make NaN of an infinity.
    const parts = allOf(f.gates.map(g => g.products.get(x)));
    const all = s.all(x);
    if (!parts || !all) return undefined;
    terms.push(m.apply1(MatMul, [all, concat(m, parts, 1)]));
  }
  const whole = (v: Value): Value | undefined => {
    const all = s.all(v);
    return all && (fits(all, [s.trip, batch, width]) ? all : undefined);
  };
  for (let i = 0; f.gates.some(g => i < g.others.length); i++) {
    const parts = allOf(
      f.gates.map(g => {
        const other = g.others[i];
        return other ? whole(other) : expand(m, m.literal(h.type.dtype, 0), [s.trip, batch, width]);
      }),
    );
    if (!parts) return undefined;
    terms.push(concat(m, parts, 2));
  }
  const vectors = allOf(f.gates.map(g => vectorOf(m, g.same, width, h)));
  if (!vectors) return undefined;
  if (f.gates.some(g => g.same)) terms.push(concat(m, vectors, 0));
  const [first, ...rest] = terms;
  if (!first) return undefined;
  const sum = rest.reduce((a, b) => m.apply1(e.Add, [a, b]), first);
  return fits(expand(m, sum, shape), shape) ? expand(m, sum, shape) : undefined;
}
/** What is the same for all rows as a vector; zeros where nothing is. */
function vectorOf(m: Match, v: Value | undefined, width: number, like: Value): Value | undefined {
  if (!v) return expand(m, m.literal(like.type.dtype, 0), [width]);
  const { shape } = v.type;
  if (shape.slice(0, -1).some(d => d !== 1)) return undefined;
  const last = shape.at(-1) ?? 1;
  return last === 1 || last === width ? expand(m, reshape(m, v, [last]), [width]) : undefined;
}
/** First states that are zero are left out. */
const startOf = (c: Carried): Value | undefined =>
  splat(c.start) === 0 || splat(madeBy(c.start, Expand)?.inputs[0]) === 0 ? undefined : c.start;

/** What is known of carried values when the loop has ended. */
type Finals = Map<Carried, Value>;
/** Puts the operator in the place of a cell, and says what the body has of it. Whether that could be done. */
function replaceCell(m: Match, s: Steps, p: LoopParts, f: Found, finals: Finals): boolean {
  const [h, c] = f.states;
  const fed = fedOf(m, s, f);
  const [batch, width] = h?.formal.type.shape ?? [];
  if (!h || !fed || batch === undefined || typeof width !== 'number') return false;
  const own = allOf(f.gates.map(g => g.products.get(h.formal)));
  const square = own?.every(w => fits(w, [width, width])) && f.states.every(x => fits(x.formal, [batch, width]));
  const looked = f.peepholes?.some(Boolean) ? f.peepholes : undefined;
  const peepholes = looked && allOf(looked.map(v => v && vectorOf(m, v, width, h.formal)));
  const bias = f.bias && vectorOf(m, f.bias, width, h.formal);
  if (!own || !square || (looked && !peepholes) || (f.bias && !bias)) return false;
  const counts = f.mask && countsOf(m, s, f.mask, batch);
  if (f.mask && !counts) return false;
  const packed = counts && packedSteps(m, transpose(m, fed, [1, 0, 2]), counts);
  const [all, last, lastC] = m.apply(
    Recurrent,
    [
      packed ? transpose(m, packed.x, [1, 0, 2]) : fed,
      transpose(m, concat(m, own, 1), [1, 0]),
      packed?.lengths,
      startOf(h),
      c && startOf(c),
      peepholes && concat(m, peepholes, 0),
      bias,
    ],
    {
      cell: f.cell,
      activations: showActivations(f.functions),
      cellClip: f.cellClip ?? 0,
      resetAfter: f.resetAfter ?? false,
    },
  );
  finals.set(h, must(last));
  if (c) finals.set(c, must(lastC));
  if (!f.mask || !packed) {
    s.learn(f.made, must(all));
    return true;
  }
  const rows = transpose(m, must(all), [1, 0, 2]);
  const kept = (start: Value | undefined): Value => transpose(m, packed.unpack(rows, start), [1, 0, 2]);
  s.learn(h.next, kept(startOf(h)));
  // Other values that the mask keeps the results from: carried ones, or the same in all steps.
  for (const n of new Set([...p.carried.map(x => x.next), ...p.results.map(r => r.value), ...chosen(p)])) {
    const [cond, a, b] = madeBy(n, e.Where)?.inputs ?? [];
    const [result, otherwise] = f.mask.not ? [b, a] : [a, b];
    if (cond !== f.mask.cond || result !== f.made || !otherwise) continue;
    const holder = p.carried.find(x => x.formal === otherwise && x.next === n);
    if (holder && holder !== h) {
      const held = kept(startOf(holder));
      s.learn(n, held);
      finals.set(holder, lastOf(m, held));
    }
    const fixed = s.same(otherwise) ?? s.all(otherwise);
    const where = s.all(cond) ?? s.same(cond);
    if (fixed && where)
      s.learn(n, m.apply1(e.Where, f.mask.not ? [where, fixed, kept(undefined)] : [where, kept(undefined), fixed]));
  }
  return true;
}
/** All choices in a body. */
const chosen = (p: LoopParts): readonly Value[] => nodesOf(p.attrs.body).flatMap(n => (n.op === e.Where ? n.outputs : []));
/** [batch, steps] of bool: which steps count. */
function countsOf(m: Match, s: Steps, mask: Mask, batch: Dim): Value | undefined {
  const all = s.all(mask.cond);
  const { shape } = mask.cond.type;
  const rows = shape.length === 2 && shape[1] === 1 && dimEq(must(shape[0]), batch);
  if (!all || !rows) return undefined;
  const flat = transpose(m, reshape(m, all, [s.trip, batch]), [1, 0]);
  return mask.not ? m.apply1(e.Not, [flat]) : flat;
}
const lastOf = (m: Match, all: Value): Value => {
  const [steps = 0, ...shape] = all.type.shape;
  return reshape(m, slice(m, all, new Map([[0, { start: dimSub(steps, 1), size: 1, step: 1 }]])), shape);
};

const cells: Rule = rule('a recurrent cell in a loop', op(Loop, [], { more: true }), m => {
  const p = partsOf(m.root);
  const { trip, conditional } = p.attrs;
  if (conditional || m.root.inputs[0] || m.root.inputs[1] || rangeOf(trip).lo < 1 || !keepsSizes(p)) return undefined;
  const s = stepsOf(m, p);
  const finals: Finals = new Map();
  const isState = (c: Carried): boolean =>
    c.formal.type.shape.length === 2 && (c.formal.type.dtype === 'f32' || c.formal.type.dtype === 'f64');
  const replaced = (h: Carried): boolean => {
    const f = lstm(m, s, p, h) ?? gru(m, s, h) ?? rnn(m, s, h);
    return f?.states.every(c => !finals.has(c)) === true && replaceCell(m, s, p, f, finals);
  };
  // Cells may be fed with what others give.
  for (let more = true; more;) more = p.carried.some(c => !finals.has(c) && isState(c) && replaced(c));
  // What no iteration reads is that of the last one.
  const finalOf = (c: Carried): Value | undefined => {
    const known = finals.get(c);
    if (known) return known;
    if (c.next === c.formal) return c.start;
    return endOf(c.next);
  };
  const endOf = (v: Value): Value | undefined => {
    const state = p.carried.find(c => c.next === v && finals.has(c));
    if (state) return finals.get(state);
    const view = madeBy(v, Reshape)?.inputs[0];
    const inner = view && endOf(view);
    if (inner) return reshape(m, inner, v.type.shape);
    const all = s.all(v);
    return s.same(v) ?? (all && lastOf(m, all));
  };
  const values = p.carried.map(finalOf);
  const results = p.results.map(r => {
    const all = s.all(r.value) ?? sameInAll(m, s, r.value);
    return all && moveAxis(m, r.reverse ? flip(m, all, [0]) : all, r.axis, true);
  });
  const made = [...values, ...results];
  return made.every(v => v !== undefined) ? made : undefined;
});
function sameInAll(m: Match, s: Steps, v: Value): Value | undefined {
  const same = s.same(v);
  return same && expand(m, same, [s.trip, ...same.type.shape]);
}

export const recurrentRules: readonly Rule[] = [cells];
