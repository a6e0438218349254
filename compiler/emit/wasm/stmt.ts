import { constOf, I32, type Expr, type Kernel, type Stmt } from '../../kernel/ir.ts';
import type { Profile } from '../../ops/profile.ts';
import type { Assembler, Ref } from './binaryen.ts';
import { emitExpr, emitStore } from './expr.ts';
import { newFn, type Fn } from './fn.ts';

/** Adds a kernel as a function of i32 parameters (addresses and sizes). It must have been prepared for the profile. */
export function emitKernel(
  asm: Assembler,
  profile: Profile,
  kernel: Kernel,
  name: string,
  helper: (name: string) => string,
): void {
  const { b, m } = asm;
  const f = newFn(asm, profile, kernel, helper);
  const body = emitBlock(f, kernel.body);
  m.addFunction(name, b.createType(kernel.params.map(() => b.i32)), b.none, f.vars, body);
}
function emitBlock(f: Fn, body: readonly Stmt[]): Ref {
  const out = body.map(s => emitStmt(f, s));
  return out.length === 1 && out[0] !== undefined ? out[0] : f.asm.m.block(null, out);
}
function emitStmt(f: Fn, s: Stmt): Ref {
  const { m, b } = f.asm;
  switch (s.k) {
    case 'let': {
      const value = emitExpr(f, s.value);
      const t = s.value.t;
      const nonNegative = t.base === 'i32' && t.lanes === 1 && f.nonNegative(s.value);
      const out = m.local.set(f.declare(s.name, t), value);
      if (nonNegative) f.markNonNegative(s.name);
      f.endStatement();
      return out;
    }
    case 'set': {
      const out = m.local.set(f.indexOf(s.name), emitExpr(f, s.value));
      f.endStatement();
      return out;
    }
    case 'store': {
      const out = emitStore(f, s.buf, s.dtype, s.at, s.base, s.value);
      f.endStatement();
      return out;
    }
    case 'if': {
      const c = emitExpr(f, s.c);
      f.endStatement();
      return m.if(c, emitBlock(f, s.then), s.else.length > 0 ? emitBlock(f, s.else) : undefined);
    }
    case 'while': {
      const first = s.enter ? undefined : emitExpr(f, s.c);
      f.endStatement();
      const body = emitBlock(f, s.body);
      const again = emitExpr(f, s.c);
      f.endStatement();
      const label = f.label();
      const loop = m.loop(label, m.block(null, [body, m.br(label, again)]));
      return first === undefined ? loop : m.if(first, loop);
    }
    case 'for': {
      const pre: Ref[] = [m.local.set(f.declare(s.v, I32), emitExpr(f, s.lo))];
      if (f.nonNegative(s.lo)) f.markNonNegative(s.v);
      const again = (e: Expr): boolean => e.k === 'const' || (e.k === 'var' && f.fixed(e.name));
      let hi = (): Ref => emitExpr(f, s.hi);
      if (!again(s.hi)) {
        const end = f.local(b.i32);
        pre.push(m.local.set(end, emitExpr(f, s.hi)));
        hi = () => m.local.get(end, b.i32);
      }
      f.endStatement();
      const test = (): Ref => m.i32.lt_s(f.get(s.v), hi());
      const label = f.label();
      const loop = m.loop(
        label,
        m.block(null, [
          emitBlock(f, s.body),
          m.local.set(f.indexOf(s.v), m.i32.add(f.get(s.v), m.i32.const(s.step))),
          m.br(label, test()),
        ]),
      );
      const lo = constOf(s.lo);
      const end = constOf(s.hi);
      if (lo === undefined || end === undefined) return m.block(null, [...pre, m.if(test(), loop)]);
      return lo < end ? m.block(null, [...pre, loop]) : m.nop();
    }
  }
}
