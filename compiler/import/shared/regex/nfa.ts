import type { Assertion, Regex } from './parse.ts';
import type { Ranges } from './sets.ts';

/** An instruction of a machine over bytes. */
type Inst =
  | { readonly k: 'bytes'; readonly lo: number; readonly hi: number; readonly next: number }
  | { readonly k: 'split'; readonly next: number; readonly other: number }
  | { readonly k: 'assert'; readonly what: Assertion; readonly next: number }
  | { readonly k: 'match' };
export interface Nfa {
  readonly insts: readonly Inst[];
  readonly start: number;
}

/** An expression as a machine (Thompson 1968) over UTF-8; undefined where it would have more than `most` instructions. */
export function nfaOf(regex: Regex, most: number): Nfa | undefined {
  const insts: Inst[] = [{ k: 'match' }];
  const full = (): boolean => insts.length >= most;
  const add = (i: Inst): number => (full() ? 0 : insts.push(i) - 1);
  /** Where the machine of x begins that goes on at `next`. */
  function make(x: Regex, next: number): number {
    if (full()) return 0;
    switch (x.k) {
      case 'set':
        return characters(x.ranges, next);
      case 'byte':
        return add({ k: 'bytes', lo: 0, hi: 255, next });
      case 'cat':
        return x.items.reduceRight((to, item) => make(item, to), next);
      case 'alt':
        return x.items
          .slice(0, -1)
          .reduceRight(
            (other, item) => add({ k: 'split', next: make(item, next), other }),
            x.items.length === 0 ? next : make(x.items[x.items.length - 1] ?? { k: 'cat', items: [] }, next),
          );
      case 'assert':
        return add({ k: 'assert', what: x.what, next });
      case 'repeat': {
        let to = next;
        if (x.max === Infinity) {
          const loop = insts.length;
          add({ k: 'match' });
          if (full()) return 0;
          const body = make(x.x, loop);
          insts[loop] = { k: 'split', next: body, other: next };
          to = loop;
        } else for (let i = x.min; i < x.max && !full(); i++) to = add({ k: 'split', next: make(x.x, to), other: next });
        for (let i = 0; i < x.min && !full(); i++) to = make(x.x, to);
        return to;
      }
    }
  }
  /** One character of a set. Sequences that begin alike share their beginnings. */
  function characters(ranges: Ranges, next: number): number {
    const heads = utf8Tree(ranges);
    const tree = (t: readonly Branch[]): number =>
      t.reduceRight<number | undefined>((other, b) => {
        const here = add({ k: 'bytes', lo: b.lo, hi: b.hi, next: b.behind.length === 0 ? next : tree(b.behind) });
        return other === undefined ? here : add({ k: 'split', next: here, other });
      }, undefined) ?? add({ k: 'bytes', lo: 1, hi: 0, next });
    return tree(heads);
  }
  const start = make(regex, 0);
  return full() ? undefined : { insts, start };
}

interface Branch {
  readonly lo: number;
  readonly hi: number;
  readonly behind: Branch[];
}
/** Sequences of byte ranges in UTF-8 for a set of code points, as a tree of what they begin with. */
function utf8Tree(ranges: Ranges): readonly Branch[] {
  const root: Branch[] = [];
  for (const [lo, hi] of ranges)
    for (const s of sequences(lo, hi)) {
      let at = root;
      for (const [a, b] of s) {
        let branch = at.at(-1);
        if (branch?.lo !== a || branch.hi !== b) at.push((branch = { lo: a, hi: b, behind: [] }));
        at = branch.behind;
      }
    }
  return root;
}
type Sequence = readonly (readonly [number, number])[];
/** A range of code points as sequences of byte ranges: cut where the number of bytes changes, then where leading bytes do. */
function* sequences(lo: number, hi: number): Generator<Sequence> {
  const cuts = [
    [0, 0x7f],
    [0x80, 0x7ff],
    [0x800, 0xd7ff],
    [0xe000, 0xffff],
    [0x10000, 0x10ffff],
  ] as const;
  for (const [from, to] of cuts) {
    const [a, b] = [Math.max(lo, from), Math.min(hi, to)];
    if (a <= b) yield* cut(a, b, a < 0x80 ? 1 : a < 0x800 ? 2 : a < 0x10000 ? 3 : 4);
  }
}
function* cut(lo: number, hi: number, bytes: number): Generator<Sequence> {
  for (let i = 1; i < bytes; i++) {
    const rest = 64 ** i - 1;
    if (Math.floor(lo / (rest + 1)) === Math.floor(hi / (rest + 1))) continue;
    if (lo % (rest + 1) !== 0) {
      const end = lo - (lo % (rest + 1)) + rest;
      yield* cut(lo, end, bytes);
      yield* cut(end + 1, hi, bytes);
      return;
    }
    if (hi % (rest + 1) !== rest) {
      const begin = hi - (hi % (rest + 1));
      yield* cut(lo, begin - 1, bytes);
      yield* cut(begin, hi, bytes);
      return;
    }
  }
  const [a, b] = [encode(lo, bytes), encode(hi, bytes)];
  yield a.map((x, i) => [x, b[i] ?? x] as const);
}
function encode(cp: number, bytes: number): number[] {
  if (bytes === 1) return [cp];
  const lead = [0, 0, 0xc0, 0xe0, 0xf0][bytes] ?? 0;
  return Array.from({ length: bytes }, (_, i) => {
    const part = Math.floor(cp / 64 ** (bytes - 1 - i));
    return i === 0 ? lead + part : 0x80 + (part % 64);
  });
}
