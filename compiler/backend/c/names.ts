import { must } from '../../core/diagnostic.ts';
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
/** C identifiers like the names given, each once and none of `taken`. */
function uniqueNames(names: readonly string[], taken: readonly string[]): string[] {
  const used = new Set(taken);
  return names.map(name => {
    const base = identifier(name);
    let word = base;
    for (let i = 2; used.has(word); i++) word = `${base}_${i}`;
    used.add(word);
    return word;
  });
}
/** The names of outputs, which main.c gives to its files too. */
export const outputNames = (names: readonly string[]): string[] => uniqueNames(names, ['sizes']);
export function namesOf(p: Program): Names {
  const pair = <K>(items: readonly K[], words: readonly string[]): Map<K, string> =>
    new Map(items.map((x, i) => [x, must(words[i])]));
  return {
    prefix: identifier(p.name),
    inputs: pair(
      p.inputs,
      uniqueNames(
        p.inputs.map(x => x.name),
        ['dims'],
      ),
    ),
    outputs: pair(p.outputs, outputNames(p.outputs.map(x => x.name))),
    symbols: pair(
      p.symbols.map(x => x.name),
      uniqueNames(
        p.symbols.map(x => x.name),
        [],
      ),
    ),
  };
}
