import { onnxTreeModel } from '../trees/onnx-tree-writer.ts';
import { attribute, bytes, encode, float, int, model, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';

/** Files of some hundred bytes that ask for more than any machine has, by name: numbers where sizes, counts, axes and repetitions stand. */
export type Hostile = readonly (readonly [name: string, file: Uint8Array])[];

const [BIG, HUGE, ABSURD] = [1e8, 2 ** 31, 2 ** 40];
const longs = (name: string, values: readonly (number | bigint)[], dims: readonly number[] = [values.length]): Part =>
  sub(5, tensor({ name, dims, type: 7, raw: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }));
const floats = (name: string, values: readonly number[], dims: readonly number[] = [values.length]): Part =>
  sub(5, tensor({ name, dims, type: 1, raw: new Uint8Array(Float32Array.from(values).buffer) }));
const floatAttribute = (name: string, v: number): Part => sub(5, text(1, name), float(2, v), int(20, 1));
const listOfFloats = (name: string, v: readonly number[]): Part => sub(5, text(1, name), ...v.map(x => float(7, x)), int(20, 6));
const graphOf = (...parts: readonly Part[]): { readonly graph: Part } => ({ graph: w => parts.forEach(p => p(w)) });
interface One {
  readonly x?: readonly (number | string)[];
  readonly type?: number;
  readonly y?: number;
  readonly opset?: number;
  readonly domain?: string;
  readonly more?: readonly Part[];
}
/** A model of one node from the input `x` and constants to `y`. */
const one = (op: string, inputs: readonly string[], parts: readonly Part[], o: One = {}): Uint8Array => {
  const { x = [1, 1, 4, 4], type = 1, y = type, opset = 18, domain, more = [] } = o;
  const attributes = parts.filter(p => isAttribute(p));
  const constants = parts.filter(p => !isAttribute(p));
  const domains = domain === undefined ? [] : [text(7, domain)];
  const outputs = Array.from({ length: 1 }, () => 'y');
  const graph = [
    node(op, inputs, outputs, ...attributes, ...domains),
    ...constants,
    ...more,
    value(11, 'x', type, x),
    value(12, 'y', y, ['m']),
  ];
  return encode(
    int(1, 8),
    sub(7, ...graph, text(2, 'g')),
    sub(8, int(2, opset)),
    ...(domain === undefined ? [] : [sub(8, text(1, domain), int(2, 1))]),
  );
};
/** Attributes and initialisers are both field 5: an attribute begins with its name, field 1 as text. */
function isAttribute(p: Part): boolean {
  const b = encode(p);
  let at = 1;
  while ((b[at] ?? 0) > 127) at++;
  return b[at + 1] === 0x0a;
}
/** A file for each number. */
const each = (name: string, numbers: readonly number[], make: (n: number) => Uint8Array): Hostile =>
  numbers.map(n => [`${name} ${n}`, make(n)] as const);
const chained = (steps: number, step: (p: string, q: string) => readonly Part[], more: readonly Part[]): Uint8Array =>
  model([
    node('Identity', ['c'], ['v0']),
    ...Array.from({ length: steps }, (_, i) => step(`v${i}`, `v${i + 1}`)).flat(),
    node('ReduceMax', [`v${steps}`], ['r'], attribute('keepdims', 0)),
    node('Add', ['r', 'x'], ['y']),
    ...more,
    value(11, 'x', 1, [1]),
    value(12, 'y', 1, [1]),
  ]);
const sparse = (name: string, dims: readonly number[]): Part =>
  sub(
    15,
    sub(1, ...[int(1, 1), int(2, 1), text(8, name), bytes(9, new Uint8Array(4))]),
    sub(2, int(1, 1), int(2, 7), bytes(9, new Uint8Array(8))),
    ...dims.map(d => int(3, d)),
  );

/** One split on the last of so many features. */
const tree = (features: number, targets = 1): Uint8Array =>
  onnxTreeModel('TreeEnsembleRegressor', 'f32', features, 1, {
    nodes_treeids: [0, 0, 0],
    nodes_nodeids: [0, 1, 2],
    nodes_featureids: [features - 1, 0, 0],
    nodes_modes: ['BRANCH_LEQ', 'LEAF', 'LEAF'],
    nodes_values: { floats: [0.5, 0, 0] },
    nodes_truenodeids: [1, 0, 0],
    nodes_falsenodeids: [2, 0, 0],
    target_treeids: [0, 0],
    target_nodeids: [1, 2],
    target_ids: [0, 0],
    target_weights: { floats: [1, 2] },
    n_targets: targets,
  });

export const HOSTILE: Hostile = [
  ...each('features of a tree', [1e6, 5e7, BIG, HUGE], n => tree(n)),
  ...each('targets of a tree', [1e6, HUGE, ABSURD, -1], n => tree(2, n)),
  ...each('Split num_outputs', [BIG, HUGE, ABSURD, -1, 0], n => one('Split', ['x'], [attribute('num_outputs', n)])),
  ...each('Split split', [BIG, -5], n => one('Split', ['x', 's'], [longs('s', [n])])),
  ...each('HannWindow', [BIG, HUGE, ABSURD, -5], n => one('HannWindow', ['n'], [longs('n', [n], [])], { opset: 17 })),
  ...each('MelWeightMatrix', [BIG, ABSURD, -3], n =>
    one(
      'MelWeightMatrix',
      ['n', 'n', 'rate', 'lo', 'hi'],
      [longs('n', [n], []), longs('rate', [8000], []), floats('lo', [0], []), floats('hi', [4000], [])],
      { opset: 17 },
    ),
  ),
  ...each('AffineGrid', [5000, BIG, HUGE, -3], n =>
    one('AffineGrid', ['x', 's'], [longs('s', [1, 1, n, n])], { x: [1, 2, 3], opset: 20 }),
  ),
  ...each('Resize sizes', [BIG, HUGE, ABSURD, -1], n =>
    one('Resize', ['x', '', '', 's'], [longs('s', [1, 1, 1, n]), attribute('mode', 'linear')]),
  ),
  ...each('Resize scales', [1e-9, 1e8, 1e30], n =>
    one('Resize', ['x', '', 's'], [floats('s', [1, 1, 1, n]), attribute('mode', 'cubic'), attribute('antialias', 1)]),
  ),
  ...each('Resize of an axis', [BIG, HUGE, ABSURD], n =>
    one('Resize', ['x', '', '', 's'], [longs('s', [1, 1, 1, 3]), attribute('mode', 'linear'), attribute('antialias', 1)], {
      x: [1, 1, 1, n],
    }),
  ),
  ...each('Range', [BIG, ABSURD], n =>
    one('Range', ['a', 'b', 'c'], [longs('a', [0], []), longs('b', [n], []), longs('c', [1], [])], { y: 7 }),
  ),
  ...each('Range by', [1e-30, -1e-30, 0], n =>
    one('Range', ['a', 'b', 'c'], [floats('a', [0], []), floats('b', [1], []), floats('c', [n], [])]),
  ),
  ...each('ConstantOfShape', [BIG, HUGE, ABSURD, -1], n => one('ConstantOfShape', ['s'], [longs('s', [n, 2])])),
  ...each('ConstantOfShape of nothing', [ABSURD], n => one('ConstantOfShape', ['s'], [longs('s', [n, 0])])),
  ...each('Expand', [BIG, ABSURD], n => one('Expand', ['x', 's'], [longs('s', [n, 1, 1, 4, 4])])),
  ...each('Tile', [BIG, ABSURD, -1], n => one('Tile', ['x', 's'], [longs('s', [1, 1, n, 1])])),
  ...each('Pad', [BIG, ABSURD, -BIG], n => one('Pad', ['x', 'p'], [longs('p', [0, 0, n, 0, 0, 0, 0, 0])])),
  ...each('Pad of sizes', [BIG, ABSURD], n =>
    one('Reshape', ['x', 's'], [longs('p', [n, 0])], { more: [node('Shape', ['x'], ['h']), node('Pad', ['h', 'p'], ['s'])] }),
  ),
  ...each('OneHot', [BIG, ABSURD, -1], n =>
    one('OneHot', ['x', 'd', 'v'], [longs('d', [n], []), longs('v', [0, 1])], { x: [3], type: 7 }),
  ),
  ...each('Conv pads', [BIG, HUGE, ABSURD, -BIG], n =>
    one('Conv', ['x', 'w'], [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('pads', [n, 0, n, 0])]),
  ),
  ...each('Conv strides', [BIG, ABSURD, 0, -1], n =>
    one('Conv', ['x', 'w'], [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('strides', [n, n])]),
  ),
  ...each('Conv dilations', [BIG, ABSURD, 0], n =>
    one(
      'Conv',
      ['x', 'w'],
      [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('dilations', [n, n]), attribute('pads', [n, n, n, n])],
    ),
  ),
  ...each('Conv group', [BIG, ABSURD, 0, -1], n =>
    one('Conv', ['x', 'w'], [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('group', n)]),
  ),
  ...each('ConvTranspose strides', [9, 5000, BIG, ABSURD], n =>
    one('ConvTranspose', ['x', 'w'], [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('strides', [n, n])]),
  ),
  ...each('ConvTranspose strides and pads', [BIG, ABSURD], n =>
    one(
      'ConvTranspose',
      ['x', 'w'],
      [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('strides', [n, n]), attribute('pads', [n, n, n, n])],
    ),
  ),
  ...each('ConvTranspose output_padding', [BIG, ABSURD, -BIG], n =>
    one('ConvTranspose', ['x', 'w'], [floats('w', [1, 2, 3, 4], [1, 1, 2, 2]), attribute('output_padding', [n, n])]),
  ),
  ...['MaxPool', 'AveragePool', 'LpPool'].flatMap(op => [
    ...each(`${op} kernel`, [BIG, ABSURD, 0], n =>
      one(op, ['x'], [attribute('kernel_shape', [n, n]), attribute('pads', [n, n, n, n])]),
    ),
    ...each(`${op} strides`, [BIG, ABSURD], n =>
      one(op, ['x'], [attribute('kernel_shape', [2, 2]), attribute('strides', [n, n])]),
    ),
  ]),
  ...each('MaxUnpool', [BIG, ABSURD], n =>
    one(
      'MaxUnpool',
      ['x', 'i'],
      [
        longs(
          'i',
          Array.from({ length: 16 }, (_, i) => i),
          [1, 1, 4, 4],
        ),
        attribute('kernel_shape', [2, n]),
        attribute('strides', [n, 2]),
      ],
    ),
  ),
  ...each('DFT', [BIG, ABSURD, -1, 0], n =>
    one('DFT', ['x', 'n'], [longs('n', [n], []), attribute('axis', 1)], { x: [1, 4, 1], opset: 17 }),
  ),
  ...each('STFT', [BIG, ABSURD, 0, -1], n =>
    one('STFT', ['x', 's', '', 'n'], [longs('s', [1], []), longs('n', [n], [])], { x: [1, 16, 1], opset: 17 }),
  ),
  ...each('Col2Im', [BIG, ABSURD, 0], n =>
    one('Col2Im', ['x', 'i', 'b'], [longs('i', [n, n]), longs('b', [2, 2])], { x: [1, 4, 9] }),
  ),
  ...each('RoiAlign', [BIG, ABSURD], n =>
    one(
      'RoiAlign',
      ['x', 'r', 'b'],
      [floats('r', [0, 0, 1, 1], [1, 4]), longs('b', [0]), attribute('output_height', n), attribute('sampling_ratio', n)],
    ),
  ),
  ...each('MaxRoiPool', [BIG, ABSURD, 0], n =>
    one('MaxRoiPool', ['x', 'r'], [floats('r', [0, 0, 0, 1, 1], [1, 5]), attribute('pooled_shape', [n, 1])]),
  ),
  ...each('TopK', [BIG, ABSURD, -1], n => one('TopK', ['x', 'k'], [longs('k', [n])])),
  ...each('DepthToSpace', [BIG, ABSURD, 0, -1], n => one('DepthToSpace', ['x'], [attribute('blocksize', n)])),
  ...each('an axis of Softmax', [BIG, ABSURD, -ABSURD], n => one('Softmax', ['x'], [attribute('axis', n)])),
  ...each('an axis of Flatten', [BIG, -ABSURD], n => one('Flatten', ['x'], [attribute('axis', n)])),
  ...each('Gather', [BIG, 2 ** 62, -ABSURD], n => one('Gather', ['x', 'i'], [longs('i', [BigInt(n)])])),
  ...each('Slice', [ABSURD, 2 ** 62, -(2 ** 62), 0], n =>
    one('Slice', ['x', 'a', 'b', 'c', 'd'], [longs('a', [0]), longs('b', [BigInt(n)]), longs('c', [2]), longs('d', [BigInt(n)])]),
  ),
  ...each('Reshape', [ABSURD, 2 ** 62, -2], n => one('Reshape', ['x', 's'], [longs('s', [BigInt(n), 0])])),
  ['Reshape to nothing known', one('Reshape', ['x', 's'], [longs('s', [-1, -1])])],
  ...each('EyeLike', [1e5, BIG], n => one('EyeLike', ['x'], [], { x: [n, n] })),
  ...each('TfIdfVectorizer skips', [BIG, ABSURD, -1], n =>
    one(
      'TfIdfVectorizer',
      ['x'],
      [
        attribute('mode', 'TF'),
        attribute('min_gram_length', 1),
        attribute('max_gram_length', 2),
        attribute('max_skip_count', n),
        attribute('ngram_counts', [0, 2]),
        attribute('ngram_indexes', [0, 1, 2]),
        attribute('pool_int64s', [1, 2, 3, 4]),
      ],
      { x: [8], type: 7, y: 1 },
    ),
  ),
  ...each('TfIdfVectorizer indexes', [BIG, ABSURD, -1], n =>
    one(
      'TfIdfVectorizer',
      ['x'],
      [
        attribute('mode', 'TF'),
        attribute('min_gram_length', 1),
        attribute('max_gram_length', 1),
        attribute('max_skip_count', 0),
        attribute('ngram_counts', [0]),
        attribute('ngram_indexes', [0, n]),
        attribute('pool_int64s', [1, 2]),
      ],
      { x: [8], type: 7, y: 1 },
    ),
  ),
  ...each('SVMClassifier', [BIG, ABSURD, -1], n =>
    one(
      'SVMClassifier',
      ['x'],
      [
        attribute('vectors_per_class', [n]),
        attribute('classlabels_ints', [0]),
        listOfFloats('coefficients', []),
        listOfFloats('support_vectors', [1]),
        listOfFloats('rho', [1]),
      ],
      { x: [1, 1], domain: 'ai.onnx.ml' },
    ),
  ),
  ...each('LSTM', [BIG, ABSURD, 0], n =>
    one(
      'LSTM',
      ['x', 'w', 'r'],
      [floats('w', [1, 2, 3, 4], [1, 4, 1]), floats('r', [1, 2, 3, 4], [1, 4, 1]), attribute('hidden_size', n)],
      { x: [2, 1, 1] },
    ),
  ),
  ...each('GroupNormalization', [BIG, ABSURD, 0], n =>
    one('GroupNormalization', ['x', 's', 's'], [floats('s', [1]), attribute('num_groups', n)]),
  ),
  ...each('MultiHeadAttention', [BIG, ABSURD, 0], n =>
    one('MultiHeadAttention', ['x', 'x', 'x'], [attribute('num_heads', n)], { x: [1, 4, 8], domain: 'com.microsoft' }),
  ),
  ...each('QuantizeLinear', [BIG, ABSURD], n =>
    one('QuantizeLinear', ['x', 's'], [floats('s', [1]), attribute('axis', n), attribute('block_size', n)], { opset: 21, y: 2 }),
  ),
  ...each('Cast', [99, BIG, -1], n => one('Cast', ['x'], [attribute('to', n)])),
  ...each('LpNormalization', [BIG, ABSURD], n => one('LpNormalization', ['x'], [attribute('p', n)])),
  ...each('LRN', [1001, BIG + 1, ABSURD + 1], n => one('LRN', ['x'], [attribute('size', n), floatAttribute('alpha', 1)])),
  ...each('CumSum', [BIG, ABSURD], n => one('CumSum', ['x', 'a'], [longs('a', [n], [])])),
  ...each('Trilu', [BIG, -ABSURD], n => one('Trilu', ['x', 'k'], [longs('k', [n], [])])),
  ...each('Unsqueeze', [20, 500, 20_000], n =>
    one(
      'Unsqueeze',
      ['x', 'a'],
      [
        longs(
          'a',
          Array.from({ length: n }, (_, i) => i),
        ),
      ],
    ),
  ),
  ...each('axes of an input', [65, 1000, 50_000], n => one('Relu', ['x'], [], { x: Array.from({ length: n }, () => 1) })),
  ...each('axes of a constant', [65, 50_000], n =>
    one(
      'Add',
      ['x', 'c'],
      [
        floats(
          'c',
          [1],
          Array.from({ length: n }, () => 1),
        ),
      ],
    ),
  ),
  ...each('terms of a size', [200, 20_000], n =>
    one('Relu', ['x'], [], { x: [Array.from({ length: n }, (_, i) => `a${i % 50}`).join('*')] }),
  ),
  ...each('sums of a size', [20_000], n =>
    one('Relu', ['x'], [], { x: [Array.from({ length: n }, (_, i) => `a${i}`).join('+')] }),
  ),
  ...each('letters of an equation', [60, 20_000], n =>
    one('Einsum', ['x', 'x'], [attribute('equation', `${'ab'.repeat(n)},ij->ij`)], { x: [2, 2] }),
  ),
  ...each('SplitToSequence', [BIG, ABSURD], n =>
    one('ConcatFromSequence', ['q'], [attribute('axis', 0)], { x: [n], more: [node('SplitToSequence', ['x'], ['q'])] }),
  ),
  ...each('Loop', [ABSURD, 2 ** 62, -1], n =>
    one(
      'Loop',
      ['n', '', 'x'],
      [
        longs('n', [BigInt(n)], []),
        attribute(
          'body',
          graphOf(
            node('Add', ['v', 'v'], ['w']),
            node('Identity', ['c'], ['d']),
            node('Identity', ['w'], ['u']),
            value(11, 'i', 7, []),
            value(11, 'c', 9, []),
            value(11, 'v', 1, [4]),
            value(12, 'd', 9, []),
            value(12, 'w', 1, [4]),
            value(12, 'u', 1, [4]),
            text(2, 'b'),
          ),
        ),
      ],
      { x: [4] },
    ),
  ),
  ...each('constants that grow by tiling', [5, 8], n =>
    chained(n, (p, q) => [node('Tile', [p, 'four'], [q])], [
      floats(
        'c',
        Array.from({ length: 4096 }, (_, i) => i),
      ),
      longs('four', [4]),
    ]),
  ),
  ...each('constants that grow by products', [2, 3], n =>
    chained(
      n,
      (p, q) => [
        node('Unsqueeze', [p, 'last'], [`${q}u`]),
        node('Mul', [`${q}u`, 'c'], [`${q}m`]),
        node('Reshape', [`${q}m`, 'flat'], [q]),
      ],
      [
        floats(
          'c',
          Array.from({ length: 64 }, (_, i) => i),
        ),
        longs('last', [-1]),
        longs('flat', [-1]),
      ],
    ),
  ),
  ...each('sparse constants', [2 ** 24, HUGE, ABSURD], n =>
    model([node('Add', ['x', 's'], ['y']), sparse('s', [n]), value(11, 'x', 1, [1]), value(12, 'y', 1, ['m'])]),
  ),
  [
    'many sparse constants',
    model([
      ...Array.from({ length: 60 }, (_, i) => [node('ReduceMax', [`s${i}`], [`r${i}`]), sparse(`s${i}`, [2 ** 23])]).flat(),
      node(
        'Concat',
        Array.from({ length: 60 }, (_, i) => `r${i}`),
        ['y'],
        attribute('axis', 0),
      ),
      value(11, 'x', 1, [1]),
      value(12, 'y', 1, ['m']),
    ]),
  ],
  [
    'a sequence that grows',
    model([
      node('SequenceConstruct', ['x'], ['q0']),
      ...Array.from({ length: 20_000 }, (_, i) => node('SequenceInsert', [`q${i}`, 'x'], [`q${i + 1}`])),
      node('ConcatFromSequence', ['q20000'], ['y'], attribute('axis', 0)),
      value(11, 'x', 1, [1]),
      value(12, 'y', 1, ['m']),
    ]),
  ],
  [
    'long lists of constants',
    model([
      node('Gather', ['x', 'i'], ['y']),
      longs(
        'i',
        Array.from({ length: 300_000 }, (_, i) => i % 4),
      ),
      value(11, 'x', 1, [4]),
      value(12, 'y', 1, ['m']),
    ]),
  ],
];
