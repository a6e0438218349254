import fc from 'fast-check';
import { isCoded } from '../../compiler/core/codes.ts';
import { bytesOf, type DType } from '../../compiler/core/dtype.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Buffer, KernelBuilder } from '../../compiler/kernel/builder.ts';
import {
  and,
  baseBytes,
  cast,
  cmp,
  dot,
  fma,
  isFloatBase,
  konst,
  lane,
  loadType,
  maskType,
  math,
  or,
  reduceLanes,
  reinterpret,
  scalarOf,
  select,
  shuffle,
  splat,
  vec,
  vtype,
  widen,
  type Base,
  type Expr,
  type Lanes,
  type MathOp,
  type UnOp,
  type VType,
} from '../../compiler/kernel/ir.ts';

export type Gen = fc.GeneratorValue;
export const MATH_OPS: readonly MathOp[] = [
  ...([
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
  ] as const),
  'sigmoid',
];
/** What a profile's vectors may be. */
export interface Limits {
  /** Width of the widest vectors; 0: scalars only. */
  readonly bits: number;
  /** Whether fma rounds twice, as in the interpreter. */
  readonly fma: boolean;
  /** Whether the functions are made without fma. */
  readonly math: boolean;
}
export interface Sources {
  readonly k: KernelBuilder;
  readonly buffers: readonly Buffer[];
  readonly limits: Limits;
  readonly g: Gen;
}
export const DTYPES_ALL: readonly DType[] = [
  'f32',
  'f64',
  'f16',
  'bf16',
  'f8e4m3fn',
  'f8e4m3fnuz',
  'f8e5m2',
  'f8e5m2fnuz',
  'f8e8m0',
  'f4e2m1',
  'i2',
  'u2',
  'i4',
  'u4',
  'i8',
  'u8',
  'i16',
  'u16',
  'i32',
  'u32',
  'i64',
  'u64',
  'bool',
];
const BASES: readonly Base[] = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f32', 'f64'];
const REGS: readonly Base[] = ['i32', 'u32', 'i64', 'u64', 'f32', 'f64'];
/** Elements of each input buffer. */
export const ELEMENTS = 64;

const int = (g: Gen, lo: number, hi: number): number => g(fc.integer, { min: lo, max: hi });
const pick = <T>(g: Gen, xs: readonly T[]): T => must(xs[int(g, 0, xs.length - 1)]);
/** A scalar type, or a vector that is not too wide. */
export function randomType(s: Sources): VType {
  if (s.limits.bits === 0 || int(s.g, 0, 2) === 0) return vtype(pick(s.g, REGS));
  return vectorOf(s, pick(s.g, BASES));
}
function vectorOf(s: Sources, base: Base): VType {
  const full = s.limits.bits / 8 / baseBytes(base);
  const sizes = ([2, 4, 8, 16, 32, 64] as const).filter(l => l <= full);
  return vtype(base, int(s.g, 0, 1) === 0 ? must(sizes.at(-1)) : pick(s.g, sizes));
}
function constant(s: Sources, t: VType): Expr {
  if (isFloatBase(t.base))
    return konst(t, pick(s.g, [0, -0, 1, -1, 0.5, -2.5, 3e9, -1e20, 1e-3, Infinity, -Infinity, NaN, int(s.g, -1000, 1000) / 8]));
  const small = pick(s.g, [0, 1, 2, 7, 31, 100, 127]);
  return konst(t, t.base.startsWith('u') ? small : pick(s.g, [small, -small, -1]));
}
function load(s: Sources, t: VType, fits: (d: DType) => boolean = () => true): Expr {
  const fitting = s.buffers.filter(b => {
    if (!fits(b.dtype)) return false;
    const l = loadType(b.dtype, t.lanes);
    return l.base === t.base && l.lanes === t.lanes && (t.lanes === 1 || bytesOfLoad(b.dtype, t.lanes) >= 2);
  });
  if (fitting.length === 0) return constant(s, t);
  return s.k.load(pick(s.g, fitting), int(s.g, 0, ELEMENTS - t.lanes), t.lanes);
}
const bytesOfLoad = (d: DType, lanes: Lanes): number => lanes * (isCoded(d) ? bytesOf(d) : baseBytes(loadType(d, lanes).base));

/** An expression of a type; `depth` bounds its height. */
export function randomExpr(s: Sources, t: VType, depth: number): Expr {
  const { g } = s;
  const again = (u: VType): Expr => randomExpr(s, u, depth - 1);
  if (depth === 0) return int(g, 0, 3) === 0 ? constant(s, t) : load(s, t);
  const float = isFloatBase(t.base);
  const vector = t.lanes > 1;
  const bin = (op: Extract<Expr, { k: 'bin' }>['op'], a: Expr, b: Expr): Expr => ({ k: 'bin', t, op, a, b });
  const options: (() => Expr)[] = [
    () => load(s, t),
    () => s.k.let(again(t)),
    () => bin(pick(g, ['add', 'sub', 'mul', 'min', 'max'] as const), again(t), again(t)),
    () => select(int(g, 0, 1) === 0 || !vector ? again(vtype('i32')) : mask(s, t, depth - 1), again(t), again(t)),
    () => unary(s, t, again(t)),
    () => conversion(s, t, depth - 1),
  ];
  if (float) {
    options.push(() => bin('div', again(t), again(t)));
    if (s.limits.math) options.push(() => math(pick(g, MATH_OPS), again(t)));
    if (s.limits.fma) options.push(() => fma(again(t), again(t), again(t)));
  } else {
    options.push(
      () => bin(pick(g, ['and', 'or', 'xor'] as const), again(t), again(t)),
      () => bin(pick(g, ['shl', 'shr'] as const), again(t), again(vector ? vtype('i32') : pick(g, [t, vtype('i32')]))),
      // Divisors that are never 0, and never -1 below a smallest number.
      () => bin(pick(g, ['div', 'rem'] as const), again(t), or(and(again(t), 0x3e), 1)),
    );
    if (t.base === 'i32' && !vector) {
      options.push(() => {
        const u = vtype(pick(g, REGS));
        return cmp(pick(g, ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const), again(u), again(u));
      });
    }
    if (vector && t.base.startsWith('i')) options.push(() => mask(s, t, depth - 1));
  }
  if (vector)
    options.push(
      () => splat(again(scalarOf(t)), t.lanes, t.base),
      () =>
        shuffle(
          again(t),
          again(t),
          Array.from({ length: t.lanes }, () => int(g, 0, 2 * t.lanes - 1)),
        ),
    );
  if (vector && scalarOf(t).base === t.base) options.push(() => vec(Array.from({ length: t.lanes }, () => again(vtype(t.base)))));
  if (!vector && s.limits.bits > 0)
    options.push(() => {
      const from = vectorOf(
        s,
        pick(
          g,
          BASES.filter(b => scalarOf(vtype(b)).base === t.base),
        ),
      );
      const v = again(from);
      return int(g, 0, 1) === 0 ? lane(v, int(g, 0, from.lanes - 1)) : reduceLanes(pick(g, ['add', 'min', 'max'] as const), v);
    });
  const half = (
    { i16: 'i8', u16: 'u8', i32: 'i16', u32: 'u16', i64: 'i32', u64: 'u32' } as Readonly<Partial<Record<Base, Base>>>
  )[t.base];
  if (vector && half && 2 * t.lanes <= 64)
    options.push(() => widen(again(vtype(half, (2 * t.lanes) as Lanes)), pick(g, ['low', 'high'] as const)));
  if (t.base === 'i32' && t.lanes >= 4) {
    const [pairs, fours] = [vtype('i16', (2 * t.lanes) as Lanes), vtype('i8', (4 * t.lanes) as Lanes)];
    options.push(
      () => dot(again(pairs), again(pairs), again(t)),
      () => dot(again(fours), and(again(fours), 127), again(t)),
    );
  }
  return pick(g, options)();
}
/** A comparison that gives a mask as wide as `t`. */
function mask(s: Sources, t: VType, depth: number): Expr {
  const of = BASES.filter(b => baseBytes(b) === baseBytes(t.base));
  const u = vtype(pick(s.g, of), t.lanes);
  const c = cmp(
    pick(s.g, ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const),
    randomExpr(s, u, Math.max(0, depth - 1)),
    randomExpr(s, u, Math.max(0, depth - 1)),
  );
  return { ...c, t: maskType(u) };
}
function unary(s: Sources, t: VType, a: Expr): Expr {
  const ops: readonly UnOp[] = isFloatBase(t.base)
    ? ['neg', 'abs', 'sqrt', 'ceil', 'floor', 'trunc', 'nearest']
    : ['neg', 'abs', 'not'];
  return { k: 'un', t, op: pick(s.g, ops), a };
}
/** From another type. The bits of a computed NaN are nobody's business: only what was loaded as it lies is seen as bits. */
function conversion(s: Sources, t: VType, depth: number): Expr {
  const bases = (t.lanes === 1 ? REGS : BASES).filter(b => t.lanes === 1 || t.lanes * baseBytes(b) <= s.limits.bits / 8);
  if (int(s.g, 0, 3) > 0) return cast(t, randomExpr(s, vtype(pick(s.g, bases), t.lanes), depth));
  const same = bases.filter(b => baseBytes(b) === baseBytes(t.base));
  const from = vtype(pick(s.g, same), t.lanes);
  return reinterpret(t, isFloatBase(from.base) ? load(s, from, d => d === from.base) : randomExpr(s, from, depth));
}
