import { fromTyped } from '../../../core/tensor.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { abs, add, and, cast, eq, ge, gt, I32, konst, le, lt, mul, ne, select, shr, type Expr } from '../../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import { TINY, type CategoryRules } from '../tables.ts';
import type { CategorySet } from './tests.ts';

/** The number of a feature, NaN where it is missing. */
export function numberOf(k: KernelBuilder, x: Source, row: Expr, feature: Expr, zeros: boolean): Expr {
  const v = x.at(k, [row, feature]);
  if (!zeros) return v;
  const bound = k.let(v);
  return select(le(abs(bound), konst(bound.t, TINY)), konst(bound.t, NaN), bound);
}

/** Sets of categories in memory. */
export interface SetTables {
  readonly count: number;
  readonly rules: CategoryRules;
  readonly x: Source;
  /** i32: for each set its feature, whether missing goes left, where its words start, and how many there are. */
  readonly fields: SlotBuffer;
  readonly words: SlotBuffer;
}
const SET_FIELDS = 4;
export function setTables(
  c: LowerCtx<CategoryRules>,
  sets: readonly CategorySet[],
  categories: Uint32Array | undefined,
): SetTables {
  const fields = Int32Array.from(sets.flatMap(s => [s.feature, Number(s.missingLeft), s.start, s.words]));
  // Even an empty set at the end names a word.
  const words = new Uint32Array((sets.length > 0 ? (categories?.length ?? 0) : 0) + 1);
  if (words.length > 1 && categories) words.set(categories);
  return {
    count: sets.length,
    rules: c.attrs,
    x: c.need(0),
    fields: c.weights('tree_sets', fromTyped('i32', [fields.length], fields)),
    words: c.weights('tree_set_words', fromTyped('u32', [words.length], words)),
  };
}
/** Runs the body for each set of categories, with a function that gives 1 where a row goes right at it, else 0. */
export function forSets(k: KernelBuilder, t: SetTables, body: (set: Expr, goesRight: (row: Expr) => Expr) => void): void {
  k.for(0, t.count, s => {
    const at = k.let(mul(s, SET_FIELDS));
    const field = (i: number): Expr => k.let(k.load(t.fields, add(at, i)));
    const [feature, missingLeft, start, length] = [field(0), field(1), field(2), field(3)];
    body(s, row => {
      const v = k.let(t.x.at(k, [row, feature]));
      const missing = k.let(ne(v, v));
      // NaN becomes 0 and is overruled; what is too large for an i32 saturates and is beyond the set.
      const category = k.let(cast(I32, v));
      const from = t.rules.truncate ? gt(v, konst(v.t, -1)) : ge(v, konst(v.t, 0));
      const word = k.let(shr(category, 5));
      const known = k.let(and(and(from, lt(word, length)), eq(missing, 0)));
      const bits = k.load(t.words, add(start, select(known, word, 0)));
      const member = and(shr(cast(I32, bits), and(category, 31)), 1);
      const missingRight = eq(missingLeft, 0);
      return k.let(select(known, member, t.rules.invalid === 'left' ? and(missing, missingRight) : missingRight));
    });
  });
}
