import { baseBytes, isFloatBase, maskType, scalarOf, vtype, type Lanes, type VType } from '../../../kernel/ir.ts';
import { ctype, vectorBytes } from '../types.ts';
import { wrap } from './arith.ts';
import { pick } from './pick.ts';
import { intel, type HelperWriter } from './writer.ts';

/** The smaller or the larger of two values. */
export function extreme(w: HelperWriter, op: 'min' | 'max', t: VType): string {
  const v = w.type(t);
  const test = op === 'min' ? 'b < a' : 'a < b';
  const name = `${op}_${t.lanes === 1 ? t.base : v}`;
  if (t.lanes === 1) return w.fn(name, v, `${v} a, ${v} b`, `return ${test} ? b : a;`);
  const p = pick(w, t);
  // x86 gives the second operand where the comparison does not hold.
  const x86 = (prefix: string, suffix: string): string =>
    `return (${v})${prefix}_${op}_${suffix}((__typeof__(${prefix}_setzero_${suffix}()))b, (__typeof__(${prefix}_setzero_${suffix}()))a);`;
  return w.simd(name, t, `${v} a, ${v} b`, intel(t, x86), `return ${p}(${test}, b, a);`);
}
/** All lanes joined, halves first. */
export function reduce(w: HelperWriter, op: 'add' | 'min' | 'max', t: VType): string {
  const s = scalarOf(t);
  const half = vtype(t.base, (t.lanes / 2) as Lanes);
  const v = w.type(t);
  const name = `reduce_${op}_${v}`;
  const join = (x: VType, a: string, b: string): string =>
    op !== 'add'
      ? `${extreme(w, op, x)}(${a}, ${b})`
      : x.lanes === 1 && (x.base === 'i32' || x.base === 'i64')
        ? `${wrap(w, 'add', x)}(${a}, ${b})`
        : `${a} + ${b}`;
  // Narrow integers wrap at each step, also where C would compute with wider ones.
  const narrow = baseBytes(t.base) < 4 ? `(${ctype(vtype(t.base))})` : '';
  if (t.lanes === 2) return w.fn(name, ctype(s), `${v} a`, `return ${narrow}(${join(s, 'a[0]', 'a[1]')});`);
  const index = (at: number): string => Array.from({ length: half.lanes }, (_, i) => at + i).join(', ');
  const part = (at: number): string => `__builtin_shufflevector(a, a, ${index(at)})`;
  const next = reduce(w, op, half);
  return w.fn(name, ctype(s), `${v} a`, `return ${next}(${join(half, part(0), part(half.lanes))});`);
}
/** Lanes of two vectors by index. */
export function permute(w: HelperWriter, t: VType): string {
  const v = w.type(t);
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
  if (t.base === 'f64' && bits === 256) {
    // Of each double its two halves: words 2 at and 2 at + 1.
    const words =
      'const __m256i low = _mm256_slli_epi64(_mm256_and_si256((__m256i)at, _mm256_set1_epi64x(3)), 1), ' +
      'words = _mm256_or_si256(low, _mm256_slli_epi64(_mm256_add_epi64(low, _mm256_set1_epi64x(1)), 32));';
    const of = (x: string): string => `_mm256_castsi256_pd(_mm256_permutevar8x32_epi32((__m256i)${x}, words))`;
    list.push([
      'defined(__AVX2__)',
      `${words} return (${v})_mm256_blendv_pd(${of('a')}, ${of('b')}, _mm256_castsi256_pd(_mm256_slli_epi64((__m256i)at, 61)));`,
    ]);
  }
  const index = `at[i] & ${2 * t.lanes - 1}`;
  return w.simd(
    `permute_${v}`,
    t,
    `${v} a, ${v} b, ${w.type(m)} at`,
    list,
    // By way of memory: with -O3, GCC 12 mixes up lanes that are chosen in one vector or the other by a computed place.
    `const ${v} both[2] = {a, b}; ${w.loop(t, `r[i] = ((const ${ctype(vtype(t.base))} *)both)[${index}];`)}`,
  );
}
