/** Tree operators that are damaged, and odd ones that are right. */
import { describe, expect, it } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { fromTyped, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { decodeModel, type AttributeProto } from '../../compiler/import/onnx/decode.ts';
import { importOnnx, importProto, type Imported } from '../../compiler/import/onnx/import.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { filesOf } from '../trees/cases.ts';
import { onnxTreeModel, type ListAttr } from '../trees/onnx-tree-writer.ts';

type Attrs = Readonly<Record<string, ListAttr>>;
const modelOf = (op: string, attrs: Attrs, features = 2): Uint8Array => onnxTreeModel(op, 'f32', features, 1, attrs);
const read = (op: string, attrs: Attrs, features?: number): Imported =>
  importOnnx(modelOf(op, attrs, features), { file: 'm.onnx' });
function answers(i: Imported, rows: readonly (readonly number[])[]): number[] {
  const x = fromTyped('f32', [rows.length, rows[0]?.length ?? 0], Float32Array.from(rows.flat()));
  return [...toNumbers([...evaluate(i.graph, new Map([['X', x]])).values()][0] ?? x)];
}

/** x0 <= 1: 10, else x1 > 2: 20, else 30. */
const STUMPS = {
  n_targets: 1,
  nodes_treeids: [0, 0, 0, 0, 0],
  nodes_nodeids: [0, 1, 2, 3, 4],
  nodes_featureids: [0, 0, 1, 0, 0],
  nodes_modes: ['BRANCH_LEQ', 'LEAF', 'BRANCH_GT', 'LEAF', 'LEAF'],
  nodes_values: { floats: [1, 0, 2, 0, 0] },
  nodes_truenodeids: [1, 0, 3, 0, 0],
  nodes_falsenodeids: [2, 0, 4, 0, 0],
  target_treeids: [0, 0, 0],
  target_nodeids: [1, 3, 4],
  target_ids: [0, 0, 0],
  target_weights: { floats: [10, 20, 30] },
} satisfies Attrs;
/** The same for version 5. */
const NEW = {
  n_targets: 1,
  tree_roots: [0],
  nodes_featureids: [0, 1],
  nodes_modes: Uint8Array.of(0, 3),
  nodes_splits: Float32Array.of(1, 2),
  nodes_truenodeids: [0, 1],
  nodes_trueleafs: [1, 1],
  nodes_falsenodeids: [1, 2],
  nodes_falseleafs: [0, 1],
  leaf_targetids: [0, 0, 0],
  leaf_weights: Float32Array.of(10, 20, 30),
} satisfies Attrs;
const ROWS = [
  [1, 9],
  [1.5, 2.5],
  [1.5, 2],
  [NaN, NaN],
];

describe('trees that are right', () => {
  it('answers', () => {
    expect(answers(read('TreeEnsembleRegressor', STUMPS), ROWS)).toEqual([10, 20, 30, 30]);
    expect(answers(read('TreeEnsemble', NEW), ROWS)).toEqual([10, 20, 30, 30]);
  });
  it('takes numbers of trees and nodes as names', () => {
    const far = (ids: readonly number[]): number[] => ids.map(i => 1e9 + 7 * i);
    const named = {
      ...STUMPS,
      nodes_treeids: far(STUMPS.nodes_treeids),
      target_treeids: far(STUMPS.target_treeids),
      nodes_nodeids: far(STUMPS.nodes_nodeids),
      target_nodeids: far(STUMPS.target_nodeids),
      nodes_truenodeids: far(STUMPS.nodes_truenodeids),
      nodes_falsenodeids: far(STUMPS.nodes_falsenodeids),
    };
    expect(answers(read('TreeEnsembleRegressor', named), ROWS)).toEqual([10, 20, 30, 30]);
  });
  it('shares nodes and leaves between trees', () => {
    const shared = { ...NEW, tree_roots: [0, 1, 0], nodes_falsenodeids: [1, 1], leaf_weights: Float32Array.of(10, 20, 30) };
    expect(answers(read('TreeEnsemble', shared), ROWS)).toEqual([40, 60, 60, 60]);
  });
  it('looks for equal members of sets, wherever they lie', () => {
    const members = [3, 5, 100000, -1, 0.5, 3, Math.fround(3.0000002384185791), Infinity];
    const i = read('TreeEnsemble', {
      ...NEW,
      nodes_modes: Uint8Array.of(6, 6),
      nodes_featureids: [0, 0],
      nodes_truenodeids: [0, 1],
      membership_values: Float32Array.of(...members, NaN, NaN),
    });
    const others = [NaN, -Infinity, 2.9999997615814209, 3.4, 0, 4, 99999.9921875, 3.4e38];
    expect(
      answers(
        i,
        [...members, ...others].map(v => [v, 0]),
      ),
    ).toEqual([...members.map(() => 10), ...others.map(() => 30)]);
  });
});

const forest =
  (change: Attrs): (() => unknown) =>
  () =>
    read('TreeEnsembleRegressor', { ...STUMPS, ...change });
const newer =
  (change: Attrs): (() => unknown) =>
  () =>
    read('TreeEnsemble', { ...NEW, ...change });
const damaged: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['a cycle', forest({ nodes_truenodeids: [1, 0, 0, 0, 0] }), /tree 0, node 2 leads back to tree 0, node 0/],
  ['a node that leads to itself', forest({ nodes_falsenodeids: [0, 0, 4, 0, 0] }), /tree 0, node 0 leads back/],
  ['a child that is missing', forest({ nodes_falsenodeids: [9, 0, 4, 0, 0] }), /tree 0, node 0 leads to node 9/],
  ['a node twice', forest({ nodes_nodeids: [0, 1, 2, 3, 3] }), /tree 0, node 3 is there twice/],
  ['lists of other lengths', forest({ nodes_featureids: [0, 0, 1] }), /'nodes_nodeids' has 5 elements, 'nodes_featureids' 3/],
  ['votes of other lengths', forest({ target_ids: [0] }), /'target_ids' has 1 elements, 'target_treeids' 3/],
  ['a vote for a node that is missing', forest({ target_nodeids: [1, 3, 8] }), /tree 0, node 8, which is missing/],
  ['a vote for a target that is missing', forest({ target_ids: [0, 0, 1e9] }), /tree 0, node 4 votes for 1000000000 of 1/],
  [
    'a mode that is none',
    forest({ nodes_modes: ['BRANCH_LEQ', 'LEAF', 'BRANCH_GR', 'LEAF', 'LEAF'] }),
    /tree 0, node 2 is of mode 'BRANCH_GR'/,
  ],
  [
    'a feature that rows do not have',
    forest({ nodes_featureids: [0, 0, 1e9, 0, 0] }),
    /tree 0, node 2 tests feature 1000000000 of 2/,
  ],
  ['a negative feature', forest({ nodes_featureids: [0, 0, -1, 0, 0] }), /tree 0, node 2 tests feature -1/],
  ['a billion targets', forest({ n_targets: 1e9 }), /1000000000 targets/],
  ['an aggregate that is none', forest({ aggregate_function: 'MEDIAN' }), /aggregate_function is 'MEDIAN'/],
  ['base values for other targets', forest({ base_values: { floats: [1, 2] } }), /2 base values for 1 targets/],
  ['a chain without end', () => read('TreeEnsembleRegressor', chain(5000)), /more than 4096 steps/],
  ['version 5: a cycle', newer({ nodes_falsenodeids: [1, 0], nodes_falseleafs: [0, 0] }), /tree 0, node 1 leads back to node 0/],
  ['version 5: a leaf that is missing', newer({ nodes_truenodeids: [0, 7] }), /node 1 leads to leaf 7 of 3/],
  ['version 5: a node that is missing', newer({ nodes_falsenodeids: [1e9, 2] }), /node 0 leads to node 1000000000 of 2/],
  ['version 5: a root that is missing', newer({ tree_roots: [0, 2] }), /tree 1 begins at node 2 of 2/],
  ['version 5: a set that is missing', newer({ nodes_modes: Uint8Array.of(0, 6) }), /node 1 has no set/],
  ['version 5: sets that nobody asks for', newer({ membership_values: Float32Array.of(1, NaN) }), /more sets/],
  ['version 5: a mode that is none', newer({ nodes_modes: Uint8Array.of(0, 9) }), /node 1 is of mode 9/],
  ['version 5: lists of other lengths', newer({ nodes_trueleafs: [1] }), /'nodes_trueleafs' 1/],
  ['version 5: a leaf without a target', newer({ leaf_targetids: [0, 0, 4] }), /leaf 2 votes for 4 of 1/],
];
function chain(length: number): Attrs {
  const all = <T>(f: (i: number) => T): T[] => Array.from({ length: 2 * length + 1 }, (_, i) => f(i));
  return {
    ...STUMPS,
    nodes_treeids: all(() => 0),
    nodes_nodeids: all(i => i),
    nodes_featureids: all(() => 0),
    nodes_modes: all(i => (i < length ? 'BRANCH_LT' : 'LEAF')),
    nodes_values: { floats: all(i => i) },
    nodes_truenodeids: all(i => i + 1),
    nodes_falsenodeids: all(i => length + i),
  };
}
describe('damage is told with tree and node', () => {
  it.each(damaged)('%s', (_, act, message) => {
    expect(act).toThrow(CompileError);
    expect(act).toThrow(/^m\.onnx#forest \(ai\.onnx\.ml\.TreeEnsemble\w*\): E102: /);
    expect(act).toThrow(message);
  });
  it('stops where trees share far too much', () => {
    const n = 3000;
    const down: Attrs = {
      ...NEW,
      tree_roots: Array.from({ length: 30000 }, (_, i) => i % 100),
      nodes_featureids: new Array<number>(n).fill(0),
      nodes_modes: new Uint8Array(n),
      nodes_splits: new Float32Array(n),
      nodes_truenodeids: new Array<number>(n).fill(0),
      nodes_trueleafs: new Array<number>(n).fill(1),
      nodes_falsenodeids: Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : i + 1)),
      nodes_falseleafs: Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : 0)),
    };
    expect(() => read('TreeEnsemble', down)).toThrow(/E101: .*share so many nodes/);
  });
});

describe('models of the fixtures with something changed become programs, or errors with a code', () => {
  const files = [...filesOf('onnx.tar.gz')].filter(([name]) => name.endsWith('.onnx'));
  const profile = must(resolveTarget('wasm-simd').profiles[0]);
  const SIZES = [-(2 ** 40), -1, 0, 1, 2, 7, 1000, 2 ** 31, 1e9, Number.MAX_SAFE_INTEGER];
  /** One number, word or length of one list. */
  function changed(next: () => number, a: AttributeProto): AttributeProto {
    const at = (n: number): number => Math.floor(next() * n);
    const put = <T>(list: readonly T[], x: T): readonly T[] => (next() < 0.2 ? list.slice(1) : list.with(at(list.length), x));
    if (a.ints.length > 0) return { ...a, ints: put(a.ints, next() < 0.5 ? at(9) : (SIZES[at(SIZES.length)] ?? 0)) };
    if (a.floats.length > 0) return { ...a, floats: put(a.floats, [NaN, Infinity, -1, 1e30][at(4)] ?? 0) };
    if (a.strings.length > 0) return { ...a, strings: put(a.strings, ['LEAF', 'BRANCH_LT', '', 'x'][at(4)] ?? '') };
    return { ...a, name: next() < 0.5 ? a.name : 'unknown', s: 'MAX', i: SIZES[at(SIZES.length)] ?? 0 };
  }
  const attempt = (read: () => Imported, what: string): string => {
    try {
      planMemory(lowerGraph(runPasses(read().graph, profile), profile), profile);
      return 'compiled';
    } catch (e) {
      if (!(e instanceof CompileError)) throw new Error(what, { cause: e });
      return e.code;
    }
  };
  it('an attribute', () => {
    const next = randomStream(5);
    const ends = new Map<string, number>();
    for (let i = 0; i < 300; i++) {
      const [name, bytes] = must(files[Math.floor(next() * files.length)]);
      const model = decodeModel(bytes);
      const node = model.graph.node.map(n => {
        const at = Math.floor(next() * n.attribute.length);
        return { ...n, attribute: n.attribute.map((a, k) => (k === at ? changed(next, a) : a)) };
      });
      const end = attempt(() => importProto({ ...model, graph: { ...model.graph, node } }, { file: name }), `${i} ${name}`);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect(ends.get('compiled')).toBeGreaterThan(40);
    expect(ends.get('E102')).toBeGreaterThan(40);
  });
  it('a byte, or cut off', () => {
    const next = randomStream(6);
    for (let i = 0; i < 300; i++) {
      const [name, whole] = must(files[Math.floor(next() * files.length)]);
      const bytes = new Uint8Array(next() < 0.3 ? whole.slice(0, Math.floor(next() * whole.length)) : whole);
      bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      attempt(() => importOnnx(bytes, { file: name }), `${i} ${name}`);
    }
  });
});
