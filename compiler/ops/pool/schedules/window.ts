/** What a pool makes of a window, and which elements windows meet. */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, type Dim } from '../../../core/dim.ts';
import { limitsOf, type DType } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  abs,
  add,
  cast,
  div,
  gt,
  int,
  konst,
  math,
  max,
  min,
  mul,
  select,
  splat,
  sqrt,
  sub,
  vtype,
  type Base,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import { greatest } from '../../elementwise/util.ts';
import type { LowerCtx, Sink, Source } from '../../lowering.ts';
import type { PoolAttrs } from '../windows.ts';

export type PoolKind =
  | { readonly k: 'max' }
  | { readonly k: 'average'; readonly countPads: boolean }
  | { readonly k: 'norm'; readonly p: number };

/** The taps of a window along one axis that meet the input: kernel elements lo..hi-1, the first of them at `start`. */
export interface Span {
  readonly lo: Expr;
  readonly hi: Expr;
  /** Where kernel element 0 lies. */
  readonly start: Expr;
  readonly dilation: number;
}
/** Windows that never reach over the border need no limits. */
export function alwaysInside(a: PoolAttrs): boolean {
  return a.pads.every(p => p === 0) && !a.ceil;
}
const ceilDiv = (a: Expr, by: number): Expr => (by === 1 ? a : div(add(a, by - 1), by));
export function spanOf(k: KernelBuilder, a: PoolAttrs, axis: number, o: Expr, size: Dim): Span {
  const start = k.let(sub(mul(o, must(a.strides[axis])), k.dim(must(a.pads[axis]))));
  const dilation = must(a.dilations[axis]);
  const n = must(a.kernel[axis]);
  if (alwaysInside(a)) return { lo: int(0), hi: int(n), start, dilation };
  return {
    lo: k.let(ceilDiv(max(sub(0, start), 0), dilation)),
    hi: k.let(min(ceilDiv(max(sub(k.dim(size), start), 0), dilation), n)),
    start,
    dilation,
  };
}
/** Calls `body` with the input position of each tap. */
export function forTaps(k: KernelBuilder, spans: readonly Span[], body: (at: readonly Expr[]) => void): void {
  const nest = (at: readonly Expr[]): void => {
    const s = spans[at.length];
    if (!s) body(at);
    else k.for(s.lo, s.hi, j => nest([...at, k.let(add(s.start, mul(j, s.dilation)))]));
  };
  nest([]);
}

/** How the elements of a window become one: from `start`, each element taken, and parts joined. */
interface Fold {
  readonly start: number;
  take(k: KernelBuilder, acc: Expr, v: Expr): Expr;
  /** `b` must be bound. */
  join(a: Expr, b: Expr): Expr;
}
export function foldOf(kind: PoolKind, dtype: DType): Fold {
  const sum = { start: 0, join: add };
  switch (kind.k) {
    case 'max':
      return { start: Number(limitsOf(dtype)[0]), join: greatest, take: (k, acc, v) => greatest(acc, k.let(v)) };
    case 'average':
      return { ...sum, take: (_, acc, v) => add(acc, v) };
    case 'norm':
      return {
        ...sum,
        take: (k, acc, v) => {
          const x = k.let(abs(v));
          let power = x;
          for (let i = 1; i < kind.p; i++) power = mul(power, x);
          return add(acc, power);
        },
      };
  }
}
/** A pool as its schedules read it. */
export interface Pool {
  readonly c: LowerCtx<PoolAttrs>;
  readonly a: PoolAttrs;
  readonly kind: PoolKind;
  readonly fold: Fold;
  readonly src: Source;
  readonly sink: Sink;
  readonly base: Base;
  readonly lanes: Lanes;
  readonly channels: Dim;
  /** Spatial sizes of the input and of the result. */
  readonly sizes: readonly Dim[];
  readonly outs: readonly Dim[];
}
/** What an average divides by. */
export function countOf(k: KernelBuilder, p: Pool, spans: readonly Span[]): Expr | undefined {
  return p.kind.k === 'average' ? k.let(cast(vtype(p.base), counted(k, p.a, spans, p.kind.countPads, p.sizes))) : undefined;
}
/** How many elements an average is over. */
function counted(k: KernelBuilder, a: PoolAttrs, spans: readonly Span[], pads: boolean, sizes: readonly Dim[]): Expr {
  const nd = spans.length;
  const each = spans.map((s, i) => {
    if (alwaysInside(a)) return int(must(a.kernel[i]));
    if (!pads) return max(sub(s.hi, s.lo), 0);
    const room = sub(k.dim(dimAdd(must(sizes[i]), must(a.pads[i + nd]))), s.start);
    return min(ceilDiv(max(room, 0), s.dilation), must(a.kernel[i]));
  });
  return max(
    each.reduce((x, y) => mul(x, y)),
    1,
  );
}
export function result(kind: PoolKind, acc: Expr, count: Expr | undefined): Expr {
  switch (kind.k) {
    case 'max':
      return acc;
    case 'average':
      return div(acc, splat(must(count), acc.t.lanes));
    case 'norm': {
      if (kind.p === 1) return acc;
      if (kind.p === 2) return sqrt(acc);
      const root = math('exp', div(math('log', acc), konst(acc.t, kind.p)));
      return select(gt(acc, konst(acc.t, 0)), root, acc);
    }
  }
}
