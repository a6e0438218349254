import { must } from '../../../core/diagnostic.ts';
import { MISSING_LEFT, type TreeTables } from '../../../ops/trees/tables.ts';
import { atLeast, atMost, nextDouble } from '../../shared/thresholds.ts';
import { MAX_DEPTH } from '../../shared/trees.ts';
import type { OnnxNode } from '../registry.ts';
import { isLeaf, modeOf, type OnnxTrees } from './trees-read.ts';

/** Values of vector leaves that a model may have together. */
const MOST_VALUES = 2 ** 26;

/** The question at a node as intervals: `cuts` ascend, and values up to the first cut, between cuts, … are answered in turns. */
interface Question {
  readonly cuts: readonly number[];
  /** The answer below the first cut. */
  readonly first: boolean;
  /** The answer to NaN. */
  readonly nan: boolean;
}
/** Intervals over rows of f32 or f64: a cut u separates x < u from x >= u. Exact: u is a number of the rows' type. */
function question(t: OnnxTrees, i: number, single: boolean): Question {
  const v = must(t.value[i]);
  const marked = t.nan[i] === 1;
  const from = (x: number): number => (single ? atLeast(x) : x);
  // Nothing is above infinity: there is no cut behind it.
  const behind = (x: number): readonly number[] => (x === Infinity ? [] : [single ? atMost(x) : nextDouble(x)]);
  const never: Question = { cuts: [], first: false, nan: marked };
  const points = (values: readonly number[]): readonly number[] => {
    const cuts: number[] = [];
    for (const x of Float64Array.from(new Set(values.map(p => p + 0))).sort())
      for (const u of [from(x), ...behind(x)])
        // An interval without numbers between two cuts joins its neighbours.
        if (cuts.at(-1) === u) cuts.pop();
        else cuts.push(u);
    return cuts;
  };
  switch (modeOf(t, i)) {
    case 'LT':
      return Number.isNaN(v) ? never : { cuts: [from(v)], first: true, nan: marked };
    case 'LEQ':
      return Number.isNaN(v) ? never : { cuts: behind(v), first: true, nan: marked };
    case 'GTE':
      return Number.isNaN(v) ? never : { cuts: [from(v)], first: false, nan: marked };
    case 'GT':
      return Number.isNaN(v) ? never : { cuts: behind(v), first: false, nan: marked };
    case 'EQ':
      return Number.isNaN(v) ? never : { cuts: points([v]), first: false, nan: marked };
    case 'NEQ':
      // NaN differs from every number.
      return { cuts: Number.isNaN(v) ? [] : points([v]), first: true, nan: true };
    case 'MEMBER':
      return { cuts: points(must(t.sets[v])), first: false, nan: marked };
    case 'LEAF':
      return never;
  }
}

/** Nodes that can be reached, parents before children: in trees, depth first with the yes side first. Rejects cycles. */
function order(n: OnnxNode, t: OnnxTrees): readonly number[] {
  const NEW = 0;
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(t.mode.length);
  const height = new Int32Array(t.mode.length);
  const after: number[] = [];
  for (let r = t.root.length - 1; r >= 0; r--) {
    const stack = [must(t.root[r])];
    for (let i = stack.at(-1); i !== undefined; i = stack.at(-1)) {
      const leaf = isLeaf(t, i);
      if (state[i] === NEW && !leaf) {
        state[i] = OPEN;
        for (const child of [must(t.yes[i]), must(t.no[i])]) {
          if (state[child] === OPEN) n.reject(`${t.where(i, r)} leads back to ${t.where(child)}`);
          if (state[child] === NEW) stack.push(child);
        }
        continue;
      }
      stack.pop();
      if (state[i] === DONE) continue;
      state[i] = DONE;
      height[i] = leaf ? 0 : 1 + Math.max(must(height[must(t.yes[i])]), must(height[must(t.no[i])]));
      if (must(height[i]) > MAX_DEPTH) n.reject(`${t.where(i, r)} is the top of more than ${MAX_DEPTH} steps`);
      after.push(i);
    }
  }
  return after.reverse();
}

export type Aggregate = 'sum' | 'min' | 'max';
interface TableOptions {
  readonly features: number;
  readonly targets: number;
  /** Rows and leaves are f32, not f64. */
  readonly single: boolean;
  readonly aggregate: Aggregate;
  /** By target; missing ones are 0. */
  readonly base: readonly number[];
  /** Count votes for the targets of which `voted` says that it depends. */
  readonly count: boolean;
}
interface OnnxTables {
  readonly tables: TreeTables;
  /** Whether rows have votes for a target. */
  readonly voted: readonly Voted[];
  /** There are groups `targets` to 2 `targets` - 1 as well: how many votes a row has. */
  readonly counted: boolean;
}
export type Voted = 'never' | 'always' | 'depends';
/** What a leaf counts for targets that it does not vote for. */
const NOTHING: Readonly<Record<Aggregate, number>> = { sum: 0, min: Infinity, max: -Infinity };

/**
 * Trees as tables over rows of `features` numbers. E102, with the node: a cycle, a feature that rows do not have, more than `MAX_DEPTH`
 * steps.
 */
export function onnxTables(n: OnnxNode, t: OnnxTrees, o: TableOptions): OnnxTables {
  const reached = order(n, t);
  const leaves = reached.filter(i => isLeaf(t, i));
  const splits = reached.filter(i => !isLeaf(t, i));
  const questions = splits.map(i => question(t, i, o.single));
  const code = new Int32Array(t.mode.length);
  leaves.forEach((i, l) => (code[i] = ~l));
  let size = 0;
  // A question that is always answered in one way is left out; children before parents, for what takes its place.
  const place = new Int32Array(splits.length);
  questions.forEach((q, s) => {
    place[s] = size;
    size += trivial(q) ? 0 : Math.max(1, q.cuts.length);
  });
  for (let s = splits.length - 1; s >= 0; s--) {
    const [i, q] = [must(splits[s]), must(questions[s])];
    code[i] = trivial(q) ? must(code[must((q.first ? t.yes : t.no)[i])]) : must(place[s]);
  }
  const nodes = newNodes(size, o.single);
  splits.forEach((i, s) => {
    const f = must(t.feature[i]);
    if (f >= o.features) n.reject(`${t.where(i)} tests feature ${f} of ${o.features}`);
    nodes.ask(must(place[s]), f, must(questions[s]), must(code[must(t.yes[i])]), must(code[must(t.no[i])]));
  });
  return votes(n, t, leaves, code, nodes, o);
}
const trivial = (q: Question): boolean => q.cuts.length === 0 && q.nan === q.first;

type Nodes = Pick<TreeTables, 'feature' | 'threshold' | 'left' | 'right' | 'flags'>;
function newNodes(
  size: number,
  single: boolean,
): Nodes & { ask(at: number, f: number, q: Question, yes: number, no: number): void } {
  const feature = new Int32Array(size);
  const threshold = single ? new Float32Array(size) : new Float64Array(size);
  const [left, right, flags] = [new Int32Array(size), new Int32Array(size), new Uint8Array(size)];
  const set = (at: number, f: number, cut: number, l: number, r: number, missingLeft: boolean): void => {
    [feature[at], threshold[at], left[at], right[at], flags[at]] = [f, cut, l, r, missingLeft ? MISSING_LEFT : 0];
  };
  const ask = (at: number, f: number, q: Question, yes: number, no: number): void => {
    if (trivial(q)) return;
    const answer = (interval: number): number => ((interval % 2 === 0) === q.first ? yes : no);
    // No number is below minus infinity.
    if (q.cuts.length === 0) {
      set(at, f, -Infinity, answer(1), answer(0), true);
      return;
    }
    // A balanced search among the cuts. NaN goes to one of the first two intervals, which have both answers.
    const nan = q.nan === q.first ? 0 : 1;
    let next = at;
    const search = (lo: number, hi: number): number => {
      if (lo === hi) return answer(lo);
      const node = next++;
      const mid = (lo + hi - 1) >> 1;
      set(node, f, must(q.cuts[mid]), search(lo, mid), search(mid + 1, hi), nan <= mid);
      return node;
    };
    search(0, q.cuts.length);
  };
  return { feature, threshold, left, right, flags, ask };
}

/** What leaves add: one number where all leaves of a tree vote once for one target, else a vector over all targets. */
function votes(
  n: OnnxNode,
  t: OnnxTrees,
  leaves: readonly number[],
  code: Int32Array,
  nodes: Nodes,
  o: TableOptions,
): OnnxTables {
  const { targets } = o;
  const nothing = NOTHING[o.aggregate];
  const votesOf = (l: number): Int32Array => t.target.subarray(must(t.vote[must(leaves[l])]), must(t.vote[must(leaves[l]) + 1]));
  const root = t.root.map(r => must(code[r]));
  const { group, voted } = targetsOf(n, nodes, root, leaves.length, targets, votesOf);
  const { feature, threshold, left, right, flags } = nodes;
  const make = (size: number): Float32Array | Float64Array => (o.single ? new Float32Array(size) : new Float64Array(size));
  const counted = o.count && voted.includes('depends');
  const width = !counted && group ? 1 : counted ? 2 * targets : targets;
  if (leaves.length * width > MOST_VALUES) n.unsupported(`${leaves.length} leaves with ${width} values each`);
  const base = make(counted ? 2 * targets : targets);
  base.set(o.base);
  const values = make(leaves.length * width);
  leaves.forEach((i, l) => {
    const [from, to] = [must(t.vote[i]), must(t.vote[i + 1])];
    // Of several votes for the only target the first counts, as in onnxruntime.
    if (width === 1) {
      values[l] = from === to ? nothing : must(t.weight[from]);
      return;
    }
    const at = l * width;
    values.fill(nothing, at, at + targets);
    for (let v = from; v < to; v++) {
      const g = at + must(t.target[v]);
      values[g] = combine(o.aggregate, must(values[g]), must(t.weight[v]));
      if (counted) values[g + targets] = 1;
    }
  });
  const groups = width === 1 && group ? group : new Int32Array(root.length);
  return { tables: { feature, threshold, left, right, flags, values, width, root, group: groups, base }, voted, counted };
}
const combine = (how: Aggregate, a: number, b: number): number =>
  how === 'sum' ? a + b : how === 'min' ? Math.min(a, b) : Math.max(a, b);

/** The group that each tree adds to, if all its leaves vote once and for the same target, for all trees; and which targets get votes. */
function targetsOf(
  n: OnnxNode,
  nodes: Nodes,
  root: Int32Array,
  leaves: number,
  targets: number,
  votesOf: (leaf: number) => Int32Array,
): { readonly group: Int32Array | undefined; readonly voted: readonly Voted[] } {
  const group = new Int32Array(root.length);
  const [some, always] = [new Uint8Array(targets), new Uint8Array(targets)];
  // Trees of which some leaf does not vote once for the one target.
  let mixed = 0;
  // By target, for the tree at hand: its leaves that vote for it, and the last one that did.
  const [votes, last] = [new Int32Array(targets), new Int32Array(targets)];
  let visits = 0;
  const seen = new Int32Array(nodes.feature.length + leaves).fill(-1);
  // Trees may share nodes: a bound for the work.
  let budget = 64 * (nodes.feature.length + leaves + root.length) + 2 ** 20;
  root.forEach((r, tree) => {
    const stack = [r];
    const touched: number[] = [];
    let count = 0;
    for (let c = stack.pop(); c !== undefined; c = stack.pop()) {
      if (--budget < 0) n.unsupported('trees that share so many nodes');
      const at = c < 0 ? nodes.feature.length + ~c : c;
      if (seen[at] === tree) continue;
      seen[at] = tree;
      if (c >= 0) {
        stack.push(must(nodes.right[c]), must(nodes.left[c]));
        continue;
      }
      count++;
      visits++;
      const list = votesOf(~c);
      if (list.length !== 1) mixed++;
      for (const g of list) {
        if (last[g] === visits) continue;
        last[g] = visits;
        if (votes[g] === 0) touched.push(g);
        votes[g] = must(votes[g]) + 1;
      }
    }
    if (touched.length > 1) mixed++;
    group[tree] = touched[0] ?? 0;
    for (const g of touched) {
      some[g] = 1;
      if (votes[g] === count) always[g] = 1;
      votes[g] = 0;
    }
  });
  const voted = Array.from(some, (s, g): Voted => (s === 0 ? 'never' : always[g] === 1 ? 'always' : 'depends'));
  return { group: targets === 1 || mixed === 0 ? group : undefined, voted };
}
