import { InternalError, showLoc } from '../core/diagnostic.ts';
import { bytesOf, regOf } from '../core/dtype.ts';
import { bitsOf } from './arith.ts';
import {
  baseBytes,
  children,
  constOf,
  F32,
  I32,
  isFloatBase,
  loadType,
  maskType,
  MMA,
  sameType,
  scalarOf,
  showVType,
  type Expr,
  type Kernel,
  type Param,
  type Stmt,
  type VType,
} from './ir.ts';
import { showExpr } from './print.ts';

/**
 * Checks what the type system of TypeScript cannot: types of operands, scopes, unique names, access rights. Throws InternalError: an
 * ill-formed kernel is a bug of the compiler.
 */
export function verifyKernel(kernel: Kernel): void {
  const buffers = new Map<string, Extract<Param, { k: 'buf' }>>();
  const names = new Set<string>();
  const counters = new Set<string>();
  /** Variables that the parallel loop around sees but may not set. */
  let shared: ReadonlySet<string> = new Set();
  let parallel = false;
  const where = showLoc(kernel.loc);
  const fail = (what: string, e?: Expr): never => {
    throw new InternalError(`kernel ${kernel.name}${where === '' ? '' : ` of ${where}`}: ${what}${e ? `: ${showExpr(e)}` : ''}`);
  };
  const bindName = (name: string): void => {
    if (names.has(name)) fail(`${name} is bound twice`);
    names.add(name);
  };
  type Scope = ReadonlyMap<string, VType>;
  const scope = new Map<string, VType>();
  for (const p of kernel.params) {
    bindName(p.name);
    if (p.k === 'buf') buffers.set(p.name, p);
    else scope.set(p.name, p.k === 'value' ? p.t : I32);
  }
  for (const name of kernel.range ? [kernel.range.begin, kernel.range.end] : []) {
    bindName(name);
    scope.set(name, I32);
    counters.add(name);
  }
  const access = (buf: string, right: 'read' | 'write', e?: Expr): void => {
    const p = buffers.get(buf);
    if (!p) return fail(`${buf} is not a buffer`, e);
    if (p.access !== 'both' && p.access !== right) fail(`${buf} is declared ${p.access}`, e);
  };
  const index = (at: Expr, base: Expr | undefined, vars: Scope, e?: Expr): void => {
    expr(at, vars);
    if (!sameType(at.t, I32)) fail('an index must be an i32', e ?? at);
    if (!base) return;
    expr(base, vars);
    if (!sameType(base.t, I32)) fail('an address must be an i32', base);
    if ((constOf(at) ?? -1) < 0) fail('beside a base the index must be a constant that is not negative', e ?? at);
  };
  const expr = (e: Expr, vars: Scope): void => {
    const t = e.t;
    if (t.lanes === 1 && regOf(t.base) !== t.base) fail(`a scalar of type ${t.base}`, e);
    if (e.k === 'load' || e.k === 'addr') {
      if (e.k === 'load') access(e.buf, 'read', e);
      else if (!buffers.has(e.buf)) fail(`${e.buf} is not a buffer`, e);
      index(e.at, e.k === 'load' ? e.base : undefined, vars, e);
    } else for (const c of children(e)) expr(c, vars);
    const why = typeError(e, vars);
    if (why !== undefined) fail(why, e);
  };
  const call = (s: Extract<Stmt, { k: 'call' }>, vars: Scope): void => {
    const { name, params, range } = s.kernel;
    if (params.length !== s.args.length) fail(`${name} is called with ${s.args.length} of ${params.length} arguments`);
    s.args.forEach((a, i) => {
      const to = params[i];
      if (a.k === 'value') {
        expr(a.value, vars);
        const t = to?.k === 'value' ? to.t : to?.k === 'int' ? I32 : undefined;
        if (!t || !sameType(a.value.t, t)) fail(`argument ${i} of ${name} does not fit`, a.value);
        return;
      }
      if (to?.k !== 'buf') return fail(`argument ${i} of ${name} is no ${to?.k}`);
      for (const right of ['read', 'write'] as const) if (to.access === 'both' || to.access === right) access(a.buf, right);
      if (to.scratch && !buffers.get(a.buf)?.scratch) fail(`${name} is given ${a.buf}, which is not scratch`);
      index(a.at, undefined, vars);
    });
    if ((range !== undefined) !== (s.over !== undefined)) fail(`${name} is called ${s.over ? 'with' : 'without'} a range`);
    if (!s.over) return;
    if (kernel.range || parallel) fail(`the parallel call of ${name} is inside of another one`);
    expr(s.over.count, vars);
    expr(s.over.cost, vars);
    if (!sameType(s.over.count.t, I32) || !sameType(s.over.cost.t, F32)) fail(`${name} is called over a range of other types`);
  };
  const block = (body: readonly Stmt[], outer: Scope): void => {
    const vars = new Map(outer);
    for (const s of body) {
      switch (s.k) {
        case 'let':
          expr(s.value, vars);
          bindName(s.name);
          vars.set(s.name, s.value.t);
          break;
        case 'set': {
          expr(s.value, vars);
          const t = vars.get(s.name);
          if (!t || counters.has(s.name)) fail(`set of ${s.name}, which is not a variable here`);
          else if (shared.has(s.name)) fail(`set of ${s.name} in a parallel loop, which does not own it`);
          else if (!sameType(t, s.value.t)) fail(`set of ${s.name}: ${showVType(t)} to a ${showVType(s.value.t)}`);
          break;
        }
        case 'store':
          access(s.buf, 'write');
          index(s.at, s.base, vars);
          expr(s.value, vars);
          if (!sameType(s.value.t, loadType(s.dtype, s.value.t.lanes)))
            fail(`store of a ${showVType(s.value.t)} as ${s.dtype}`, s.value);
          break;
        case 'prefetch':
          access(s.buf, 'read');
          index(s.at, undefined, vars);
          break;
        case 'mma':
          for (const [r, right] of [
            [s.a, 'read'],
            [s.b, 'read'],
            [s.to, 'write'],
          ] as const) {
            access(r.buf, right);
            index(r.at, undefined, vars);
            index(r.stride, undefined, vars);
            if (r !== s.to && r.buf === s.to.buf) fail(`mma of ${r.buf} to itself`);
          }
          for (const n of [s.rows, s.columns, s.words])
            if (n <= 0 || n % MMA !== 0) fail(`mma of ${s.rows}x${s.words}x${s.columns}: not multiples of ${MMA}`);
          break;
        case 'call':
          call(s, vars);
          break;
        case 'if':
          expr(s.c, vars);
          if (!sameType(s.c.t, I32)) fail('a condition must be an i32', s.c);
          block(s.then, vars);
          block(s.else, vars);
          break;
        case 'while':
          expr(s.c, vars);
          if (!sameType(s.c.t, I32)) fail('a condition must be an i32', s.c);
          block(s.body, vars);
          break;
        case 'for': {
          expr(s.lo, vars);
          expr(s.hi, vars);
          if (!sameType(s.lo.t, I32) || !sameType(s.hi.t, I32)) fail(`the bounds of ${s.v} must be i32`);
          if (!Number.isInteger(s.step) || s.step <= 0) fail(`the step of ${s.v} is ${s.step}`);
          bindName(s.v);
          counters.add(s.v);
          const [outside, around] = [shared, parallel];
          if (s.parallel) [shared, parallel] = [new Set(vars.keys()), true];
          block(s.body, new Map(vars).set(s.v, I32));
          [shared, parallel] = [outside, around];
          break;
        }
      }
    }
  };
  block(kernel.body, scope);
}

/** What is wrong with the types of a node whose children are well-typed. */
function typeError(e: Expr, vars: ReadonlyMap<string, VType>): string | undefined {
  const t = e.t;
  const same = (...es: readonly Expr[]): boolean => es.every(x => sameType(x.t, t));
  const check = (ok: boolean, why: string): string | undefined => (ok ? undefined : why);
  switch (e.k) {
    case 'const':
      return check(
        (typeof e.value === 'bigint') === (t.base === 'i64' || t.base === 'u64'),
        'a constant of another kind than its type',
      );
    case 'var': {
      const known = vars.get(e.name);
      return known ? check(sameType(known, t), `${e.name} is a ${showVType(known)}`) : `${e.name} is not in scope`;
    }
    case 'load':
      return check(sameType(t, loadType(e.dtype, t.lanes)), `a load of ${e.dtype} as ${showVType(t)}`);
    case 'addr':
      return check(sameType(t, I32) && bytesOf(e.dtype) > 0, 'an address is an i32');
    case 'bin':
      if (e.op === 'shl' || e.op === 'shr')
        return check(
          same(e.a) && !isFloatBase(t.base) && e.b.t.lanes === 1 && !isFloatBase(e.b.t.base),
          'a shift takes an integer and a scalar count',
        );
      if (['rem', 'and', 'or', 'xor'].includes(e.op) && isFloatBase(t.base)) return `${e.op} of floats`;
      return check(same(e.a, e.b), 'operands of other types');
    case 'un': {
      if (!same(e.a)) return 'operand of another type';
      if (e.op === 'neg' || e.op === 'abs') return undefined;
      return check((e.op === 'not') !== isFloatBase(t.base), `${e.op} of ${showVType(t)}`);
    }
    case 'cmp':
      return check(sameType(e.a.t, e.b.t) && sameType(t, maskType(e.a.t)), 'comparison of other types');
    case 'select': {
      if (!same(e.a, e.b)) return 'operands of other types';
      if (e.c.t.lanes === 1) return check(sameType(e.c.t, I32), 'the condition must be an i32');
      return check(
        e.c.t.lanes === t.lanes && bitsOf(e.c.t.base) === bitsOf(t.base) && !isFloatBase(e.c.t.base),
        'a mask of another shape',
      );
    }
    case 'cast':
      return check(e.a.t.lanes === t.lanes, 'a conversion keeps the lanes');
    case 'reinterpret':
      return check(e.a.t.lanes * baseBytes(e.a.t.base) === t.lanes * baseBytes(t.base), 'bits of another size');
    case 'splat':
      return check(t.lanes > 1 && sameType(e.a.t, scalarOf(t)), 'splat of another type');
    case 'vec':
      return check(
        e.parts.length === t.lanes && t.lanes > 1 && e.parts.every(p => sameType(p.t, scalarOf(t))),
        'parts of other types',
      );
    case 'lane':
      return check(e.a.t.lanes > 1 && e.lane >= 0 && e.lane < e.a.t.lanes && sameType(t, scalarOf(e.a.t)), 'no such lane');
    case 'shuffle':
      return check(
        sameType(e.a.t, e.b.t) &&
          t.base === e.a.t.base &&
          t.lanes === e.lanes.length &&
          e.lanes.every(l => l >= 0 && l < 2 * e.a.t.lanes),
        'lanes that are not there',
      );
    case 'permute':
      return check(
        t.lanes > 1 && same(e.a, e.b) && sameType(e.at.t, maskType(t)),
        'permute takes two vectors of one type and integers of their width',
      );
    case 'widen':
      return check(
        e.a.t.lanes === 2 * t.lanes &&
          baseBytes(t.base) === 2 * baseBytes(e.a.t.base) &&
          t.base.charAt(0) === e.a.t.base.charAt(0),
        'widen gives half the lanes, twice as wide',
      );
    case 'fma':
      return check(same(e.a, e.b, e.c) && isFloatBase(t.base), 'fma takes floats of one type');
    case 'dot': {
      const four = e.a.t.base === 'i8' && (e.b.t.base === 'i8' || e.b.t.base === 'u8');
      const two = e.a.t.base === 'i16' && e.b.t.base === 'i16';
      const group = four ? 4 : two ? 2 : 0;
      return check(
        t.base === 'i32' && same(e.acc) && e.a.t.lanes === group * t.lanes && e.b.t.lanes === e.a.t.lanes,
        'dot takes i8 fours or i16 pairs and i32 sums',
      );
    }
    case 'reduce':
      return check(e.a.t.lanes > 1 && sameType(t, scalarOf(e.a.t)), 'reduce gives a lane');
  }
}
