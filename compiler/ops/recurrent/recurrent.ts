import { must } from '../../core/diagnostic.ts';
import { dimFloorDiv, dimMul, dimProd, type Dim } from '../../core/dim.ts';
import { isFloat } from '../../core/dtype.ts';
import { showType, tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../core/tensor.ts';
import { roundHalfEven } from '../../kernel/eval/scalar.ts';
import { attr, defineOp } from '../define.ts';
import { evalActivation, parseActivations } from './activation.ts';
import { lowerRecurrent } from './schedules/recurrent.ts';
import { CELLS, type Cell, GATES, ACTIVATIONS, type RecurrentAttrs } from './cells.ts';

export const Recurrent = defineOp({
  name: 'Recurrent',
  doc:
    'The recurrent part of LSTM, GRU and RNN in one direction (formulas: the ONNX standard). x [time, batch, gates*hidden] are the inputs after their own weights and biases; ' +
    'r [gates*hidden, hidden] the recurrent weights, gates in the order i o f c, or z r h; lengths [batch] of the sequences; first state h and, for lstm, c [batch, hidden]; ' +
    'peepholes [3*hidden] (i o f); bias [hidden] inside the reset gate (gru with resetAfter); scales [gates*hidden] that the rows of r are multiplied with. ' +
    'Gives all states h [time, batch, hidden], zero after the end of a sequence, the last h and, for lstm, the last c. `clip` > 0 bounds what goes into the gates, `cellClip` > 0 the state c. ' +
    '`dynamic`: each row of h is rounded to 8 bits over its range before it is multiplied (DynamicQuantizeLinear).',
  inputs: ['x', 'r', 'lengths?', 'h?', 'c?', 'peepholes?', 'bias?', 'scales?'],
  attrs: {
    cell: attr.oneOf(CELLS),
    reverse: attr.bool(false),
    activations: attr.string(),
    clip: attr.float(0),
    cellClip: attr.float(0),
    coupled: attr.bool(false),
    resetAfter: attr.bool(false),
    dynamic: attr.bool(false),
  },
  infer: c => {
    const { cell } = c.attrs;
    const x = must(c.types[0]);
    const r = must(c.types[1]);
    if (!isFloat(x.dtype)) c.reject(`takes floats, not ${x.dtype}`);
    if (x.shape.length !== 3) c.reject(`x is ${showType(x)}, must have three axes`);
    if (r.shape.length !== 2) c.reject(`r is ${showType(r)}, must have two axes`);
    if (parseActivations(c.attrs.activations)?.length !== ACTIVATIONS[cell])
      c.reject(`activations '${c.attrs.activations}' of ${cell}`);
    const [time, batch, width] = [must(x.shape[0]), must(x.shape[1]), must(x.shape[2])];
    const hidden = must(r.shape[1]);
    c.same(must(r.shape[0]), dimMul(hidden, GATES[cell]), 'the rows of r');
    c.same(width, dimMul(hidden, GATES[cell]), 'the width of x');
    const check = (i: number, what: string, shape: readonly Dim[], of: string): void => {
      const t = c.types[i];
      if (!t) return;
      if (i === 2 ? t.dtype !== 'i32' : t.dtype !== x.dtype) c.reject(`${what} is of type ${t.dtype}`);
      if (t.shape.length !== shape.length) c.reject(`${what} is ${showType(t)}, must be [${of}]`);
      t.shape.forEach((d, axis) => c.same(d, must(shape[axis]), `axis ${axis} of ${what}`));
    };
    if (r.dtype !== x.dtype) c.reject(`r is of type ${r.dtype}, x of ${x.dtype}`);
    check(2, 'lengths', [batch], 'batch');
    check(3, 'the first h', [batch, hidden], 'batch, hidden');
    check(4, 'the first c', [batch, hidden], 'batch, hidden');
    check(5, 'the peepholes', [dimMul(hidden, 3)], '3 hidden');
    check(6, 'the bias', [hidden], 'hidden');
    check(7, 'the scales', [dimMul(hidden, GATES[cell])], 'gates*hidden');
    const state = tensorType(x.dtype, [batch, hidden]);
    const all = tensorType(x.dtype, [time, batch, hidden]);
    return cell === 'lstm' ? [all, state, state] : [all, state];
  },
  eval: (c, x, r, lengths, h0, c0, peepholes, bias, scales) => {
    const [time = 0, batch = 0] = must(x).dims;
    const hidden = must(r).dims[1] ?? 0;
    const g = GATES[c.attrs.cell] * hidden;
    const xs = toNumbers(must(x));
    const rs = toNumbers(must(r));
    const lens = lengths && toNumbers(lengths);
    const zeros = (): Float64Array => new Float64Array(batch * hidden);
    const state: State = { h: h0 ? toNumbers(h0) : zeros(), c: c0 ? toNumbers(c0) : zeros() };
    const all = new Float64Array(time * batch * hidden);
    const step = CELL_STEPS[c.attrs.cell]({
      attrs: c.attrs,
      hidden,
      r: rs,
      peepholes: peepholes && toNumbers(peepholes),
      bias: bias && toNumbers(bias),
      scales: scales && toNumbers(scales),
      f: must(parseActivations(c.attrs.activations)).map(evalActivation),
    });
    for (let b = 0; b < batch; b++) {
      const len = Math.max(0, Math.min(time, lens?.[b] ?? time));
      const h = state.h.subarray(b * hidden, (b + 1) * hidden);
      const cc = state.c.subarray(b * hidden, (b + 1) * hidden);
      for (let s = 0; s < len; s++) {
        const t = c.attrs.reverse ? len - 1 - s : s;
        step(xs.subarray((t * batch + b) * g, (t * batch + b + 1) * g), h, cc);
        all.set(h, (t * batch + b) * hidden);
      }
    }
    const of = (i: number, v: Float64Array): Tensor => fromNumbers(must(x).dtype, c.dims(i), v.subarray(0, numel(c.dims(i))));
    const out = [of(0, all), of(1, state.h)];
    return c.attrs.cell === 'lstm' ? [...out, of(2, state.c)] : out;
  },
  macs: n => {
    const x = must(n.inputs[0]).type.shape;
    const r = must(n.inputs[1]).type.shape;
    return dimMul(dimFloorDiv(dimProd(x), must(x[2])), dimProd(r));
  },
  lower: { k: 'kernel', build: lowerRecurrent },
});

interface State {
  readonly h: Float64Array;
  readonly c: Float64Array;
}
interface CellDef {
  readonly attrs: RecurrentAttrs;
  readonly hidden: number;
  readonly r: Float64Array;
  readonly peepholes: Float64Array | undefined;
  readonly bias: Float64Array | undefined;
  readonly scales: Float64Array | undefined;
  readonly f: readonly ((x: number) => number)[];
}
/** One step of one sequence: updates h (and c) from the fed gates x. */
type Step = (x: Float64Array, h: Float64Array, c: Float64Array) => void;

const clipper = (clip: number): ((x: number) => number) => (clip > 0 ? x => Math.max(-clip, Math.min(clip, x)) : x => x);
/** Row `i` of r times h. */
function dotRow(d: CellDef, i: number, h: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < d.hidden; k++) sum += (d.r[i * d.hidden + k] ?? 0) * (h[k] ?? 0);
  return sum * (d.scales?.[i] ?? 1);
}
/** What r is multiplied with in the place of h. */
function multiplied(a: RecurrentAttrs, h: Float64Array): Float64Array {
  if (!a.dynamic) return h;
  const { fround } = Math;
  const [lo, hi] = [h.reduce((m, v) => Math.min(m, fround(v)), 0), h.reduce((m, v) => Math.max(m, fround(v)), 0)];
  const scale = fround(fround(hi - lo) / 255) || 1;
  const zero = roundHalfEven(fround(-lo / scale));
  return h.map(v => (Math.min(255, Math.max(0, roundHalfEven(fround(fround(v) / scale)) + zero)) - zero) * scale);
}
const CELL_STEPS: Readonly<Record<Cell, (d: CellDef) => Step>> = {
  lstm: d => {
    const n = d.hidden;
    const [clip, held] = [clipper(d.attrs.clip), clipper(d.attrs.cellClip)];
    const [f, g, o] = [must(d.f[0]), must(d.f[1]), must(d.f[2])];
    const peep = (gate: number, j: number, c: number): number => (d.peepholes?.[gate * n + j] ?? 0) * c;
    return (x, h, c) => {
      const state = multiplied(d.attrs, h);
      const fed = (gate: number, j: number): number => (x[gate * n + j] ?? 0) + dotRow(d, gate * n + j, state);
      const made = Array.from({ length: n }, (_, j) => {
        const before = c[j] ?? 0;
        const i = f(clip(fed(0, j) + peep(0, j, before)));
        const forget = d.attrs.coupled ? 1 - i : f(clip(fed(2, j) + peep(2, j, before)));
        const now = held(forget * before + i * g(clip(fed(3, j))));
        return { now, h: f(clip(fed(1, j) + peep(1, j, now))) * o(now) };
      });
      made.forEach((m, j) => {
        c[j] = m.now;
        h[j] = m.h;
      });
    };
  },
  gru: d => {
    const n = d.hidden;
    const clip = clipper(d.attrs.clip);
    const [f, g] = [must(d.f[0]), must(d.f[1])];
    return (x, h) => {
      const state = multiplied(d.attrs, h);
      const z = Array.from({ length: n }, (_, j) => f(clip((x[j] ?? 0) + dotRow(d, j, state))));
      const r = Array.from({ length: n }, (_, j) => f(clip((x[n + j] ?? 0) + dotRow(d, n + j, state))));
      const reset = d.attrs.resetAfter
        ? state
        : multiplied(
            d.attrs,
            h.map((v, j) => v * (r[j] ?? 0)),
          );
      const made = z.map((v, j) => {
        const own = dotRow(d, 2 * n + j, reset);
        const inner = d.attrs.resetAfter ? (r[j] ?? 0) * (own + (d.bias?.[j] ?? 0)) : own + (d.bias?.[j] ?? 0);
        return (1 - v) * g(clip((x[2 * n + j] ?? 0) + inner)) + v * (h[j] ?? 0);
      });
      h.set(made);
    };
  },
  rnn: d => {
    const clip = clipper(d.attrs.clip);
    const f = must(d.f[0]);
    return (x, h) => {
      const state = multiplied(d.attrs, h);
      h.set(Array.from({ length: d.hidden }, (_, j) => f(clip((x[j] ?? 0) + dotRow(d, j, state)))));
    };
  },
};
