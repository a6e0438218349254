/**
 * Pools whose windows overlap, and all in NCHW: row by row of the result, in two steps, so that a window of K x K costs K + log K instead of
 * K * K. Along a row, elements are neighbours in memory whatever the layout is.
 * ```
 * for n (, channel), for the output axes but the last, parallel:
 *   for i in the row of the input with its pads, by lanes:
 *     line0[i] = fold of x[..][i] over the taps of the other axes       outside: where the fold starts
 *   while 4 times the taps of line l are less than a window:
 *     line(l+1)[i] = fold of line(l)[i], [i + taps], [i + 2 taps], [i + 3 taps]
 *   for x in the row of the result, by lanes:
 *     y[..][x] = epilogue(fold of the parts of the window at x, each from its line)
 * ```
 * Maxima may take an element twice, so their parts are all of the last line.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimFloorDiv, dimMax, dimMin, dimMul, dimSub, type Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, cast, int, konst, mul, shuffle, sub, vec, vtype, type Expr, type Lanes, type Num } from '../../../kernel/ir.ts';
import { forAll, forLanes } from '../../loops.ts';
import type { SlotBuffer } from '../../lowering.ts';
import { forBlocks } from '../../reduce/schedules/axis-walk.ts';
import type { PoolAttrs } from '../windows.ts';
import { alwaysInside, countOf, forTaps, result, spanOf, type Pool, type Span } from './window.ts';

/** Elements from the first tap of a window along the last axis to one past its last. */
const extentOf = (a: PoolAttrs): number => (must(a.kernel.at(-1)) - 1) * must(a.dilations.at(-1)) + 1;
/** Whether windows share elements along the last axis. */
export const overlaps = (a: PoolAttrs): boolean => must(a.strides.at(-1)) < extentOf(a);

/** Taps that a line folds into one of the next. */
const RADIX = 4;
/** So many taps are folded from the first line. */
const DIRECT = 6;
/** A part of a window: RADIX ** `level` taps from tap `at` on. */
interface Part {
  readonly level: number;
  readonly at: number;
}
/** A window of `taps` taps as parts; with `twice` they may overlap. */
function partsOf(taps: number, twice: boolean): readonly Part[] {
  if (taps <= DIRECT) return Array.from({ length: taps }, (_, at) => ({ level: 0, at }));
  let level = 1;
  while (RADIX ** (level + 1) < taps) level++;
  const parts: Part[] = [];
  for (let at = 0; at < taps; at += RADIX ** level) {
    while (!twice && at + RADIX ** level > taps) level--;
    parts.push({ level, at: Math.min(at, taps - RADIX ** level) });
  }
  return parts;
}

export function lowerRows(p: Pool): void {
  const { c, a, fold, base, lanes } = p;
  const last = a.layout === 'NHWC';
  const rank = p.outs.length + 2;
  const groups = Array.from({ length: rank - 1 }, (_, i) => (i === rank - 2 ? [i, i + 1] : [i]));
  const [src, sink] = last ? [p.src.merge(groups), p.sink.merge(groups)] : [p.src, p.sink];
  const [taps, stride] = [must(a.kernel.at(-1)), must(a.strides.at(-1))];
  const [size, width, before] = [must(p.sizes.at(-1)), must(p.outs.at(-1)), must(a.pads[p.outs.length - 1])];
  // Elements of a pixel, from a tap to the next, and of the row that the windows reach.
  const pixel = last ? p.channels : 1;
  const tap = dimMul(pixel, must(a.dilations.at(-1)));
  const reach = dimMul(dimAdd(dimMul(dimSub(width, 1), stride), extentOf(a)), pixel);
  const parts = partsOf(taps, p.kind.k === 'max');
  const top = Math.max(...parts.map(part => part.level));
  const lines = Array.from({ length: top + 1 }, (_, i) => c.scratch(`line${i}`, regOf(base), dimAdd(reach, lanes * stride)));

  /** The row with its pads, each element folded over the taps of the other axes. */
  const firstLine = (k: KernelBuilder, idx: readonly Expr[], outer: readonly Span[]): void => {
    const shift = dimMul(before, pixel);
    const from = dimMin(dimMax(shift, 0), reach);
    const to = dimMax(from, dimMin(dimAdd(dimMul(size, pixel), shift), reach));
    const walk = (lo: Dim, hi: Dim, body: (at: Expr, vectors: number, l: Lanes) => readonly Expr[]): void =>
      forBlocks(k, dimSub(hi, lo), lanes, 4, (i, vectors, l) => {
        const at = k.let(add(i, k.dim(lo)));
        body(at, vectors, l).forEach((v, u) => k.store(must(lines[0]), add(at, u * l), v));
      });
    const start = (l: Lanes): Expr => konst(vtype(base, l), fold.start);
    const pads = (_: Expr, vectors: number, l: Lanes): readonly Expr[] => new Array<Expr>(vectors).fill(start(l));
    walk(0, from, pads);
    walk(from, to, (at, vectors, l) => {
      const accs = Array.from({ length: vectors }, () => k.var(start(l)));
      const x = k.let(sub(at, k.dim(shift)));
      forTaps(k, outer, taken =>
        accs.forEach((acc, u) => {
          const v = src.at(k, [...idx, ...taken, add(x, u * l)], l);
          k.set(acc, fold.take(k, acc, cast(acc.t, v)));
        }),
      );
      return accs;
    });
    walk(to, reach, pads);
  };
  const join = (k: KernelBuilder, values: readonly Expr[]): Expr => values.reduce((x, y) => fold.join(x, k.let(y)));
  const nextLine = (k: KernelBuilder, level: number): void => {
    const [from, to] = [must(lines[level - 1]), must(lines[level])];
    const step = k.let(k.dim(dimMul(tap, RADIX ** (level - 1))));
    forLanes(k, dimSub(reach, dimMul(tap, RADIX ** level - 1)), lanes, (i, l) => {
      const values = Array.from({ length: RADIX }, (_, j) => k.load(from, add(i, mul(step, j)), l));
      k.store(to, i, join(k, values));
    });
  };
  const put = (
    k: KernelBuilder,
    idx: readonly Num[],
    count: Expr | undefined,
    load: (line: SlotBuffer, offset: Expr) => Expr,
  ): void => {
    const values = parts.map(part => load(must(lines[part.level]), mul(k.dim(tap), part.at)));
    sink.store(k, idx, result(p.kind, k.let(join(k, values)), count));
  };
  /** The result at one place of the row. */
  const one = (k: KernelBuilder, idx: readonly Num[], x: Expr, count: Expr | undefined): void => {
    const [from, to] = [k.let(mul(x, k.dim(dimMul(pixel, stride)))), k.let(mul(x, k.dim(pixel)))];
    forLanes(k, pixel, lanes, (ch, l) =>
      put(k, [...idx, add(to, ch)], count, (line, offset) => k.load(line, add(add(from, ch), offset), l)),
    );
  };
  /** Results lo..hi-1 of the row, which are all over as many elements. */
  const run = (k: KernelBuilder, idx: readonly Num[], lo: Dim, hi: Dim, count: Expr | undefined): void => {
    if (last && stride > 1) {
      k.for(lo, hi, x => one(k, idx, x, count));
      return;
    }
    // Either pixels are neighbours, or each is one element.
    const first = k.let(k.dim(dimMul(lo, pixel)));
    forLanes(k, dimMul(dimSub(hi, lo), pixel), lanes, (i, l) => {
      const to = k.let(add(first, i));
      const from = k.let(mul(to, stride));
      put(k, [...idx, to], count, (line, offset) => strided(k, line, add(from, offset), stride, l));
    });
  };
  const outer = [must(sink.dims[0]), ...(last ? [] : [p.channels]), ...p.outs.slice(0, -1)];
  const plain = p.kind.k !== 'average' || alwaysInside(a);
  const inside: Span = { lo: int(0), hi: int(taps), start: int(0), dilation: must(a.dilations.at(-1)) };
  // The windows that reach over neither border.
  const first = plain ? 0 : dimMin(dimCeilDiv(dimMax(before, 0), stride), width);
  const room = dimFloorDiv(dimSub(dimAdd(size, before), extentOf(a)), stride);
  const end = plain ? width : dimMax(first, dimMin(width, dimAdd(room, 1)));
  c.kernel('pool', k =>
    forAll(k, outer, idx => {
      const lead = idx.slice(0, last ? 1 : 2);
      const place = idx.slice(lead.length);
      const spans = place.map((o, i) => spanOf(k, a, i, o, must(p.sizes[i])));
      firstLine(k, lead, spans);
      for (let level = 1; level <= top; level++) nextLine(k, level);
      const border = (lo: Dim, hi: Dim): void =>
        k.for(lo, hi, x => one(k, idx, x, countOf(k, p, [...spans, spanOf(k, a, place.length, x, size)])));
      border(0, first);
      run(k, idx, first, end, countOf(k, p, [...spans, inside]));
      border(end, width);
    }),
  );
}
/** Elements that lie `stride` apart. */
function strided(k: KernelBuilder, from: SlotBuffer, at: Expr, stride: number, l: Lanes): Expr {
  if (l === 1 || stride === 1) return k.load(from, at, l);
  if (stride !== 2) return vec(Array.from({ length: l }, (_, i) => k.load(from, add(at, i * stride))));
  const lanes = Array.from({ length: l }, (_, i) => 2 * i);
  return shuffle(k.load(from, at, l), k.load(from, add(at, l), l), lanes);
}
