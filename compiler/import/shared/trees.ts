import { fail, type Loc, type Warning } from '../../core/diagnostic.ts';
import { fromTyped } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import { constant, input, type Graph, type Value } from '../../graph/graph.ts';
import { Reshape } from '../../ops/movement/view.ts';
import type { TreeTables } from '../../ops/trees/tables.ts';
import { rowRange, sizeOfChoice, type DimChoices } from './dims.ts';

/** Steps from a root to a leaf that a tree may have. Training stops far before; a longer chain is damage. */
export const MAX_DEPTH = 4096;
/** More features than this are damage or an attack: a single row would take megabytes. */
export const MAX_FEATURES = 2 ** 20;
/** The same of outputs. */
export const MAX_GROUPS = 2 ** 16;

/** A tree as files have it: nodes by number, in any order. */
interface RawTree {
  readonly nodes: number;
  readonly root: number;
  readonly left: ArrayLike<number>;
  readonly right: ArrayLike<number>;
  isLeaf(node: number): boolean;
}
/** Where nodes of a raw tree go. */
export interface Layout {
  /** Splits and leaves that can be reached, depth first: parents before children. */
  readonly splits: readonly number[];
  readonly leaves: readonly number[];
  /** By node: its place among the splits, or ~ its place among the leaves. */
  readonly code: Int32Array;
}
/**
 * Orders the nodes that can be reached from the root. Linear, without recursion.
 * E203, with the tree and the node: a child that does not exist, a node with two parents (and so cycles), more than `MAX_DEPTH` steps.
 */
export function layOut(t: RawTree, file: string, tree: number): Layout {
  const bad = (node: number, why: string): never => fail('E203', { file, why }, treeLoc(file, tree, node));
  const code = new Int32Array(t.nodes);
  const seen = new Uint8Array(t.nodes);
  const splits: number[] = [];
  const leaves: number[] = [];
  const stack: number[] = [t.root];
  const depths: number[] = [0];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const depth = depths.pop() ?? 0;
    if (depth > MAX_DEPTH) bad(node, `the tree is more than ${MAX_DEPTH} steps deep`);
    if (seen[node] === 1) bad(node, 'the tree leads to this node more than once');
    seen[node] = 1;
    if (t.isLeaf(node)) {
      code[node] = ~leaves.length;
      leaves.push(node);
      continue;
    }
    code[node] = splits.length;
    splits.push(node);
    for (const child of [t.right[node] ?? -1, t.left[node] ?? -1]) {
      if (!(child >= 0 && child < t.nodes)) bad(node, `its child is node ${child} of ${t.nodes}`);
      stack.push(child);
      depths.push(depth + 1);
    }
  }
  return { splits, leaves, code };
}
export const treeLoc = (file: string, tree: number, node?: number): Loc => ({
  k: 'part',
  file,
  kind: 'tree',
  name: node === undefined ? `tree ${tree}` : `tree ${tree}, node ${node}`,
  op: '',
});

/** Bit sets of categories, as `TreeTables.categories` wants them, bounded by `MAX_WORDS` together. */
interface CategorySets {
  readonly words: number[];
  /** Adds a set and gives where it starts and how many words it has. */
  add(categories: ArrayLike<number>, reject: (why: string) => never): { readonly start: number; readonly words: number };
}
const MAX_CATEGORY = 2 ** 24;
const MAX_WORDS = 2 ** 24;
export function categorySets(): CategorySets {
  const words: number[] = [];
  return {
    words,
    add: (categories, reject) => {
      const start = words.length;
      let most = -1;
      for (let i = 0; i < categories.length; i++) {
        const k = categories[i] ?? -1;
        if (!(Number.isInteger(k) && k >= 0 && k < MAX_CATEGORY)) reject(`${k} is no category (0 to ${MAX_CATEGORY - 1})`);
        most = Math.max(most, k);
      }
      const n = Math.floor(most / 32) + 1;
      if (start + n > MAX_WORDS) reject('the sets of categories of the model take more than 64 MiB');
      for (let i = 0; i < n; i++) words.push(0);
      for (let i = 0; i < categories.length; i++) {
        const k = categories[i] ?? 0;
        words[start + (k >> 5)] = ((words[start + (k >> 5)] ?? 0) | (1 << (k & 31))) >>> 0;
      }
      return { start, words: n };
    },
  };
}

/** The tables as constants, in the order of `TREE_INPUTS`. */
export function tableValues(t: TreeTables): (Value | undefined)[] {
  const vector = (name: string, a: Int32Array | Uint32Array | Uint8Array | Float32Array | Float64Array): Value =>
    constant(tensor(a), name);
  const tensor = (a: Int32Array | Uint32Array | Uint8Array | Float32Array | Float64Array) =>
    fromTyped(
      a instanceof Int32Array
        ? 'i32'
        : a instanceof Uint32Array
          ? 'u32'
          : a instanceof Uint8Array
            ? 'u8'
            : a instanceof Float32Array
              ? 'f32'
              : 'f64',
      [a.length],
      a,
    );
  return [
    vector('feature', t.feature),
    vector('threshold', t.threshold),
    vector('left', t.left),
    vector('right', t.right),
    vector('flags', t.flags),
    constant({ ...tensor(t.values), dims: [t.values.length / Math.max(1, t.width), t.width] }, 'values'),
    vector('root', t.root),
    vector('group', t.group),
    vector('base', t.base),
    t.categories && vector('categories', t.categories),
    t.catStart && vector('catStart', t.catStart),
    t.catWords && vector('catWords', t.catWords),
  ];
}

/** What may be asked of a tree model besides its predictions. */
export const TREE_OUTPUTS = ['margin', 'leaf', 'contributions'] as const;
export type TreeOutput = (typeof TREE_OUTPUTS)[number];
/** Boosting rounds, the first and the last of them, counted from 0: XGBoost's `iteration_range` is (first, last + 1). */
export interface Iterations {
  readonly first: number;
  readonly last: number;
}
/** Boosting rounds `from` up to but without `to`. */
export interface Rounds {
  readonly from: number;
  readonly to: number;
}
/** The rounds that are asked for, of `all` in the model. E403 where it has not all of them. */
export function roundsAsked({ first, last }: Iterations, all: number, loc: Loc): Rounds {
  if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last < all))
    fail('E403', { option: 'iterations', why: `${first}..${last} is no range of the model's ${all} rounds, 0..${all - 1}` }, loc);
  return { from: first, to: last + 1 };
}
export interface TreeOptions {
  readonly file?: string;
  readonly name?: string;
  readonly dims?: DimChoices;
  /** Outputs besides `prediction`. */
  readonly outputs?: readonly TreeOutput[];
  readonly iterations?: Iterations;
}
export interface TreeImport {
  readonly graph: Graph;
  readonly warnings: readonly Warning[];
  /** As many as the model has features, where it names them. */
  readonly featureNames?: readonly string[];
  /** The names of the classes. */
  readonly labels?: readonly string[];
}

/** What a row takes in the memory of a compiled model, about: features, and the outputs that are asked for. */
export function rowBytes(features: number, groups: number, trees: number, outputs: readonly TreeOutput[]): number {
  const leaf = outputs.includes('leaf') ? trees : 0;
  const contributions = outputs.includes('contributions') ? groups * (features + 1) : 0;
  return 4 * (features + 2 * groups + leaf + contributions);
}
/** The input of every tree model: rows of features, as many as `dims.batch` says. E302: another name, or a size that makes no sense. */
export function featuresInput(features: number, dtype: 'f32' | 'f64', dims: DimChoices, bytes: number, loc: Loc): Value {
  for (const name of Object.keys(dims))
    if (name !== 'batch') fail('E302', { dim: name, why: 'the only free dimension of this model is batch' }, loc);
  const batch = sizeOfChoice('batch', dims['batch'] ?? rowRange(bytes), loc);
  return input('features', { dtype, shape: [batch, features] });
}
/** One column as a vector. */
export function flat(c: GraphBuilder, x: Value): Value {
  const [batch = 1, columns] = x.type.shape;
  return columns === 1 ? c.apply1(Reshape, [x], { shape: [batch] }) : x;
}
