import { fail } from '../../core/diagnostic.ts';
import { asNumber, field, isArray, isObject, type Json } from '../shared/json.ts';
import { before, type Version, type XgbLinear, type XgbModel, type XgbTree, type XgbTrees } from './records.ts';

/** A place in a document: the path to it is for messages only. */
interface At {
  readonly file: string;
  readonly path: string;
}
const bad = (at: At, why: string): never => fail('E203', { file: at.file, why }, { k: 'file', file: at.file, what: at.path });
const under = (at: At, key: string): At => ({ ...at, path: at.path === '' ? key : `${at.path}.${key}` });

function need(j: Json | undefined, key: string, at: At): Json {
  const v = field(j, key);
  return v ?? bad(at, `'${key}' is missing`);
}
function number(j: Json | undefined, key: string, at: At, otherwise?: number): number {
  const v = field(j, key);
  if (v === undefined && otherwise !== undefined) return otherwise;
  return asNumber(v) ?? bad(under(at, key), 'it is no number');
}
function count(j: Json | undefined, key: string, at: At, otherwise?: number): number {
  const n = number(j, key, at, otherwise);
  return Number.isSafeInteger(n) && n >= 0 ? n : bad(under(at, key), `${n} is no count`);
}
function list(j: Json | undefined, at: At): ArrayLike<Json> {
  return isArray(j) ? j : bad(at, 'it is no list');
}
/** Elements as numbers written into a typed array; `n`: how many there must be. */
function numbers<T extends Int32Array | Float32Array | Float64Array | Uint8Array>(
  make: new (n: number) => T,
  j: Json | undefined,
  at: At,
  n?: number,
): T {
  const l = list(j, at);
  if (n !== undefined && l.length !== n) bad(at, `${l.length} numbers instead of ${n}`);
  const out = new make(l.length);
  for (let i = 0; i < l.length; i++) {
    const v = l[i];
    out[i] = typeof v === 'number' ? v : (asNumber(v) ?? bad(at, `element ${i} is no number`));
  }
  return out;
}
const strings = (j: Json | undefined, at: At): string[] =>
  j === undefined ? [] : Array.from(list(j, at), s => (typeof s === 'string' ? s : bad(at, 'it is no list of names')));

/**
 * The model in a document that XGBoost wrote as JSON (from 1.0) or UBJSON (from 1.6): the same tree of fields. A snapshot with the
 * configuration beside it (pickles) is the model under `Model`.
 * E202: no model of XGBoost. E203: what is missing or of another kind, by its path.
 */
export function readDocument(document: Json, file: string): XgbModel {
  const root: At = { file, path: '' };
  const model = field(document, 'Model') ?? document;
  if (field(model, 'learner') === undefined)
    fail('E202', { file, why: "this looks like a JSON file, but it has no 'learner' as models of XGBoost have" });
  const config = field(document, 'Config');
  const learner = need(model, 'learner', root);
  const at = under(root, 'learner');
  const [major = 1, minor = 0, patch = 0] = numbers(Float64Array, need(model, 'version', root), under(root, 'version'));
  const version: Version = [major, minor, patch];
  const params = need(learner, 'learner_model_param', at);
  const inParams = under(at, 'learner_model_param');
  const numFeature = count(params, 'num_feature', inParams);
  const numClass = count(params, 'num_class', inParams, 0);
  const numTarget = Math.max(1, count(params, 'num_target', inParams, 1));
  const objective = field(need(learner, 'objective', at), 'name');
  if (typeof objective !== 'string') return bad(under(at, 'objective'), "'name' is missing");
  const attributes = field(learner, 'attributes');
  return {
    version,
    objective,
    numFeature,
    numClass,
    numTarget,
    baseScore: baseScore(field(params, 'base_score'), version, under(inParams, 'base_score')),
    booster: withParallel(booster(need(learner, 'gradient_booster', at), under(at, 'gradient_booster')), config),
    attributes: new Map(
      isObject(attributes)
        ? Object.entries(attributes).flatMap(([k, v]) => (typeof v === 'string' ? [[k, v] as const] : []))
        : [],
    ),
    featureNames: strings(field(learner, 'feature_names'), under(at, 'feature_names')),
    featureTypes: strings(field(learner, 'feature_types'), under(at, 'feature_types')),
  };
}
/** `"5E-1"`, or since 3.1 `"[5E-1,2E-1]"`. */
function baseScore(j: Json | undefined, version: Version, at: At): number[] {
  const text = typeof j === 'string' ? j.trim() : j;
  const parts = typeof text === 'string' && text.startsWith('[') ? text.replace(/^\[|\]$/g, '').split(',') : [text ?? '0.5'];
  const nearest = !before(version, 1, 2);
  return parts.map(p => {
    const v = asNumber(p) ?? bad(at, 'it is no number');
    return nearest || typeof p !== 'string' ? Math.fround(v) : roughFloat(p, v);
  });
}
/** A decimal fraction as 1.0 and 1.1 read it (dmlc::stof): the parts before and after the point are rounded to float32 each, then the sum. */
function roughFloat(text: string, value: number): number {
  const [, sign = '', whole = '', part = ''] = /^\s*([+-]?)(\d*)\.(\d{1,15})\s*$/.exec(text) ?? [];
  if (part === '') return Math.fround(value);
  const v = Math.fround(Math.fround(Number(whole)) + Math.fround(Number(part) / 10 ** part.length));
  return sign === '-' ? -v : v;
}
function booster(j: Json, at: At): XgbTrees | XgbLinear {
  const name = field(j, 'name');
  switch (typeof name === 'string' ? name : '') {
    case 'gbtree':
      return trees(j, at, undefined);
    case 'dart': {
      // Beside the `gbtree` object first, inside the model of it later.
      const inner = need(j, 'gbtree', at);
      const weights = field(j, 'weight_drop') ?? field(field(inner, 'model'), 'weight_drop');
      return trees(inner, under(at, 'gbtree'), numbers(Float32Array, weights ?? [], under(at, 'weight_drop')));
    }
    case 'gblinear': {
      const model = need(j, 'model', at);
      return {
        k: 'linear',
        weights: numbers(Float32Array, need(model, 'weights', under(at, 'model')), under(at, 'model.weights')),
      };
    }
  }
  return bad(at, `${typeof name === 'string' ? `'${name}'` : 'what it names'} is no booster of XGBoost`);
}
function trees(j: Json, above: At, weights: Float32Array | undefined): XgbTrees {
  const at = under(above, 'model');
  const model = need(j, 'model', above);
  const params = need(model, 'gbtree_model_param', at);
  const all = list(need(model, 'trees', at), at);
  const n = count(params, 'num_trees', under(at, 'gbtree_model_param'), all.length);
  if (n !== all.length) bad(at, `${n} trees are announced, and ${all.length} are there`);
  const info = numbers(Int32Array, need(model, 'tree_info', at), under(at, 'tree_info'), n);
  const indptr = field(model, 'iteration_indptr');
  const enc = field(field(model, 'cats'), 'enc');
  return {
    k: 'trees',
    trees: Array.from(all, (t, i) => tree(t, { file: at.file, path: `tree ${i}` })),
    treeInfo: [...info],
    rounds: indptr === undefined ? undefined : [...numbers(Int32Array, indptr, under(at, 'iteration_indptr'))],
    parallelTrees:
      field(params, 'num_parallel_tree') === undefined ? undefined : Math.max(1, count(params, 'num_parallel_tree', at)),
    weights,
    recoded: isArray(enc) && enc.length > 0,
  };
}
function tree(j: Json, at: At): XgbTree {
  const left = numbers(Int32Array, need(j, 'left_children', at), under(at, 'left_children'));
  const n = left.length;
  if (n === 0) bad(at, 'it has no nodes');
  const param = field(j, 'tree_param');
  const announced = count(param, 'num_nodes', under(at, 'tree_param'), n);
  if (announced !== n) bad(at, `it has ${n} nodes and announces ${announced}`);
  const right = numbers(Int32Array, need(j, 'right_children', at), under(at, 'right_children'), n);
  const condition = numbers(Float32Array, need(j, 'split_conditions', at), under(at, 'split_conditions'), n);
  const feature = numbers(Int32Array, need(j, 'split_indices', at), under(at, 'split_indices'), n);
  const size = Math.max(1, count(param, 'size_leaf_vector', under(at, 'tree_param'), 1));
  const types = field(j, 'split_type');
  return {
    left,
    right,
    feature,
    condition,
    defaultLeft: numbers(Uint8Array, need(j, 'default_left', at), under(at, 'default_left'), n),
    hessian: numbers(Float32Array, field(j, 'sum_hessian') ?? new Float32Array(n), under(at, 'sum_hessian'), n),
    categories: types === undefined ? undefined : categories(j, at, numbers(Uint8Array, types, under(at, 'split_type'), n)),
    vectors: size > 1 ? vectors(j, at, size, left, right) : undefined,
  };
}
/** `categories_nodes` lists the nodes; `categories_segments` and `_sizes` give each one's part of `categories`. */
function categories(j: Json, at: At, types: Uint8Array): ReadonlyMap<number, ArrayLike<number>> | undefined {
  const nodes = numbers(Int32Array, field(j, 'categories_nodes') ?? [], under(at, 'categories_nodes'));
  const starts = numbers(Float64Array, field(j, 'categories_segments') ?? [], under(at, 'categories_segments'), nodes.length);
  const sizes = numbers(Float64Array, field(j, 'categories_sizes') ?? [], under(at, 'categories_sizes'), nodes.length);
  const all = numbers(Int32Array, field(j, 'categories') ?? [], under(at, 'categories'));
  const out = new Map<number, ArrayLike<number>>();
  nodes.forEach((node, i) => {
    const [from, size] = [starts[i] ?? -1, sizes[i] ?? -1];
    if (from < 0 || size < 0 || from + size > all.length)
      bad({ ...at, path: `${at.path}, node ${node}` }, `its categories are ${from} to ${from + size} of ${all.length}`);
    out.set(node, all.subarray(from, from + size));
  });
  types.forEach((t, node) => {
    if (t === 1 && !out.has(node)) bad({ ...at, path: `${at.path}, node ${node}` }, 'it splits categories and has none');
    if (t !== 1) out.delete(node);
  });
  return out.size > 0 ? out : undefined;
}
/** `leaf_weights` holds the leaves' vectors, in the order that `right_children` of a leaf gives; before 3.1, `base_weights` one for each node. */
function vectors(j: Json, at: At, size: number, left: Int32Array, right: Int32Array): NonNullable<XgbTree['vectors']> {
  const own = field(j, 'leaf_weights');
  const values = numbers(
    Float32Array,
    own ?? need(j, 'base_weights', at),
    under(at, own === undefined ? 'base_weights' : 'leaf_weights'),
  );
  const rows = values.length / size;
  if (!Number.isInteger(rows)) bad(at, `${values.length} weights for leaves of ${size}`);
  const row = left.map((l, node) => (l !== -1 ? -1 : own === undefined ? node : (right[node] ?? -1)));
  row.forEach((r, node) => {
    if (left[node] === -1 && (r < 0 || r >= rows))
      bad({ ...at, path: `${at.path}, node ${node}` }, `its vector is ${r} of ${rows}`);
  });
  return { size, values, row };
}

/** Puts the trees of a round in from the configuration of a snapshot, where the model does not say. */
export function withParallel<B extends XgbTrees | XgbLinear>(b: B, config: Json | undefined): B {
  if (b.k === 'linear' || b.parallelTrees !== undefined) return b;
  const booster = field(field(config, 'learner'), 'gradient_booster');
  const inner = field(booster, 'gbtree') ?? booster;
  const told = ['gbtree_train_param', 'gbtree_model_param']
    .map(k => asNumber(field(field(inner, k), 'num_parallel_tree')))
    .find(n => n !== undefined);
  return told !== undefined && Number.isInteger(told) && told > 0 ? { ...b, parallelTrees: told } : b;
}
