import { must } from '../../../core/diagnostic.ts';
import { CATEGORICAL, MISSING_LEFT, ZERO_MISSING, type TreeTables } from '../tables.ts';

/**
 * The distinct tests of an ensemble, numbered. Test 0 fails always: its rows go left. The thresholds of a feature (for each way that
 * missing values go) make a column, in order, with the numbers start + 1 to start + n. If `rank` of them are <= the value of a row, the row
 * goes right at exactly those up to start + rank: `!(value < threshold)`. A missing value has rank 0 where it goes left, n where it goes
 * right. Each set of categories is a test of its own, behind the numbers.
 */
export interface Tests {
  /** Columns by the way they treat what is missing. */
  readonly kinds: readonly Kind[];
  readonly sets: readonly CategorySet[];
  /** The test of the first set; the others follow. */
  readonly firstSet: number;
  /** Numbers in use, test 0 and the starts of columns with them. */
  readonly count: number;
  /** By node. */
  readonly of: Int32Array;
}
export interface Kind {
  readonly missing: 'left' | 'right';
  /** Zero counts as missing. */
  readonly zeros: boolean;
  readonly groups: readonly Group[];
}
/** `GROUP` columns that are searched together, in as many steps each. Columns of no threshold fill the last group of a kind. */
export interface Group {
  readonly columns: readonly Column[];
  readonly steps: number;
}
export interface Column {
  readonly feature: number;
  readonly thresholds: Float32Array | Float64Array;
  readonly start: number;
}
export interface CategorySet {
  readonly feature: number;
  readonly missingLeft: boolean;
  /** Its words among the categories of the ensemble. */
  readonly start: number;
  readonly words: number;
}
/** Columns searched at once. */
export const GROUP = 4;

/** Kinds of numerical tests by flags: 1 for missing values on the left, 2 for zeros missing. */
export const kindOf = (flags: number): number => ((flags & MISSING_LEFT) !== 0 ? 1 : 0) | ((flags & ZERO_MISSING) !== 0 ? 2 : 0);

/** Linear but for the sorting of thresholds. */
export function testsOf(t: TreeTables, features: number): Tests {
  const lists = thresholdLists(t, features);
  /** By feature and kind. */
  const starts = new Int32Array(features * 4);
  const kinds: Kind[] = [];
  let count = 1;
  for (const kind of [1, 0, 3, 2]) {
    const of: { readonly key: number; readonly thresholds: Float32Array | Float64Array }[] = [];
    for (let key = kind; key < lists.length; key += 4) {
      const thresholds = lists[key];
      if (thresholds) of.push({ key, thresholds });
    }
    if (of.length === 0) continue;
    of.sort((a, b) => stepsOf(a.thresholds) - stepsOf(b.thresholds) || a.key - b.key);
    const groups: Group[] = [];
    for (let i = 0; i < of.length; i += GROUP) {
      const columns = of.slice(i, i + GROUP).map(({ key, thresholds }): Column => {
        const start = count;
        starts[key] = start;
        count += thresholds.length + 1;
        return { feature: key >> 2, thresholds, start };
      });
      const last = must(columns.at(-1));
      while (columns.length < GROUP) columns.push({ ...last, thresholds: last.thresholds.subarray(0, 0), start: count++ });
      groups.push({ columns, steps: stepsOf(last.thresholds) });
    }
    kinds.push({ missing: (kind & 1) !== 0 ? 'left' : 'right', zeros: (kind & 2) !== 0, groups });
  }
  const { sets, of: setOf } = setsOf(t);
  const of = new Int32Array(t.feature.length);
  for (let n = 0; n < of.length; n++) {
    const set = setOf?.[n] ?? -1;
    const key = (t.feature[n] ?? 0) * 4 + kindOf(t.flags[n] ?? 0);
    of[n] = set >= 0 ? count + set : (starts[key] ?? 0) + 1 + rankOf(must(lists[key]), t.threshold[n] ?? 0);
  }
  return { kinds, sets, firstSet: count, count: count + sets.length, of };
}
/** The distinct sets of categories, and by node its set, or -1; without sets no table. */
export function setsOf(t: TreeTables): { readonly sets: readonly CategorySet[]; readonly of: Int32Array | undefined } {
  if (t.flags.every(f => (f & CATEGORICAL) === 0)) return { sets: [], of: undefined };
  const numbers = new Map<string, number>();
  const sets: CategorySet[] = [];
  const of = new Int32Array(t.feature.length).fill(-1);
  for (let n = 0; n < of.length; n++) {
    const flags = t.flags[n] ?? 0;
    if ((flags & CATEGORICAL) === 0) continue;
    const feature = t.feature[n] ?? 0;
    const [start, words] = [t.catStart?.[n] ?? 0, t.catWords?.[n] ?? 0];
    const missingLeft = (flags & MISSING_LEFT) !== 0;
    const key = `${feature} ${missingLeft} ${t.categories?.subarray(start, start + words).join() ?? ''}`;
    let number = numbers.get(key);
    if (number === undefined) {
      number = sets.length;
      numbers.set(key, number);
      sets.push({ feature, missingLeft, start, words });
    }
    of[n] = number;
  }
  return { sets, of };
}
/** Steps of a binary search among thresholds. */
const stepsOf = (thresholds: ArrayLike<number>): number => Math.ceil(Math.log2(thresholds.length + 1));

/** The distinct thresholds in order, by feature and kind. */
function thresholdLists(t: TreeTables, features: number): (Float32Array | Float64Array | undefined)[] {
  const ends = new Int32Array(features * 4 + 1);
  const keyOf = (n: number): number =>
    ((t.flags[n] ?? 0) & CATEGORICAL) !== 0 ? -1 : (t.feature[n] ?? 0) * 4 + kindOf(t.flags[n] ?? 0);
  for (let n = 0; n < t.feature.length; n++) {
    const key = keyOf(n);
    if (key >= 0) ends[key + 1] = (ends[key + 1] ?? 0) + 1;
  }
  for (let i = 1; i < ends.length; i++) ends[i] = (ends[i] ?? 0) + (ends[i - 1] ?? 0);
  const all = t.threshold.slice();
  const next = ends.slice();
  for (let n = 0; n < t.feature.length; n++) {
    const key = keyOf(n);
    if (key < 0) continue;
    const i = next[key] ?? 0;
    next[key] = i + 1;
    // Adding 0 makes -0 a 0, which compares equal.
    all[i] = (t.threshold[n] ?? 0) + 0;
  }
  return Array.from({ length: features * 4 }, (_, key) => {
    const [from, to] = [ends[key] ?? 0, ends[key + 1] ?? 0];
    if (from === to) return undefined;
    const of = all.subarray(from, to).sort();
    let n = 1;
    for (let i = 1; i < of.length; i++) if (of[i] !== of[i - 1]) of[n++] = must(of[i]);
    return of.subarray(0, n);
  });
}
/** Where a threshold is in its list. */
function rankOf(list: Float32Array | Float64Array, x: number): number {
  let lo = 0;
  let hi = list.length - 1;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if ((list[mid] ?? 0) < x) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
