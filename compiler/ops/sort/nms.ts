import { must } from '../../core/diagnostic.ts';
import { dimMul } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  clampInt,
  div,
  eq,
  F32,
  f32,
  gt,
  I32,
  int,
  konst,
  le,
  lt,
  max,
  min,
  mul,
  reduceLanes,
  splat,
  sub,
  vtype,
  type Expr,
  type Lanes,
} from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { checkIndices } from '../movement/indices.ts';
import { lanesOf } from '../loops.ts';
import type { LowerCtx, Source } from '../lowering.ts';
import { keyOf, newEntries, sortEntries } from './radix.ts';
import { countSymbols, readCount } from './select.ts';

interface NmsAttrs {
  readonly center: boolean;
  readonly count: Parameters<typeof readCount>[0]['attrs']['count'];
}
/**
 * Boxes are taken by falling score (of equal ones the lower index first); one that overlaps a taken box of its class by more than the
 * threshold is dropped. All arithmetic is in f32, in the evaluator too: the decisions are discrete, so they must be the same ones.
 */
export const NonMaxSuppression = defineOp({
  name: 'NonMaxSuppression',
  doc: 'The boxes that are left when each batch entry and class drops those that overlap a better one: rows of [batch, class, box].',
  inputs: ['boxes', 'scores', 'max', 'iou?', 'score?'],
  attrs: { center: attr.bool(false), count: attr.dim() },
  infer: c => {
    const [boxes, scores, limit, iou, score] = c.types;
    for (const t of [boxes, scores, iou, score]) if (t && t.dtype !== 'f32') c.reject(`takes f32, not ${t.dtype}`);
    checkIndices(c, must(limit));
    const [b, n] = [must(boxes).shape, must(scores).shape];
    if (b.length !== 3 || n.length !== 3) c.reject('boxes are [batch, box, 4] and scores [batch, class, box]');
    c.same(must(b[2]), 4, 'numbers of a box');
    c.same(must(b[0]), must(n[0]), 'batch of boxes and scores');
    c.same(must(b[1]), must(n[2]), 'boxes and scores');
    return [tensorType('i64', [c.attrs.count, 3])];
  },
  definesSymbols: countSymbols,
  eval: (c, boxes, scores, limit, iou, score) => {
    const b = toNumbers(must(boxes));
    const s = toNumbers(must(scores));
    const [batch = 0, classes = 0, n = 0] = must(scores).dims;
    const most = toNumbers(must(limit))[0] ?? 0;
    const overlap = iou ? (toNumbers(iou)[0] ?? 0) : 0;
    const least = score ? (toNumbers(score)[0] ?? 0) : undefined;
    const rows: number[] = [];
    for (let i = 0; i < batch; i++)
      for (let k = 0; k < classes; k++) {
        const at = (i * classes + k) * n;
        const order = Array.from({ length: n }, (_, j) => j)
          .filter(j => least === undefined || must(s[at + j]) > least)
          .sort((p, q) => must(s[at + q]) - must(s[at + p]) || p - q);
        const taken: number[] = [];
        for (const j of order) {
          if (taken.length >= most) break;
          const box = (x: number): Float64Array => b.subarray((i * n + x) * 4, (i * n + x) * 4 + 4);
          if (taken.every(t => !overlaps(box(t), box(j), overlap, c.attrs.center))) taken.push(j);
        }
        for (const j of taken) rows.push(i, k, j);
      }
    return [fromNumbers('i64', [rows.length / 3, 3], rows)];
  },
  lower: { k: 'kernel', build: c => nms(c) },
});

function overlaps(p: Float64Array, q: Float64Array, limit: number, center: boolean): boolean {
  const r = Math.fround;
  const corners = ([a = 0, b = 0, c = 0, d = 0]: Float64Array): readonly [number, number, number, number] => {
    if (!center) return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
    const [w, h] = [r(c / 2), r(d / 2)];
    return [r(a - w), r(b - h), r(a + w), r(b + h)];
  };
  const [a0, a1, a2, a3] = corners(p);
  const [b0, b1, b2, b3] = corners(q);
  const w = r(Math.min(a2, b2) - Math.max(a0, b0));
  const h = r(Math.min(a3, b3) - Math.max(a1, b1));
  if (!(w > 0 && h > 0)) return false;
  const both = r(w * h);
  const one = r(r(a2 - a0) * r(a3 - a1));
  const other = r(r(b2 - b0) * r(b3 - b1));
  return r(both / r(r(one + other) - both)) > r(limit);
}

/** The corners of a box: low and high along its two axes. */
function cornersOf(k: KernelBuilder, boxes: Source, batch: Expr, i: Expr, center: boolean): readonly Expr[] {
  const [a, b, c, d] = [0, 1, 2, 3].map(j => k.let(boxes.at(k, [batch, i, j])));
  const [p, q, r, s] = [must(a), must(b), must(c), must(d)];
  if (!center) return [min(p, r), min(q, s), max(p, r), max(q, s)].map(e => k.let(e));
  const w = k.let(mul(r, f32(0.5)));
  const h = k.let(mul(s, f32(0.5)));
  return [sub(p, w), sub(q, h), add(p, w), add(q, h)].map(e => k.let(e));
}
/** Corners and area of a box, or of as many boxes as the vectors have lanes. */
type Box = readonly Expr[];
function withArea(k: KernelBuilder, corners: readonly Expr[]): Box {
  const [a, b, c, d] = [0, 1, 2, 3].map(i => must(corners[i]));
  return [...corners, k.let(mul(sub(must(c), must(a)), sub(must(d), must(b))))];
}
/** Whether boxes overlap by more than the limit, as a truth value. */
function overlapExpr(k: KernelBuilder, p: Box, q: Box, limit: Expr): Expr {
  const at = (x: Box, i: number): Expr => must(x[i]);
  const w = k.let(sub(min(at(p, 2), at(q, 2)), max(at(p, 0), at(q, 0))));
  const h = k.let(sub(min(at(p, 3), at(q, 3)), max(at(p, 1), at(q, 1))));
  const both = k.let(mul(w, h));
  const ratio = div(both, sub(add(at(p, 4), at(q, 4)), both));
  return and(and(gt(w, 0), gt(h, 0)), gt(ratio, limit));
}

/**
 * ```
 * for batch, class:
 *   entries = boxes whose score is above the threshold, sorted by it (radix.ts)
 *   for entry, until enough are taken:
 *     if it overlaps none of the taken boxes, by lanes: take it
 * ```
 */
function nms(c: LowerCtx<NmsAttrs>): void {
  const [boxes, scores, limit] = [c.need(0), c.need(1), c.need(2)];
  const [iou, score] = [c.source(3), c.source(4)];
  const out = c.sink(0);
  const { center } = c.attrs;
  const [batches, classes, n] = [must(scores.dims[0]), must(scores.dims[1]), must(scores.dims[2])];
  const entries = newEntries(c, 'f32', n);
  // Of the taken boxes: all first corners, all second ones …
  const taken = c.scratch('taken', 'f32', dimMul(n, 5));
  const cell = c.temp('count', 'i32', 1);
  const i64 = vtype('i64');
  const lanes = lanesOf(c.profile);
  c.kernel('non_max_suppression', k => {
    const first = (s: Source | undefined): Expr =>
      s
        ? k.let(
            s.at(
              k,
              s.dims.map(() => 0),
            ),
          )
        : konst(F32, 0);
    const raw = first(limit);
    const most = k.let(cast(I32, raw.t.base === 'i32' ? clampInt(raw, 0, k.dim(n)) : max(min(raw, cast(raw.t, k.dim(n))), 0)));
    const overlap = first(iou);
    const least = first(score);
    const total = k.var(int(0));
    const plane = (j: number): Expr => mul(k.dim(n), j);
    k.for(0, batches, b =>
      k.for(0, classes, cls => {
        const m = k.var(int(0));
        k.for(0, n, i => {
          const s = k.let(scores.at(k, [b, cls, i]));
          const keep = (): void => {
            k.store(entries.keys, m, keyOf(k, 'f32', s, true));
            k.store(entries.indices, m, i);
            k.set(m, add(m, 1));
          };
          if (score) k.if(gt(s, least), keep);
          else keep();
        });
        const from = sortEntries(k, entries, m);
        const count = k.var(int(0));
        const next = k.var(int(0));
        k.while(
          () => and(lt(count, most), lt(next, m)),
          () => {
            const i = k.let(k.load(entries.indices, add(from, next)));
            const box = withArea(k, cornersOf(k, boxes, b, i, center));
            const dead = k.var(int(0));
            const at = k.var(int(0));
            const test = (width: Lanes): void =>
              k.while(
                () => and(le(add(at, width), count), eq(dead, 0)),
                () => {
                  const others = box.map((_, j) => k.let(k.load(taken, add(plane(j), at), width)));
                  const own = box.map(e => splat(e, width));
                  k.set(dead, reduceLanes('min', overlapExpr(k, others, own, splat(overlap, width))));
                  k.set(at, add(at, width));
                },
              );
            if (lanes > 1) test(lanes);
            test(1);
            k.if(eq(dead, 0), () => {
              box.forEach((e, j) => k.store(taken, add(plane(j), count), e));
              [b, cls, i].forEach((e, j) => out.store(k, [total, j], cast(i64, e)));
              k.set(total, add(total, 1));
              k.set(count, add(count, 1));
            });
            k.set(next, add(next, 1));
          },
        );
      }),
    );
    k.store(cell, 0, total);
  });
  readCount(c, cell);
}
