import { foldDim, type Dim } from '../../core/dim.ts';

/** A size as C over int32_t variables, or whatever `symbol` makes of a name. */
export function sizeText(d: Dim, symbol: (name: string) => string): string {
  return foldDim<string>(d, {
    num: n => (n < 0 ? `(${n})` : String(n)),
    sym: symbol,
    bin: (op, a, b) => {
      switch (op) {
        case 'add':
          return b.startsWith('(-') && /^\(-\d+\)$/.test(b) ? `(${a} - ${b.slice(2, -1)})` : `(${a} + ${b})`;
        case 'mul':
          return `${a} * ${b}`;
        case 'floordiv':
        case 'min':
        case 'max':
          return `size_${op}(${a}, ${b})`;
      }
    },
  });
}
/** The functions that `sizeText` calls, as C. */
export const SIZE_FUNCTIONS: Readonly<Record<string, string>> = {
  size_floordiv:
    'INLINE int32_t size_floordiv(int32_t a, int32_t b) { return b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0)); }',
  size_min: 'INLINE int32_t size_min(int32_t a, int32_t b) { return b < a ? b : a; }',
  size_max: 'INLINE int32_t size_max(int32_t a, int32_t b) { return a < b ? b : a; }',
};
