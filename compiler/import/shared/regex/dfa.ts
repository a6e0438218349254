import { must } from '../../../core/diagnostic.ts';
import { HEADER } from '../../../ops/text/search.ts';
import { nfaOf, type Nfa } from './nfa.ts';
import { parseRegex, shown, type Assertion } from './parse.ts';

/** An automaton of more states, or one that takes more steps to make, is not made. */
const LIMITS = { insts: 20_000, states: 4096, entries: 1 << 19, steps: 2e7 } as const;

/** What stands on one side of a place in a text. */
const SIDES = ['border', 'line end', 'word', 'other'] as const;
type Side = (typeof SIDES)[number];
const isWord = (byte: number): boolean =>
  (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || byte === 95 || (byte >= 97 && byte <= 122);
const sideOf = (byte: number): Side => (byte === 10 ? 'line end' : isWord(byte) ? 'word' : 'other');
function holds(what: Assertion, before: Side, behind: Side): boolean {
  const border = (before === 'word') !== (behind === 'word');
  switch (what) {
    case 'text begins':
      return before === 'border';
    case 'text ends':
      return behind === 'border';
    case 'line begins':
      return before === 'border' || before === 'line end';
    case 'line ends':
      return behind === 'border' || behind === 'line end';
    case 'word border':
      return border;
    case 'no word border':
      return !border;
  }
}

/**
 * The automaton of an expression, as `HEADER` has it. `reject` is told of an error in the expression, `tooLarge` of one whose automaton would
 * be too large.
 */
export function automatonOf(text: string, reject: (why: string) => never, tooLarge: (why: string) => never): Int32Array {
  const nfa = nfaOf(parseRegex(text, reject), LIMITS.insts);
  return (
    (nfa && build(nfa)) ??
    tooLarge(`the automaton of the regular expression ${shown(text)} is too large; make its repetitions and sets smaller`)
  );
}

function build(nfa: Nfa): Int32Array | undefined {
  const asserts = nfa.insts.some(i => i.k === 'assert');
  const { columnOf, samples } = columnsOf(nfa, asserts);
  const columns = samples.length + 1;
  let steps = 0;
  const rows: number[][] = [];
  const states = new Map<string, number>();
  const todo: { readonly before: Side; readonly at: readonly number[] }[] = [];
  /** The state of the threads at `at`, behind what `before` says. */
  const stateOf = (given: Side, threads: readonly number[]): number => {
    const at = threads.toSorted((a, b) => a - b);
    const before = asserts ? given : 'other';
    const key = `${before} ${at.join()}`;
    const had = states.get(key);
    if (had !== undefined) return had;
    const n = rows.push([]) - 1;
    states.set(key, n);
    todo.push({ before, at });
    return n;
  };
  stateOf('other', []);
  const begins = SIDES.map(side => stateOf(side, [nfa.start]));
  const start = (side: Side): number => must(begins[SIDES.indexOf(side)]);
  for (let s = 0; s < todo.length; s++) {
    if (todo.length > LIMITS.states || todo.length * columns > LIMITS.entries || steps > LIMITS.steps) return undefined;
    const { before, at } = must(todo[s]);
    const reached = new Map<Side, Closure>();
    const behind = (side: Side): Closure => {
      const key = asserts ? side : 'other';
      const had = reached.get(key) ?? closure(nfa, at, before, side);
      if (!reached.has(key)) steps += had.steps;
      reached.set(key, had);
      return had;
    };
    rows[s] = samples.map(byte => {
      const { threads, matches } = behind(sideOf(byte));
      const next = new Set<number>();
      for (const t of threads) {
        const i = must(nfa.insts[t]);
        if (i.k === 'bytes' && byte >= i.lo && byte <= i.hi) next.add(i.next);
      }
      steps += threads.length;
      return 2 * (next.size === 0 ? 0 : stateOf(sideOf(byte), [...next])) + Number(matches);
    });
    must(rows[s]).push(Number(behind('border').matches));
  }
  const out = new Int32Array(HEADER.rows + rows.length * columns);
  out[HEADER.columns] = columns;
  out[HEADER.begin] = start('border');
  for (let byte = 0; byte < 256; byte++) {
    out[HEADER.behind + byte] = start(sideOf(byte));
    out[HEADER.column + byte] = must(columnOf[byte]);
  }
  rows.forEach((row, i) => out.set(row, HEADER.rows + i * columns));
  return out;
}

interface Closure {
  /** Instructions that read a byte. */
  readonly threads: readonly number[];
  readonly matches: boolean;
  readonly steps: number;
}
/** What is reached without reading. */
function closure(nfa: Nfa, at: readonly number[], before: Side, behind: Side): Closure {
  const seen = new Set<number>();
  const threads: number[] = [];
  let matches = false;
  const stack = [...at];
  for (let pc = stack.pop(); pc !== undefined; pc = stack.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    const i = must(nfa.insts[pc]);
    switch (i.k) {
      case 'bytes':
        threads.push(pc);
        break;
      case 'split':
        stack.push(i.other, i.next);
        break;
      case 'assert':
        if (holds(i.what, before, behind)) stack.push(i.next);
        break;
      case 'match':
        matches = true;
        break;
    }
  }
  return { threads, matches, steps: seen.size };
}

/** Bytes that no instruction tells apart share a column: which it is, and a byte of each. */
function columnsOf(nfa: Nfa, asserts: boolean): { readonly columnOf: readonly number[]; readonly samples: readonly number[] } {
  const cuts = new Set([0]);
  for (const i of nfa.insts)
    if (i.k === 'bytes') {
      cuts.add(i.lo);
      cuts.add(i.hi + 1);
    }
  if (asserts) for (let b = 1; b < 256; b++) if (sideOf(b) !== sideOf(b - 1)) cuts.add(b);
  const columnOf: number[] = [];
  const samples: number[] = [];
  for (let b = 0; b < 256; b++) {
    if (cuts.has(b)) samples.push(b);
    columnOf.push(samples.length - 1);
  }
  return { columnOf, samples };
}
