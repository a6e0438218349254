/**
 * Resize: tables of taps for each resized axis (constants; computed by a kernel where sizes are known at run time only), then
 * ```
 * for output index, parallel, axis by axis:             the taps of an axis are loaded where its loop begins
 *   for channel by lanes, if the last axis is not resized:
 *     y[..] = epilogue(sum over the taps of all axes of weight * x[index of the taps])         unrolled
 * ```
 */
import { fail, must } from '../../../core/diagnostic.ts';
import { dimHi, dimMul, rangeOf, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import { room } from '../../../core/room.ts';
import { fromNumbers } from '../../../core/tensor.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  abs,
  add,
  and,
  cast,
  ceil,
  clampInt,
  div,
  eq,
  f32,
  F32,
  floor,
  I32,
  int,
  konst,
  le,
  mul,
  select,
  splat,
  sub,
  vtype,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import { convert } from '../../elementwise/convert.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import { forLanes, lanesOf } from '../../loops.ts';
import { coordinate, nearestOf, tapCount, weightOf, type Arithmetic } from '../resize-taps.ts';
import { axisTable, isWholeAxis, type ResizeAttrs } from '../resize-attrs.ts';

/** The taps of one axis in memory: for output element o the elements o*taps … of index and weight. */
interface Table {
  readonly axis: number;
  readonly taps: number;
  readonly index: SlotBuffer;
  readonly weight: SlotBuffer;
  readonly outside: SlotBuffer | undefined;
}

/**
 * Tables say what each axis is made of (constants, or computed by a small kernel where sizes are known at run time only); one kernel
 * then walks the output and sums over the taps of all resized axes. Channels last runs by vectors of channels.
 */
export function lowerResize(c: LowerCtx<ResizeAttrs>): void {
  const attrs = c.attrs;
  const x = c.need(0);
  const out = must(c.out[0]);
  const tables = new Map<number, Table>();
  out.shape.forEach((size, axis) => {
    const from = must(x.dims[axis]);
    if (!isWholeAxis(attrs, axis, from)) tables.set(axis, makeTable(c, attrs, axis, from, size));
  });
  const sink = c.sink(0);
  const last = out.shape.length - 1;
  const lanes: Lanes = x.vector && sink.vector && !tables.has(last) ? lanesOf(c.profile) : 1;
  c.kernel('resize', k => {
    const walk = (idx: readonly Expr[], taps: ReadonlyMap<number, readonly Tap[]>, outside: Expr): void => {
      const axis = idx.length;
      if (axis > last) {
        sink.store(k, idx, value(k, idx, taps, outside, 1));
        return;
      }
      const size = must(out.shape[axis]);
      const table = tables.get(axis);
      if (!table && axis === last) {
        forLanes(k, size, lanes, (i, n) => sink.store(k, [...idx, i], value(k, [...idx, i], taps, outside, n)));
        return;
      }
      k.for(
        0,
        size,
        i => {
          const here = table && tapsAt(k, table, i);
          const beyond = table?.outside ? k.let(add(outside, k.load(table.outside, i))) : outside;
          walk([...idx, i], here ? new Map([...taps, [axis, here]]) : taps, beyond);
        },
        { parallel: true },
      );
    };
    const value = (
      kb: KernelBuilder,
      idx: readonly Expr[],
      taps: ReadonlyMap<number, readonly Tap[]>,
      outside: Expr,
      n: Lanes,
    ): Expr => {
      const nearest = attrs.mode === 'nearest';
      const axes = [...taps];
      const sum = (depth: number, at: readonly Expr[], weight: Expr | undefined): Expr => {
        const next = axes[depth];
        if (!next) {
          const v = x.at(kb, at, n);
          return nearest || weight === undefined ? v : mul(asF32(v), splat(weight, n));
        }
        const [axis, list] = next;
        return list
          .map(t =>
            sum(
              depth + 1,
              at.map((e, i) => (i === axis ? t.index : e)),
              nearest ? undefined : weight === undefined ? t.weight : kb.let(mul(weight, t.weight)),
            ),
          )
          .reduce((a, b) => kb.let(add(kb.let(a), b)));
      };
      const v = sum(0, idx, undefined);
      const whole = nearest || isFloat(out.dtype) ? v : convert(kb, kb.let(v), 'f32', out.dtype);
      return constOf(outside) ? whole : select(eq(outside, 0), kb.let(whole), konst(whole.t, attrs.extrapolation));
    };
    walk([], new Map(), int(0));
  });
}
const constOf = (e: Expr): boolean => e.k === 'const';
const asF32 = (e: Expr): Expr => (e.t.base === 'f32' ? e : cast(vtype('f32', e.t.lanes), e));
interface Tap {
  readonly index: Expr;
  readonly weight: Expr;
}
const tapsAt = (k: KernelBuilder, t: Table, i: Expr): Tap[] =>
  Array.from({ length: t.taps }, (_, j) => {
    const at = add(mul(i, t.taps), j);
    return { index: k.let(k.load(t.index, at)), weight: k.let(k.load(t.weight, at)) };
  });

/** Taps of one axis; each is code of its own. */
const MOST_TAPS = 256;
function makeTable(c: LowerCtx<ResizeAttrs>, a: ResizeAttrs, axis: number, from: Dim, to: Dim): Table {
  const scales = c.source(1);
  const crop = c.source(2);
  // With a scale that is not known yet, the sizes bound it from below.
  const least = scales || must(a.scales[axis]) === 0 ? leastScale(from, to) : must(a.scales[axis]);
  const taps = tapCount(a, a.antialias ? least : 1);
  if (taps > MOST_TAPS)
    fail(
      'E101',
      { op: 'Resize', why: `: with antialiasing, ${taps} elements go into one of axis ${axis}; at most ${MOST_TAPS}` },
      c.loc,
    );
  if (typeof from === 'number' && typeof to === 'number' && !scales && !crop) {
    room(to * taps, `a table of axis ${axis}`, why => fail('E102', { op: 'Resize', why }, c.loc));
    const t = axisTable(a, axis, from, to);
    return {
      axis,
      taps: t.taps,
      index: c.weights('resize_index', fromNumbers('i32', [t.index.length], t.index)),
      weight: c.weights('resize_weight', fromNumbers('f32', [t.weight.length], t.weight)),
      outside: t.outside.includes(1) ? c.weights('resize_outside', fromNumbers('i32', [t.outside.length], t.outside)) : undefined,
    };
  }
  const size = dimMul(Math.max(1, dimHi(to)), taps);
  const index = c.temp('resize_index', 'i32', size);
  const weight = c.temp('resize_weight', 'f32', size);
  const outside = a.coordinates === 'tf_crop_and_resize' ? c.temp('resize_outside', 'i32', size) : undefined;
  c.kernel('resize_taps', k => tableKernel(k, a, axis, from, to, { axis, taps, index, weight, outside }, scales, crop));
  return { axis, taps, index, weight, outside };
}
const leastScale = (from: Dim, to: Dim): number => Math.max(1, rangeOf(to).lo) / Math.max(1, dimHi(from));
const F64 = vtype('f64');
const d = (n: number): Expr => konst(F64, n);
/** The same as `tapTable`, for sizes known at run time. */
function tableKernel(
  k: KernelBuilder,
  a: ResizeAttrs,
  axis: number,
  from: Dim,
  to: Dim,
  t: Table,
  scales: Source | undefined,
  crop: Source | undefined,
): void {
  const m: Arithmetic<Expr> = {
    num: d,
    add: (p, q) => k.let(add(p, q)),
    sub: (p, q) => k.let(sub(p, q)),
    mul: (p, q) => k.let(mul(p, q)),
    div: (p, q) => k.let(div(p, q)),
    floor: p => k.let(floor(p)),
    ceil: p => k.let(ceil(p)),
    abs: p => k.let(abs(p)),
    ifLe: (p, q, x, y) => k.let(select(le(p, q), x, y)),
  };
  const size = (n: Dim): Expr => k.let(cast(F64, k.dim(n)));
  const number = (from: Source, i: number): Expr => k.let(cast(F64, from.at(k, [i])));
  const given = must(a.scales[axis]);
  const [input, output] = [size(from), size(to)];
  const scale = scales ? number(scales, axis) : given === 0 ? m.div(output, input) : d(given);
  const exact = !scales && given === 0 ? output : m.mul(scale, input);
  const start = crop ? number(crop, axis) : d(must(a.starts[axis]));
  const end = crop ? number(crop, a.starts.length + axis) : d(must(a.ends[axis]));
  const sizes = { input, output, exact, scale, start, end };
  const shrink = a.antialias ? m.ifLe(d(1), scale, d(1), scale) : undefined;
  const lastIndex = k.let(sub(k.dim(from), 1));
  k.for(0, to, i => {
    const at = coordinate(a.coordinates, k.let(cast(F64, i)), sizes, m);
    if (t.outside) {
      const inside = and(le(d(0), at), le(at, cast(F64, lastIndex)));
      k.store(t.outside, i, eq(inside, 0));
    }
    if (a.mode === 'nearest') {
      k.store(t.index, i, clampInt(cast(I32, nearestOf(a.nearest, at, m)), 0, lastIndex));
      k.store(t.weight, i, f32(1));
      return;
    }
    const mode = a.mode;
    const first = k.let(add(cast(I32, m.floor(at)), 1 - t.taps / 2));
    const places = Array.from({ length: t.taps }, (_, j) => k.let(add(first, j)));
    const kept = places.map(p => {
      const away = m.sub(k.let(cast(F64, p)), at);
      const w = weightOf(mode, shrink ? m.mul(away, shrink) : away, a.cubic, m);
      return a.excludeOutside ? k.let(select(and(le(0, p), le(p, lastIndex)), w, d(0))) : w;
    });
    const sum = kept.reduce((p, q) => m.add(p, q));
    kept.forEach((w, j) => {
      const slot = add(mul(i, t.taps), j);
      k.store(t.index, slot, clampInt(must(places[j]), 0, lastIndex));
      k.store(t.weight, slot, cast(F32, m.div(w, sum)));
    });
  });
}
