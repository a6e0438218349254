/**
 * All distinct tests of an ensemble, for a block of rows or for one: a binary search finds how many thresholds of a feature a value passes.
 * ```
 * makeMasks: for 4 features: for row of the block:      with permute: for feature: for lanes rows at once, thresholds in registers
 *              last = binary search of x[row][feature]  4 searches in turn
 *              mask[last] |= bit of row
 *            for feature: for test, from the last: mask[test] |= mask[test + 1]
 *            for set of categories: for row: mask[set] |= bit of row if it goes right
 * makeBits:  for 4 features: last = binary search; bits[first .. last] = 1; bits[last + 1 ..] = 0           bytes, by vectors
 * ```
 */
import { maxOf, minOf } from '../../../core/extremes.ts';
import { must } from '../../../core/diagnostic.ts';
import { fromTyped } from '../../../core/tensor.ts';
import type { Buffer, KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  ge,
  gt,
  int,
  konst,
  lnot,
  lt,
  maskType,
  min,
  rem,
  select,
  mul,
  or,
  shl,
  shr,
  splat,
  sub,
  vec,
  vtype,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import type { CategoryRules } from '../tables.ts';
import { lookUp, lookupLanes, MOST_VECTORS } from './lookup.ts';
import { forSets, numberOf, setTables, type SetTables } from './values.ts';
import { GROUP, type Column, type Group, type Kind, type Tests } from './tests.ts';

/**
 * The outcomes of tests for a block of rows, as bits: u8[tests, lanes]. A block has a row for each bit of a vector of that many bytes.
 * Each `lanes` neighbouring rows are in lanes / 8 neighbouring bytes, one row after another in the next byte, so that a vector of these
 * bytes, repeated, has the rows in order (see `scoreComplete`).
 */
export interface Masks {
  readonly lanes: MaskLanes;
  readonly bits: Buffer;
}
export type MaskLanes = 16 | 32 | 64;
/** Rows of a block. */
export const blockOf = (lanes: MaskLanes): number => 8 * lanes;
/** The tests of an ensemble in memory, and the rows they are done on. */
export interface TestTables {
  readonly tests: Tests;
  readonly x: Source;
  /** i32: for each group the features of its columns, their starts and counts, where the first threshold is, and the steps. */
  readonly groups: SlotBuffer;
  /**
   * Of each column 2^steps, filled up with what no value passes (see `passes`), level by level as a tree: 1 is the middle one, h has 2h
   * below it and 2h + 1 above. After all steps h - 2^steps is the rank.
   */
  readonly thresholds: SlotBuffer;
  /** Where the ranks of several rows can be found at once: their number, and i32[rows]. */
  readonly lookup: Lookup | undefined;
  readonly sets: SetTables;
}
/** The last tests of several rows, i32[lanes]. */
interface Lookup {
  readonly lanes: Lanes;
  readonly at: SlotBuffer;
}
const GROUP_FIELDS = 3 * GROUP + 2;

export function testTables(c: LowerCtx<CategoryRules>, tests: Tests, categories: Uint32Array | undefined): TestTables {
  const all = tests.kinds.flatMap(kind => kind.groups.map(g => ({ ...g, fill: kind.missing === 'left' ? NaN : Infinity })));
  const fields = new Int32Array(all.length * GROUP_FIELDS);
  const x = c.need(0);
  const lanes = lookupLanes(c.profile, x.dtype === 'f64' ? 'f64' : 'f32');
  // Vectors may be read to their end.
  const total = all.reduce((n, g) => n + GROUP * 2 ** g.steps, 2 * (lanes ?? 0));
  const thresholds = x.dtype === 'f64' ? new Float64Array(total) : new Float32Array(total);
  let at = 0;
  all.forEach((g, i) => {
    const of = (f: (c: Column) => number): number[] => g.columns.map(f);
    const each = [...of(x => x.feature), ...of(x => x.start), ...of(x => x.thresholds.length)];
    fields.set([...each, at, g.steps], i * GROUP_FIELDS);
    for (const column of g.columns) {
      const size = 2 ** g.steps;
      for (let h = 1; h < size; h++) {
        const level = 31 - Math.clz32(h);
        const rank = (2 * (h - 2 ** level) + 1) * 2 ** (g.steps - 1 - level) - 1;
        thresholds[at + h] = column.thresholds[rank] ?? g.fill;
      }
      at += size;
    }
  });
  return {
    tests,
    x,
    groups: c.weights('tree_groups', fromTyped('i32', [fields.length], fields)),
    thresholds: c.weights('tree_thresholds', fromTyped(x.dtype, [total], thresholds)),
    lookup: lanes === undefined ? undefined : { lanes, at: c.scratch('tree_ranks', 'i32', lanes) },
    sets: setTables(c, tests.sets, categories),
  };
}

/** A column during the search: what it is in the tables, as values. */
interface Search {
  readonly kind: Kind;
  /** Its number in the kind. */
  readonly group: Expr;
  readonly features: readonly Expr[];
  /** The column's first test - 1. */
  readonly tests: readonly Expr[];
  /** How many tests it has. */
  readonly counts: readonly Expr[];
  /** Where the column's thresholds are. */
  readonly starts: readonly Expr[];
  /** 2^steps. */
  readonly size: Expr;
  readonly steps: Expr;
}
/** Runs the body for each group of columns, with its fields loaded. */
function forGroups(k: KernelBuilder, t: TestTables, body: (s: Search) => void): void {
  let first = 0;
  for (const kind of t.tests.kinds) {
    const start = first;
    first += kind.groups.length;
    k.for(0, kind.groups.length, g => {
      const at = k.let(mul(add(g, start), GROUP_FIELDS));
      const field = (i: number): Expr => k.let(k.load(t.groups, add(at, i)));
      const columns = Array.from({ length: GROUP }, (_, j) => j);
      const features = columns.map(field);
      const tests = columns.map(j => field(GROUP + j));
      const counts = columns.map(j => field(2 * GROUP + j));
      const thresholds = field(3 * GROUP);
      const steps = field(3 * GROUP + 1);
      const size = k.let(shl(int(1), steps));
      const starts = columns.map(j => k.let(add(thresholds, mul(size, j))));
      body({ kind, group: g, features, tests, counts, starts, size, steps });
    });
  }
}
/** Whether a value is at or above a threshold. What is missing is a NaN: it is never at or above one, and never below one. */
const passes = (kind: Kind, v: Expr, bound: Expr): Expr => (kind.missing === 'left' ? ge(v, bound) : lnot(lt(v, bound)));
/** The last test at which a row goes right, from what its search ends with. */
function lastTest(k: KernelBuilder, kind: Kind, h: Expr, size: Expr, count: Expr, test: Expr): Expr {
  const rank = sub(h, size);
  // Nothing is at or above NaN; infinity is passed by itself and by what is missing.
  return k.let(add(kind.missing === 'left' ? rank : min(k.let(rank), count), test));
}
/** Does the steps that some groups of a kind have. */
function forLevels(k: KernelBuilder, groups: readonly Group[], steps: Expr, body: (level: number) => void): void {
  const all = groups.map(g => g.steps);
  const [least, most] = [minOf(all, Infinity), maxOf(all, -Infinity)];
  for (let level = 0; level < most; level++) {
    if (level < least) body(level);
    else k.if(gt(steps, level), () => body(level));
  }
}
/** For each column of a group its start + rank for a row: the last test at which the row goes right. */
function lastTests(k: KernelBuilder, t: TestTables, s: Search, row: Expr): Expr[] {
  const { kind } = s;
  const values = s.features.map(f => k.let(numberOf(k, t.x, row, f, kind.zeros)));
  const found = values.map(() => k.var(int(1)));
  forLevels(k, kind.groups, s.steps, () =>
    found.forEach((h, j) => {
      const right = passes(kind, must(values[j]), k.load(t.thresholds, add(h, must(s.starts[j]))));
      k.set(h, add(shl(h, 1), right));
    }),
  );
  return found.map((h, j) => lastTest(k, kind, h, s.size, must(s.counts[j]), must(s.tests[j])));
}
/** Groups of a kind whose thresholds can be looked up: the first, since groups are in the order of their steps. */
const lookedUp = (kind: Kind, { lanes }: Lookup): number =>
  kind.groups.filter(g => 2 ** (g.steps - 1) <= MOST_VECTORS * lanes).length;
/**
 * For each column whose thresholds can be looked up, puts the last tests of several rows at once into `lookup.at` and tells the first of
 * them, from 0 on: of rows `first` to `first + count - 1`, a multiple of its lanes.
 */
function forLookedUp(k: KernelBuilder, t: TestTables, lookup: Lookup, first: Expr, count: Expr, tell: (row: Expr) => void): void {
  const { lanes } = lookup;
  const { tests, x } = t;
  const base = x.dtype === 'f64' ? 'f64' : 'f32';
  const wide = maskType(vtype(base, lanes));
  const spread = (e: Expr): Expr => k.let(splat(base === 'f64' ? cast(vtype('i64'), e) : e, lanes));
  const column = (kind: Kind, groups: readonly Group[], at: Expr, j: Expr): void => {
    const field = (i: number): Expr => k.let(k.load(t.groups, add(add(at, i), j)));
    const [feature, test, thresholds] = [field(0), field(GROUP), field(2 * GROUP)];
    const steps = k.let(k.load(t.groups, add(at, 3 * GROUP + 1)));
    const size = k.let(shl(int(1), steps));
    const start = k.let(add(k.load(t.groups, add(at, 3 * GROUP)), mul(size, j)));
    const [sizes, counts, last] = [spread(size), spread(thresholds), spread(test)];
    const rows = (r: Expr): void => {
      const row = k.let(add(first, r));
      const each = Array.from({ length: lanes }, (_, i) => numberOf(k, x, k.let(add(row, i)), feature, kind.zeros));
      const v = k.let(vec(each));
      const h = k.var(konst(wide, 1));
      forLevels(k, groups, steps, level => {
        // The first levels are in two vectors together.
        const from = 2 ** level < 2 * lanes ? 0 : 2 ** level;
        const vectors = Array.from({ length: Math.max(2, 2 ** level / lanes) }, (_, i) =>
          k.let(k.load(t.thresholds, add(start, from + i * lanes), lanes)),
        );
        k.set(h, sub(add(h, h), passes(kind, v, lookUp(k, vectors, h))));
      });
      k.store(lookup.at, 0, cast(vtype('i32', lanes), lastTest(k, kind, h, sizes, counts, last)));
      tell(r);
    };
    k.if(gt(thresholds, 0), () => k.for(0, count, rows, { step: lanes }));
  };
  let before = 0;
  for (const kind of tests.kinds) {
    const groups = kind.groups.slice(0, lookedUp(kind, lookup));
    const start = before;
    k.for(0, groups.length, g => {
      const at = k.let(mul(add(g, start), GROUP_FIELDS));
      k.for(0, GROUP, j => column(kind, groups, at, j));
    });
    before += kind.groups.length;
  }
}
/** The byte of a test's mask that has the bit of row r + i of the block, and the bit; r is a multiple of 2^n > i, or i is 0. */
function placeOfRow(lanes: MaskLanes, r: Expr, i = 0): { readonly byte: Expr; readonly bit: Expr } {
  const bytes = lanes / 8;
  const inGroup = i === 0 ? and(r, bytes - 1) : int(i & (bytes - 1));
  const byte = add(mul(shr(r, Math.log2(lanes)), bytes), inGroup);
  return { byte, bit: add(and(shr(r, Math.log2(bytes)), 7), Math.floor(i / bytes)) };
}

/** The masks of all tests for rows `first` to `first + count - 1` of x, at most a block. */
export function makeMasks(k: KernelBuilder, t: TestTables, first: Expr, count: Expr, { lanes, bits: masks }: Masks): void {
  const none = konst(vtype('u8', lanes), 0);
  k.for(0, t.tests.count, i => k.store(masks, mul(i, lanes), none));
  // First the mask of start + i has the rows of rank i.
  const put = (test: Expr, byte: Expr, bit: Expr): void => {
    const at = k.let(add(mul(test, lanes), byte));
    k.store(masks, at, or(k.load(masks, at), bit));
  };
  const { lookup } = t;
  const whole = lookup ? k.let(sub(count, rem(count, lookup.lanes))) : int(0);
  if (lookup) {
    forLookedUp(k, t, lookup, first, whole, r =>
      Array.from({ length: lookup.lanes }, (_, i) => {
        const { byte, bit } = placeOfRow(lanes, r, i);
        put(k.let(k.load(lookup.at, i)), byte, shl(int(1), bit));
      }),
    );
  }
  forGroups(k, t, s => {
    const from = lookup ? k.let(select(lt(s.group, lookedUp(s.kind, lookup)), whole, 0)) : 0;
    k.for(from, count, r => {
      const last = lastTests(k, t, s, k.let(add(first, r)));
      const place = placeOfRow(lanes, r);
      const byte = k.let(place.byte);
      const bit = k.let(shl(int(1), place.bit));
      for (const test of last) put(test, byte, bit);
    });
  });
  // Then those of a higher rank join: from the back over all columns, since rank 0 of a column (its start) is no test.
  forColumns(k, t, (start, thresholds) => {
    const joined = k.var(none);
    k.for(0, thresholds, i => {
      const at = k.let(mul(sub(add(start, thresholds), i), lanes));
      k.set(joined, or(joined, k.load(masks, at, lanes)));
      k.store(masks, at, joined);
    });
  });
  forSets(k, t.sets, (set, goesRight) => {
    const test = k.let(add(set, t.tests.firstSet));
    k.for(0, count, r => {
      const { byte, bit } = placeOfRow(lanes, r);
      const at = k.let(add(mul(test, lanes), byte));
      k.store(masks, at, or(k.load(masks, at), shl(goesRight(k.let(add(first, r))), bit)));
    });
  });
}
/** Runs the body for each column: where its tests start, and how many there are. */
function forColumns(k: KernelBuilder, t: TestTables, body: (start: Expr, thresholds: Expr) => void): void {
  k.for(
    0,
    t.tests.kinds.reduce((n, x) => n + x.groups.length, 0),
    g => {
      const at = k.let(mul(g, GROUP_FIELDS));
      k.for(0, GROUP, j => {
        const start = add(add(at, GROUP), j);
        body(k.let(k.load(t.groups, start)), k.let(k.load(t.groups, add(start, GROUP))));
      });
    },
  );
}

/** Bytes that `makeBits` may write. */
export const bitsSize = (t: Tests): number => t.count + 15;
/** The outcome of all tests for one row of x, a byte each: 1 where it goes right. */
export function makeBits(k: KernelBuilder, t: TestTables, row: Expr, bits: Buffer, lanes: 1 | 16): void {
  k.store(bits, 0, int(0));
  const byte = (x: number): Expr => (lanes === 1 ? int(x) : konst(vtype('u8', lanes), x));
  forGroups(k, t, s => {
    const last = lastTests(k, t, s, row);
    // A vector that is written too far is overwritten by the next column.
    last.forEach((test, j) => {
      const start = must(s.tests[j]);
      const end = k.let(add(add(start, must(s.counts[j])), 1));
      const next = k.let(add(test, 1));
      k.for(k.let(add(start, 1)), next, i => k.store(bits, i, byte(1)), { step: lanes });
      k.for(next, end, i => k.store(bits, i, byte(0)), { step: lanes });
    });
  });
  forSets(k, t.sets, (set, goesRight) => k.store(bits, add(set, t.tests.firstSet), goesRight(row)));
}
