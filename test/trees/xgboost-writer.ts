// Documents as XGBoost writes them, of trees written by hand, as JSON and as UBJSON.

/** A leaf's value, or a split: rows below `t` (or not in `cats`) go to `l`. */
export type Tree = number | readonly number[] | Split;
export interface Split {
  readonly f: number;
  readonly t?: number;
  readonly cats?: readonly number[];
  /** Missing values go left. */
  readonly missingLeft?: boolean;
  readonly l: Tree;
  readonly r: Tree;
}
export interface Written {
  readonly version?: readonly [number, number, number];
  readonly objective?: string;
  readonly baseScore?: string;
  readonly features?: number;
  readonly classes?: number;
  readonly targets?: number;
  readonly trees: readonly Tree[];
  /** The group of each tree; default 0. */
  readonly info?: readonly number[];
  readonly rounds?: readonly number[];
  readonly parallel?: number;
  /** DART; where the weights lie: beside `gbtree`, or in its `model`. */
  readonly weights?: readonly number[];
  readonly weightsIn?: 'booster' | 'model';
  readonly linear?: readonly number[];
  readonly attributes?: Readonly<Record<string, string>>;
  readonly names?: readonly string[];
  /** Vectors of leaves in `leaf_weights` (since 3.1), else in `base_weights`. */
  readonly leafWeights?: boolean;
  readonly cats?: unknown;
}
export type Document = Record<string, unknown>;

/** The document of a model. */
export function document(w: Written): Document {
  const model = {
    gbtree_model_param: { num_parallel_tree: String(w.parallel ?? 1), num_trees: String(w.trees.length) },
    ...(w.rounds && { iteration_indptr: w.rounds }),
    tree_info: w.info ?? w.trees.map(() => 0),
    trees: w.trees.map((t, id) => tree(t, id, w)),
    ...(w.cats !== undefined && { cats: w.cats }),
    ...(w.weightsIn === 'model' && { weight_drop: w.weights }),
  };
  const gbtree = { model, name: 'gbtree' };
  const booster = w.linear
    ? { model: { weights: w.linear }, name: 'gblinear' }
    : w.weights
      ? { gbtree, name: 'dart', ...(w.weightsIn !== 'model' && { weight_drop: w.weights }) }
      : gbtree;
  return {
    learner: {
      attributes: w.attributes ?? {},
      feature_names: w.names ?? [],
      feature_types: [],
      gradient_booster: booster,
      learner_model_param: {
        base_score: w.baseScore ?? '5E-1',
        num_class: String(w.classes ?? 0),
        num_feature: String(w.features ?? 2),
        num_target: String(w.targets ?? 1),
      },
      objective: { name: w.objective ?? 'reg:squarederror' },
    },
    version: w.version ?? [2, 1, 0],
  };
}
function tree(t: Tree, id: number, w: Written): Document {
  const nodes: { readonly t: Tree; l: number; r: number; readonly parent: number }[] = [{ t, l: -1, r: -1, parent: 2147483647 }];
  for (let i = 0; i < nodes.length; i++) {
    const n = nodes[i];
    if (n === undefined || !isSplit(n.t)) continue;
    n.l = nodes.push({ t: n.t.l, l: -1, r: -1, parent: i }) - 1;
    n.r = nodes.push({ t: n.t.r, l: -1, r: -1, parent: i }) - 1;
  }
  const size = nodes.map(n => (typeof n.t === 'object' && !isSplit(n.t) ? n.t.length : 1)).reduce((a, b) => Math.max(a, b));
  const split = <T>(of: (s: Split) => T, leaf: (n: number) => T): T[] =>
    nodes.map(n => (isSplit(n.t) ? of(n.t) : leaf(typeof n.t === 'number' ? n.t : 0)));
  const vectors = nodes.flatMap(n => (typeof n.t === 'object' && !isSplit(n.t) ? [...n.t] : new Array<number>(size).fill(0)));
  let row = 0;
  if (size > 1 && w.leafWeights === true) for (const n of nodes) if (!isSplit(n.t)) n.r = row++;
  const leaves = nodes.flatMap(n => (typeof n.t === 'object' && !isSplit(n.t) ? [...n.t] : []));
  const sets = nodes.map(n => (isSplit(n.t) ? n.t.cats : undefined));
  const all = sets.flatMap(s => s ?? []);
  let at = 0;
  const starts = sets.flatMap(s => (s ? [(at += s.length) - s.length] : []));
  return {
    base_weights: size > 1 && w.leafWeights !== true ? vectors : nodes.map(() => 0),
    ...(size > 1 && w.leafWeights === true && { leaf_weights: leaves }),
    categories: all,
    categories_nodes: sets.flatMap((s, i) => (s ? [i] : [])),
    categories_segments: starts,
    categories_sizes: sets.flatMap(s => (s ? [s.length] : [])),
    default_left: split(
      s => (s.missingLeft === true ? 1 : 0),
      () => 0,
    ),
    id,
    left_children: nodes.map(n => n.l),
    parents: nodes.map(n => n.parent),
    right_children: nodes.map(n => n.r),
    split_conditions: split(
      s => s.t ?? 0,
      v => v,
    ),
    split_indices: split(
      s => s.f,
      () => 0,
    ),
    split_type: split(
      s => (s.cats ? 1 : 0),
      () => 0,
    ),
    sum_hessian: nodes.map(n => (isSplit(n.t) ? 2 : 1)),
    tree_param: {
      num_deleted: '0',
      num_feature: String(w.features ?? 2),
      num_nodes: String(nodes.length),
      size_leaf_vector: String(size),
    },
  };
}
const isSplit = (t: Tree): t is Split => typeof t === 'object' && 'f' in t;

export const json = (d: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(d));

/** As XGBoost 2 has them for small models; `split_indices` is L where there are many features. */
export const UBJSON_TYPES = {
  base_weights: 'd',
  leaf_weights: 'd',
  categories: 'l',
  categories_nodes: 'l',
  categories_segments: 'L',
  categories_sizes: 'L',
  default_left: 'U',
  left_children: 'l',
  parents: 'l',
  right_children: 'l',
  split_conditions: 'd',
  split_indices: 'l',
  split_type: 'U',
  sum_hessian: 'd',
  tree_info: 'l',
  weights: 'd',
  weight_drop: 'd',
} as const;
/** UBJSON as XGBoost writes it: numbers of these fields in typed arrays of these types, whole numbers as L, the rest as in JSON. */
export function ubjson(d: unknown, types: Readonly<Record<string, 'U' | 'l' | 'L' | 'd'>> = UBJSON_TYPES): Uint8Array {
  const out: number[] = [];
  const put = (s: string): void => void out.push(...new TextEncoder().encode(s));
  const scratch = new DataView(new ArrayBuffer(8));
  const big = (type: string, v: number): void => {
    if (type === 'U') scratch.setUint8(0, v);
    else if (type === 'l') scratch.setInt32(0, v);
    else if (type === 'L') scratch.setBigInt64(0, BigInt(v));
    else scratch.setFloat32(0, v);
    for (let i = 0; i < (SIZE[type] ?? 0); i++) out.push(scratch.getUint8(i));
  };
  const text = (s: string): void => {
    put('L');
    big('L', new TextEncoder().encode(s).length);
    put(s);
  };
  const value = (v: unknown, key: string): void => {
    const type = types[key];
    if (Array.isArray(v) && type !== undefined) {
      put(`[$${type}#L`);
      big('L', v.length);
      for (const x of v) big(type, Number(x));
    } else if (Array.isArray(v)) {
      put('[#L');
      big('L', v.length);
      for (const x of v) value(x, '');
    } else if (typeof v === 'object' && v !== null) {
      put('{');
      for (const [k, x] of Object.entries(v)) {
        text(k);
        value(x, k);
      }
      put('}');
    } else if (typeof v === 'string') {
      put('S');
      text(v);
    } else if (typeof v === 'boolean') put(v ? 'T' : 'F');
    else {
      put('L');
      big('L', Number(v));
    }
  };
  value(d, '');
  return Uint8Array.from(out);
}
const SIZE: Readonly<Record<string, number>> = { U: 1, l: 4, L: 8, d: 4 };
