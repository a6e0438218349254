import { must } from '../../../core/diagnostic.ts';
import { isFloat } from '../../../core/dtype.ts';
import { numel, toNumbers } from '../../../core/tensor.ts';
import type { OnnxNode } from '../registry.ts';

/** What is asked at a node of the value x of its feature: is x <= t, < t, >= t, > t, = t, not t, in a set. In the order of TreeEnsemble-5. */
const MODES = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ', 'MEMBER', 'LEAF'] as const;
type Mode = (typeof MODES)[number];
const MEMBER = MODES.indexOf('MEMBER');
const LEAF = MODES.indexOf('LEAF');

/** The trees of an operator, nodes and leaves numbered through. Lists have the length they must have; numbers of nodes are checked. */
export interface OnnxTrees {
  /** See `modeOf`. */
  readonly mode: Uint8Array;
  readonly feature: Int32Array;
  /** What is compared with; at a node with a set, the number of the set. */
  readonly value: Float64Array;
  /** Where to go if the answer is yes, and if it is no. */
  readonly yes: Int32Array;
  readonly no: Int32Array;
  /** 1: NaN is a yes. */
  readonly nan: Uint8Array;
  readonly sets: readonly (readonly number[])[];
  /** By tree. */
  readonly root: Int32Array;
  /** Votes of leaf i: `vote[i]` up to `vote[i + 1]` of the lists after. */
  readonly vote: Int32Array;
  readonly target: Int32Array;
  readonly weight: Float64Array;
  /** A node in words; `tree`: the one that led there. */
  where(node: number, tree?: number): string;
}
/** More nodes, votes or members than this are damage: they would not fit the file. */
const MOST = 2 ** 28;

/** A list of floats, or the tensor that may stand in its place. */
export function floatList(n: OnnxNode, name: string): readonly number[] {
  const tensor = `${name}_as_tensor`;
  if (!n.has(tensor)) return n.floats(name, []);
  const list = tensorList(n, tensor);
  return list.length === 0 ? n.floats(name, []) : list;
}
function tensorList(n: OnnxNode, name: string): readonly number[] {
  const t = n.tensor(name);
  if (!isFloat(t.dtype)) n.reject(`attribute '${name}' is ${t.dtype}, must be of floats`);
  if (numel(t.dims) > MOST) n.reject(`attribute '${name}' is too long`);
  return Array.from(toNumbers(t));
}
function sameLength(n: OnnxNode, lists: Readonly<Record<string, { readonly length: number }>>): number {
  const [[first, list] = ['', []], ...rest] = Object.entries(lists);
  for (const [name, other] of rest)
    if (other.length !== list.length) n.reject(`'${first}' has ${list.length} elements, '${name}' ${other.length}`);
  return list.length;
}
/** A list of features, within i32. */
function featureList(
  n: OnnxNode,
  ids: readonly number[],
  split: (i: number) => boolean,
  where: (i: number) => string,
): Int32Array {
  return Int32Array.from(ids, (f, i) => {
    if (!split(i)) return 0;
    return f >= 0 && f < 2 ** 31 ? f : n.reject(`${where(i)} tests feature ${f}`);
  });
}
/** Whether NaN is a yes, by node; the list may be short or missing. */
const nanList = (n: OnnxNode, count: number): Uint8Array => {
  const given = n.ints('nodes_missing_value_tracks_true', []);
  if (given.length > count) n.reject(`'nodes_missing_value_tracks_true' has ${given.length} elements for ${count} nodes`);
  return Uint8Array.from({ length: count }, (_, i) => (given[i] === 1 ? 1 : 0));
};

export const modeOf = (t: OnnxTrees, i: number): Mode => must(MODES[must(t.mode[i])]);
export const isLeaf = (t: OnnxTrees, i: number): boolean => t.mode[i] === LEAF;
/** By what files call them. */
const NAMES: ReadonlyMap<string, number> = new Map(
  MODES.flatMap((m, i) => (m === 'MEMBER' ? [] : [[m === 'LEAF' ? m : `BRANCH_${m}`, i] as const])),
);

/** Nodes of a tree: those from `start` on whose numbers ascend from `first` in ones, or by their numbers where they do not. */
interface Named {
  readonly start: number;
  readonly first: number;
  count: number;
  byId?: Map<number, number>;
}
/** Finds nodes by the numbers of tree and node, and where trees begin. In most files numbers ascend, so no table is made of them. */
function nodesByName(
  trees: readonly number[],
  ids: readonly number[],
  twice: (i: number) => never,
): { readonly root: readonly number[]; readonly find: (tree: number, id: number) => number | undefined } {
  const byTree = new Map<number, Named>();
  const root: number[] = [];
  const last: { tree: number; named: Named | undefined } = { tree: NaN, named: undefined };
  const named = (tree: number): Named | undefined => {
    if (tree !== last.tree) [last.tree, last.named] = [tree, byTree.get(tree)];
    return last.named;
  };
  for (let i = 0; i < ids.length; i++) {
    const [tree, id] = [must(trees[i]), must(ids[i])];
    const t = named(tree);
    if (!t) {
      last.named = { start: i, first: id, count: 1 };
      byTree.set(tree, last.named);
      root.push(i);
      continue;
    }
    if (!t.byId && i === t.start + t.count && id === t.first + t.count) {
      t.count++;
      continue;
    }
    t.byId ??= new Map(Array.from({ length: t.count }, (_, k) => [t.first + k, t.start + k]));
    if (t.byId.has(id)) twice(i);
    t.byId.set(id, i);
  }
  const find = (tree: number, id: number): number | undefined => {
    const t = named(tree);
    if (!t || t.byId) return t?.byId?.get(id);
    return id >= t.first && id < t.first + t.count ? t.start + id - t.first : undefined;
  };
  return { root, find };
}

/**
 * The attributes of TreeEnsembleClassifier and TreeEnsembleRegressor, which name a node by the number of its tree and its own. A tree
 * begins at its first node in the lists. `votes`: the prefix of the lists of votes; weights at nodes that are no leaves are left out,
 * as onnxruntime does.
 */
export function readTreesV3(n: OnnxNode, votes: 'target' | 'class', targets: number): OnnxTrees {
  const modes = n.strings('nodes_modes', []);
  const trees = n.ints('nodes_treeids', []);
  const ids = n.ints('nodes_nodeids', []);
  const features = n.ints('nodes_featureids', []);
  const yesIds = n.ints('nodes_truenodeids', []);
  const noIds = n.ints('nodes_falsenodeids', []);
  const values = floatList(n, 'nodes_values');
  const count = sameLength(n, {
    ...{ nodes_nodeids: ids, nodes_treeids: trees, nodes_modes: modes, nodes_featureids: features },
    ...{ nodes_truenodeids: yesIds, nodes_falsenodeids: noIds, nodes_values: values },
  });
  const where = (i: number): string => `tree ${trees[i]}, node ${ids[i]}`;
  const mode = Uint8Array.from(modes, (m, i) => NAMES.get(m) ?? n.reject(`${where(i)} is of mode '${m}'`));
  const { find, root } = nodesByName(trees, ids, i => n.reject(`${where(i)} is there twice`));
  const child = (list: readonly number[], what: string): Int32Array =>
    Int32Array.from(list, (id, i) => {
      if (mode[i] === LEAF) return -1;
      return (
        find(must(trees[i]), id) ?? n.reject(`${where(i)} leads to node ${id} where the answer is ${what}, which is missing`)
      );
    });
  const [voteIds, voteTrees, voteNodes] = [
    n.ints(`${votes}_ids`, []),
    n.ints(`${votes}_treeids`, []),
    n.ints(`${votes}_nodeids`, []),
  ];
  const weights = floatList(n, `${votes}_weights`);
  const all = sameLength(n, {
    ...{ [`${votes}_ids`]: voteIds, [`${votes}_treeids`]: voteTrees },
    ...{ [`${votes}_nodeids`]: voteNodes, [`${votes}_weights`]: weights },
  });
  const places = new Int32Array(all);
  const vote = new Int32Array(count + 1);
  for (let i = 0; i < all; i++) {
    const [tree, id, to] = [must(voteTrees[i]), must(voteNodes[i]), must(voteIds[i])];
    const at = find(tree, id) ?? n.reject(`a weight is for tree ${tree}, node ${id}, which is missing`);
    if (!(to >= 0 && to < targets)) n.reject(`tree ${tree}, node ${id} votes for ${to} of ${targets}`);
    places[i] = mode[at] === LEAF ? at : -1;
    if (mode[at] === LEAF) vote[at + 1] = must(vote[at + 1]) + 1;
  }
  for (let i = 0; i < count; i++) vote[i + 1] = must(vote[i + 1]) + must(vote[i]);
  const next = vote.slice();
  const target = new Int32Array(must(vote[count]));
  const weight = new Float64Array(must(vote[count]));
  for (let i = 0; i < all; i++) {
    const at = must(places[i]);
    if (at < 0) continue;
    const slot = must(next[at]);
    next[at] = slot + 1;
    target[slot] = must(voteIds[i]);
    weight[slot] = must(weights[i]);
  }
  return {
    mode,
    feature: featureList(n, features, i => mode[i] !== LEAF, where),
    value: Float64Array.from(values),
    yes: child(yesIds, 'yes'),
    no: child(noIds, 'no'),
    nan: nanList(n, count),
    sets: [],
    root: Int32Array.from(root),
    ...{ vote, target, weight, where },
  };
}

/** The attributes of TreeEnsemble, whose leaves are lists of their own: here they follow the nodes. A leaf has one vote. */
export function readTreesV5(n: OnnxNode, targets: number): OnnxTrees {
  const modes = toNumbers(n.tensor('nodes_modes'));
  const features = n.ints('nodes_featureids');
  const splits = tensorList(n, 'nodes_splits');
  const [yesIds, noIds] = [n.ints('nodes_truenodeids'), n.ints('nodes_falsenodeids')];
  const [yesLeaf, noLeaf] = [n.ints('nodes_trueleafs'), n.ints('nodes_falseleafs')];
  const nodes = sameLength(n, {
    ...{ nodes_modes: modes, nodes_featureids: features, nodes_splits: splits },
    ...{ nodes_truenodeids: yesIds, nodes_falsenodeids: noIds, nodes_trueleafs: yesLeaf, nodes_falseleafs: noLeaf },
  });
  const weights = tensorList(n, 'leaf_weights');
  const targetIds = n.ints('leaf_targetids');
  const leaves = sameLength(n, { leaf_weights: weights, leaf_targetids: targetIds });
  const where = (i: number, tree?: number): string =>
    (tree === undefined ? '' : `tree ${tree}, `) + (i < nodes ? `node ${i}` : `leaf ${i - nodes}`);
  const mode = Uint8Array.from({ length: nodes + leaves }, (_, i) => {
    if (i >= nodes) return LEAF;
    const m = modes[i] ?? -1;
    return m >= 0 && m <= MEMBER ? m : n.reject(`node ${i} is of mode ${m}`);
  });
  const { sets, setOf } = members(n, mode, nodes);
  const child = (ids: readonly number[], leaf: readonly number[]): Int32Array =>
    Int32Array.from({ length: nodes + leaves }, (_, i) => {
      if (i >= nodes) return -1;
      const id = must(ids[i]);
      const [of, what] = must(leaf[i]) !== 0 ? [leaves, 'leaf'] : [nodes, 'node'];
      if (!(id >= 0 && id < of)) n.reject(`node ${i} leads to ${what} ${id} of ${of}`);
      return of === leaves && what === 'leaf' ? nodes + id : id;
    });
  const [yes, no] = [child(yesIds, yesLeaf), child(noIds, noLeaf)];
  const root = Int32Array.from(n.ints('tree_roots'), (id, t) => {
    if (!(id >= 0 && id < nodes)) n.reject(`tree ${t} begins at node ${id} of ${nodes}`);
    // A tree that is a leaf is written as a node with one leaf for both answers.
    return yes[id] === no[id] && must(yes[id]) >= nodes ? must(yes[id]) : id;
  });
  const target = Int32Array.from(targetIds, (t, i) =>
    t >= 0 && t < targets ? t : n.reject(`leaf ${i} votes for ${t} of ${targets}`),
  );
  return {
    mode,
    feature: featureList(n, [...features, ...new Array<number>(leaves).fill(0)], i => i < nodes, where),
    value: Float64Array.from({ length: nodes + leaves }, (_, i) => setOf.get(i) ?? splits[i] ?? 0),
    yes,
    no,
    nan: nanList(n, nodes + leaves),
    sets,
    root,
    vote: Int32Array.from({ length: nodes + leaves + 1 }, (_, i) => Math.max(0, i - nodes)),
    target,
    weight: Float64Array.from(weights),
    where,
  };
}
/** The sets of the nodes that ask for membership, in the order of the nodes; each ends with NaN. */
function members(n: OnnxNode, mode: Uint8Array, nodes: number): { sets: number[][]; setOf: Map<number, number> } {
  const values = n.has('membership_values') ? tensorList(n, 'membership_values') : [];
  const sets: number[][] = [];
  const setOf = new Map<number, number>();
  let at = 0;
  for (let i = 0; i < nodes; i++) {
    if (mode[i] !== MEMBER) continue;
    const set: number[] = [];
    if (at >= values.length) n.reject(`node ${i} has no set: 'membership_values' has ${sets.length} of them`);
    for (; at < values.length && !Number.isNaN(values[at]); at++) set.push(must(values[at]));
    at++;
    setOf.set(i, sets.length);
    sets.push(set);
  }
  if (at < values.length) n.reject(`'membership_values' has more sets than the ${sets.length} nodes that ask for membership`);
  return { sets, setOf };
}
