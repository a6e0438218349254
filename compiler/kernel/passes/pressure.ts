import type { Stmt } from '../ir.ts';
import { blocksOf, exprsOf, hasLoop, isLoop, readsOf } from './rewrite.ts';

/** Vector registers that an innermost loop needs: what lives through it, and what it holds at once. */
export interface Innermost {
  readonly loop: Stmt;
  readonly vectors: number;
}
interface Life {
  readonly from: number;
  to: number;
}
/**
 * For each loop the innermost loops inside it (itself, if it has none) with their register pressure: an estimate from where vectors are
 * defined and last mentioned in the text.
 */
export function innermostLoops(body: readonly Stmt[]): Map<Stmt, readonly Innermost[]> {
  const lives = new Map<string, Life>();
  const spans = new Map<Stmt, { readonly from: number; readonly to: number }>();
  const inside = new Map<Stmt, Stmt[]>();
  let clock = 0;
  const visit = (block: readonly Stmt[], around: readonly Stmt[]): void => {
    for (const s of block) {
      const from = clock++;
      const mention = (name: string): void => {
        const l = lives.get(name);
        if (l) l.to = from;
      };
      for (const e of exprsOf(s)) readsOf(e, mention);
      if (s.k === 'set') mention(s.name);
      if (s.k === 'let' && s.value.t.lanes > 1) lives.set(s.name, { from, to: from });
      const loop = isLoop(s);
      if (loop && !blocksOf(s).some(hasLoop)) for (const l of [...around, s]) inside.set(l, [...(inside.get(l) ?? []), s]);
      for (const b of blocksOf(s)) visit(b, loop ? [...around, s] : around);
      if (loop) spans.set(s, { from, to: clock });
    }
  };
  visit(body, []);
  const all = [...lives.values()];
  const vectorsOf = (loop: Stmt): number => {
    const span = spans.get(loop);
    if (!span) return 0;
    const through = all.filter(l => l.from < span.from && l.to >= span.from).length;
    const own = all.filter(l => l.from >= span.from && l.from < span.to);
    // A vector whose last mention is the definition of another leaves its register to it.
    const ends = own.map(l => l.to).sort((a, b) => a - b);
    let dead = 0;
    let most = 0;
    own.forEach((l, i) => {
      while ((ends[dead] ?? Infinity) <= l.from) dead++;
      most = Math.max(most, i + 1 - dead);
    });
    return through + most;
  };
  const vectors = new Map<Stmt, Innermost>();
  for (const s of new Set([...inside.values()].flat())) vectors.set(s, { loop: s, vectors: vectorsOf(s) });
  return new Map([...inside].map(([l, ss]) => [l, ss.flatMap(s => vectors.get(s) ?? [])]));
}
