import { fail } from '../core/diagnostic.ts';
import { linearIn } from '../core/bind.ts';
import { symbolsOf, type Dim } from '../core/dim.ts';
import { sizeSource } from './size-source.ts';
import type { Port, Program, SymbolInfo } from './program.ts';

/** How a symbol follows from the inputs: dimension `axis` of input `port` is mul * symbol + add, over symbols solved before. */
interface Solution {
  readonly symbol: SymbolInfo;
  /** Position among the program's symbols. */
  readonly index: number;
  readonly port: number;
  readonly axis: number;
  readonly mul: Dim;
  readonly add: Dim;
}

/** The input symbols in an order in which each can be solved. E301 where one cannot be told from the inputs' sizes. */
export function solveSymbols(inputs: readonly Port[], symbols: readonly SymbolInfo[]): Solution[] {
  const dims = inputs.flatMap((p, port) => p.type.shape.map((d, axis) => ({ d, port, axis })));
  let open = symbols.map((s, index) => ({ symbol: s, index })).filter(s => s.symbol.from === 'input');
  const solved = new Set<string>();
  const out: Solution[] = [];
  while (open.length > 0) {
    const found = open.flatMap(o =>
      dims.flatMap(({ d, port, axis }) => {
        const line = linearIn(d, o.symbol);
        return line && symbolsOf(d).every(s => s.name === o.symbol.name || solved.has(s.name))
          ? [{ ...o, port, axis, ...line }]
          : [];
      }),
    );
    // Best: the symbol itself; then a constant multiple.
    const cost = (s: Solution): number => (s.mul === 1 ? 0 : typeof s.mul === 'number' ? 1 : 2) + (s.add === 0 ? 0 : 0.5);
    const [best] = found.sort((a, b) => cost(a) - cost(b));
    if (!best)
      return fail('E301', {
        dim: open.map(o => o.symbol.name).join(', '),
        why: 'its value does not follow from the sizes of the inputs',
        flags: open.map(o => `--dim ${o.symbol.name}=${o.symbol.hi}`).join(' '),
      });
    solved.add(best.symbol.name);
    out.push(best);
    open = open.filter(o => o.index !== best.index);
  }
  return out;
}

/** The sizes that the dimension behind a solution may have, in words: `1 to 64`, `32 to 1024 in steps of 32`. */
export function rangeText({ symbol: s, mul, add }: Solution): string {
  if (typeof mul !== 'number' || typeof add !== 'number') return `such that ${s.name} is ${s.lo} to ${s.hi}`;
  const ends = [mul * s.lo + add, mul * s.hi + add].sort((a, b) => a - b);
  return `${ends.join(' to ')}${Math.abs(mul) === 1 ? '' : ` in steps of ${Math.abs(mul)}`}`;
}

/** A dimension as JavaScript over the array `s` of symbol values. */
export const dimSource = (d: Dim, index: (name: string) => number): string =>
  sizeSource(d, name => `s[${index(name)}]`, {
    floordiv: (a, b) => (/^[1-9]\d*$/.test(b) ? `Math.floor(${a} / ${b})` : `(${b} ? Math.floor(${a} / (${b})) : 0)`),
    extreme: (op, a, b) => `Math.${op}(${a}, ${b})`,
  });

/** The symbols that the model works out and that its outputs' sizes are made of. */
export function computedSymbols(p: Program): SymbolInfo[] {
  const used = new Set(p.outputs.flatMap(o => o.type.shape.flatMap(d => symbolsOf(d).map(s => s.name))));
  return p.symbols.filter(s => s.from === 'run' && used.has(s.name));
}
