import { InternalError, must, noLoc } from '../../core/diagnostic.ts';
import { KernelBuilder } from '../builder.ts';
import type { BinOp, CmpOp, Expr, UnOp, VType } from '../ir.ts';
import { FLOAT, scalarFunction, type Scalar } from './scalar.ts';

/**
 * Scalar functions of the kernel IR over whole arrays, for the evaluator: each operation is one loop over a piece of float64 numbers, so
 * that nothing is called or boxed per element. It exists for its speed: the evaluator computes whole networks. The meaning is that of
 * `scalar.ts`, which also does 64-bit integers and what has no loop here.
 */

/** Elements that go through all operations before the next ones: what lies between stays in the cache. */
const PIECE = 2048;
type Env = Float64Array[];
/** Gives the first n elements of a value; the array is the caller's to read until the next piece. */
type Column = (env: Env, n: number) => Float64Array;
export type ChunkFunction = (ins: readonly Float64Array[], out: Float64Array) => void;

const isWide = (t: VType): boolean => t.base === 'i64' || t.base === 'u64';
const isFloat = (t: VType): boolean => t.base === 'f32' || t.base === 'f64';

/** `build` as for `scalarFunction`. undefined where it computes with 64-bit integers. */
export function chunkFunction(
  args: readonly VType[],
  build: (k: KernelBuilder, args: readonly Expr[]) => Expr,
): ChunkFunction | undefined {
  if (args.some(isWide)) return undefined;
  const k = new KernelBuilder();
  const names = new Map<string, number>();
  const vars = args.map((t, i): Expr => {
    names.set(`arg${i}`, i);
    return { k: 'var', t, name: `arg${i}` };
  });
  const result = build(k, vars);
  const lets: { readonly at: number; readonly f: Column }[] = [];
  for (const s of k.finish('chunk', noLoc).kernel.body) {
    if (s.k !== 'let') throw new InternalError('a scalar function may only bind names');
    const f = column(s.value, names);
    if (!f) return undefined;
    names.set(s.name, names.size);
    lets.push({ at: names.size - 1, f });
  }
  const f = column(result, names);
  if (!f) return undefined;
  return (ins, out) => {
    const env: Env = [];
    for (let at = 0; at < out.length; at += PIECE) {
      const n = Math.min(PIECE, out.length - at);
      ins.forEach((x, i) => (env[i] = x.subarray(at, at + n)));
      for (const l of lets) env[l.at] = l.f(env, n);
      const y = f(env, n);
      out.set(y.length === n ? y : y.subarray(0, n), at);
    }
  };
}

function column(e: Expr, names: ReadonlyMap<string, number>): Column | undefined {
  if (isWide(e.t)) return undefined;
  const of = (x: Expr): Column | undefined => column(x, names);
  switch (e.k) {
    case 'const': {
      const all = new Float64Array(PIECE).fill(Number(e.value));
      return () => all;
    }
    case 'var': {
      const at = must(names.get(e.name), e.name);
      return env => must(env[at]);
    }
    case 'bin': {
      const [a, b] = [of(e.a), of(e.b)];
      return a && b && (isFloat(e.t) ? floatLoop(e.op, a, b) : intLoop(e.op, e.t, a, b));
    }
    case 'cmp': {
      const [a, b] = [of(e.a), of(e.b)];
      return a && b && compareLoop(e.op, a, b);
    }
    case 'un': {
      const a = of(e.a);
      return a && (isFloat(e.t) ? unaryLoop(e.op, a) : anyLoop([e.a.t], ([x]) => ({ ...e, a: must(x) }), [a]));
    }
    case 'select': {
      const [c, a, b] = [of(e.c), of(e.a), of(e.b)];
      return c && a && b && selectLoop(c, a, b);
    }
    case 'cast': {
      const a = of(e.a);
      // A number that only changes its type keeps its value.
      if (a && isFloat(e.t)) return a;
      return a && anyLoop([e.a.t], ([x]) => ({ ...e, a: must(x) }), [a]);
    }
    case 'reinterpret': {
      const a = of(e.a);
      return a && anyLoop([e.a.t], ([x]) => ({ ...e, a: must(x) }), [a]);
    }
    case 'fma': {
      const [a, b, c] = [of(e.a), of(e.b), of(e.c)];
      const product = a && b && floatLoop('mul', a, b);
      return product && c && floatLoop('add', product, c);
    }
    case 'load':
    case 'splat':
    case 'vec':
    case 'lane':
    case 'shuffle':
    case 'permute':
    case 'widen':
    case 'dot':
    case 'reduce':
    case 'addr':
      throw new InternalError(`${e.k} in a scalar function`);
  }
}
/** Any operation, element by element as `scalar.ts` does it. */
function anyLoop(types: readonly VType[], build: (args: readonly Expr[]) => Expr, ins: readonly Column[]): Column {
  const f = scalarFunction(types, (_, args) => build(args));
  const env: Scalar[] = ins.map(() => 0);
  return into((e, n, out) => {
    const columns = ins.map(c => c(e, n));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < columns.length; j++) env[j] = columns[j]?.[i] ?? 0;
      out[i] = Number(f(env));
    }
  });
}
/** A column of its own, filled by `fill`. */
function into(fill: (env: Env, n: number, out: Float64Array) => void): Column {
  const out = new Float64Array(PIECE);
  return (env, n) => {
    fill(env, n, out);
    return out;
  };
}
/** The element, which is there: indices stay below the length of a piece. */
const N = 0;

function floatLoop(op: BinOp, a: Column, b: Column): Column {
  return into((env, n, out) => {
    const x = a(env, n);
    const y = b(env, n);
    switch (op) {
      case 'add':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) + (y[i] ?? N);
        return;
      case 'sub':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) - (y[i] ?? N);
        return;
      case 'mul':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) * (y[i] ?? N);
        return;
      case 'div':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) / (y[i] ?? N);
        return;
      case 'rem':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) % (y[i] ?? N);
        return;
      case 'min':
        for (let i = 0; i < n; i++) {
          const [p, q] = [x[i] ?? N, y[i] ?? N];
          out[i] = q < p ? q : p;
        }
        return;
      case 'max':
        for (let i = 0; i < n; i++) {
          const [p, q] = [x[i] ?? N, y[i] ?? N];
          out[i] = p < q ? q : p;
        }
        return;
      case 'and':
      case 'or':
      case 'xor':
      case 'shl':
      case 'shr':
        throw new InternalError(`${op} of floats`);
    }
  });
}
function intLoop(op: BinOp, t: VType, a: Column, b: Column): Column {
  const signed = t.base !== 'u32';
  const loop = (f: (x: number, y: number) => number): Column =>
    into((env, n, out) => {
      const x = a(env, n);
      const y = b(env, n);
      if (signed) for (let i = 0; i < n; i++) out[i] = f(x[i] ?? N, y[i] ?? N) | 0;
      else for (let i = 0; i < n; i++) out[i] = f(x[i] ?? N, y[i] ?? N) >>> 0;
    });
  switch (op) {
    case 'add':
      return loop((x, y) => x + y);
    case 'sub':
      return loop((x, y) => x - y);
    case 'mul':
      return loop(Math.imul);
    case 'div':
      return loop((x, y) => (y === 0 ? 0 : Math.trunc(x / y)));
    case 'rem':
      return loop((x, y) => (y === 0 ? 0 : x % y));
    case 'min':
      return loop((x, y) => (y < x ? y : x));
    case 'max':
      return loop((x, y) => (x < y ? y : x));
    case 'and':
      return loop((x, y) => x & y);
    case 'or':
      return loop((x, y) => x | y);
    case 'xor':
      return loop((x, y) => x ^ y);
    case 'shl':
      return loop((x, y) => x << y);
    case 'shr':
      return loop(signed ? (x, y) => x >> y : (x, y) => x >>> y);
  }
}
function compareLoop(op: CmpOp, a: Column, b: Column): Column {
  return into((env, n, out) => {
    const x = a(env, n);
    const y = b(env, n);
    switch (op) {
      case 'eq':
        for (let i = 0; i < n; i++) out[i] = x[i] === y[i] ? 1 : 0;
        return;
      case 'ne':
        for (let i = 0; i < n; i++) out[i] = x[i] === y[i] ? 0 : 1;
        return;
      case 'lt':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) < (y[i] ?? N) ? 1 : 0;
        return;
      case 'le':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) <= (y[i] ?? N) ? 1 : 0;
        return;
      case 'gt':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) > (y[i] ?? N) ? 1 : 0;
        return;
      case 'ge':
        for (let i = 0; i < n; i++) out[i] = (x[i] ?? N) >= (y[i] ?? N) ? 1 : 0;
        return;
    }
  });
}
function selectLoop(c: Column, a: Column, b: Column): Column {
  return into((env, n, out) => {
    const which = c(env, n);
    const x = a(env, n);
    const y = b(env, n);
    for (let i = 0; i < n; i++) out[i] = (which[i] === 0 ? y[i] : x[i]) ?? N;
  });
}
/** The operations of most elements have loops that V8 inlines; the others call a function for each element. */
function unaryLoop(op: UnOp, a: Column): Column {
  const f = FLOAT[op];
  return into((env, n, out) => {
    const x = a(env, n);
    if (op === 'neg') for (let i = 0; i < n; i++) out[i] = -(x[i] ?? N);
    else if (op === 'abs') for (let i = 0; i < n; i++) out[i] = Math.abs(x[i] ?? N);
    else if (op === 'sqrt') for (let i = 0; i < n; i++) out[i] = Math.sqrt(x[i] ?? N);
    else if (op === 'exp') for (let i = 0; i < n; i++) out[i] = Math.exp(x[i] ?? N);
    else if (op === 'sigmoid') for (let i = 0; i < n; i++) out[i] = 1 / (1 + Math.exp(-(x[i] ?? N)));
    else for (let i = 0; i < n; i++) out[i] = f(x[i] ?? N);
  });
}

/** The elements of a tensor of some dims repeated to others that they broadcast to. */
export function broadcastNumbers(data: Float64Array, from: readonly number[], to: readonly number[]): Float64Array {
  if (to.includes(0)) return new Float64Array(0);
  const dims = [...new Array<number>(to.length - from.length).fill(1), ...from];
  let current = data;
  let inner = 1;
  for (let a = to.length - 1; a >= 0; a--) {
    const n = must(to[a]);
    if (dims[a] !== n) {
      const outer = current.length / inner;
      const next = new Float64Array(outer * n * inner);
      for (let o = 0; o < outer; o++) {
        if (inner === 1) next.fill(current[o] ?? N, o * n, (o + 1) * n);
        else {
          const part = current.subarray(o * inner, (o + 1) * inner);
          for (let i = 0; i < n; i++) next.set(part, (o * n + i) * inner);
        }
      }
      current = next;
    }
    inner *= n;
  }
  return current;
}
