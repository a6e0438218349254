import type { VType } from '../../../kernel/ir.ts';
import { HAS_AMX, mmaAmx, mmaPortable } from '../mma.ts';
import { vectorBytes } from '../types.ts';
import type { HelperWriter } from './writer.ts';

/** Dot products of small integers, added to i32. */
export function dot(w: HelperWriter, a: VType, b: VType, acc: VType): string {
  const [x, v] = [w.type(a), w.type(acc)];
  const group = a.lanes / acc.lanes;
  const terms = Array.from({ length: group }, (_, j) => `(int32_t)a[${group} * i + ${j}] * b[${group} * i + ${j}]`).join(' + ');
  const y = w.type(b);
  const list = [...dotX86(a, b, v), ...dotArm(a, b, v)];
  return w.simd(`dot_${x}_${y}`, acc, `${x} a, ${y} b, ${v} c`, list, w.loop(acc, `r[i] = c[i] + ${terms};`));
}
/** The product of words of `mma`. */
export function mma(w: HelperWriter, rows: number, columns: number): string {
  const name = `mma_${rows}x${columns}`;
  const word = w.alias('i32');
  const params = `const ${word} *a, ptrdiff_t a_stride, const ${word} *b, ptrdiff_t b_stride, int32_t words, ${word} *to, ptrdiff_t to_stride`;
  return w.once(
    name,
    () => `INLINE void ${name}(${params}) {${w.variants([[HAS_AMX, mmaAmx(rows, columns)]], mmaPortable(rows, columns))}}`,
  );
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
