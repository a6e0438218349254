import { isCoded, storedAs } from '../../core/codes.ts';
import { decoded, encoded } from '../codes.ts';
import { cast, vtype, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { freshNames } from './names.ts';
import { mapExpr, mapStmt } from './rewrite.ts';

/** Turns loads and stores of small floats and of integers of less than a byte into loads and stores of integers with arithmetic around them. */
export function expandCodes(kernel: Kernel): Kernel {
  if (!kernel.params.some(p => p.k === 'buf' && isCoded(p.dtype))) return kernel;
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
  if (!isCoded(e.dtype)) return e;
  const stored = storedAs(e.dtype);
  const ints = vtype('i32', e.t.lanes);
  const bits: Expr = { ...e, dtype: stored, t: e.t.lanes === 1 ? ints : vtype(stored, e.t.lanes) };
  return cast(e.t, decoded(e.dtype, bind(cast(ints, bits)), bind));
}
function narrowStore(s: Extract<Stmt, { k: 'store' }>, bind: Bind): Stmt {
  if (!isCoded(s.dtype)) return s;
  const stored = storedAs(s.dtype);
  const given = s.value.k === 'var' ? s.value : bind(s.value);
  const { lanes } = given.t;
  const x = given.t.base === 'f32' || lanes === 1 ? given : bind(cast(vtype('i32', lanes), given));
  const bits = encoded(s.dtype, x, bind);
  return { ...s, dtype: stored, value: lanes === 1 ? bits : cast(vtype(stored, lanes), bits) };
}
