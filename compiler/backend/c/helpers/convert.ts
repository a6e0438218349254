import { InternalError } from '../../../core/diagnostic.ts';
import { regOf } from '../../../core/dtype.ts';
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
} from '../../../kernel/ir.ts';
import { ctype, literal, vectorBytes, vectorName } from '../types.ts';
import { pick, splat } from './pick.ts';
import type { HelperWriter } from './writer.ts';

/** Conversion of numbers: floats to integers saturate, NaN gives 0. `fits`: a float that is a number is within the range of i32. */
export function convert(w: HelperWriter, from: VType, to: VType, fits = false): string {
  const [f, v] = [w.type(from), w.type(to)];
  if (fits && from.base === 'f32' && to.base === 'i32' && to.lanes > 1) {
    w.type(maskType(from));
    const number = `${pick(w, from)}(a == a, a, ${splat(w, from)}(0))`;
    return w.fn(`${t2(to)}_in_${t2(from)}`, v, `${f} a`, `return __builtin_convertvector(${number}, ${v});`);
  }
  const name = `${t2(to)}_of_${t2(from)}`;
  if (to.lanes === 1) {
    if (!isFloatBase(from.base) || isFloatBase(to.base)) throw new InternalError(`conversion of ${f} to ${v}`);
    const { hi, lo, most, least } = limits(from.base, to.base);
    return w.fn(name, v, `${f} a`, `return a >= ${hi} ? ${most} : a <= ${lo} ? ${least} : a == a ? (${v})a : 0;`);
  }
  if (!isFloatBase(from.base) || isFloatBase(to.base))
    return w.simd(
      name,
      to,
      `${f} a`,
      widening(from, to, v),
      narrowing(w, from, to) ?? `return __builtin_convertvector(a, ${v});`,
    );
  const one = convert(w, scalarOf(from), vtype(regOf(to.base)));
  if (to.base !== 'i32' || from.base !== 'f32') {
    const { most, least } = limits(from.base, to.base);
    const narrow = baseBytes(to.base) < 4;
    const part = `${one}(a[i])`;
    const fit = narrow
      ? `(${ctype(vtype(to.base))})(${part} > ${most} ? ${most} : ${part} < ${least} ? ${least} : ${part})`
      : part;
    return w.fn(name, v, `${f} a`, w.loop(to, `r[i] = ${fit};`));
  }
  const m = maskType(from);
  const p = pick(w, to);
  const z = `${splat(w, from)}(0)`;
  const inside = `${pick(w, from)}((a < 0x1p31f) & (a > -0x1p31f), a, ${z})`;
  const limit = (s: string): string => `${splat(w, to)}(${s})`;
  w.type(m);
  return w.fn(
    name,
    v,
    `${f} a`,
    `${v} r = __builtin_convertvector(${inside}, ${v}); r = ${p}(a >= 0x1p31f, ${limit('INT32_MAX')}, r); return ${p}(a <= -0x1p31f, ${limit('INT32_MIN')}, r);`,
  );
}
/** The low parts of integers of up to 32 bytes by one shuffle, where GCC 12 takes them apart. */
function narrowing(w: HelperWriter, from: VType, to: VType): string | undefined {
  const ratio = baseBytes(from.base) / baseBytes(to.base);
  if (isFloatBase(from.base) || isFloatBase(to.base) || ratio <= 1 || vectorBytes(from) > 32) return undefined;
  const parts = w.type(vtype(to.base, (to.lanes * ratio) as Lanes));
  const low = Array.from({ length: to.lanes }, (_, i) => i * ratio).join(', ');
  return `return __builtin_shufflevector((${parts})a, (${parts})a, ${low});`;
}
/** The same bits as another type. */
export function bits(w: HelperWriter, from: VType, to: VType): string {
  const [f, v] = [w.type(from), w.type(to)];
  return w.fn(
    `bits_${t2(to)}_${t2(from)}`,
    v,
    `${f} a`,
    from.lanes > 1 && to.lanes > 1 ? `return (${v})a;` : `${v} r; memcpy(&r, &a, sizeof r); return r;`,
  );
}
const t2 = (t: VType): string => (t.lanes === 1 ? t.base : vectorName(t));
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
