import { InternalError } from '../../core/diagnostic.ts';
import { regOf } from '../../core/dtype.ts';
import {
  baseBytes,
  isFloatBase,
  isUnsigned,
  maskType,
  scalarOf,
  vtype,
  type Base,
  type Lanes,
  type VType,
} from '../../kernel/ir.ts';
import { HAS_AMX, mmaAmx, mmaPortable } from './mma.ts';
import { ctype, literal, vectorBytes, vectorName } from './types.ts';

/**
 * The small functions that kernels call, made when they are first asked for. Those that C cannot say well for vectors use what the
 * compiler says the target has (`__AVX__`, `__ARM_NEON`, …), with a portable form beside it.
 */
export interface Helpers {
  /** Declares a vector type and gives its name; a scalar type needs nothing. */
  type(t: VType): string;
  /** The type of a vector somewhere in memory, with the alignment of its elements. */
  loose(t: VType): string;
  /** The name of a scalar type that may alias any other. */
  alias(base: Base): string;
  min(t: VType): string;
  max(t: VType): string;
  splat(t: VType): string;
  /** Picks by the bits of a mask. */
  pick(t: VType): string;
  wrap(op: 'add' | 'sub' | 'mul' | 'shl' | 'shr' | 'neg', t: VType): string;
  unary(op: 'abs' | 'sqrt' | 'ceil' | 'floor' | 'trunc' | 'nearest', t: VType): string;
  fma(t: VType): string;
  /** Conversion of numbers: floats to integers saturate, NaN gives 0. `fits`: a float that is a number is within the range of i32. */
  convert(from: VType, to: VType, fits?: boolean): string;
  /** The same bits as another type. */
  bits(from: VType, to: VType): string;
  reduce(op: 'add' | 'min' | 'max', t: VType): string;
  dot(a: VType, b: VType, acc: VType): string;
  /** Lanes of two vectors by index. */
  permute(t: VType): string;
  /** The product of words of `mma`. */
  mma(rows: number, columns: number): string;
  /** Everything asked for, in order. */
  text(): string;
}

export function newHelpers(): Helpers {
  const done = new Set<string>();
  const out: string[] = [];
  const once = (name: string, make: () => string): string => {
    if (!done.has(name)) {
      done.add(name);
      out.push(make());
    }
    return name;
  };
  const fn = (name: string, result: string, params: string, body: string): string =>
    once(name, () => `INLINE ${result} ${name}(${params}) { ${body} }`);
  const loop = (t: VType, body: string): string => `${type(t)} r; for (int i = 0; i < ${t.lanes}; i++) ${body} return r;`;

  const type = (t: VType): string => {
    if (t.lanes === 1) return ctype(t);
    return once(
      vectorName(t),
      () => `typedef ${ctype(vtype(t.base))} ${vectorName(t)} __attribute__((vector_size(${vectorBytes(t)})));`,
    );
  };
  const loose = (t: VType): string =>
    once(
      `${vectorName(t)}_u`,
      () =>
        `typedef ${ctype(vtype(t.base))} ${vectorName(t)}_u __attribute__((vector_size(${vectorBytes(t)}), aligned(${baseBytes(t.base)}), may_alias));`,
    );
  const alias = (base: Base): string => once(`${base}_alias`, () => `typedef ${ctype(vtype(base))} ${base}_alias MAY_ALIAS;`);
  /** Instructions by what the compiler says it has, most capable first; the last is the portable form. */
  const variants = (list: readonly (readonly [string, string])[], portable: string): string => {
    const lines = list.map(([has, body], i) => `#${i === 0 ? 'if' : 'elif'} ${has}\n  ${body}\n`);
    return lines.length === 0 ? ` ${portable} ` : `\n${lines.join('')}#else\n  ${portable}\n#endif\n`;
  };
  const simd = (name: string, t: VType, params: string, list: readonly (readonly [string, string])[], portable: string): string =>
    once(name, () => `INLINE ${type(t)} ${name}(${params}) {${variants(list, portable)}}`);
  const pick = (t: VType): string => {
    const mask = maskType(t);
    const [v, m] = [type(t), type(mask)];
    return fn(`pick_${v}`, v, `${m} m, ${v} a, ${v} b`, `return (${v})((m & (${m})a) | (~m & (${m})b));`);
  };
  const splat = (t: VType): string => {
    const v = type(t);
    const s = ctype(scalarOf(t));
    const one = ctype(vtype(t.base));
    return fn(
      `splat_${v}`,
      v,
      `${s} x`,
      `return (${v}){${Array.from({ length: t.lanes }, () => (s === one ? 'x' : `(${one})x`)).join(', ')}};`,
    );
  };
  const extreme = (op: 'min' | 'max', t: VType): string => {
    const v = type(t);
    const test = op === 'min' ? 'b < a' : 'a < b';
    const name = `${op}_${t.lanes === 1 ? t.base : v}`;
    if (t.lanes === 1) return fn(name, v, `${v} a, ${v} b`, `return ${test} ? b : a;`);
    const p = pick(t);
    // x86 gives the second operand where the comparison does not hold.
    const x86 = (prefix: string, suffix: string): string =>
      `return (${v})${prefix}_${op}_${suffix}((__typeof__(${prefix}_setzero_${suffix}()))b, (__typeof__(${prefix}_setzero_${suffix}()))a);`;
    return simd(name, t, `${v} a, ${v} b`, intel(t, x86), `return ${p}(${test}, b, a);`);
  };
  const wrap: Helpers['wrap'] = (op, t) => {
    const v = ctype(t);
    const u = ctype(vtype(t.base === 'i64' ? 'u64' : 'u32'));
    const width = baseBytes(t.base) * 8;
    const name = `${op}_${t.base}`;
    switch (op) {
      case 'neg':
        return fn(name, v, `${v} a`, `return (${v})(0 - (${u})a);`);
      case 'shl':
        return fn(name, v, `${v} a, ${v} n`, `return (${v})((${u})a << ((${u})n & ${width - 1}u));`);
      case 'shr':
        return fn(name, v, `${v} a, ${v} n`, `return a >> ((${u})n & ${width - 1}u);`);
      case 'add':
      case 'sub':
      case 'mul':
        return fn(name, v, `${v} a, ${v} b`, `return (${v})((${u})a ${{ add: '+', sub: '-', mul: '*' }[op]} (${u})b);`);
    }
  };
  const unary: Helpers['unary'] = (op, t) => {
    const v = type(t);
    if (!isFloatBase(t.base)) {
      if (op !== 'abs') throw new InternalError(`${op} of ${t.base}`);
      if (isUnsigned(t.base)) return fn(`abs_${v}`, v, `${v} a`, 'return a;');
      if (t.lanes > 1) return fn(`abs_${v}`, v, `${v} a`, `return ${pick(t)}(a < 0, -a, a);`);
      return fn(`abs_${t.base}`, v, `${v} a`, `return a < 0 ? ${wrap('neg', t)}(a) : a;`);
    }
    const c =
      { abs: 'fabs', sqrt: 'sqrt', ceil: 'ceil', floor: 'floor', trunc: 'trunc', nearest: 'rint' }[op] +
      (t.base === 'f32' ? 'f' : '');
    if (t.lanes === 1) return c;
    const name = `${op}_${v}`;
    if (op === 'abs') {
      const m = type(maskType(t));
      const rest = t.base === 'f32' ? '0x7fffffff' : 'INT64_C(0x7fffffffffffffff)';
      return fn(name, v, `${v} a`, `return (${v})((${m})a & ${rest});`);
    }
    const mode = { ceil: 2, floor: 1, trunc: 3, nearest: 0, sqrt: 0 }[op];
    const x86 = (p: string, s: string): string => {
      const a = `(__typeof__(${p}_setzero_${s}()))a`;
      if (op === 'sqrt') return `return (${v})${p}_sqrt_${s}(${a});`;
      return p === '_mm512'
        ? `return (${v})_mm512_roundscale_${s}(${a}, ${mode});`
        : `return (${v})${p}_round_${s}(${a}, ${mode} | 8);`;
    };
    return simd(name, t, `${v} a`, intel(t, x86), loop(t, `r[i] = ${c}(a[i]);`));
  };
  const fma = (t: VType): string => {
    const v = type(t);
    const c = t.base === 'f32' ? 'fmaf' : 'fma';
    if (t.lanes === 1) return c;
    const x86 = (p: string, s: string): string => {
      const as = (x: string): string => `(__typeof__(${p}_setzero_${s}()))${x}`;
      return `return (${v})${p}_fmadd_${s}(${as('a')}, ${as('b')}, ${as('c')});`;
    };
    const arm: [string, string][] =
      t.base === 'f32' && t.lanes === 4
        ? [
            [
              'defined(__ARM_FEATURE_FMA) && defined(__ARM_NEON)',
              `return (${v})vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);`,
            ],
          ]
        : [];
    return simd(
      `fma_${v}`,
      t,
      `${v} a, ${v} b, ${v} c`,
      [...intel(t, x86, 'defined(__FMA__)'), ...arm],
      loop(t, `r[i] = ${c}(a[i], b[i], c[i]);`),
    );
  };
  const convert = (from: VType, to: VType, fits = false): string => {
    const [f, v] = [type(from), type(to)];
    if (fits && from.base === 'f32' && to.base === 'i32' && to.lanes > 1) {
      type(maskType(from));
      const number = `${pick(from)}(a == a, a, ${splat(from)}(0))`;
      return fn(`${t2(to)}_in_${t2(from)}`, v, `${f} a`, `return __builtin_convertvector(${number}, ${v});`);
    }
    const name = `${t2(to)}_of_${t2(from)}`;
    if (to.lanes === 1) {
      if (!isFloatBase(from.base) || isFloatBase(to.base)) throw new InternalError(`conversion of ${f} to ${v}`);
      const { hi, lo, most, least } = limits(from.base, to.base);
      return fn(name, v, `${f} a`, `return a >= ${hi} ? ${most} : a <= ${lo} ? ${least} : a == a ? (${v})a : 0;`);
    }
    if (!isFloatBase(from.base) || isFloatBase(to.base))
      return simd(name, to, `${f} a`, widening(from, to, v), narrowing(from, to) ?? `return __builtin_convertvector(a, ${v});`);
    const one = convert(scalarOf(from), vtype(regOf(to.base)));
    if (to.base !== 'i32' || from.base !== 'f32') {
      const { most, least } = limits(from.base, to.base);
      const narrow = baseBytes(to.base) < 4;
      const part = `${one}(a[i])`;
      const fit = narrow
        ? `(${ctype(vtype(to.base))})(${part} > ${most} ? ${most} : ${part} < ${least} ? ${least} : ${part})`
        : part;
      return fn(name, v, `${f} a`, loop(to, `r[i] = ${fit};`));
    }
    const m = maskType(from);
    const p = pick(to);
    const z = `${splat(from)}(0)`;
    const inside = `${pick(from)}((a < 0x1p31f) & (a > -0x1p31f), a, ${z})`;
    const limit = (s: string): string => `${splat(to)}(${s})`;
    type(m);
    return fn(
      name,
      v,
      `${f} a`,
      `${v} r = __builtin_convertvector(${inside}, ${v}); r = ${p}(a >= 0x1p31f, ${limit('INT32_MAX')}, r); return ${p}(a <= -0x1p31f, ${limit('INT32_MIN')}, r);`,
    );
  };
  /** The low parts of integers of up to 32 bytes by one shuffle, where GCC 12 takes them apart. */
  const narrowing = (from: VType, to: VType): string | undefined => {
    const ratio = baseBytes(from.base) / baseBytes(to.base);
    if (isFloatBase(from.base) || isFloatBase(to.base) || ratio <= 1 || vectorBytes(from) > 32) return undefined;
    const parts = type(vtype(to.base, (to.lanes * ratio) as Lanes));
    const low = Array.from({ length: to.lanes }, (_, i) => i * ratio).join(', ');
    return `return __builtin_shufflevector((${parts})a, (${parts})a, ${low});`;
  };
  const bits = (from: VType, to: VType): string => {
    const [f, v] = [type(from), type(to)];
    return fn(
      `bits_${t2(to)}_${t2(from)}`,
      v,
      `${f} a`,
      from.lanes > 1 && to.lanes > 1 ? `return (${v})a;` : `${v} r; memcpy(&r, &a, sizeof r); return r;`,
    );
  };
  const reduce = (op: 'add' | 'min' | 'max', t: VType): string => {
    const s = scalarOf(t);
    const half = vtype(t.base, (t.lanes / 2) as Lanes);
    const v = type(t);
    const name = `reduce_${op}_${v}`;
    const join = (x: VType, a: string, b: string): string =>
      op !== 'add'
        ? `${extreme(op, x)}(${a}, ${b})`
        : x.lanes === 1 && (x.base === 'i32' || x.base === 'i64')
          ? `${wrap('add', x)}(${a}, ${b})`
          : `${a} + ${b}`;
    // Narrow integers wrap at each step, also where C would compute with wider ones.
    const narrow = baseBytes(t.base) < 4 ? `(${ctype(vtype(t.base))})` : '';
    if (t.lanes === 2) return fn(name, ctype(s), `${v} a`, `return ${narrow}(${join(s, 'a[0]', 'a[1]')});`);
    const index = (at: number): string => Array.from({ length: half.lanes }, (_, i) => at + i).join(', ');
    const part = (at: number): string => `__builtin_shufflevector(a, a, ${index(at)})`;
    const next = reduce(op, half);
    return fn(name, ctype(s), `${v} a`, `return ${next}(${join(half, part(0), part(half.lanes))});`);
  };
  const permute = (t: VType): string => {
    const v = type(t);
    const m = maskType(t);
    const bits = 8 * vectorBytes(t);
    const prefix = bits === 128 ? '_mm' : `_mm${bits}`;
    const suffix = t.base === 'f32' ? 'ps' : t.base === 'f64' ? 'pd' : `epi${8 * baseBytes(t.base)}`;
    const int = bits === 128 ? '__m128i' : `__m${bits}i`;
    const as = (x: string): string => `(__typeof__(${prefix}_setzero_${isFloatBase(t.base) ? suffix : `si${bits}`}()))${x}`;
    const list: [string, string][] = [];
    if (baseBytes(t.base) >= 4 && bits >= 128)
      list.push([
        bits === 512 ? 'defined(__AVX512F__)' : 'defined(__AVX512VL__)',
        `return (${v})${prefix}_permutex2var_${suffix}(${as('a')}, (${int})at, ${as('b')});`,
      ]);
    if (baseBytes(t.base) === 4 && bits === 256) {
      const of = (x: string): string => `_mm256_permutevar8x32_ps((__m256)${x}, (__m256i)at)`;
      list.push([
        'defined(__AVX2__)',
        `return (${v})_mm256_blendv_ps(${of('a')}, ${of('b')}, _mm256_castsi256_ps(_mm256_slli_epi32((__m256i)at, 28)));`,
      ]);
    }
    const index = `at[i] & ${2 * t.lanes - 1}`;
    return simd(
      `permute_${v}`,
      t,
      `${v} a, ${v} b, ${type(m)} at`,
      list,
      loop(t, `r[i] = (${index}) < ${t.lanes} ? a[${index}] : b[(${index}) - ${t.lanes}];`),
    );
  };
  const dot = (a: VType, b: VType, acc: VType): string => {
    const [x, v] = [type(a), type(acc)];
    const group = a.lanes / acc.lanes;
    const terms = Array.from({ length: group }, (_, j) => `(int32_t)a[${group} * i + ${j}] * b[${group} * i + ${j}]`).join(' + ');
    const y = type(b);
    const list = [...dotX86(a, b, v), ...dotArm(a, b, v)];
    return simd(`dot_${x}_${y}`, acc, `${x} a, ${y} b, ${v} c`, list, loop(acc, `r[i] = c[i] + ${terms};`));
  };
  const mma: Helpers['mma'] = (rows, columns) => {
    const name = `mma_${rows}x${columns}`;
    const word = alias('i32');
    const params = `const ${word} *a, ptrdiff_t a_stride, const ${word} *b, ptrdiff_t b_stride, int32_t words, ${word} *to, ptrdiff_t to_stride`;
    return once(
      name,
      () => `INLINE void ${name}(${params}) {${variants([[HAS_AMX, mmaAmx(rows, columns)]], mmaPortable(rows, columns))}}`,
    );
  };
  return {
    type,
    loose: t => (type(t), loose(t)),
    alias,
    min: t => extreme('min', t),
    max: t => extreme('max', t),
    splat,
    pick,
    wrap,
    unary,
    fma,
    convert,
    bits,
    reduce,
    dot,
    permute,
    mma,
    text: () => out.join('\n'),
  };
}
const t2 = (t: VType): string => (t.lanes === 1 ? t.base : vectorName(t));
/** The intrinsics of x86 for a vector of floats: `make` gets their prefix and suffix. */
function intel(t: VType, make: (prefix: string, suffix: string) => string, also?: string): [string, string][] {
  if (!isFloatBase(t.base)) return [];
  const suffix = t.base === 'f32' ? 'ps' : 'pd';
  const and = also === undefined ? '' : ` && ${also}`;
  switch (vectorBytes(t)) {
    case 16:
      return [[`defined(__SSE4_1__)${and}`, make('_mm', suffix)]];
    case 32:
      return [[`defined(__AVX__)${and}`, make('_mm256', suffix)]];
    case 64:
      return [['defined(__AVX512F__)', make('_mm512', suffix)]];
  }
  return [];
}
/** The instructions of x86 that convert integers to wider ones, for vectors of up to 16 bytes: GCC 12 takes them apart otherwise. */
function widening(from: VType, to: VType, v: string): [string, string][] {
  if (isFloatBase(from.base) || isFloatBase(to.base) || baseBytes(from.base) >= baseBytes(to.base)) return [];
  const bytes = vectorBytes(from);
  const source =
    bytes === 16
      ? '(__m128i)a'
      : bytes === 8
        ? '_mm_cvtsi64_si128((long long)a)'
        : bytes === 4
          ? '_mm_cvtsi32_si128((int)a)'
          : undefined;
  const has = { 16: '__SSE4_1__', 32: '__AVX2__', 64: baseBytes(to.base) === 2 ? '__AVX512BW__' : '__AVX512F__' }[
    vectorBytes(to)
  ];
  if (source === undefined || has === undefined) return [];
  const prefix = vectorBytes(to) === 16 ? '_mm' : `_mm${8 * vectorBytes(to)}`;
  const epi = (b: Base): string => `ep${isUnsigned(b) ? 'u' : 'i'}${8 * baseBytes(b)}`;
  return [
    [
      `defined(${has}) && defined(__x86_64__)`,
      `return (${v})${prefix}_cvt${epi(from.base)}_epi${8 * baseBytes(to.base)}(${source});`,
    ],
  ];
}
/** Dot products of a (integers with a sign) and b as instructions of x86: pairs of i16, or fours of i8 by u8, whose sums do not saturate. */
function dotX86(a: VType, b: VType, v: string): [string, string][] {
  const bytes = vectorBytes(a);
  const bits = bytes * 8;
  if (a.base === 'i16') {
    const [has, p, int] = { 128: ['__SSE2__', '_mm', '__m128i'], 256: ['__AVX2__', '_mm256', '__m256i'] }[bits] ?? [
      '__AVX512BW__',
      '_mm512',
      '__m512i',
    ];
    return [[`defined(${has})`, `return c + (${v})${p}_madd_epi16((${int})a, (${int})b);`]];
  }
  if (b.base !== 'u8') return [];
  // GCC 12 moves the sums of the intrinsic between registers and memory; those of a statement in assembler stay where they are. Clang would choose memory for an operand that may be there.
  const has = `defined(__AVX512VNNI__)${bits < 512 ? ' && defined(__AVX512VL__)' : ''}`;
  const statement = (encoding: string): string =>
    `__asm__("${encoding}vpdpbusd %2, %1, %0" : "+v"(c) : "v"(b), "v"(a)); return c;`;
  return [[has, statement('')], ...(bits < 512 ? [['defined(__AVXVNNI__)', statement('%{vex%} ')] as [string, string]] : [])];
}
/** The same of ARM: fours of i8 by i8, 16 at once. */
function dotArm(a: VType, b: VType, v: string): [string, string][] {
  if (a.base !== 'i8' || b.base !== 'i8' || a.lanes !== 16) return [];
  return [['defined(__ARM_FEATURE_DOTPROD)', `return (${v})vdotq_s32((int32x4_t)c, (int8x16_t)a, (int8x16_t)b);`]];
}
/** The largest and smallest integers, and the floats from which on they are the result. */
function limits(
  from: Base,
  to: Base,
): { readonly hi: string; readonly lo: string; readonly most: string; readonly least: string } {
  const n = 8 * baseBytes(to);
  const [hi, lo] = isUnsigned(to) ? [2 ** n, 0] : [2 ** (n - 1), -(2 ** (n - 1))];
  const big = n === 64;
  const most = big
    ? isUnsigned(to)
      ? 'UINT64_MAX'
      : 'INT64_MAX'
    : n === 32
      ? isUnsigned(to)
        ? 'UINT32_MAX'
        : 'INT32_MAX'
      : String(hi - 1);
  const least = isUnsigned(to) ? '0' : big ? 'INT64_MIN' : n === 32 ? 'INT32_MIN' : String(lo);
  return { hi: literal(from, hi), lo: literal(from, lo), most, least };
}
