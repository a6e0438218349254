import { must } from '../../core/diagnostic.ts';
import { fromTyped } from '../../core/tensor.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import { add, and, ge, gt, int, konst, lnot, lt, min, mul, or, shl, shr, sub, vtype, type Expr } from '../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer, Source } from '../lowering.ts';
import type { CategoryRules } from '../trees-tables.ts';
import { forSets, numberOf, setTables, type SetTables } from './trees-values.ts';
import { GROUP, type Column, type Kind, type Tests } from './trees-tests.ts';

/** Rows of a block: the bits of a vector. */
export const BLOCK = 128;
/** The tests of an ensemble in memory, and the rows they are done on. */
export interface TestTables {
  readonly tests: Tests;
  readonly x: Source;
  /** i32: for each group the features of its columns, their starts and counts, where the first threshold is, and the steps. */
  readonly groups: SlotBuffer;
  /** Of each column 2^steps, filled up with what no value passes (see `lastTests`). */
  readonly thresholds: SlotBuffer;
  readonly sets: SetTables;
}
const GROUP_FIELDS = 3 * GROUP + 2;

export function testTables(c: LowerCtx<CategoryRules>, tests: Tests, categories: Uint32Array | undefined): TestTables {
  const all = tests.kinds.flatMap(kind => kind.groups.map(g => ({ ...g, fill: kind.missing === 'left' ? NaN : Infinity })));
  const fields = new Int32Array(all.length * GROUP_FIELDS);
  const total = all.reduce((n, g) => n + GROUP * 2 ** g.steps, 0);
  const x = c.need(0);
  const thresholds = x.dtype === 'f64' ? new Float64Array(total) : new Float32Array(total);
  let at = 0;
  all.forEach((g, i) => {
    const of = (f: (c: Column) => number): number[] => g.columns.map(f);
    const each = [...of(x => x.feature), ...of(x => x.start), ...of(x => x.thresholds.length)];
    fields.set([...each, at, g.steps], i * GROUP_FIELDS);
    for (const column of g.columns) {
      thresholds.fill(g.fill, at, at + 2 ** g.steps);
      thresholds.set(column.thresholds, at);
      at += 2 ** g.steps;
    }
  });
  return {
    tests,
    x,
    groups: c.weights('tree_groups', fromTyped('i32', [fields.length], fields)),
    thresholds: c.weights('tree_thresholds', fromTyped(x.dtype, [total], thresholds)),
    sets: setTables(c, tests.sets, categories),
  };
}

/** A column during the search: what it is in the tables, as values. */
interface Search {
  readonly kind: Kind;
  readonly features: readonly Expr[];
  /** The column's first test - 1. */
  readonly tests: readonly Expr[];
  /** How many tests it has. */
  readonly counts: readonly Expr[];
  /** Where the column's thresholds are. */
  readonly starts: readonly Expr[];
  readonly steps: Expr;
}
/** Runs the body for each group of columns, with its fields loaded. */
function forGroups(k: KernelBuilder, t: TestTables, body: (s: Search) => void): void {
  let first = 0;
  for (const kind of t.tests.kinds) {
    const from = first;
    first += kind.groups.length;
    k.for(0, kind.groups.length, g => {
      const at = k.let(mul(add(g, from), GROUP_FIELDS));
      const field = (i: number): Expr => k.let(k.load(t.groups, add(at, i)));
      const columns = Array.from({ length: GROUP }, (_, j) => j);
      const features = columns.map(field);
      const tests = columns.map(j => field(GROUP + j));
      const counts = columns.map(j => field(2 * GROUP + j));
      const start = field(3 * GROUP);
      const steps = field(3 * GROUP + 1);
      const size = k.let(shl(int(1), steps));
      body({ kind, features, tests, counts, starts: columns.map(j => k.let(add(start, mul(size, j)))), steps });
    });
  }
}
/** For each column of a group its start + rank for a row: the last test at which the row goes right. */
function lastTests(k: KernelBuilder, t: TestTables, s: Search, row: Expr): Expr[] {
  const { kind } = s;
  const values = s.features.map(f => k.let(numberOf(k, t.x, row, f, kind.zeros)));
  const at = s.starts.map(x => k.var(x));
  const all = kind.groups.map(g => g.steps);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  for (let d = most - 1; d >= 0; d--) {
    const step = (): void =>
      at.forEach((p, j) => {
        const v = must(values[j]);
        const bound = k.load(t.thresholds, add(p, 2 ** d - 1));
        // What is missing is a NaN: it is never at or above a threshold, and never below one.
        k.set(p, add(p, shl(kind.missing === 'left' ? ge(v, bound) : lnot(lt(v, bound)), d)));
      });
    if (d < least) step();
    else k.if(gt(s.steps, d), step);
  }
  return at.map((p, j) => {
    const rank = sub(p, must(s.starts[j]));
    // Nothing is at or above NaN; infinity is passed by itself and by what is missing.
    return k.let(add(kind.missing === 'left' ? rank : min(k.let(rank), must(s.counts[j])), must(s.tests[j])));
  });
}
const BITS = vtype('u8', 16);
/**
 * The byte of a test's mask that has the bit of row r of the block, and the bit: rows r and r + 1 are in neighbouring bytes, so that
 * 16 rows come out of two bytes in order (see `compareTrees`).
 */
export const byteOf = (r: Expr): Expr => add(mul(shr(r, 4), 2), and(r, 1));
export const bitOf = (r: Expr): Expr => and(shr(r, 1), 7);

/** The masks of all tests for rows `first` to `first + count - 1` of x, at most a block: u8[tests, 16], a bit for each row. */
export function makeMasks(k: KernelBuilder, t: TestTables, first: Expr, count: Expr, masks: Buffer): void {
  k.for(0, t.tests.count, i => k.store(masks, mul(i, 16), konst(BITS, 0)));
  // First the mask of start + i has the rows of rank i.
  forGroups(k, t, s => {
    k.for(0, count, r => {
      const last = lastTests(k, t, s, k.let(add(first, r)));
      const byte = k.let(byteOf(r));
      const bit = k.let(shl(int(1), bitOf(r)));
      for (const test of last) {
        const at = k.let(add(mul(test, 16), byte));
        k.store(masks, at, or(k.load(masks, at), bit));
      }
    });
  });
  // Then those of a higher rank join: from the back over all columns, since rank 0 of a column (its start) is no test.
  forColumns(k, t, (start, thresholds) => {
    const joined = k.var(konst(BITS, 0));
    k.for(0, thresholds, i => {
      const at = k.let(mul(sub(add(start, thresholds), i), 16));
      k.set(joined, or(joined, k.load(masks, at, 16)));
      k.store(masks, at, joined);
    });
  });
  forSets(k, t.sets, (set, goesRight) => {
    const test = k.let(add(set, t.tests.firstSet));
    k.for(0, count, r => {
      const at = k.let(add(mul(test, 16), byteOf(r)));
      k.store(masks, at, or(k.load(masks, at), shl(goesRight(k.let(add(first, r))), bitOf(r))));
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
  const byte = (x: number): Expr => (lanes === 1 ? int(x) : konst(BITS, x));
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
