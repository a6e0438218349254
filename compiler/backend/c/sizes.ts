import type { Dim } from '../../core/dim.ts';
import { sizeSource } from '../../program/size-source.ts';

/** A size as C over int32_t variables, or whatever `symbol` makes of a name. */
export const sizeText = (d: Dim, symbol: (name: string) => string): string =>
  sizeSource(d, symbol, {
    floordiv: (a, b) => `size_floordiv(${a}, ${b})`,
    extreme: (op, a, b) => `size_${op}(${a}, ${b})`,
  });
/** The functions that `sizeText` calls, as C. */
export const SIZE_FUNCTIONS: Readonly<Record<string, string>> = {
  size_floordiv:
    'INLINE int32_t size_floordiv(int32_t a, int32_t b) { return b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0)); }',
  size_min: 'INLINE int32_t size_min(int32_t a, int32_t b) { return b < a ? b : a; }',
  size_max: 'INLINE int32_t size_max(int32_t a, int32_t b) { return a < b ? b : a; }',
};
