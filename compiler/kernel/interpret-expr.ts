import { InternalError } from '../core/diagnostic.ts';
import { DTYPES } from '../core/dtype.ts';
import { codeOf } from '../core/codes.ts';
import { binFn, castFn, cmpFn, getLane, isBig, normalise, unFn, wrapNumber, type Value } from './arith.ts';
import type { Frame } from './interpret-frame.ts';
import { baseBytes, type Expr } from './ir.ts';
import { blendFn, scratch, writeLanes, type Cell } from './memory.ts';

type Scalar = () => Value;
/** The lanes; the array belongs to the expression and is overwritten by its next evaluation. */
type Vector = () => readonly Value[];
/** Expressions of a kernel as closures. */
interface Evaluator {
  readonly scalar: (e: Expr) => Scalar;
  /** A scalar that fits a number. */
  readonly number: (e: Expr) => () => number;
  readonly vector: (e: Expr) => Vector;
  /** A scalar as a vector of one, for what works on bytes. */
  readonly lanesOf: (e: Expr) => Vector;
  /** The index of an access in elements from the start of the memory. */
  readonly index: (c: Cell, at: Expr, base: Expr | undefined, lanes: number, what: 'load' | 'store') => () => number;
}
export function evaluatorOf({ scalars, vectors, slotOf, cell, place, where }: Frame): Evaluator {
  const index: Evaluator['index'] = (c, at, base, lanes, what) => place(c, number(at), base && number(base), lanes, what);
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
        const code = codeOf(e.dtype);
        if (code) return () => code.decode(Number(c.view[i()]));
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
        const code = codeOf(e.dtype);
        const conv: (v: Value) => Value = code ? v => code.decode(Number(v)) : v => v;
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

  return { scalar, number, vector, lanesOf, index };
}
