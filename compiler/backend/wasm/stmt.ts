import { InternalError } from '../../core/diagnostic.ts';
import { constOf, I32, type Kernel, type Stmt } from '../../kernel/ir.ts';
import { exprsOf, readsOf, walk } from '../../kernel/passes/rewrite.ts';
import type { Profile } from '../../target/profile.ts';
import type { Assembler, ExpressionRef } from './binaryen.ts';
import { emitExpr, emitStore } from './expr.ts';
import { newFn, parameterTypes, type Fn, type Functions } from './fn.ts';
import { parallelCall } from './pool.ts';

/**
 * Adds a kernel as a function of its range, if it has one, and its parameters; addresses and sizes are i32. It must be as `runKernelPasses`
 * leaves it.
 */
export function emitKernel(asm: Assembler, profile: Profile, kernel: Kernel, name: string, module: Functions): void {
  const { b, m } = asm;
  const f = newFn(asm, profile, kernel, module);
  const body = emitBlock(f, kernel.body);
  m.addFunction(name, b.createType([...f.params]), b.none, f.vars, body);
}
/**
 * A block. A variable's local is free after the last statement that mentions it: fewer locals are fewer values that a loop carries as
 * engines see it, and V8 unrolls loops by their size.
 */
function emitBlock(f: Fn, body: readonly Stmt[]): ExpressionRef {
  const own = new Set<string>();
  const last = new Map<string, number>();
  body.forEach((s, i) => {
    if (s.k === 'let') own.add(s.name);
    mentions(s, name => {
      if (own.has(name)) last.set(name, i);
    });
  });
  const dying: string[][] = body.map(() => []);
  for (const [name, i] of last) dying[i]?.push(name);
  const out = body.map((s, i) => emitStmt(f, s, dying[i] ?? []));
  return out.length === 1 && out[0] !== undefined ? out[0] : f.asm.m.block(null, out);
}
function mentions(s: Stmt, f: (name: string) => void): void {
  walk([s], t => {
    if (t.k === 'let' || t.k === 'set') f(t.name);
    for (const e of exprsOf(t)) readsOf(e, f);
  });
}
function emitStmt(f: Fn, s: Stmt, dying: readonly string[]): ExpressionRef {
  const { m, b } = f.asm;
  const done = (out: ExpressionRef): ExpressionRef => {
    f.endStatement();
    for (const name of dying) f.forget(name);
    return out;
  };
  switch (s.k) {
    case 'let': {
      const value = emitExpr(f, s.value);
      const t = s.value.t;
      const nonNegative = t.base === 'i32' && t.lanes === 1 && f.nonNegative(s.value);
      f.endStatement();
      // What the value is made of may die here and leave its local to the new variable.
      for (const name of dying) if (name !== s.name) f.forget(name);
      const out = m.local.set(f.declare(s.name, t), value);
      if (nonNegative) f.markNonNegative(s.name);
      if (dying.includes(s.name)) f.forget(s.name);
      return out;
    }
    case 'set':
      return done(m.local.set(f.indexOf(s.name), emitExpr(f, s.value)));
    case 'store':
      return done(emitStore(f, s.buf, s.dtype, s.at, s.base, s.value));
    case 'prefetch':
      return done(m.nop());
    case 'mma':
      throw new InternalError('WebAssembly has no mma');
    case 'call': {
      const { over } = s;
      const args = (): ExpressionRef[] =>
        s.args.map((a, i) => {
          if (a.k === 'value') return emitExpr(f, a.value);
          const to = s.kernel.params[i];
          return emitExpr(f, { k: 'addr', t: I32, buf: a.buf, dtype: to?.k === 'buf' ? to.dtype : 'u8', at: a.at });
        });
      const kernel = f.kernel(s.kernel);
      if (over && f.pool && f.slice)
        return done(
          parallelCall(f.asm, f.pool, {
            kernel,
            slice: f.slice(s.kernel),
            types: parameterTypes(f.asm, f.profile, s.kernel),
            count: () => emitExpr(f, over.count),
            cost: () => emitExpr(f, over.cost),
            args,
          }),
        );
      // One thread runs the whole range.
      const range = over ? [m.i32.const(0), emitExpr(f, over.count)] : [];
      return done(m.call(kernel, [...range, ...args()], b.none));
    }
    case 'if': {
      const c = emitExpr(f, s.c);
      f.endStatement();
      const then = emitBlock(f, s.then);
      return done(m.if(c, then, s.else.length > 0 ? emitBlock(f, s.else) : undefined));
    }
    case 'while': {
      const first = s.enter ? undefined : emitExpr(f, s.c);
      f.endStatement();
      const body = emitBlock(f, s.body);
      const label = f.label();
      const loop = m.loop(label, m.block(null, [body, m.br(label, emitExpr(f, s.c))]));
      return done(first === undefined ? loop : m.if(first, loop));
    }
    case 'for': {
      const lo = constOf(s.lo);
      const end = constOf(s.hi);
      if (lo !== undefined && end !== undefined && lo >= end) return done(m.nop());
      const from = emitExpr(f, s.lo);
      const counter = f.declare(s.v, I32);
      const pre: ExpressionRef[] = [m.local.set(counter, from)];
      if (f.nonNegative(s.lo)) f.markNonNegative(s.v);
      const simple = s.hi.k === 'const' || (s.hi.k === 'var' && f.fixed(s.hi.name));
      const kept = simple ? undefined : f.local(b.i32);
      if (kept !== undefined) pre.push(m.local.set(kept, emitExpr(f, s.hi)));
      const hi = (): ExpressionRef => (kept === undefined ? emitExpr(f, s.hi) : m.local.get(kept, b.i32));
      f.endStatement();
      const test = (): ExpressionRef => m.i32.lt_s(f.get(s.v), hi());
      const label = f.label();
      const next = m.local.set(counter, m.i32.add(f.get(s.v), m.i32.const(s.step)));
      const body = emitBlock(f, s.body);
      const loop = m.loop(label, m.block(null, [body, next, m.br(label, test())]));
      const all = m.block(null, [...pre, lo === undefined || end === undefined ? m.if(test(), loop) : loop]);
      if (kept !== undefined) f.release(b.i32, kept);
      f.forget(s.v);
      return done(all);
    }
  }
}
