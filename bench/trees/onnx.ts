import { utf8 } from '../../compiler/core/bytes.ts';
import { MISSING_LEFT, type TreeTables } from '../../compiler/ops/trees/tables.ts';
import { bytes, encode, int, sub, tensor, text, value, type Part } from '../../test/onnx-writer.ts';

const FLOAT = 1;
const UINT8 = 2;
/** Attributes of lists; integers packed, since there may be millions. */
const ints = (name: string, v: Int32Array | Uint8Array): Part => sub(5, text(1, name), bytes(8, varints(v)), int(20, 7));
const floats = (name: string, v: Float32Array): Part => sub(5, text(1, name), bytes(7, raw(v)), int(20, 6));
const strings = (name: string, v: readonly Uint8Array[]): Part =>
  sub(5, text(1, name), w => v.forEach(s => bytes(9, s)(w)), int(20, 8));
const one = (name: string, v: number): Part => sub(5, text(1, name), int(3, v), int(20, 2));
const tensorOf = (name: string, type: number, v: Float32Array | Uint8Array): Part =>
  sub(5, text(1, name), sub(5, tensor({ dims: [v.length], type, raw: raw(v) })), int(20, 4));
const raw = (v: Float32Array | Uint8Array): Uint8Array => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
/** Non-negative integers as protobuf packs them. */
function varints(v: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(v.length * 5);
  let at = 0;
  for (let i = 0; i < v.length; i++) {
    let x = v[i] ?? 0;
    while (x > 127) {
      out[at++] = (x & 127) | 128;
      x >>>= 7;
    }
    out[at++] = x;
  }
  return out.subarray(0, at);
}

/**
 * The same ensemble as an ONNX model with input `features` and output `prediction`: as TreeEnsembleRegressor, which every exporter
 * writes, or, where its strings would be millions, as the newer TreeEnsemble (onnxruntime runs both with the same code).
 */
export function forestOnnx(t: TreeTables, features: number): Uint8Array {
  const large = t.feature.length > 500_000;
  const parts = large ? ensemble(t) : regressor(t);
  const graph = [
    sub(
      1,
      text(1, 'features'),
      text(2, 'prediction'),
      text(4, large ? 'TreeEnsemble' : 'TreeEnsembleRegressor'),
      text(7, 'ai.onnx.ml'),
      ...parts,
    ),
    value(11, 'features', FLOAT, ['batch', features]),
    value(12, 'prediction', FLOAT, ['batch', 1]),
  ];
  return encode(
    int(1, 8),
    text(2, 'bench'),
    sub(7, ...graph, text(2, 'g')),
    sub(8, int(2, 17)),
    sub(8, text(1, 'ai.onnx.ml'), int(2, large ? 5 : 3)),
  );
}
/** Nodes by tree in the order of the tables, the leaves of a tree after its nodes. */
function regressor(t: TreeTables): Part[] {
  const nodes = t.feature.length;
  const all = nodes + t.values.length;
  const tree = new Int32Array(all);
  const id = new Int32Array(all);
  const feature = new Int32Array(all);
  const value = new Float32Array(all);
  const [yes, no] = [new Int32Array(all), new Int32Array(all)];
  const missing = new Uint8Array(all);
  const modes: Uint8Array[] = [];
  const leafTree = new Int32Array(t.values.length);
  const leafId = new Int32Array(t.values.length);
  const [branch, leaf] = [utf8('BRANCH_LT'), utf8('LEAF')];
  let at = 0;
  let leaves = 0;
  t.root.forEach((root, i) => {
    // Codes of this tree in depth-first order; a child's number is told to its parent.
    const stack = [{ code: root, from: -1, side: yes }];
    let n = 0;
    for (let s = stack.pop(); s; s = stack.pop()) {
      tree[at] = i;
      id[at] = n;
      if (s.from >= 0) s.side[s.from] = n;
      if (s.code < 0) {
        modes.push(leaf);
        leafTree[leaves] = i;
        leafId[leaves++] = n;
      } else {
        modes.push(branch);
        feature[at] = t.feature[s.code] ?? 0;
        value[at] = t.threshold[s.code] ?? 0;
        missing[at] = ((t.flags[s.code] ?? 0) & MISSING_LEFT) !== 0 ? 1 : 0;
        stack.push({ code: t.right[s.code] ?? -1, from: at, side: no }, { code: t.left[s.code] ?? -1, from: at, side: yes });
      }
      n++;
      at++;
    }
  });
  return [
    ints('nodes_treeids', tree),
    ints('nodes_nodeids', id),
    ints('nodes_featureids', feature),
    floats('nodes_values', value),
    strings('nodes_modes', modes),
    ints('nodes_truenodeids', yes),
    ints('nodes_falsenodeids', no),
    ints('nodes_missing_value_tracks_true', missing),
    ints('target_treeids', leafTree),
    ints('target_nodeids', leafId),
    ints('target_ids', new Int32Array(leaves)),
    // Leaves are numbered in the order in which they are met, in both.
    floats('target_weights', Float32Array.from(t.values)),
    one('n_targets', 1),
    ...(t.base.some(b => b !== 0) ? [floats('base_values', Float32Array.from(t.base))] : []),
  ];
}
function ensemble(t: TreeTables): Part[] {
  const child = (c: Int32Array): Int32Array => c.map(x => (x < 0 ? ~x : x));
  const isLeaf = (c: Int32Array): Uint8Array => Uint8Array.from(c, x => (x < 0 ? 1 : 0));
  return [
    ints('tree_roots', t.root),
    ints('nodes_featureids', t.feature),
    tensorOf('nodes_splits', FLOAT, Float32Array.from(t.threshold)),
    tensorOf('nodes_modes', UINT8, new Uint8Array(t.feature.length).fill(1)),
    ints('nodes_truenodeids', child(t.left)),
    ints('nodes_falsenodeids', child(t.right)),
    ints('nodes_trueleafs', isLeaf(t.left)),
    ints('nodes_falseleafs', isLeaf(t.right)),
    ints(
      'nodes_missing_value_tracks_true',
      Uint8Array.from(t.flags, f => ((f & MISSING_LEFT) !== 0 ? 1 : 0)),
    ),
    tensorOf('leaf_weights', FLOAT, Float32Array.from(t.values)),
    ints('leaf_targetids', new Int32Array(t.values.length)),
    one('n_targets', 1),
    one('aggregate_function', 1),
    one('post_transform', 0),
  ];
}
