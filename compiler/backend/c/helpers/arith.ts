import { InternalError } from '../../../core/diagnostic.ts';
import { baseBytes, isFloatBase, isUnsigned, maskType, vtype, type Base, type VType } from '../../../kernel/ir.ts';
import { ctype } from '../types.ts';
import { pick } from './pick.ts';
import { intel, type HelperWriter } from './writer.ts';

export type WrapOp = 'add' | 'sub' | 'mul' | 'shl' | 'shr' | 'neg';
export type UnaryOp = 'abs' | 'sqrt' | 'ceil' | 'floor' | 'trunc' | 'nearest';

const UNSIGNED: Partial<Record<Base, Base>> = { i8: 'u8', i16: 'u16', i32: 'u32', i64: 'u64' };
/** Arithmetic of integers that wraps, and shifts whose count is taken modulo the width: both are undefined in C. */
export function wrap(w: HelperWriter, op: WrapOp, t: VType): string {
  if (t.lanes > 1) {
    // Of vectors too: GCC takes -a <= -b for b <= a.
    if (op !== 'neg') throw new InternalError(`${op} of vectors, which wrap`);
    const [v, u] = [w.type(t), w.type(vtype(UNSIGNED[t.base] ?? t.base, t.lanes))];
    return w.fn(`neg_${v}`, v, `${v} a`, `return (${v})(-(${u})a);`);
  }
  const v = ctype(t);
  const u = ctype(vtype(t.base === 'i64' ? 'u64' : 'u32'));
  const width = baseBytes(t.base) * 8;
  const name = `${op}_${t.base}`;
  switch (op) {
    case 'neg':
      return w.fn(name, v, `${v} a`, `return (${v})(0 - (${u})a);`);
    case 'shl':
      return w.fn(name, v, `${v} a, ${v} n`, `return (${v})((${u})a << ((${u})n & ${width - 1}u));`);
    case 'shr':
      return w.fn(name, v, `${v} a, ${v} n`, `return a >> ((${u})n & ${width - 1}u);`);
    case 'add':
    case 'sub':
    case 'mul':
      return w.fn(name, v, `${v} a, ${v} b`, `return (${v})((${u})a ${{ add: '+', sub: '-', mul: '*' }[op]} (${u})b);`);
  }
}
export function unary(w: HelperWriter, op: UnaryOp, t: VType): string {
  const v = w.type(t);
  if (!isFloatBase(t.base)) {
    if (op !== 'abs') throw new InternalError(`${op} of ${t.base}`);
    if (isUnsigned(t.base)) return w.fn(`abs_${v}`, v, `${v} a`, 'return a;');
    if (t.lanes > 1) return w.fn(`abs_${v}`, v, `${v} a`, `return ${pick(w, t)}(a < 0, ${wrap(w, 'neg', t)}(a), a);`);
    return w.fn(`abs_${t.base}`, v, `${v} a`, `return a < 0 ? ${wrap(w, 'neg', t)}(a) : a;`);
  }
  const c =
    { abs: 'fabs', sqrt: 'sqrt', ceil: 'ceil', floor: 'floor', trunc: 'trunc', nearest: 'rint' }[op] +
    (t.base === 'f32' ? 'f' : '');
  if (t.lanes === 1) return c;
  const name = `${op}_${v}`;
  if (op === 'abs') {
    const m = w.type(maskType(t));
    const rest = t.base === 'f32' ? '0x7fffffff' : 'INT64_C(0x7fffffffffffffff)';
    return w.fn(name, v, `${v} a`, `return (${v})((${m})a & ${rest});`);
  }
  const mode = { ceil: 2, floor: 1, trunc: 3, nearest: 0, sqrt: 0 }[op];
  const x86 = (p: string, s: string): string => {
    const a = `(__typeof__(${p}_setzero_${s}()))a`;
    if (op === 'sqrt') return `return (${v})${p}_sqrt_${s}(${a});`;
    return p === '_mm512'
      ? `return (${v})_mm512_roundscale_${s}(${a}, ${mode});`
      : `return (${v})${p}_round_${s}(${a}, ${mode} | 8);`;
  };
  return w.simd(name, t, `${v} a`, intel(t, x86), w.loop(t, `r[i] = ${c}(a[i]);`));
}
export function fma(w: HelperWriter, t: VType): string {
  const v = w.type(t);
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
  return w.simd(
    `fma_${v}`,
    t,
    `${v} a, ${v} b, ${v} c`,
    [...intel(t, x86, 'defined(__FMA__)'), ...arm],
    w.loop(t, `r[i] = ${c}(a[i], b[i], c[i]);`),
  );
}
