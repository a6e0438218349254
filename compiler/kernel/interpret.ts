import { InternalError, must } from '../core/diagnostic.ts';
import { DTYPES, regOf, type DType } from '../core/dtype.ts';
import { fromBF16, fromF16 } from '../core/tensor.ts';
import { binFn, castFn, cmpFn, getLane, isBig, normalise, unFn, wrapNumber, type Value } from './arith.ts';
import { baseBytes, type Expr, type Kernel, type Stmt, type WordRows } from './ir.ts';
import { bindCell, blendFn, scratch, writeFn, writeLanes, type BufferArg, type Cell } from './memory.ts';

/** A buffer, or the value of an i32 parameter; in the order of `kernel.params`. */
export type InterpretArg = BufferArg | number;

/**
 * Runs a kernel: this is the definition of the kernel language. Every access is checked against the memory that was given; a read or
 * write outside is an InternalError, because it is the kernel that is wrong. MathOps must have been expanded.
 * A kernel is compiled to closures at its first run and kept; not so with `watch`, which is told what happens in parallel loops.
 */
export function interpret(kernel: Kernel, args: readonly InterpretArg[], watch?: Watch): void {
  if (watch) {
    compile(kernel, watch)(args);
    return;
  }
  let run = compiled.get(kernel);
  if (!run) compiled.set(kernel, (run = compile(kernel)));
  run(args);
}
/** Is told of every access to memory, and of the iterations of parallel loops, which may nest. */
export interface Watch {
  enter(): void;
  iteration(v: number): void;
  leave(): void;
  /** `at` and `size` in bytes of `memory`, which is the whole that the buffer lies in. */
  access(kind: 'load' | 'store', memory: ArrayBufferLike, at: number, size: number, scratch: boolean, name: string): void;
}
const compiled = new WeakMap<Kernel, (args: readonly InterpretArg[]) => void>();

type Scalar = () => Value;
/** The lanes; the array belongs to the expression and is overwritten by its next evaluation. */
type Vector = () => readonly Value[];
type Run = () => void;

function compile(kernel: Kernel, watch?: Watch): (args: readonly InterpretArg[]) => void {
  const cells = new Map<string, Cell>();
  const scalars: Value[] = [];
  const vectors: Value[][] = [];
  const slots = new Map<string, number>();
  const ints: { readonly param: number; readonly slot: number }[] = [];
  const where = (what: string): string => `kernel ${kernel.name}: ${what}`;

  const slotOf = (name: string): number => must(slots.get(name), where(`variable ${name}`));
  const newSlot = (name: string, lanes: number): number => {
    if (slots.has(name)) throw new InternalError(where(`${name} is bound twice`));
    const into: unknown[] = lanes === 1 ? scalars : vectors;
    const at = into.length;
    if (lanes === 1) scalars.push(0);
    else vectors.push(new Array<Value>(lanes).fill(0));
    slots.set(name, at);
    return at;
  };
  kernel.params.forEach((p, param) => {
    if (p.k === 'int') ints.push({ param, slot: newSlot(p.name, 1) });
  });
  const cell = (buf: string, dtype: DType): Cell => {
    const key = `${buf}:${dtype}`;
    const had = cells.get(key);
    if (had) return had;
    const param = kernel.params.findIndex(p => p.k === 'buf' && p.name === buf);
    if (param < 0) throw new InternalError(where(`no buffer ${buf}`));
    const c: Cell = { param, name: buf, dtype, view: new Uint8Array(0), offset: 0 };
    cells.set(key, c);
    return c;
  };
  /** The index of an access in elements from the start of the memory. */
  const index = (c: Cell, at: Expr, base: Expr | undefined, lanes: number, what: 'load' | 'store'): (() => number) =>
    place(c, number(at), base && number(base), lanes, what);
  /** The same of numbers; `base` counts bytes. */
  const place = (
    c: Cell,
    at: () => number,
    base: (() => number) | undefined,
    lanes: number,
    what: 'load' | 'store',
  ): (() => number) => {
    const inside = placeIn(c, at, base, lanes, what);
    if (!watch) return inside;
    const size = DTYPES[c.dtype].bytes;
    const param = kernel.params[c.param];
    const scratch = param?.k === 'buf' && param.scratch === true;
    return () => {
      const n = inside();
      watch.access(what, c.view.buffer, c.view.byteOffset + n * size, lanes * size, scratch, where(`${what} of ${c.name}`));
      return n;
    };
  };
  const placeIn = (
    c: Cell,
    i: () => number,
    base: (() => number) | undefined,
    lanes: number,
    what: 'load' | 'store',
  ): (() => number) => {
    const checked = (n: number): number =>
      n >= 0 && n + lanes <= c.view.length
        ? n
        : bounds(
            `${what} of ${c.name}[${n - c.offset}]${lanes > 1 ? `:${lanes}` : ''} outside of ${c.view.length} - ${c.offset}`,
          );
    const bounds = (s: string): never => {
      throw new InternalError(where(s));
    };
    if (!base) return () => checked(i() + c.offset);
    const size = DTYPES[c.dtype].bytes;
    return () => checked(base() / size + i() + c.offset);
  };
  /** The words of a row, by its number. */
  const wordRows = (r: WordRows, words: number, what: 'load' | 'store'): ((row: number) => Int32Array) => {
    const c = cell(r.buf, 'i32');
    let row = 0;
    const [at, stride] = [number(r.at), number(r.stride)];
    const first = place(c, () => at() + row * stride(), undefined, words, what);
    return i => {
      row = i;
      const from = first();
      return new Int32Array(c.view.buffer, c.view.byteOffset + 4 * from, words);
    };
  };
  const number = (e: Expr): (() => number) => {
    if (e.k === 'const' && typeof e.value === 'number') {
      const v = wrapNumber(e.t.base)(e.value);
      return () => v;
    }
    const f = scalar(e);
    return () => {
      const v = f();
      return typeof v === 'number' ? v : Number(v);
    };
  };

  const scalar = (e: Expr): Scalar => {
    const t = e.t;
    if (t.lanes !== 1) throw new InternalError(where('a vector where a scalar is due'));
    switch (e.k) {
      case 'const': {
        const v = normalise(t.base, e.value);
        return () => v;
      }
      case 'var': {
        const at = slotOf(e.name);
        return () => scalars[at] ?? 0;
      }
      case 'load': {
        const c = cell(e.buf, e.dtype);
        const i = index(c, e.at, e.base, 1, 'load');
        if (e.dtype === 'f16') return () => fromF16(Number(c.view[i()]));
        if (e.dtype === 'bf16') return () => fromBF16(Number(c.view[i()]));
        return () => c.view[i()] ?? 0;
      }
      case 'bin': {
        if (t.base === 'i32' && (e.op === 'add' || e.op === 'mul')) {
          const a = number(e.a);
          const b = number(e.b);
          return e.op === 'add' ? () => (a() + b()) | 0 : () => Math.imul(a(), b());
        }
        if (t.base === 'f32' && (e.op === 'add' || e.op === 'mul')) {
          const a = number(e.a);
          const b = number(e.b);
          return e.op === 'add' ? () => Math.fround(a() + b()) : () => Math.fround(a() * b());
        }
        const f = binFn(t.base, e.op);
        const a = scalar(e.a);
        const b = scalar(e.b);
        return () => f(a(), b());
      }
      case 'un': {
        const f = unFn(t.base, e.op);
        const a = scalar(e.a);
        return () => f(a());
      }
      case 'cmp': {
        const f = cmpFn(e.op);
        const a = scalar(e.a);
        const b = scalar(e.b);
        return () => (f(a(), b()) ? 1 : 0);
      }
      case 'select': {
        const c = scalar(e.c);
        const a = scalar(e.a);
        const b = scalar(e.b);
        // Both sides are evaluated, as a machine select does: an access outside is an error whatever the condition is.
        return () => {
          const x = a();
          const y = b();
          return Number(c()) !== 0 ? x : y;
        };
      }
      case 'cast': {
        const f = castFn(e.a.t.base, t.base);
        const a = scalar(e.a);
        return () => f(a());
      }
      case 'reinterpret': {
        const a = lanesOf(e.a);
        const from = e.a.t.base;
        return () => {
          writeLanes(from, a());
          return getLane(scratch, 0, t.base);
        };
      }
      case 'lane': {
        const a = vector(e.a);
        return () => a()[e.lane] ?? 0;
      }
      case 'fma': {
        const mul = binFn(t.base, 'mul');
        const add = binFn(t.base, 'add');
        const [a, b, c] = [scalar(e.a), scalar(e.b), scalar(e.c)];
        return () => add(mul(a(), b()), c());
      }
      case 'reduce': {
        const f = binFn(e.a.t.base, e.op);
        const a = vector(e.a);
        return () => {
          const v = a().slice();
          for (let n = v.length / 2; n >= 1; n /= 2) for (let i = 0; i < n; i++) v[i] = f(v[i] ?? 0, v[i + n] ?? 0);
          return v[0] ?? 0;
        };
      }
      case 'addr': {
        const at = number(e.at);
        const size = DTYPES[e.dtype].bytes;
        return () => (at() * size) | 0;
      }
      case 'splat':
      case 'vec':
      case 'shuffle':
      case 'permute':
      case 'widen':
      case 'dot':
        throw new InternalError(where(`${e.k} of one lane`));
    }
  };
  /** A scalar as a vector of one, for what works on bytes. */
  const lanesOf = (e: Expr): Vector => {
    if (e.t.lanes > 1) return vector(e);
    const a = scalar(e);
    return () => [a()];
  };

  const vector = (e: Expr): Vector => {
    const t = e.t;
    const n = t.lanes;
    if (n === 1) throw new InternalError(where('a scalar where a vector is due'));
    const out = new Array<Value>(n).fill(0);
    switch (e.k) {
      case 'const': {
        out.fill(normalise(t.base, e.value));
        return () => out;
      }
      case 'var': {
        const at = slotOf(e.name);
        return () => vectors[at] ?? out;
      }
      case 'load': {
        const c = cell(e.buf, e.dtype);
        const first = index(c, e.at, e.base, n, 'load');
        const conv: (v: Value) => Value =
          e.dtype === 'f16' ? v => fromF16(Number(v)) : e.dtype === 'bf16' ? v => fromBF16(Number(v)) : v => v;
        return () => {
          const at = first();
          for (let i = 0; i < n; i++) out[i] = conv(c.view[at + i] ?? 0);
          return out;
        };
      }
      case 'bin': {
        const f = binFn(t.base, e.op);
        const a = vector(e.a);
        if (e.op === 'shl' || e.op === 'shr') {
          const count = scalar(e.b);
          return () => {
            const x = a();
            const by = count();
            for (let i = 0; i < n; i++) out[i] = f(x[i] ?? 0, by);
            return out;
          };
        }
        const b = vector(e.b);
        return () => {
          const x = a();
          const y = b();
          for (let i = 0; i < n; i++) out[i] = f(x[i] ?? 0, y[i] ?? 0);
          return out;
        };
      }
      case 'un':
      case 'cast': {
        const f = e.k === 'un' ? unFn(t.base, e.op) : castFn(e.a.t.base, t.base);
        const a = vector(e.a);
        return () => {
          const x = a();
          for (let i = 0; i < n; i++) out[i] = f(x[i] ?? 0);
          return out;
        };
      }
      case 'cmp': {
        const f = cmpFn(e.op);
        const [no, yes] = isBig(t.base) ? [0n, -1n] : [0, -1];
        const a = vector(e.a);
        const b = vector(e.b);
        return () => {
          const x = a();
          const y = b();
          for (let i = 0; i < n; i++) out[i] = f(x[i] ?? 0, y[i] ?? 0) ? yes : no;
          return out;
        };
      }
      case 'select': {
        const a = vector(e.a);
        const b = vector(e.b);
        if (e.c.t.lanes === 1) {
          const c = scalar(e.c);
          return () => {
            const x = a();
            const y = b();
            return Number(c()) !== 0 ? x : y;
          };
        }
        const c = vector(e.c);
        const blend = blendFn(e.c.t.base, t.base);
        return () => {
          const m = c();
          const x = a();
          const y = b();
          for (let i = 0; i < n; i++) out[i] = blend(m[i] ?? 0, x[i] ?? 0, y[i] ?? 0);
          return out;
        };
      }
      case 'reinterpret': {
        const a = lanesOf(e.a);
        const from = e.a.t.base;
        const size = baseBytes(t.base);
        return () => {
          writeLanes(from, a());
          for (let i = 0; i < n; i++) out[i] = getLane(scratch, i * size, t.base);
          return out;
        };
      }
      case 'splat': {
        const a = scalar(e.a);
        const fit = (v: Value): Value => normalise(t.base, v);
        return () => out.fill(fit(a()));
      }
      case 'vec': {
        const parts = e.parts.map(scalar);
        return () => {
          parts.forEach((p, i) => (out[i] = p()));
          return out;
        };
      }
      case 'shuffle': {
        const a = vector(e.a);
        const b = vector(e.b);
        const m = e.a.t.lanes;
        return () => {
          const x = a();
          const y = b();
          e.lanes.forEach((l, i) => (out[i] = (l < m ? x[l] : y[l - m]) ?? 0));
          return out;
        };
      }
      case 'permute': {
        const [a, b, at] = [vector(e.a), vector(e.b), vector(e.at)];
        return () => {
          const both = [...a(), ...b()];
          at().forEach((l, i) => (out[i] = both[Number(l) & (2 * n - 1)] ?? 0));
          return out;
        };
      }
      case 'widen': {
        const f = castFn(e.a.t.base, t.base);
        const a = vector(e.a);
        const from = e.half === 'low' ? 0 : n;
        return () => {
          const x = a();
          for (let i = 0; i < n; i++) out[i] = f(x[from + i] ?? 0);
          return out;
        };
      }
      case 'fma': {
        const mul = binFn(t.base, 'mul');
        const add = binFn(t.base, 'add');
        const [a, b, c] = [vector(e.a), vector(e.b), vector(e.c)];
        return () => {
          const x = a();
          const y = b();
          const z = c();
          for (let i = 0; i < n; i++) out[i] = add(mul(x[i] ?? 0, y[i] ?? 0), z[i] ?? 0);
          return out;
        };
      }
      case 'dot': {
        const [a, b, acc] = [vector(e.a), vector(e.b), vector(e.acc)];
        const group = e.a.t.lanes / n;
        return () => {
          const x = a();
          const y = b();
          const z = acc();
          for (let i = 0; i < n; i++) {
            let s = Number(z[i]);
            for (let j = i * group; j < (i + 1) * group; j++) s = (s + Number(x[j]) * Number(y[j])) | 0;
            out[i] = s;
          }
          return out;
        };
      }
      case 'lane':
      case 'reduce':
      case 'addr':
        throw new InternalError(where(`${e.k} of ${n} lanes`));
    }
  };

  const block = (b: readonly Stmt[]): Run => {
    const runs = b.map(statement);
    const [one, two] = runs;
    if (runs.length === 1 && one) return one;
    if (runs.length === 2 && one && two)
      return () => {
        one();
        two();
      };
    return () => {
      for (const r of runs) r();
    };
  };
  /** The value is compiled before the name it is bound to exists. */
  const assign = (value: Expr): ((slot: number) => Run) => {
    if (value.t.lanes === 1) {
      const f = scalar(value);
      return slot => () => void (scalars[slot] = f());
    }
    const f = vector(value);
    return slot => () => {
      const v = f();
      const to = vectors[slot] ?? [];
      for (let i = 0; i < to.length; i++) to[i] = v[i] ?? 0;
    };
  };
  const statement = (s: Stmt): Run => {
    switch (s.k) {
      case 'let': {
        const set = assign(s.value);
        return set(newSlot(s.name, s.value.t.lanes));
      }
      case 'set':
        return assign(s.value)(slotOf(s.name));
      case 'for': {
        const lo = number(s.lo);
        const hi = number(s.hi);
        const at = newSlot(s.v, 1);
        const body = block(s.body);
        if (watch && s.parallel)
          return () => {
            const end = hi();
            watch.enter();
            for (let v = lo(); v < end; v += s.step) {
              scalars[at] = v;
              watch.iteration(v);
              body();
            }
            watch.leave();
          };
        return () => {
          const end = hi();
          for (let v = lo(); v < end; v += s.step) {
            scalars[at] = v;
            body();
          }
        };
      }
      case 'while': {
        const c = scalar(s.c);
        const body = block(s.body);
        return () => {
          while (Number(c()) !== 0) body();
        };
      }
      case 'if': {
        const c = scalar(s.c);
        const then = block(s.then);
        const other = block(s.else);
        return () => (Number(c()) !== 0 ? then() : other());
      }
      case 'store': {
        const c = cell(s.buf, s.dtype);
        const lanes = s.value.t.lanes;
        const first = index(c, s.at, s.base, lanes, 'store');
        const value = lanesOf(s.value);
        const reg = lanes === 1 ? regOf(s.dtype) : undefined;
        if (reg !== undefined && reg !== s.value.t.base)
          throw new InternalError(where(`store of ${s.value.t.base} as ${s.dtype}`));
        const put = writeFn(c, s.dtype);
        return () => {
          const v = value();
          const at = first();
          for (let i = 0; i < lanes; i++) put(at + i, v[i] ?? 0);
        };
      }
      case 'prefetch':
        return () => undefined;
      case 'mma': {
        const { rows, columns, words } = s;
        const [a, b, to] = [wordRows(s.a, words, 'load'), wordRows(s.b, columns, 'load'), wordRows(s.to, columns, 'store')];
        return () => {
          for (let i = 0; i < rows; i++) {
            const left = a(i);
            const x = new (s.held === 'u8' ? Uint8Array : Int8Array)(left.buffer as ArrayBuffer, left.byteOffset, 4 * words);
            const sums = new Int32Array(columns);
            for (let w = 0; w < words; w++) {
              const right = b(w);
              const y = new Int8Array(right.buffer, right.byteOffset, 4 * columns);
              for (let j = 0; j < 4 * columns; j++) sums[j >> 2] = must(sums[j >> 2]) + must(x[4 * w + (j & 3)]) * must(y[j]);
            }
            to(i).set(sums);
          }
        };
      }
    }
  };
  const body = block(kernel.body);
  return args => {
    if (args.length !== kernel.params.length)
      throw new InternalError(where(`${args.length} arguments for ${kernel.params.length} parameters`));
    for (const { param, slot } of ints) {
      const a = args[param];
      if (typeof a !== 'number') throw new InternalError(where(`argument ${param} must be a number`));
      scalars[slot] = a | 0;
    }
    for (const c of cells.values()) {
      const a = args[c.param];
      if (a === undefined || typeof a === 'number') throw new InternalError(where(`argument ${c.param} must be a buffer`));
      bindCell(c, a);
    }
    body();
  };
}
