import { InternalError } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import { isFloatBase, isUnsigned, maskType, sameType, vtype, type Expr } from '../../kernel/ir.ts';
import type { Helpers } from './helpers.ts';
import { isPlace } from '../../kernel/passes/places.ts';
import { elementBytes, elementType, identifier, literal, memoryBase } from './types.ts';

/** What the printer knows of the kernel at hand. */
export interface Scope {
  readonly helpers: Helpers;
  /** Element types of the buffers. */
  readonly buffers: ReadonlyMap<string, DType>;
  /** Variables that hold sizes and places, whose arithmetic cannot overflow. */
  readonly places: ReadonlySet<string>;
}
/** Text and how strongly it binds: higher binds more. */
interface Text {
  readonly s: string;
  readonly p: number;
}
const ATOM = 20;
const UNARY = 14;
const atom = (s: string): Text => ({ s, p: ATOM });
const paren = (t: Text, least: number): string => (t.p >= least ? t.s : `(${t.s})`);
const call = (name: string, ...args: readonly string[]): Text => atom(`${name}(${args.join(', ')})`);
const PRECEDENCE = {
  '*': 13,
  '/': 13,
  '%': 13,
  '+': 12,
  '-': 12,
  '<<': 11,
  '>>': 11,
  '<': 10,
  '<=': 10,
  '>': 10,
  '>=': 10,
  '==': 9,
  '!=': 9,
} as const;
type Operator = keyof typeof PRECEDENCE | '&' | '|' | '^';
/** Operators that people mix up are put into parentheses. */
function infix(op: Operator, a: Text, b: Text): Text {
  if (op === '&' || op === '|' || op === '^') return { s: `${paren(a, UNARY)} ${op} ${paren(b, UNARY)}`, p: 8 };
  const p = PRECEDENCE[op];
  const shifts = p === 11;
  if (p > 11) return { s: `${paren(a, p)} ${op} ${paren(b, p + 1)}`, p };
  const least = shifts ? UNARY : 12;
  return { s: `${paren(a, least)} ${op} ${paren(b, least)}`, p: 9 };
}

export const showC = (e: Expr, x: Scope): string => expr(e, x).s;
/** An operand of something that binds at least as strongly as a sum. */
export const showOperand = (e: Expr, x: Scope): string => paren(expr(e, x), 12);

function expr(e: Expr, x: Scope): Text {
  const { helpers: h } = x;
  const show = (a: Expr): string => expr(a, x).s;
  switch (e.k) {
    case 'const': {
      if (e.t.lanes > 1) return call(h.splat(e.t), literal(e.t.base, e.value));
      const s = literal(e.t.base, e.value);
      return { s, p: s.startsWith('-') ? UNARY : ATOM };
    }
    case 'var':
      return atom(identifier(e.name));
    case 'load':
      return loadText(e, x);
    case 'bin':
      return binary(e, x);
    case 'cmp': {
      const op = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' } as const;
      const t = infix(op[e.op], expr(e.a, x), expr(e.b, x));
      return e.t.lanes === 1 ? t : { s: `(${h.type(e.t)})(${t.s})`, p: UNARY };
    }
    case 'un':
      return unary(e, x);
    case 'select': {
      if (e.c.t.lanes > 1) {
        const name = h.pick(e.t);
        return call(
          name,
          e.c.k === 'cmp' && sameType(e.c.t, maskType(e.t)) ? show(e.c) : `(${h.type(maskType(e.t))})(${show(e.c)})`,
          show(e.a),
          show(e.b),
        );
      }
      // A vector that is loaded has a type of its own: both sides must have one type.
      const side = (a: Expr, least: number): string =>
        e.t.lanes > 1 ? `(${h.type(e.t)})${paren(expr(a, x), UNARY)}` : paren(expr(a, x), least);
      return { s: `${paren(expr(e.c, x), 9)} ? ${side(e.a, 4)} : ${side(e.b, 3)}`, p: 3 };
    }
    case 'cast': {
      if (e.t.lanes > 1 || (isFloatBase(e.a.t.base) && !isFloatBase(e.t.base)))
        return call(h.convert(e.a.t, e.t, fitsI32(e.a)), show(e.a));
      return { s: `(${h.type(e.t)})${paren(expr(e.a, x), UNARY)}`, p: UNARY };
    }
    case 'reinterpret':
      if (e.t.lanes > 1 && e.a.t.lanes > 1) return { s: `(${h.type(e.t)})${paren(expr(e.a, x), ATOM)}`, p: UNARY };
      return call(h.bits(e.a.t, e.t), show(e.a));
    case 'splat':
      return call(h.splat(e.t), show(e.a));
    case 'vec':
      return atom(`((${h.type(e.t)}){${e.parts.map(show).join(', ')}})`);
    case 'lane':
      return { s: `${paren(expr(e.a, x), ATOM)}[${e.lane}]`, p: ATOM };
    case 'shuffle':
      return call('__builtin_shufflevector', show(e.a), show(e.b), e.lanes.join(', '));
    case 'permute':
      return call(h.permute(e.t), show(e.a), show(e.b), show(e.at));
    case 'widen': {
      const n = e.t.lanes;
      const from = e.half === 'low' ? 0 : n;
      const half = vtype(e.a.t.base, n);
      h.type(half);
      const lanes = Array.from({ length: n }, (_, i) => from + i).join(', ');
      return call('__builtin_convertvector', `__builtin_shufflevector(${show(e.a)}, ${show(e.a)}, ${lanes})`, h.type(e.t));
    }
    case 'fma':
      return call(h.fma(e.t), show(e.a), show(e.b), show(e.c));
    case 'dot':
      return call(h.dot(e.a.t, e.b.t, e.t), show(e.a), show(e.b), show(e.acc));
    case 'reduce':
      return call(h.reduce(e.op, e.a.t), show(e.a));
    case 'addr':
      // Addresses count bytes from the start of their buffer.
      return infix('*', expr(e.at, x), atom(String(elementBytes(e.dtype))));
  }
}

/** An element, or several from there on, in memory. */
export function place(
  { buf, dtype, at, base }: { readonly buf: string; readonly dtype: DType; readonly at: Expr; readonly base?: Expr },
  lanes: number,
  x: Scope,
  isStore: boolean,
): string {
  const { helpers: h } = x;
  const own = x.buffers.get(buf);
  const qualifier = isStore ? '' : 'const ';
  const name = base ? `((${qualifier}char *)${identifier(buf)} + ${showOperand(base, x)})` : identifier(buf);
  const same = !base && own !== undefined && memoryBase(own) === memoryBase(dtype);
  if (lanes === 1) {
    if (same) return `${name}[${showC(at, x)}]`;
    return `((${qualifier}${h.alias(memoryBase(dtype))} *)${name})[${showC(at, x)}]`;
  }
  const t = vtype(memoryBase(dtype), lanes as 2);
  const from = same ? name : `((${qualifier}${elementType(dtype)} *)${name})`;
  const offset = at.k === 'const' && Number(at.value) === 0 ? '' : ` + ${showOperand(at, x)}`;
  return `*(${qualifier}${h.loose(t)} *)(${from}${offset})`;
}
function loadText(e: Extract<Expr, { k: 'load' }>, x: Scope): Text {
  const text = place(e, e.t.lanes, x, false);
  return e.t.lanes === 1 ? atom(text) : { s: text, p: UNARY };
}

function binary(e: Extract<Expr, { k: 'bin' }>, x: Scope): Text {
  const { helpers: h } = x;
  const [a, b] = [expr(e.a, x), expr(e.b, x)];
  const scalar = e.t.lanes === 1;
  const wraps = scalar && (e.t.base === 'i64' || (e.t.base === 'i32' && !isPlace(e, x.places)));
  switch (e.op) {
    case 'min':
      return call(h.min(e.t), a.s, b.s);
    case 'max':
      return call(h.max(e.t), a.s, b.s);
    case 'add':
    case 'sub':
    case 'mul':
      if (wraps) return call(h.wrap(e.op, e.t), a.s, b.s);
      return infix(({ add: '+', sub: '-', mul: '*' } as const)[e.op], a, b);
    case 'div':
      return infix('/', a, b);
    case 'rem':
      return infix('%', a, b);
    case 'and':
      return infix('&', a, b);
    case 'or':
      return infix('|', a, b);
    case 'xor':
      return infix('^', a, b);
    case 'shl':
    case 'shr': {
      if (scalar && (e.t.base === 'i32' || e.t.base === 'i64')) return call(h.wrap(e.op, e.t), a.s, b.s);
      const width = { i8: 8, u8: 8, i16: 16, u16: 16, i32: 32, u32: 32, i64: 64, u64: 64, f32: 32, f64: 64 }[e.t.base];
      const count =
        e.b.k === 'const' ? atom(String(BigInt(e.b.value) & BigInt(width - 1))) : atom(`(${paren(b, UNARY)} & ${width - 1})`);
      return infix(e.op === 'shl' ? '<<' : '>>', a, count);
    }
  }
}
function unary(e: Extract<Expr, { k: 'un' }>, x: Scope): Text {
  const { helpers: h } = x;
  const a = expr(e.a, x);
  const { op } = e;
  if (op === 'neg') {
    if (e.t.lanes === 1 && (e.t.base === 'i32' || e.t.base === 'i64')) return call(h.wrap('neg', e.t), a.s);
    if (e.t.lanes > 1 && !isFloatBase(e.t.base) && !isUnsigned(e.t.base)) return call(h.wrap('neg', e.t), a.s);
    return { s: `-${paren(a, ATOM)}`, p: UNARY };
  }
  if (op === 'not') return { s: `~${paren(a, ATOM)}`, p: UNARY };
  const machine = (['abs', 'sqrt', 'ceil', 'floor', 'trunc', 'nearest'] as const).find(o => o === op);
  if (machine === undefined) throw new InternalError(`${op} was not expanded`);
  return call(h.unary(machine, e.t), a.s);
}

/** Whether a float is within the range of i32 if it is a number at all: it has been clamped. */
function fitsI32(e: Expr): boolean {
  const numberOf = (x: Expr): number | undefined =>
    x.k === 'const' ? Number(x.value) : x.k === 'splat' ? numberOf(x.a) : undefined;
  let [lo, hi] = [-Infinity, Infinity];
  for (let x = e; x.k === 'bin' && (x.op === 'min' || x.op === 'max');) {
    const [p, q] = [numberOf(x.a), numberOf(x.b)];
    const by = p ?? q;
    if (by === undefined) break;
    if (x.op === 'min') hi = Math.min(hi, by);
    else lo = Math.max(lo, by);
    x = p === undefined ? x.a : x.b;
  }
  return Math.abs(lo) < 2 ** 31 && Math.abs(hi) < 2 ** 31;
}
