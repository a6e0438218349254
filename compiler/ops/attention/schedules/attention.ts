/**
 * Attention, a head at a time; the scores of a block of queries stay in the nearest cache (as FlashAttention, Dao et al. 2022, keeps them
 * on chip; here a block sees all keys, so that its softmax is done once).
 * ```
 * for batch, for kv head, parallel:
 *   pack K into panels, V into panels                   once for all heads that share them
 *   for head of the group:
 *     for block of MR queries:
 *       for panel of keys: scores[MR][keys] = microKernel(q, K panel)              tile.ts
 *       for row: scores = exp(scale * (scores - max)), mask and limits applied; sums[row] = 1 / sum        vectors
 *       for panel of V's columns: out[row] = epilogue(microKernel(scores, V panel) * sums[row])
 * ```
 * Fewer than 4 queries: K is not packed, scores are dot products (`dot.ts`), and V is read as it lies.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimCeilDiv, dimFloorDiv, dimHi, dimMul, isMultiple, type Dim } from '../../../core/dim.ts';
import { regOf, type DType } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  cast,
  div,
  eq,
  I32,
  int,
  konst,
  math,
  max,
  min,
  mul,
  ne,
  reduceLanes,
  select,
  splat,
  sub,
  vtype,
  type Expr,
  type Lanes,
  type Num,
} from '../../../kernel/ir.ts';
import { lanesOf, narrower } from '../../loops.ts';
import type { LowerCtx, Ref, SlotBuffer, Source } from '../../lowering.ts';
import { rowDots } from '../../schedules/dot.ts';
import { forNewRows, packedSize, panelsOf, stepOf, type Panels } from '../../schedules/gemm.ts';
import { packMatrix } from '../../schedules/pack.ts';
import { forRowBlocks } from '../../schedules/rows.ts';
import { arithOf, microKernel, columnVectors, type Arith, type ColumnVector } from '../../schedules/tile.ts';
import type { AttentionAttrs } from '../attrs.ts';

interface AttentionProblem {
  readonly c: LowerCtx<AttentionAttrs>;
  readonly arith: Arith;
  readonly q: Ref;
  readonly k: Ref;
  readonly v: Ref;
  readonly mask: Source | undefined;
  readonly lengths: Source | undefined;
  readonly rows: Dim;
  readonly keys: Dim;
  readonly d: Dim;
  readonly dv: Dim;
  /** The keys as columns, filled up to whole panels, and the columns of the values. */
  readonly columns: Panels;
  readonly valueColumns: Panels;
  readonly scores: SlotBuffer;
  /** One over the sum of each row of a block. */
  readonly sums: SlotBuffer;
  readonly panels: SlotBuffer | undefined;
  /** The values of a head as panels of columns: as they lie in memory, their rows often fall on few places of the cache. */
  readonly values: SlotBuffer | undefined;
  readonly reg: DType;
}
const strideOf = (k: KernelBuilder, r: Ref, axis: number): Expr => k.dim(must(r.strides[axis]));

export function lowerAttention(c: LowerCtx<AttentionAttrs>): void {
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const [q, key, v] = [c.rows(0), c.rows(1), c.rows(2)];
  const reg: DType = regOf(out.dtype);
  const lanes = out.dtype === 'f32' ? lanesOf(c.profile) : 1;
  const arith: Arith = { ...arithOf(c.profile, regOf(out.dtype)), lanes, ...(lanes === 1 ? { fma: false } : {}) };
  const [rows, keys] = [must(q.dims[2]), must(key.dims[2])];
  const [d, dv] = [must(q.dims[3]), must(v.dims[3])];
  const unit = panelsOf(c.profile, keys, arith).nr;
  const columns = panelsOf(c.profile, dimMul(unit, dimCeilDiv(keys, unit)), arith);
  const valueColumns = panelsOf(c.profile, dv, arith);
  // Few rows do not pay for packing the keys.
  const few = typeof rows === 'number' && rows < 4 && q.buffer.dtype === reg;
  const most = few ? rows : columns.mr;
  const mask = c.source(3);
  const job: AttentionProblem = {
    c,
    arith,
    q,
    k: key,
    v,
    mask: mask?.broadcast([must(out.shape[0]), must(out.shape[2]), rows, keys]),
    lengths: c.source(4),
    rows,
    keys,
    d,
    dv,
    columns,
    valueColumns,
    scores: c.scratch('scores', reg, dimMul(columns.columns, most)),
    sums: c.scratch('sums', reg, most),
    panels: few ? undefined : c.scratch('keys', reg, dimMul(columns.columns, d)),
    values:
      few || typeof dv !== 'number' || !(lanes === 1 || valueColumns.rest === valueColumns.restWidth)
        ? undefined
        : c.scratch('values', reg, packedSize(valueColumns, keys)),
    reg,
  };
  c.kernel('attention', k => heads(k, job));
}

function heads(k: KernelBuilder, j: AttentionProblem): void {
  const kvHeads = Number(j.k.dims[1]);
  const group = Number(j.q.dims[1]) / kvHeads;
  /** The heads that share keys and values. */
  const shared = (b: Expr, g: Expr, len: Expr): void => {
    const from = (r: Ref, h: Expr): Expr => k.let(add(mul(b, strideOf(k, r, 0)), mul(h, strideOf(k, r, 1))));
    const keysAt = from(j.k, g);
    const valuesAt = from(j.v, g);
    if (j.panels) packKeys(k, j, keysAt, j.panels);
    if (j.values) packValues(k, j, valuesAt, j.values);
    k.for(0, group, e => {
      const h = k.let(add(mul(g, group), e));
      const head: Head = { b, h, len, queries: from(j.q, h), keysAt, valuesAt };
      if (j.panels) forRowBlocks(k, j.rows, j.columns.mr, (first, rows, skip) => block(k, j, head, first, rows, skip));
      else block(k, j, head, int(0), Number(j.rows), undefined);
    });
  };
  const parallel = true;
  k.for(
    0,
    must(j.q.dims[0]),
    b => {
      const len = j.lengths ? k.let(max(min(cast(I32, j.lengths.at(k, [b])), k.dim(j.keys)), 0)) : k.dim(j.keys);
      k.for(0, kvHeads, g => shared(b, g, len), { parallel });
    },
    { parallel },
  );
}
interface Head {
  readonly b: Expr;
  readonly h: Expr;
  /** How many keys count. */
  readonly len: Expr;
  /** First elements of this head. */
  readonly queries: Expr;
  readonly keysAt: Expr;
  readonly valuesAt: Expr;
}

/** The keys of a head as panels; what fills up the last panel is some key again. */
function packKeys(k: KernelBuilder, j: AttentionProblem, from: Expr, to: SlotBuffer): void {
  const whole = isMultiple(j.keys, j.columns.nr);
  const last = k.let(sub(k.dim(j.keys), 1));
  const place = (key: Expr): Expr => add(from, mul(whole ? key : min(key, last), strideOf(k, j.k, 2)));
  packMatrix(k, { run: 'k', at: (x, key, n) => k.load(j.k.buffer, add(place(key), x), n) }, j.d, j.columns, to, 0, j.arith.lanes);
}

function packValues(k: KernelBuilder, j: AttentionProblem, from: Expr, to: SlotBuffer): void {
  const stride = strideOf(k, j.v, 2);
  packMatrix(
    k,
    { run: 'columns', at: (key, x, n) => k.load(j.v.buffer, add(add(from, mul(key, stride)), x), n) },
    j.keys,
    j.valueColumns,
    to,
    0,
    j.arith.lanes,
  );
}

/** Scores, softmax and result of some query rows of a head. */
function block(k: KernelBuilder, j: AttentionProblem, head: Head, first: Expr, rows: number, skip: Expr | undefined): void {
  const { causal, align, offset } = j.c.attrs;
  const ends = sub(head.len, k.dim(j.rows));
  const shift = align === 'none' ? k.dim(offset) : k.let(align === 'past' ? max(ends, 0) : ends);
  const seen = (row: Expr): Expr => k.let(causal ? max(min(head.len, add(add(row, shift), 1)), 0) : head.len);
  // What the last row of the block sees is what the others see and more.
  const end = seen(add(first, rows - 1));
  if (j.panels) packedScores(k, j, head, first, rows, end, j.panels);
  else for (let i = 0; i < rows; i++) dotScores(k, j, head, i);
  k.for(0, rows, i => softmax(k, j, head, i, add(first, i), seen, shift, end));
  values(k, j, head, first, rows, skip, end);
}
function packedScores(
  k: KernelBuilder,
  j: AttentionProblem,
  head: Head,
  first: Expr,
  rows: number,
  end: Expr,
  panels: SlotBuffer,
): void {
  const { arith, columns } = j;
  const panel = columns.nr;
  const wide = stepOf(columns, arith.lanes);
  const parts = columnVectors(wide, arith.lanes);
  const stride = strideOf(k, j.q, 2);
  const at = k.let(add(head.queries, mul(first, stride)));
  const width = k.dim(columns.columns);
  const size = k.dim(dimMul(j.d, panel));
  k.for(0, div(add(end, panel - 1), panel), p =>
    k.for(
      0,
      panel,
      column => {
        const acc = microKernel(k, {
          arith,
          mr: rows,
          a: { buffer: j.q.buffer, at, rows: { k: 'stride', stride } },
          b: { buffer: panels, at: add(mul(p, size), column), step: panel, parts },
          reduction: [{ n: j.d, stride: 1 }],
        });
        const to = k.let(add(mul(p, panel), column));
        acc.forEach((vs, i) => vs.forEach((v, n) => k.store(j.scores, add(add(mul(width, i), to), must(parts[n]).at), v)));
      },
      { step: wide },
    ),
  );
}
function dotScores(k: KernelBuilder, j: AttentionProblem, head: Head, row: number): void {
  const width = k.dim(j.columns.columns);
  rowDots(k, {
    arith: j.arith,
    rows: j.keys,
    k: j.d,
    a: { buffer: j.k.buffer, at: head.keysAt, stride: must(j.k.strides[2]) },
    x: { buffer: j.q.buffer, at: add(head.queries, mul(strideOf(k, j.q, 2), row)) },
    store: (key, v) => k.store(j.scores, add(mul(width, row), key), v),
  });
}
/** Walks lo..hi by vectors, and the rest by narrower ones. */
function span(k: KernelBuilder, lo: Expr, hi: Expr, lanes: Lanes, body: (i: Expr, lanes: Lanes) => void): void {
  let from = lo;
  for (const l of [lanes, ...narrower(lanes)]) {
    const begin = from;
    const to = l === 1 ? hi : k.let(add(begin, mul(div(max(sub(hi, begin), 0), l), l)));
    k.for(begin, to, i => body(i, l), { step: l });
    from = to;
  }
}

/** Turns a row of scores into weights (not yet divided by their sum); keys that are hidden get zero. */
function softmax(
  k: KernelBuilder,
  j: AttentionProblem,
  head: Head,
  i: Expr,
  row: Expr,
  seen: (row: Expr) => Expr,
  shift: Expr,
  end: Expr,
): void {
  const { scale, softcap, causal, window, hidden, unseen } = j.c.attrs;
  const { lanes } = j.arith;
  const of = (n: Lanes) => vtype(regOf(j.reg), n);
  const at = k.let(mul(i, k.dim(j.columns.columns)));
  const hi = seen(row);
  const lo = window > 0 ? k.let(max(min(sub(add(add(row, shift), 1), window), hi), 0)) : int(0);
  const score = (x: Expr, n: Lanes): Expr => k.let(k.load(j.scores, add(at, x), n));

  // Scores as they are can be scaled on the way to exp; otherwise the final ones are written back.
  const plain = !j.mask && softcap === 0 && scale > 0;
  const tops = new Map([lanes, ...narrower(lanes)].map(n => [n, k.var(konst(of(n), -Infinity))]));
  span(k, lo, hi, lanes, (x, n) => {
    let s = score(x, n);
    if (!plain) {
      s = k.let(mul(s, scale));
      if (softcap > 0) s = k.let(mul(math('tanh', k.let(div(s, softcap))), softcap));
      if (j.mask) {
        const m = j.mask.at(k, [head.b, head.h, row, x], n);
        s = k.let(j.mask.dtype === 'bool' ? select(m, s, konst(of(n), hidden)) : add(s, m));
      }
      k.store(j.scores, add(at, x), s);
    }
    const best = must(tops.get(n));
    k.set(best, max(best, s));
  });
  const top = must(tops.get(1));
  for (const t of tops.values()) if (t !== top) k.set(top, max(top, reduceLanes('max', t)));
  if (unseen !== 'nan') k.set(top, select(eq(top, konst(of(1), -Infinity)), konst(of(1), 0), top));

  const totals = new Map([lanes, ...narrower(lanes)].map(n => [n, k.var(konst(of(n), 0))]));
  const wide = new Map([lanes, ...narrower(lanes)].map(n => [n, n === 1 ? top : k.let(splat(top, n))]));
  span(k, lo, hi, lanes, (x, n) => {
    const away = k.let(sub(score(x, n), must(wide.get(n))));
    const e = k.let(math('exp', plain && scale !== 1 ? k.let(mul(away, scale)) : away));
    k.store(j.scores, add(at, x), e);
    const sum = must(totals.get(n));
    k.set(sum, add(sum, e));
  });
  const total = must(totals.get(1));
  for (const t of totals.values()) if (t !== total) k.set(total, add(total, reduceLanes('add', t)));
  const clear = (from: Expr, to: Expr): void => k.for(from, to, x => k.store(j.scores, add(at, x), konst(of(1), 0)));
  if (unseen === 'clear')
    k.if(ne(total, total), () => {
      clear(lo, hi);
      k.set(total, konst(of(1), 0));
    });
  k.store(j.sums, i, select(eq(total, konst(of(1), 0)), konst(of(1), 0), div(konst(of(1), 1), total)));
  if (window > 0) clear(int(0), lo);
  if (causal) clear(hi, end);
}

/** The weights of a block of rows times the values, divided by the sums. */
function values(
  k: KernelBuilder,
  j: AttentionProblem,
  head: Head,
  first: Expr,
  rows: number,
  skip: Expr | undefined,
  end: Expr,
): void {
  const { arith, dv } = j;
  const { lanes } = arith;
  const sink = j.c.sink(0);
  /** The parts of a row from `column` on, which lie `at` elements into a buffer, `step` from key to key. */
  const tile = (m: Arith, column: Expr, parts: readonly ColumnVector[], b: SlotBuffer, at: Expr, step: Num): void => {
    const acc = microKernel(k, {
      arith: m,
      mr: rows,
      a: { buffer: j.scores, at: 0, rows: { k: 'stride', stride: k.dim(j.columns.columns) } },
      b: { buffer: b, at, step, parts },
      reduction: [{ n: end, stride: 1 }],
    });
    forNewRows(k, { mr: rows, skip }, i => {
      const by = k.let(k.load(j.sums, i));
      must(acc[i]).forEach((v, n) =>
        sink.store(k, [head.b, add(first, i), head.h, add(column, must(parts[n]).at)], mul(v, splat(by, v.t.lanes))),
      );
    });
  };
  if (j.values) {
    const packed = j.values;
    const p = j.valueColumns;
    const height = k.dim(j.keys);
    const wide = stepOf(p, lanes);
    const panel = (from: Expr, width: number, step: number): void =>
      k.for(
        0,
        width,
        c => tile(arith, add(from, c), columnVectors(Math.min(wide, width), lanes), packed, add(mul(from, height), c), step),
        {
          step: wide,
        },
      );
    k.for(0, p.full, n => panel(k.let(mul(n, p.nr)), p.nr, p.nr));
    const rest = Number(p.rest);
    const single = lanes === 1 && rest % 2 === 1;
    const even = single ? rest - 1 : rest;
    const from = int(Number(p.full) * p.nr);
    if (even > 0) panel(from, even, p.restWidth);
    if (single) tile(arith, add(from, even), columnVectors(1, 1), packed, add(mul(from, height), even), p.restWidth);
    return;
  }
  const stride = strideOf(k, j.v, 2);
  const direct = (width: number, m: Arith) => (column: Expr) =>
    tile(m, column, columnVectors(width, m.lanes), j.v.buffer, k.let(add(head.valuesAt, column)), stride);
  let from: Dim = 0;
  for (const width of [stepOf(j.valueColumns, lanes), ...(lanes === 1 ? [] : [lanes]), ...narrower(lanes === 1 ? 4 : lanes)]) {
    const to = dimMul(dimFloorDiv(dv, width), width);
    k.for(from, to, direct(width, { ...arith, lanes: Math.min(width, lanes) as Lanes, fma: arith.fma && width > 1 }), {
      step: width,
    });
    from = to;
  }
}
