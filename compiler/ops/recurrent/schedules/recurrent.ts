/**
 * LSTM, GRU and RNN: a step is a product (two for GRU without resetAfter) and a cell.
 * ```
 * R packed into panels, once
 * for t in 0..time:                                     steps of the program, in order
 *   for row of the batch: h to 8 bits and back          dynamic quantization
 *   sums[batch][gates * hidden] = h[batch][hidden] R    gemm.ts; times the scales of the rows of R
 *   for row of the batch: for unit by lanes:            the cell: activations of vectors
 *     h, c = cell(x[t][row], sums[row], h, c); y[t][row] = h
 * ```
 * Rows whose sequence has ended are skipped and get zeros. h and c are the memory of the outputs.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimMul, dimSub, symbol, type Dim } from '../../../core/dim.ts';
import { regOf, type DType } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  cast,
  div,
  eq,
  I32,
  konst,
  lt,
  max,
  min,
  mul,
  nearest,
  neg,
  select,
  splat,
  sub,
  vtype,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import { forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx, Ref, SlotBuffer, Source } from '../../lowering.ts';
import { emitActivation, parseActivations, type Activation } from '../activation.ts';
import { blockSize, packedPanels, packedSize, panelsOf, gemm, type Panels, type GemmProblem } from '../../schedules/gemm.ts';
import { loopOrder } from '../../schedules/blocks.ts';
import { packConstant, packMatrix } from '../../schedules/pack.ts';
import { arithOf, type Arith } from '../../schedules/tile.ts';
import { GATES, type RecurrentAttrs } from '../cells.ts';

interface RecurrentProblem {
  readonly c: LowerCtx<RecurrentAttrs>;
  readonly arith: Arith;
  readonly lanes: Lanes;
  readonly time: Dim;
  readonly batch: Dim;
  readonly hidden: Dim;
  /** The element type that states and sums are kept in while the sequence runs. */
  readonly reg: DType;
  readonly x: Ref;
  readonly h: SlotBuffer;
  readonly c0: SlotBuffer | undefined;
  readonly y: Ref;
  readonly lengths: Source | undefined;
  readonly f: readonly Activation[];
}

export function lowerRecurrent(c: LowerCtx<RecurrentAttrs>): void {
  const [time, batch, hidden] = must(c.out[0]).shape;
  if (time === undefined || batch === undefined || hidden === undefined) return;
  if (dimHi(dimMul(batch, hidden)) === 0) return;
  const dtype = must(c.out[0]).dtype;
  const reg: DType = regOf(dtype);
  const state = dimMul(batch, hidden);
  // Half floats are kept as f32 while the sequence runs and rounded when they are stored.
  const home = (i: number, name: string): SlotBuffer => (reg === dtype ? must(c.sink(i).ref).buffer : c.temp(name, reg, state));
  const lstm = c.attrs.cell === 'lstm';
  const job: RecurrentProblem = {
    c,
    arith: arithOf(c.profile, regOf(dtype)),
    lanes: dtype === 'f32' ? lanesOf(c.profile) : 1,
    time,
    batch,
    hidden,
    reg,
    x: c.contiguous(0),
    h: home(1, 'state'),
    c0: lstm ? home(2, 'cell') : undefined,
    y: must(c.sink(0).ref),
    lengths: c.source(2),
    f: must(parseActivations(c.attrs.activations)),
  };
  begin(job, job.h, c.source(3), 'first_h');
  if (job.c0) begin(job, job.c0, c.source(4), 'first_c');
  const step = CELLS[c.attrs.cell](job);
  if (time === 1) step(0);
  else {
    const t = symbol('recurrent:step', 0, Math.max(1, dimHi(time) - 1));
    c.loop(t, time, undefined, () => step(t));
  }
  if (reg === dtype) return;
  const finish = (i: number, from: SlotBuffer): void =>
    c.kernel('last', k => {
      const to = must(c.sink(i).ref).buffer;
      k.for(0, state, e => k.store(to, e, k.load(from, e)), { parallel: true });
    });
  finish(1, job.h);
  if (job.c0) finish(2, job.c0);
}
/** The first state: given, or zero. */
function begin(j: RecurrentProblem, to: SlotBuffer, from: Source | undefined, name: string): void {
  const { batch, hidden, lanes } = j;
  j.c.kernel(name, k => {
    const way = { parallel: true };
    if (!from) {
      forLanes(k, dimMul(batch, hidden), lanes, (i, n) => k.store(to, i, konst(vtype(regOf(j.reg), n), 0)), way);
      return;
    }
    const row = (b: Expr): void => {
      const put = (i: Expr, n: Lanes): void => k.store(to, add(mul(b, k.dim(hidden)), i), from.at(k, [b, i], n));
      forLanes(k, hidden, from.vector ? lanes : 1, put, way);
    };
    k.for(0, batch, row, way);
  });
}

/** The recurrent weights of some gates as panels. */
interface Packed {
  readonly buffer: SlotBuffer;
  readonly panels: Panels;
  /** The first gate. */
  readonly first: number;
}
function packGates(j: RecurrentProblem, first: number, gates: number): Packed {
  const { c, hidden } = j;
  const panels = panelsOf(c.profile, dimMul(hidden, gates), j.arith);
  const fixed = c.constant(1);
  if (fixed && typeof hidden === 'number') {
    const m = { offset: first * hidden * hidden, kStride: 1, columnStride: hidden };
    return { buffer: c.weights('recurrent', packConstant(fixed, [m], hidden, panels)), panels, first };
  }
  const r = c.need(1);
  const buffer = c.temp('recurrent', j.reg, packedSize(panels, hidden));
  const lanes: Lanes = r.vector && r.dtype === j.reg ? j.arith.lanes : 1;
  c.kernel('pack', k => {
    const row = k.dim(dimMul(hidden, first));
    const at = (i: Expr, column: Expr, n: Lanes): Expr => cast(vtype(regOf(j.reg), n), r.at(k, [add(row, column), i], n));
    packMatrix(k, { run: 'k', at }, hidden, panels, buffer, 0, lanes);
  });
  return { buffer, panels, first };
}
/** Gives the kernel that multiplies [batch, hidden] states `a` with packed weights, and where the sums [batch, columns] go. */
function multiplier(j: RecurrentProblem, state: SlotBuffer, b: Packed): { readonly sums: SlotBuffer; run(): void } {
  const { c, hidden, batch, arith } = j;
  const a = c.attrs.dynamic ? c.temp('rounded', j.reg, dimMul(batch, hidden)) : state;
  const { columns } = b.panels;
  const sums = c.temp('sums', j.reg, dimMul(batch, columns));
  const scratch = c.scratch('edge', j.reg, blockSize(b.panels));
  const scales = c.source(7);
  const run = (): void => {
    if (a !== state) roundRows(j, state, a);
    c.kernel('recurrent', k => {
      const height = k.dim(hidden);
      const width = k.dim(columns);
      const g: GemmProblem = {
        arith,
        panels: b.panels,
        a: { buffer: a, block: first => ({ at: mul(first, height), rows: { k: 'stride', stride: height } }) },
        b: packedPanels(k, b.buffer, 0, b.panels, hidden),
        reduction: [{ n: hidden, stride: 1 }],
        scratch,
        parallel: true,
        store: (row, column, v) => {
          const scale = scales?.at(k, [add(column, k.dim(dimMul(hidden, b.first)))], v.t.lanes);
          k.store(sums, add(mul(row, width), column), scale ? mul(v, cast(v.t, scale)) : v);
        },
      };
      gemm(k, g, batch, loopOrder(c.profile, b.panels, 4 * dimHi(packedSize(b.panels, hidden)), 4 * dimHi(hidden)));
    });
  };
  return { sums, run };
}
/** Each row to u8 and back, with scale and zero point of its range, which always holds 0. */
function roundRows(j: RecurrentProblem, from: SlotBuffer, to: SlotBuffer): void {
  const { c, hidden, batch, lanes } = j;
  c.kernel('round', k => {
    const width = k.dim(hidden);
    const row = (b: Expr): void => {
      const at = k.let(mul(b, width));
      const [low, high] = [k.var(konst(vtype(regOf(j.reg)), 0)), k.var(konst(vtype(regOf(j.reg)), 0))];
      k.for(0, hidden, i => {
        const v = k.let(k.load(from, add(at, i)));
        k.set(low, min(low, v));
        k.set(high, max(high, v));
      });
      const range = k.let(div(sub(high, low), 255));
      const scale = k.let(select(eq(range, 0), 1, range));
      const zero = k.let(nearest(div(neg(low), scale)));
      forLanes(k, hidden, lanes, (i, n) => {
        const all = (v: Expr): Expr => splat(v, n);
        const q = max(min(add(nearest(div(k.load(from, add(at, i), n), all(scale))), all(zero)), 255), 0);
        k.store(to, add(at, i), mul(sub(q, all(zero)), all(scale)));
      });
    };
    k.for(0, batch, row, { parallel: true });
  });
}

/** One row of the batch at one time, as a cell sees it: `j` is the first of n hidden units. */
interface Unit {
  readonly k: KernelBuilder;
  readonly n: Lanes;
  readonly j: Expr;
  /** The fed value of a gate. */
  x(gate: number): Expr;
  /** Units of this row in a buffer of `width` vectors of hidden size a row. */
  load(b: SlotBuffer, gate?: number, width?: number): Expr;
  store(b: SlotBuffer, v: Expr): void;
  /** One of several vectors of hidden size that are the same for all rows. */
  shared(s: Source, gate: number): Expr;
  /** Stores the new state at this time. */
  y(v: Expr): void;
  /** Applies activation i, to what the clipping leaves. */
  act(i: number, v: Expr, clipped?: boolean): Expr;
}
/** Adds the kernel that walks all units of a step. Rows whose sequence has ended are skipped; `last` writes zeros for them. */
function units(j: RecurrentProblem, name: string, t: Dim, last: boolean, body: (u: Unit) => void): void {
  const { c, hidden, batch, lanes, lengths, time } = j;
  const gates = GATES[c.attrs.cell];
  const { reverse, clip } = c.attrs;
  const size = dimMul(batch, hidden);
  // Without lengths all rows are at the same time, which is known outside.
  const now = reverse ? dimSub(dimSub(time, 1), t) : t;
  const x = lengths ? j.x.buffer : c.part(j.x.buffer, dimMul(now, dimMul(size, gates)));
  const y = lengths ? j.y.buffer : c.part(j.y.buffer, dimMul(now, size));
  c.kernel(name, k => {
    const width = k.dim(hidden);
    const row = (b: Expr, time: Expr | undefined): void => {
      const at = k.let(mul(b, width));
      const place = time ? k.let(add(mul(time, k.dim(size)), at)) : at;
      const fed = k.let(mul(place, gates));
      forLanes(k, hidden, lanes, (i, n) => {
        const gate = (g: number): Expr => (g === 0 ? i : add(i, k.dim(dimMul(hidden, g))));
        body({
          k,
          n,
          j: i,
          x: g => k.load(x, add(fed, gate(g)), n),
          load: (b, g = 0, w = 1) => k.load(b, add(mul(at, w), gate(g)), n),
          store: (b, v) => k.store(b, add(at, i), v),
          shared: (s, g) => cast(vtype(regOf(j.reg), n), s.at(k, [gate(g)], n)),
          y: v => k.store(y, add(place, i), v),
          act: (f, v, clipped = true) => emitActivation(k, must(j.f[f]), clipped && clip > 0 ? max(min(v, clip), -clip) : v),
        });
      });
    };
    k.for(0, batch, b => {
      if (!lengths) {
        row(b, undefined);
        return;
      }
      const step = k.dim(t);
      const len = k.let(min(cast(I32, lengths.at(k, [b])), k.dim(time)));
      const ended = (): void => {
        const at = k.let(add(mul(step, k.dim(size)), mul(b, width)));
        forLanes(k, hidden, lanes, (i, n) => k.store(y, add(at, i), konst(vtype(regOf(j.reg), n), 0)));
      };
      k.if(lt(step, len), () => row(b, reverse ? k.let(sub(sub(len, 1), step)) : step), last ? ended : undefined);
    });
  });
}

/** Each prepares a cell and gives what a step at time t adds. */
const CELLS: Readonly<Record<RecurrentAttrs['cell'], (j: RecurrentProblem) => (t: Dim) => void>> = {
  lstm: j => {
    const p = multiplier(j, j.h, packGates(j, 0, 4));
    const peepholes = j.c.source(5);
    const state = must(j.c0);
    return t => {
      p.run();
      units(j, 'lstm_cell', t, true, u => {
        const { k } = u;
        const fed = (gate: number): Expr => add(u.x(gate), u.load(p.sums, gate, 4));
        const peep = (gate: number, v: Expr, c: Expr): Expr => (peepholes ? add(v, mul(u.shared(peepholes, gate), c)) : v);
        const before = k.let(u.load(state));
        const i = k.let(u.act(0, peep(0, fed(0), before)));
        const forget = j.c.attrs.coupled ? sub(konst(i.t, 1), i) : u.act(0, peep(2, fed(2), before));
        const kept = k.let(mul(forget, before));
        const { cellClip } = j.c.attrs;
        const made = add(kept, mul(i, u.act(1, fed(3))));
        const now = k.let(cellClip > 0 ? max(min(made, cellClip), -cellClip) : made);
        const o = k.let(u.act(0, peep(1, fed(1), now)));
        const h = k.let(mul(o, u.act(2, now, false)));
        u.store(state, now);
        u.store(j.h, h);
        u.y(h);
      });
    };
  },
  gru: j => {
    const { resetAfter } = j.c.attrs;
    const bias = j.c.source(6);
    const mix = (u: Unit, z: Expr, inner: Expr): void => {
      const made = u.k.let(u.act(1, inner));
      const h = u.k.let(add(mul(sub(konst(z.t, 1), z), made), mul(z, u.load(j.h))));
      u.store(j.h, h);
      u.y(h);
    };
    if (resetAfter) {
      const p = multiplier(j, j.h, packGates(j, 0, 3));
      return t => {
        p.run();
        units(j, 'gru_cell', t, true, u => {
          const { k } = u;
          const z = k.let(u.act(0, add(u.x(0), u.load(p.sums, 0, 3))));
          const r = k.let(u.act(0, add(u.x(1), u.load(p.sums, 1, 3))));
          const own = u.load(p.sums, 2, 3);
          mix(u, z, add(u.x(2), mul(r, bias ? add(own, u.shared(bias, 0)) : own)));
        });
      };
    }
    const gates = multiplier(j, j.h, packGates(j, 0, 2));
    const update = j.c.temp('update', j.reg, dimMul(j.batch, j.hidden));
    const reset = j.c.temp('reset', j.reg, dimMul(j.batch, j.hidden));
    const inner = multiplier(j, reset, packGates(j, 2, 1));
    return t => {
      gates.run();
      units(j, 'gru_gates', t, false, u => {
        const { k } = u;
        u.store(update, k.let(u.act(0, add(u.x(0), u.load(gates.sums, 0, 2)))));
        u.store(reset, k.let(mul(u.act(0, add(u.x(1), u.load(gates.sums, 1, 2))), u.load(j.h))));
      });
      inner.run();
      units(j, 'gru_cell', t, true, u => {
        const own = u.load(inner.sums);
        mix(u, u.k.let(u.load(update)), add(u.x(2), bias ? add(own, u.shared(bias, 0)) : own));
      });
    };
  },
  rnn: j => {
    const p = multiplier(j, j.h, packGates(j, 0, 1));
    return t => {
      p.run();
      units(j, 'rnn_cell', t, true, u => {
        const h = u.k.let(u.act(0, add(u.x(0), u.load(p.sums))));
        u.store(j.h, h);
        u.y(h);
      });
    };
  },
};
