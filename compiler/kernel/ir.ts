import { isCoded } from '../core/codes.ts';
import { bytesOf, regOf, type DType, type Reg } from '../core/dtype.ts';
import { InternalError, type Loc } from '../core/diagnostic.ts';

/** Vector elements may also be narrow integers, which scalars never are (a narrow scalar is an i32). */
export type Base = Reg | 'i8' | 'u8' | 'i16' | 'u16';
export type Lanes = 1 | 2 | 4 | 8 | 16 | 32 | 64;
/**
 * The type of an expression. Truth values: a scalar comparison gives an i32 that is 0 or 1; a vector comparison gives a vector of
 * integers as wide as its operands, each 0 or -1.
 */
export interface VType {
  readonly base: Base;
  readonly lanes: Lanes;
}
export type BinOp = 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'min' | 'max' | 'and' | 'or' | 'xor' | 'shl' | 'shr';
export type CmpOp = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
export const MACHINE_OPS = ['neg', 'abs', 'sqrt', 'ceil', 'floor', 'trunc', 'nearest', 'not'] as const;
/** Functions of f32 and f64, scalars or vectors, that the pass `expand-math` replaces by arithmetic. */
export const MATH_OPS = [
  'exp',
  'log',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'erf',
  'sigmoid',
] as const;
export type MathOp = (typeof MATH_OPS)[number];
export type UnOp = (typeof MACHINE_OPS)[number] | MathOp;

/**
 * Pure expression trees: no side effects, no sharing (a value used twice is bound by `let`). Semantics:
 * - f32 and f64 round at each operation; nothing is contracted except `fma`.
 * - `min(a,b) = b < a ? b : a`, `max(a,b) = a < b ? b : a`.
 * - Integer add, sub, mul, shl wrap; `div` and `rem` truncate and are undefined for a zero divisor (the builder of the kernel guards);
 *   `shr` is arithmetic for signed and logical for unsigned bases; shift counts are taken modulo the width. Vector shifts take a
 *   scalar i32 count.
 * - `cast` converts numbers: float to integer truncates, saturates, and gives 0 for NaN; integers wrap; bits: `reinterpret`.
 * - `select` with a scalar condition picks by `!= 0`; with a vector condition it picks bit by bit.
 * - `load` of a small float (core/codes.ts) gives f32, and a store rounds it; a scalar load of a narrow integer extends it to i32.
 * - `at` counts elements from the start of the buffer. With `base` (made by the addresses pass) the byte address is
 *   base + at * size of the element, and `at` is a constant.
 * - `fma` may round once or twice, as the target does.
 * - `dot` adds to each i32 lane of `acc` the products of the 4 adjacent i8 pairs (a: i8, b: i8 in 0..127) or the 2 adjacent i16 pairs.
 * - `reduce` folds the lanes of a vector: pairwise, upper half onto lower half.
 * - `shuffle` picks lanes from a (0..n-1) and b (n..2n-1).
 * - `permute` picks lanes as well, by the integers `at`, as wide as the lanes: of each the lowest bits count, 0..2n-1. Only for targets that have it.
 * - `widen` takes the low or the high half of a vector to the next wider integer base.
 * - `addr` is a byte address: base of the buffer + at * size.
 */
export type Expr =
  | { readonly k: 'const'; readonly t: VType; readonly value: number | bigint }
  | { readonly k: 'var'; readonly t: VType; readonly name: string }
  | {
      readonly k: 'load';
      readonly t: VType;
      readonly buf: string;
      readonly dtype: DType;
      readonly at: Expr;
      readonly base?: Expr;
    }
  | { readonly k: 'bin'; readonly t: VType; readonly op: BinOp; readonly a: Expr; readonly b: Expr }
  | { readonly k: 'un'; readonly t: VType; readonly op: UnOp; readonly a: Expr }
  | { readonly k: 'cmp'; readonly t: VType; readonly op: CmpOp; readonly a: Expr; readonly b: Expr }
  | { readonly k: 'select'; readonly t: VType; readonly c: Expr; readonly a: Expr; readonly b: Expr }
  | { readonly k: 'cast'; readonly t: VType; readonly a: Expr }
  | { readonly k: 'reinterpret'; readonly t: VType; readonly a: Expr }
  | { readonly k: 'splat'; readonly t: VType; readonly a: Expr }
  | { readonly k: 'vec'; readonly t: VType; readonly parts: readonly Expr[] }
  | { readonly k: 'lane'; readonly t: VType; readonly a: Expr; readonly lane: number }
  | { readonly k: 'shuffle'; readonly t: VType; readonly a: Expr; readonly b: Expr; readonly lanes: readonly number[] }
  | { readonly k: 'permute'; readonly t: VType; readonly a: Expr; readonly b: Expr; readonly at: Expr }
  | { readonly k: 'widen'; readonly t: VType; readonly a: Expr; readonly half: 'low' | 'high' }
  | { readonly k: 'fma'; readonly t: VType; readonly a: Expr; readonly b: Expr; readonly c: Expr }
  | { readonly k: 'dot'; readonly t: VType; readonly a: Expr; readonly b: Expr; readonly acc: Expr }
  | { readonly k: 'reduce'; readonly t: VType; readonly op: 'add' | 'min' | 'max'; readonly a: Expr }
  | { readonly k: 'addr'; readonly t: VType; readonly buf: string; readonly dtype: DType; readonly at: Expr };

/**
 * Structured statements; no phi, no goto. Every name is unique in its kernel and visible to the end of its block. A `for` counts up
 * by a positive step while v < hi; `hi` is evaluated once. The iterations of a `parallel` one may run in any order and at the same time:
 * they set no variable from outside of the loop and have no data races; scratch is uninitialised in each.
 */
export type Stmt =
  | {
      readonly k: 'for';
      readonly v: string;
      readonly lo: Expr;
      readonly hi: Expr;
      readonly step: number;
      readonly parallel: boolean;
      readonly body: readonly Stmt[];
    }
  /** `enter`: the condition is known to hold at first. */
  | { readonly k: 'while'; readonly c: Expr; readonly body: readonly Stmt[]; readonly enter?: true }
  | { readonly k: 'let'; readonly name: string; readonly value: Expr }
  | { readonly k: 'set'; readonly name: string; readonly value: Expr }
  | {
      readonly k: 'store';
      readonly buf: string;
      readonly dtype: DType;
      readonly at: Expr;
      readonly value: Expr;
      readonly base?: Expr;
    }
  /** Does nothing but say that the memory at this byte address (as `addr` gives it), which need not be there, will be read soon. */
  | { readonly k: 'prefetch'; readonly buf: string; readonly at: Expr }
  /**
   * The product of two matrices of words, each of four 8-bit integers: `to[i][j]` becomes the sum over w < `words` of the dot product of word
   * w in row i of `a`, whose integers are u8, and word j in row w of `b`, whose integers are i8. `rows`, `columns` and
   * `words` are multiples of MMA; `to` overlaps neither operand. Only for targets that have it.
   */
  | {
      readonly k: 'mma';
      readonly rows: number;
      readonly columns: number;
      readonly words: number;
      readonly a: WordRows;
      readonly b: WordRows;
      readonly to: WordRows;
    }
  /**
   * Runs another kernel, which has an argument for each parameter. With `over`, which goes with a kernel that has a `range`, it is a parallel
   * call: iterations 0 to `count` - 1 are cut into ranges, and the kernel is called for each of these, in any order and at the same time.
   * One that is reached inside of another is run by the thread that reaches it.
   */
  | { readonly k: 'call'; readonly kernel: Kernel; readonly args: readonly CallArg[]; readonly over?: ParallelRange }
  | { readonly k: 'if'; readonly c: Expr; readonly then: readonly Stmt[]; readonly else: readonly Stmt[] };
/** What a call gives for a parameter: a buffer from an element on, counted in elements of the parameter's type, or a value. */
export type CallArg =
  | { readonly k: 'buf'; readonly buf: string; readonly at: Expr }
  | { readonly k: 'value'; readonly value: Expr };
interface ParallelRange {
  /** An i32. */
  readonly count: Expr;
  /** About how many nanoseconds an iteration takes (f32): tells at run time whether other threads are worth waking. */
  readonly cost: Expr;
}
/** Rows of i32 words in a buffer: the place of the first, and the distance from each to the next, both counted in words. */
export interface WordRows {
  readonly buf: string;
  readonly at: Expr;
  readonly stride: Expr;
}
/** Rows, columns and words of the smallest `mma`. */
export const MMA = 16;

/**
 * A buffer (passed as its address), an i32 known when the kernel is called (`int`: a size, a stride, a place: no data is in it), or any
 * other value (`value`: only kernels that other kernels call have such). `scratch`: what the buffer holds means nothing from one iteration
 * of a parallel loop to the next, so each thread may have one of its own; a kernel with a range is given that of its thread.
 */
export type Param =
  | {
      readonly k: 'buf';
      readonly name: string;
      readonly dtype: DType;
      readonly access: 'read' | 'write' | 'both';
      readonly scratch?: true;
    }
  | { readonly k: 'int'; readonly name: string }
  | { readonly k: 'value'; readonly name: string; readonly t: VType };
/**
 * A function over buffers and values. One with a `range` is the body of a parallel loop (the pass `outline` makes it): it runs the iterations
 * from `begin` to before `end`, both i32, which each call of it is given besides its arguments.
 *
 * That is what a back end with threads or a grid needs. The parameters are all that the iterations share, so they are what C puts into a
 * struct and a message to a worker of WebAssembly would hold; every buffer among them is in memory that all see, but for scratch, of which
 * there is one for each thread. The worker, a thread of the pool or an exported function, needs the kernel, that memory, and the numbers
 * `begin`, `end` and its own. A GPU has one invocation for each iteration: `begin` is the global index, `end` is `begin` + 1, buffers are
 * bindings, the other parameters uniforms. There, what stands before a parallel call in the kernel that makes it runs on the host or as a
 * grid of one.
 */
export interface Kernel {
  readonly name: string;
  readonly range?: { readonly begin: string; readonly end: string };
  readonly params: readonly Param[];
  readonly body: readonly Stmt[];
  readonly loc: Loc;
}

export const vtype = (base: Base, lanes: Lanes = 1): VType => ({ base, lanes });
export const I32 = vtype('i32');
export const F32 = vtype('f32');
export const sameType = (a: VType, b: VType): boolean => a.base === b.base && a.lanes === b.lanes;
export const showVType = (t: VType): string => (t.lanes === 1 ? t.base : `${t.base}x${t.lanes}`);
export const baseBytes = (b: Base): number => bytesOf(b);
export const isFloatBase = (b: Base): boolean => b === 'f32' || b === 'f64';
export const isUnsigned = (b: Base): boolean => b.startsWith('u');
/** The type a load of this element type gives. Vectors of narrow integers keep their base. */
export const loadType = (dtype: DType, lanes: Lanes): VType => {
  if (lanes === 1 || isCoded(dtype)) return vtype(regOf(dtype), lanes);
  return vtype(dtype === 'bool' ? 'u8' : dtype === 'text' ? 'i32' : dtype, lanes);
};
/** The type of a comparison of operands of this type. */
export function maskType(t: VType): VType {
  if (t.lanes === 1) return I32;
  return vtype(({ 1: 'i8', 2: 'i16', 4: 'i32', 8: 'i64' } as const)[baseBytes(t.base) as 1 | 2 | 4 | 8], t.lanes);
}

// ---- constructors: they check types, fold constants and drop neutral elements, so index arithmetic stays small

export type Num = Expr | number;
export const int = (value: number): Expr => ({ k: 'const', t: I32, value: value | 0 });
export const f32 = (value: number): Expr => ({ k: 'const', t: F32, value: Math.fround(value) });
/** A constant of any type, the same in each lane. */
export function konst(t: VType, value: number | bigint): Expr {
  const big = t.base === 'i64' || t.base === 'u64';
  // A lane of a narrow integer is an i32 as a scalar.
  const scalar: Expr = {
    k: 'const',
    t: vtype(regOf(t.base)),
    value: big ? BigInt(value) : t.base === 'f32' ? Math.fround(Number(value)) : Number(value),
  };
  return splat(scalar, t.lanes, t.base);
}
export const ex = (x: Num): Expr => (typeof x === 'number' ? int(x) : x);
/** The value of an i32 constant. */
export const constOf = (e: Expr): number | undefined =>
  e.k === 'const' && e.t.base === 'i32' && e.t.lanes === 1 ? Number(e.value) : undefined;

/** A number beside a typed operand takes its type. */
function pair(a: Num, b: Num): readonly [Expr, Expr] {
  const x = typeof a === 'number' ? (typeof b === 'number' ? int(a) : konst(b.t, a)) : a;
  const y = typeof b === 'number' ? konst(x.t, b) : b;
  if (!sameType(x.t, y.t)) throw new InternalError(`operands of types ${showVType(x.t)} and ${showVType(y.t)}`);
  return [x, y];
}
function bin(op: BinOp, a: Num, b: Num): Expr {
  const [x, y] = op === 'shl' || op === 'shr' ? shiftPair(a, b) : pair(a, b);
  const p = constOf(x);
  const q = constOf(y);
  if (p !== undefined && q !== undefined) {
    const v = foldInt(op, p, q);
    if (v !== undefined) return int(v);
  }
  if (x.t.base === 'i32' && x.t.lanes === 1) {
    if (op === 'add' && p === 0) return y;
    if ((op === 'add' || op === 'sub' || op === 'shl' || op === 'shr') && q === 0) return x;
    if (op === 'mul' && (p === 0 || q === 0)) return int(0);
    if (op === 'mul' && p === 1) return y;
    if ((op === 'mul' || op === 'div') && q === 1) return x;
    if (op === 'rem' && q === 1) return int(0);
    if (op === 'add' && q !== undefined && x.k === 'bin' && x.op === 'add') {
      const c = constOf(x.b);
      if (c !== undefined) return bin('add', x.a, int(c + q));
    }
    if (op === 'add' && p !== undefined) return bin('add', y, x);
    if (op === 'sub' && q !== undefined) return bin('add', x, int(-q));
    if (op === 'add' && x.k === 'bin' && x.op === 'add' && constOf(x.b) !== undefined) return bin('add', bin('add', x.a, y), x.b);
    if (op === 'add' && y.k === 'bin' && y.op === 'add' && constOf(y.b) !== undefined) return bin('add', bin('add', x, y.a), y.b);
  }
  return { k: 'bin', t: x.t, op, a: x, b: y };
}
function shiftPair(a: Num, b: Num): readonly [Expr, Expr] {
  const x = ex(a);
  return [x, typeof b === 'number' ? (x.t.lanes === 1 ? konst(x.t, b) : int(b)) : b];
}
function foldInt(op: BinOp, a: number, b: number): number | undefined {
  switch (op) {
    case 'add':
      return (a + b) | 0;
    case 'sub':
      return (a - b) | 0;
    case 'mul':
      return Math.imul(a, b);
    case 'div':
      return b === 0 ? undefined : Math.trunc(a / b) | 0;
    case 'rem':
      return b === 0 ? undefined : (a % b) | 0;
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'shl':
      return a << b;
    case 'shr':
      return a >> b;
  }
}
export const add = (a: Num, b: Num): Expr => bin('add', a, b);
export const sub = (a: Num, b: Num): Expr => bin('sub', a, b);
export const mul = (a: Num, b: Num): Expr => bin('mul', a, b);
export const div = (a: Num, b: Num): Expr => bin('div', a, b);
export const rem = (a: Num, b: Num): Expr => bin('rem', a, b);
export const min = (a: Num, b: Num): Expr => bin('min', a, b);
export const max = (a: Num, b: Num): Expr => bin('max', a, b);
export const and = (a: Num, b: Num): Expr => bin('and', a, b);
export const or = (a: Num, b: Num): Expr => bin('or', a, b);
export const xor = (a: Num, b: Num): Expr => bin('xor', a, b);
export const shl = (a: Num, b: Num): Expr => bin('shl', a, b);
export const shr = (a: Num, b: Num): Expr => bin('shr', a, b);

const un =
  (op: UnOp) =>
  (a: Expr): Expr => ({ k: 'un', t: a.t, op, a });
export const neg = un('neg');
export const abs = un('abs');
export const sqrt = un('sqrt');
export const ceil = un('ceil');
export const floor = un('floor');
export const trunc = un('trunc');
/** Round to nearest, ties to even. */
export const nearest = un('nearest');
/** Bitwise complement. For truth values see `lnot`. */
export const not = un('not');
export const math = (op: MathOp, a: Expr): Expr => ({ k: 'un', t: a.t, op, a });

export function cmp(op: CmpOp, a: Num, b: Num): Expr {
  const [x, y] = pair(a, b);
  const p = constOf(x);
  const q = constOf(y);
  if (p !== undefined && q !== undefined)
    return int(+{ eq: p === q, ne: p !== q, lt: p < q, le: p <= q, gt: p > q, ge: p >= q }[op]);
  return { k: 'cmp', t: maskType(x.t), op, a: x, b: y };
}
export const eq = (a: Num, b: Num): Expr => cmp('eq', a, b);
export const ne = (a: Num, b: Num): Expr => cmp('ne', a, b);
export const lt = (a: Num, b: Num): Expr => cmp('lt', a, b);
export const le = (a: Num, b: Num): Expr => cmp('le', a, b);
export const gt = (a: Num, b: Num): Expr => cmp('gt', a, b);
export const ge = (a: Num, b: Num): Expr => cmp('ge', a, b);
/** Negates a truth value: a 0/1 scalar or a vector mask. */
export const lnot = (a: Expr): Expr => (a.t.lanes === 1 ? eq(a, 0) : not(a));
export function select(c: Expr, a: Num, b: Num): Expr {
  const [x, y] = pair(a, b);
  const q = constOf(c);
  if (q !== undefined) return q === 0 ? y : x;
  if (c.t.lanes !== 1 && c.t.lanes !== x.t.lanes) throw new InternalError('select: the mask has other lanes than the operands');
  return { k: 'select', t: x.t, c, a: x, b: y };
}
export const cast = (t: VType, a: Expr): Expr => (sameType(t, a.t) ? a : { k: 'cast', t, a });
export const reinterpret = (t: VType, a: Expr): Expr => (sameType(t, a.t) ? a : { k: 'reinterpret', t, a });
export function splat(a: Expr, lanes: Lanes, base: Base = a.t.base): Expr {
  if (a.t.lanes !== 1) throw new InternalError('splat of a vector');
  return lanes === 1 ? a : { k: 'splat', t: vtype(base, lanes), a };
}
export const vec = (parts: readonly Expr[]): Expr =>
  parts.length === 1 && parts[0] ? parts[0] : { k: 'vec', t: vtype(parts[0]?.t.base ?? 'f32', parts.length as Lanes), parts };
export const lane = (a: Expr, i: number): Expr => (a.t.lanes === 1 ? a : { k: 'lane', t: scalarOf(a.t), a, lane: i });
/** What one lane of a vector is as a scalar: narrow integers become i32. */
export const scalarOf = (t: VType): VType => vtype(regOf(t.base));
export const shuffle = (a: Expr, b: Expr, lanes: readonly number[]): Expr => ({
  k: 'shuffle',
  t: vtype(a.t.base, lanes.length as Lanes),
  a,
  b,
  lanes,
});
export const permute = (a: Expr, b: Expr, at: Expr): Expr => ({ k: 'permute', t: a.t, a, b, at });
export function widen(a: Expr, half: 'low' | 'high'): Expr {
  const to = ({ i8: 'i16', u8: 'u16', i16: 'i32', u16: 'u32', i32: 'i64', u32: 'u64' } as Partial<Record<Base, Base>>)[a.t.base];
  if (to === undefined) throw new InternalError(`widen of ${showVType(a.t)}`);
  return { k: 'widen', t: vtype(to, (a.t.lanes / 2) as Lanes), a, half };
}
export const fma = (a: Expr, b: Expr, c: Expr): Expr => ({ k: 'fma', t: c.t, a, b, c });
export const dot = (a: Expr, b: Expr, acc: Expr): Expr => ({ k: 'dot', t: acc.t, a, b, acc });
export const reduceLanes = (op: 'add' | 'min' | 'max', a: Expr): Expr =>
  a.t.lanes === 1 ? a : { k: 'reduce', t: scalarOf(a.t), op, a };
/** Floor division by a positive constant or expression, for operands that may be negative. */
export const floorDiv = (a: Num, b: Num): Expr => {
  const [x, y] = pair(a, b);
  return sub(div(x, y), and(lt(rem(x, y), 0), 1));
};
/** `lo <= a < hi` as a truth value, for integers. */
export const within = (a: Expr, lo: Num, hi: Num): Expr => and(ge(a, lo), lt(a, hi));
export const clampInt = (a: Expr, lo: Num, hi: Num): Expr => max(min(a, hi), lo);

/** The sub-expressions of an expression, in order. */
export function children(e: Expr): readonly Expr[] {
  switch (e.k) {
    case 'const':
    case 'var':
      return [];
    case 'load':
      return e.base ? [e.at, e.base] : [e.at];
    case 'addr':
      return [e.at];
    case 'bin':
    case 'cmp':
    case 'shuffle':
      return [e.a, e.b];
    case 'un':
    case 'cast':
    case 'reinterpret':
    case 'splat':
    case 'lane':
    case 'widen':
    case 'reduce':
      return [e.a];
    case 'select':
      return [e.c, e.a, e.b];
    case 'fma':
      return [e.a, e.b, e.c];
    case 'dot':
      return [e.a, e.b, e.acc];
    case 'permute':
      return [e.a, e.b, e.at];
    case 'vec':
      return e.parts;
  }
}
/** The same expression over other sub-expressions, given in the order of `children`. */
export function withChildren(e: Expr, c: readonly Expr[]): Expr {
  const at = (i: number): Expr => {
    const x = c[i];
    if (x === undefined) throw new InternalError('withChildren: too few');
    return x;
  };
  switch (e.k) {
    case 'const':
    case 'var':
      return e;
    case 'load':
      return e.base ? { ...e, at: at(0), base: at(1) } : { ...e, at: at(0) };
    case 'addr':
      return { ...e, at: at(0) };
    case 'bin':
    case 'cmp':
    case 'shuffle':
      return { ...e, a: at(0), b: at(1) };
    case 'un':
    case 'cast':
    case 'reinterpret':
    case 'splat':
    case 'lane':
    case 'widen':
    case 'reduce':
      return { ...e, a: at(0) };
    case 'select':
      return { ...e, c: at(0), a: at(1), b: at(2) };
    case 'fma':
      return { ...e, a: at(0), b: at(1), c: at(2) };
    case 'dot':
      return { ...e, a: at(0), b: at(1), acc: at(2) };
    case 'permute':
      return { ...e, a: at(0), b: at(1), at: at(2) };
    case 'vec':
      return { ...e, parts: c };
  }
}
