/**
 * The taps of the axes that are resized: constants, or computed by a kernel where sizes are known at run time only.
 * ```
 * for output element i of the axis:
 *   first[i] = the first neighbour;  weight[i][0..taps) = their weights
 * ```
 */
import { fail, must } from '../../../core/diagnostic.ts';
import { dimHi, dimMul, rangeOf, type Dim } from '../../../core/dim.ts';
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
  konst,
  le,
  mul,
  select,
  sub,
  vtype,
  type Expr,
} from '../../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import { axisTable, type ResizeAttrs } from '../resize-attrs.ts';
import { coordinate, nearestOf, tapCount, weightOf, type Arithmetic } from '../resize-taps.ts';

/** The taps of one axis in memory. */
export interface Table {
  readonly axis: number;
  readonly taps: number;
  /** For each output element the first neighbour, which may lie outside: -taps … input size. */
  readonly first: SlotBuffer;
  /** `taps` weights for each output element. */
  readonly weight: SlotBuffer;
  readonly outside: SlotBuffer | undefined;
}

/** Taps of one axis. */
const MOST_TAPS = 256;
export function makeTable(c: LowerCtx<ResizeAttrs>, a: ResizeAttrs, axis: number, from: Dim, to: Dim): Table {
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
      first: c.weights('resize_first', fromNumbers('i32', [t.first.length], t.first)),
      weight: c.weights('resize_weight', fromNumbers('f32', [t.weight.length], t.weight)),
      outside: t.outside.includes(1) ? c.weights('resize_outside', fromNumbers('i32', [t.outside.length], t.outside)) : undefined,
    };
  }
  const size = Math.max(1, dimHi(to));
  const first = c.temp('resize_first', 'i32', size);
  const weight = c.temp('resize_weight', 'f32', dimMul(size, taps));
  const outside = a.coordinates === 'tf_crop_and_resize' ? c.temp('resize_outside', 'i32', size) : undefined;
  c.kernel('resize_taps', k => tableKernel(k, a, axis, from, to, { axis, taps, first, weight, outside }, scales, crop));
  return { axis, taps, first, weight, outside };
}
const leastScale = (from: Dim, to: Dim): number => Math.max(1, rangeOf(to).lo) / Math.max(1, dimHi(from));
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
  const real = vtype(a.mode === 'nearest' ? 'f32' : 'f64');
  const d = (n: number): Expr => konst(real, a.mode === 'nearest' ? Math.fround(n) : n);
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
  const size = (n: Dim): Expr => k.let(cast(real, k.dim(n)));
  const number = (from: Source, i: number): Expr => k.let(cast(real, from.at(k, [i])));
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
    const at = coordinate(a.coordinates, k.let(cast(real, i)), sizes, m);
    if (t.outside) {
      const inside = and(le(d(0), at), le(at, cast(real, lastIndex)));
      k.store(t.outside, i, eq(inside, 0));
    }
    if (a.mode === 'nearest') {
      k.store(t.first, i, clampInt(cast(I32, nearestOf(a.nearest, at, m)), 0, lastIndex));
      k.store(t.weight, i, f32(1));
      return;
    }
    const mode = a.mode;
    const first = k.let(add(cast(I32, m.floor(at)), 1 - t.taps / 2));
    k.store(t.first, i, clampInt(first, -t.taps, k.dim(from)));
    const places = Array.from({ length: t.taps }, (_, j) => k.let(add(first, j)));
    const kept = places.map(p => {
      const away = m.sub(k.let(cast(real, p)), at);
      const w = weightOf(mode, shrink ? m.mul(away, shrink) : away, a.cubic, m);
      return a.excludeOutside ? k.let(select(and(le(0, p), le(p, lastIndex)), w, d(0))) : w;
    });
    const sum = kept.reduce((p, q) => m.add(p, q));
    kept.forEach((w, j) => {
      k.store(t.weight, add(mul(i, t.taps), j), cast(F32, m.div(w, sum)));
    });
  });
}
