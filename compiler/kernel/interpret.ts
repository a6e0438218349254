import { InternalError, must } from '../core/diagnostic.ts';
import { regOf } from '../core/dtype.ts';
import { evaluatorOf } from './interpret-expr.ts';
import type { Value } from './arith.ts';
import { newFrame, type Watch } from './interpret-frame.ts';
import type { Expr, Kernel, Stmt, WordRows } from './ir.ts';
import { bindCell, writeFn, type BufferArg } from './memory.ts';

export type { Watch } from './interpret-frame.ts';
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
const compiled = new WeakMap<Kernel, Compiled>();

type Run = () => void;
/** What a parameter is given: a value may be of any type here, lane by lane. */
type Actual = BufferArg | Value | readonly Value[];
/** A kernel as a function; one with a range is given it. */
type Compiled = (args: readonly Actual[], begin?: number, end?: number) => void;

function compile(kernel: Kernel, watch?: Watch): Compiled {
  const frame = newFrame(kernel, watch);
  const { scalars, vectors, cells, slotOf, newSlot, cell, place, where } = frame;
  const ints = kernel.params.flatMap((p, param) => (p.k === 'int' ? [{ param, slot: newSlot(p.name, 1) }] : []));
  const values = kernel.params.flatMap((p, param) =>
    p.k === 'value' ? [{ param, lanes: p.t.lanes, slot: newSlot(p.name, p.t.lanes) }] : [],
  );
  const range = kernel.range && { begin: newSlot(kernel.range.begin, 1), end: newSlot(kernel.range.end, 1) };
  const { scalar, number, vector, lanesOf, index } = evaluatorOf(frame);
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

  const call = (s: Extract<Stmt, { k: 'call' }>): Run => {
    const callee = compile(s.kernel, watch);
    const args = s.args.map((a, i): (() => Actual) => {
      if (a.k === 'value') return a.value.t.lanes === 1 ? scalar(a.value) : vector(a.value);
      const to = s.kernel.params[i];
      if (to?.k !== 'buf') throw new InternalError(where(`argument ${i} of ${s.kernel.name} is a buffer`));
      const { dtype } = to;
      const [c, at] = [cell(a.buf, dtype), number(a.at)];
      return () => ({ dtype, data: c.view, offset: c.offset + at() });
    });
    if (!s.over) return () => callee(args.map(a => a()));
    const count = number(s.over.count);
    return () => {
      const given = args.map(a => a());
      const n = count();
      if (!watch) {
        callee(given, 0, n);
        return;
      }
      watch.enter();
      for (let i = 0; i < n; i++) {
        watch.iteration(i);
        callee(given, i, i + 1);
      }
      watch.leave();
    };
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
      case 'call':
        return call(s);
      case 'mma': {
        const { rows, columns, words } = s;
        const [a, b, to] = [wordRows(s.a, words, 'load'), wordRows(s.b, columns, 'load'), wordRows(s.to, columns, 'store')];
        return () => {
          for (let i = 0; i < rows; i++) {
            const left = a(i);
            const x = new Uint8Array(left.buffer, left.byteOffset, 4 * words);
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
  return (args, begin = 0, end = 0) => {
    if (args.length !== kernel.params.length)
      throw new InternalError(where(`${args.length} arguments for ${kernel.params.length} parameters`));
    for (const { param, slot } of ints) {
      const a = args[param];
      if (typeof a !== 'number') throw new InternalError(where(`argument ${param} must be a number`));
      scalars[slot] = a | 0;
    }
    for (const { param, lanes, slot } of values) {
      const a = args[param];
      if (a === undefined || isBuffer(a)) throw new InternalError(where(`argument ${param} must be a value`));
      if (typeof a !== 'object') scalars[slot] = a;
      else vectors[slot] = a.slice(0, lanes);
    }
    if (range) [scalars[range.begin], scalars[range.end]] = [begin, end];
    for (const c of cells.values()) {
      const a = args[c.param];
      if (a === undefined || !isBuffer(a)) throw new InternalError(where(`argument ${c.param} must be a buffer`));
      bindCell(c, a);
    }
    body();
  };
}
const isBuffer = (a: Actual): a is BufferArg => typeof a === 'object' && 'data' in a;
