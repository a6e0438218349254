import { regOf, type DType } from '../core/dtype.ts';
import { InternalError, type Loc } from '../core/diagnostic.ts';
import { dimEq, foldDim, showDim, type Dim } from '../core/dim.ts';
import {
  add,
  cast,
  div,
  ex,
  floorDiv,
  I32,
  int,
  loadType,
  max,
  min,
  mul,
  rem,
  sameType,
  showVType,
  vtype,
  type Expr,
  type Kernel,
  type Lanes,
  type Num,
  type Param,
  type Stmt,
  type VType,
  type WordRows,
} from './ir.ts';

/** A region of memory as kernels see it: elements of one type, from `offset` (in elements) of a slot on. Compared by identity. */
export interface Buffer {
  readonly name: string;
  readonly dtype: DType;
  /** What its elements lie as, where that is a narrower type: loads widen them. */
  readonly stored?: DType;
  /** Each iteration of a parallel loop has its own; see `Param`. */
  readonly scratch?: true;
}
/** The type that the elements of a buffer lie as. */
export const elementOf = (b: Buffer): DType => b.stored ?? b.dtype;
/** Rows of words in a buffer, as `WordRows` has them. */
interface Words {
  readonly buffer: Buffer;
  readonly at: Num;
  readonly stride: Num;
}
/** What a kernel is called with, in the order of its parameters. */
export type Actual = { readonly k: 'buf'; readonly buffer: Buffer } | { readonly k: 'int'; readonly dim: Dim };

/**
 * Collects the statements of one kernel. Nesting is a callback, so the shape of the code is the shape of the loop nest. Parameters
 * appear by use: the first load or store of a buffer, and the first use of a symbolic size, add one. Names are given in order, so
 * equal kernels have equal text and are emitted once.
 */
export class KernelBuilder {
  private stmts: Stmt[] = [];
  private n = 0;
  private readonly bufs = new Map<Buffer, { name: string; read: boolean; write: boolean }>();
  private readonly ints: { dim: Dim; v: Expr }[] = [];
  private readonly order: ({ k: 'buf'; buffer: Buffer } | { k: 'int'; dim: Dim; name: string })[] = [];

  /** Elements are loaded from `at` on; `lanes` > 1 reads that many neighbours. `as`: seen as elements of another type, which `at` counts. */
  load(b: Buffer, at: Num, lanes: Lanes = 1, as: DType = elementOf(b)): Expr {
    const e: Expr = { k: 'load', t: loadType(as, lanes), buf: this.buf(b, 'read'), dtype: as, at: ex(at) };
    return as === b.stored ? cast(vtype(regOf(b.dtype), lanes), e) : e;
  }
  /** Stores a scalar, or as many neighbours as the value has lanes. A scalar is converted as the element type wants. */
  store(b: Buffer, at: Num, value: Expr): void {
    const want = loadType(b.dtype, value.t.lanes);
    if (value.t.lanes > 1 && !sameType(want, value.t))
      throw new InternalError(`store of ${showVType(value.t)} to a buffer of ${b.dtype}`);
    this.stmts.push({ k: 'store', buf: this.buf(b, 'write'), dtype: b.dtype, at: ex(at), value: cast(want, value) });
  }
  /** Says that memory will be read soon; `at` is a byte address. */
  prefetch(b: Buffer, at: Expr): void {
    this.stmts.push({ k: 'prefetch', buf: this.buf(b, 'read'), at });
  }
  /** A product of words; see the statement. Places and distances are in words. */
  mma(m: {
    readonly rows: number;
    readonly columns: number;
    readonly words: number;
    readonly a: Words;
    readonly b: Words;
    readonly to: Words;
  }): void {
    const rows = (w: Words, access: 'read' | 'write'): WordRows => ({
      buf: this.buf(w.buffer, access),
      at: ex(w.at),
      stride: ex(w.stride),
    });
    this.stmts.push({ k: 'mma', ...m, a: rows(m.a, 'read'), b: rows(m.b, 'read'), to: rows(m.to, 'write') });
  }
  /** A size as an expression: symbolic sizes become parameters. */
  dim(d: Dim): Expr {
    if (typeof d === 'number') return int(d);
    return this.param(d);
  }
  /**
   * A size as a parameter even where it is known: kernels that differ in it alone are one. A known one is a parameter of its own at each
   * call, so that it does not matter which of them happen to be equal.
   */
  param(d: Dim): Expr {
    const had = typeof d === 'number' ? undefined : this.ints.find(x => dimEq(x.dim, d));
    if (had) return had.v;
    const name = `n${this.ints.length}`;
    const v: Expr = { k: 'var', t: I32, name };
    this.ints.push({ dim: d, v });
    this.order.push({ k: 'int', dim: d, name });
    return v;
  }
  for(
    lo: Num | Dim,
    hi: Num | Dim,
    body: (i: Expr) => void,
    opt: { readonly step?: number; readonly parallel?: boolean } = {},
  ): void {
    const from = this.size(lo);
    const to = this.size(hi);
    const step = opt.step ?? 1;
    if (from.k === 'const' && to.k === 'const') {
      if (Number(from.value) >= Number(to.value)) return;
      if (Number(from.value) + step >= Number(to.value)) {
        body(from);
        return;
      }
    }
    const v = `i${this.n++}`;
    const inner = this.nested(() => body({ k: 'var', t: I32, name: v }));
    this.stmts.push({ k: 'for', v, lo: from, hi: to, step, parallel: opt.parallel ?? false, body: inner });
  }
  while(c: () => Expr, body: () => void): void {
    this.stmts.push({ k: 'while', c: c(), body: this.nested(body) });
  }
  if(c: Expr, then: () => void, otherwise: () => void = () => undefined): void {
    if (c.k === 'const') {
      if (Number(c.value) !== 0) then();
      else otherwise();
      return;
    }
    this.stmts.push({ k: 'if', c, then: this.nested(then), else: this.nested(otherwise) });
  }
  /** Binds a value to a name, so that it can be used more than once. Constants and names are returned as they are. */
  let(value: Expr): Expr {
    const named = value.k === 'var' || value.k === 'const' || (value.k === 'splat' && value.a.k === 'const');
    return named ? value : this.var(value);
  }
  /** A variable that `set` may change. */
  var(value: Expr): Expr {
    const name = `r${this.n++}`;
    this.stmts.push({ k: 'let', name, value });
    return { k: 'var', t: value.t, name };
  }
  set(v: Expr, value: Expr): void {
    if (v.k !== 'var') throw new InternalError('set needs a variable');
    if (!sameType(v.t, value.t)) throw new InternalError(`set of a ${showVType(v.t)} variable to a ${showVType(value.t)}`);
    this.stmts.push({ k: 'set', name: v.name, value });
  }
  finish(name: string, loc: Loc): { readonly kernel: Kernel; readonly actuals: readonly Actual[] } {
    const params = this.order.map((o): Param => {
      if (o.k === 'int') return { k: 'int', name: o.name };
      const b = this.bufs.get(o.buffer);
      if (!b) throw new InternalError('unknown buffer');
      const access = b.read ? (b.write ? 'both' : 'read') : 'write';
      return { k: 'buf', name: b.name, dtype: elementOf(o.buffer), access, ...(o.buffer.scratch && { scratch: true }) };
    });
    return { kernel: { name, params, body: this.stmts, loc }, actuals: this.order };
  }
  private size(x: Num | Dim): Expr {
    return typeof x !== 'number' && x.k === 'poly' ? this.dim(x) : ex(x);
  }
  private buf(b: Buffer, access: 'read' | 'write'): string {
    let had = this.bufs.get(b);
    if (!had) {
      had = { name: `b${this.bufs.size}`, read: false, write: false };
      this.bufs.set(b, had);
      this.order.push({ k: 'buf', buffer: b });
    }
    had[access] = true;
    return had.name;
  }
  private nested(f: () => void): readonly Stmt[] {
    const outer = this.stmts;
    this.stmts = [];
    f();
    const inner = this.stmts;
    this.stmts = outer;
    return inner;
  }
}

/** A dimension over i32 expressions for its symbols. */
export const dimExpr = (d: Dim, sym: (name: string) => Expr): Expr =>
  foldDim<Expr>(d, {
    num: int,
    sym,
    bin: (op, a, b) => {
      switch (op) {
        case 'add':
          return add(a, b);
        case 'mul':
          return mul(a, b);
        case 'floordiv':
          return floorDiv(a, b);
        case 'min':
          return min(a, b);
        case 'max':
          return max(a, b);
      }
    },
  });
/** An element of the mixed radix number `flat` over `sizes`: the index along each axis. */
export function unflatten(k: KernelBuilder, flat: Expr, sizes: readonly Dim[]): Expr[] {
  const out: Expr[] = new Array<Expr>(sizes.length).fill(int(0));
  let rest = flat;
  for (let i = sizes.length - 1; i >= 0; i--) {
    const n = sizes[i] ?? 1;
    if (n === 1) continue;
    const first = sizes.slice(0, i).every(s => s === 1);
    out[i] = first ? rest : k.let(rem(rest, k.dim(n)));
    if (!first) rest = k.let(div(rest, k.dim(n)));
  }
  return out;
}
export { showDim, vtype, type VType };
