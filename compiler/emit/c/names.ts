import type { Port, Program } from '../../program/program.ts';
import { identifier } from './types.ts';

/** The names of a program in C: each once. */
export interface Names {
  /** Before every name that others see. */
  readonly prefix: string;
  readonly inputs: ReadonlyMap<Port, string>;
  readonly outputs: ReadonlyMap<Port, string>;
  readonly symbols: ReadonlyMap<string, string>;
}
export function namesOf(p: Program): Names {
  const unique = <K>(items: readonly K[], name: (x: K) => string, taken: Set<string>): Map<K, string> =>
    new Map(
      items.map(x => {
        const base = identifier(name(x));
        let word = base;
        for (let i = 2; taken.has(word); i++) word = `${base}_${i}`;
        taken.add(word);
        return [x, word];
      }),
    );
  return {
    prefix: identifier(p.name),
    inputs: unique(p.inputs, x => x.name, new Set(['dims'])),
    outputs: unique(p.outputs, x => x.name, new Set(['sizes'])),
    symbols: unique(
      p.symbols.map(s => s.name),
      s => s,
      new Set(),
    ),
  };
}
