import { foldDim, type Dim } from '../core/dim.ts';

/** How a language says what it has no operator for. A zero divisor gives 0, as in `dimFloorDiv`. */
interface SizeLanguage {
  floordiv(a: string, b: string): string;
  extreme(op: 'min' | 'max', a: string, b: string): string;
}
/** A size as an expression of a language over what `symbol` calls the symbols. */
export const sizeSource = (d: Dim, symbol: (name: string) => string, language: SizeLanguage): string =>
  foldDim<string>(d, {
    num: n => (n < 0 ? `(${n})` : String(n)),
    sym: symbol,
    bin: (op, a, b) => {
      switch (op) {
        case 'add':
          return `(${a} + ${b})`;
        case 'mul':
          return `${a} * ${b}`;
        case 'floordiv':
          return language.floordiv(a, b);
        case 'min':
        case 'max':
          return language.extreme(op, a, b);
      }
    },
  });
