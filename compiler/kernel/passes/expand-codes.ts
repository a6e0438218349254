import {
  add,
  and,
  cast,
  ge,
  gt,
  konst,
  lt,
  mul,
  ne,
  or,
  reinterpret,
  select,
  shl,
  shr,
  sub,
  vtype,
  type Expr,
  type Kernel,
  type Stmt,
} from '../ir.ts';
import { freshNames } from './names.ts';
import { mapExpr, mapStmt } from './rewrite.ts';

/**
 * Turns loads and stores of f16 and bf16 into loads and stores of u16 with integer arithmetic around them: exact both ways, rounding to
 * nearest even. Every NaN is stored as the same one.
 */
export function expandHalf(kernel: Kernel): Kernel {
  if (!kernel.params.some(p => p.k === 'buf' && (p.dtype === 'f16' || p.dtype === 'bf16'))) return kernel;
  const fresh = freshNames(kernel, 'w');
  const block = (body: readonly Stmt[]): readonly Stmt[] => {
    const out: Stmt[] = [];
    for (const s of body) {
      // Loads are expanded where they stand (a load used for one value is named, so that its bits can be used more than once), except
      // in the condition of a while, which is evaluated again and again: there the whole tree is repeated.
      const bind = (e: Expr): Expr => {
        if (s.k === 'while') return e;
        const name = fresh();
        out.push({ k: 'let', name, value: e });
        return { k: 'var', t: e.t, name };
      };
      const expr = (e: Expr): Expr => mapExpr(e, x => (x.k === 'load' ? widenLoad(x, bind) : x));
      const t = mapStmt(s, expr, block);
      out.push(t.k === 'store' ? narrowStore(t, bind) : t);
    }
    return out;
  };
  return { ...kernel, body: block(kernel.body) };
}
type Bind = (e: Expr) => Expr;

function widenLoad(e: Extract<Expr, { k: 'load' }>, bind: Bind): Expr {
  if (e.dtype !== 'f16' && e.dtype !== 'bf16') return e;
  const ints = vtype('i32', e.t.lanes);
  const bits: Expr = { ...e, dtype: 'u16', t: e.t.lanes === 1 ? ints : vtype('u16', e.t.lanes) };
  const h = bind(cast(ints, bits));
  return e.dtype === 'f16' ? fromF16(h, e.t) : reinterpret(e.t, shl(h, 16));
}
/** A half's magnitude moved to an f32's place is too small by 2^112; multiplying makes small halves normal numbers on the way. */
function fromF16(h: Expr, t: Expr['t']): Expr {
  const magnitude = shl(and(h, 0x7fff), 13);
  const finite = reinterpret(h.t, mul(reinterpret(t, magnitude), 2 ** 112));
  const special = or(magnitude, 0x7f800000);
  const a = select(ge(and(h, 0x7fff), 0x7c00), special, finite);
  return reinterpret(t, or(a, shl(and(h, 0x8000), 16)));
}
function narrowStore(s: Extract<Stmt, { k: 'store' }>, bind: Bind): Stmt {
  if (s.dtype !== 'f16' && s.dtype !== 'bf16') return s;
  const x = s.value.k === 'var' ? s.value : bind(s.value);
  const b = bind(reinterpret(vtype('i32', x.t.lanes), x));
  const bits = s.dtype === 'f16' ? toF16(x, b, bind) : toBF16(x, b);
  return { ...s, dtype: 'u16', value: x.t.lanes === 1 ? bits : cast(vtype('u16', x.t.lanes), bits) };
}
const toBF16 = (x: Expr, b: Expr): Expr => select(ne(x, x), konst(b.t, 0x7fc0), shr(add(add(b, 0x7fff), and(shr(b, 16), 1)), 16));
function toF16(x: Expr, b: Expr, bind: Bind): Expr {
  const a = bind(and(b, 0x7fffffff));
  // Adding 1/2 to a number below 2^-14 leaves its multiple of 2^-24, rounded, in the low bits.
  const small = sub(reinterpret(b.t, add(reinterpret(x.t, a), 0.5)), 0x3f000000);
  const normal = shr(add(add(a, -0x37fff001), and(shr(a, 13), 1)), 13);
  const finite = select(lt(a, 0x38800000), small, normal);
  const signed = or(select(ge(a, 0x47800000), konst(b.t, 0x7c00), finite), and(shr(b, 16), 0x8000));
  return select(gt(a, 0x7f800000), konst(b.t, 0x7e00), signed);
}
