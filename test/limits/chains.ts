import { attribute, encode, int, model, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';

/** Small models as long chains in which each value is used twice, one a class of operators. */
export interface Chain {
  readonly name: string;
  /** The model with so many steps. */
  readonly of: (steps: number) => Uint8Array;
  readonly dims?: Readonly<Record<string, { readonly min: number; readonly max: number }>>;
  /** What it ends with where it is too long to be followed; default: it compiles. */
  readonly code?: string;
}
const floats = (name: string, values: readonly number[], dims: readonly number[]): Part =>
  sub(5, tensor({ name, dims, type: 1, raw: new Uint8Array(Float32Array.from(values).buffer) }));
export const longs = (name: string, values: readonly number[], dims: readonly number[] = [values.length]): Part =>
  sub(5, tensor({ name, dims, type: 7, raw: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }));

interface Shape {
  readonly x?: readonly (number | string)[];
  readonly y?: readonly (number | string)[];
  readonly constants?: readonly Part[];
  /** Between the input and the chain, and between the chain and the output. */
  readonly before?: (x: string, to: string) => readonly Part[];
  readonly after?: (x: string, to: string) => readonly Part[];
  readonly type?: number;
}
/** `step` gives the nodes from the value `p` to the value `q`. */
export const chain =
  (step: (p: string, q: string, i: number) => readonly Part[], s: Shape = {}) =>
  (steps: number): Uint8Array => {
    const { x = [4, 4], constants = [], before, after, type = 1 } = s;
    const { y = x } = s;
    const nodes: Part[] = before ? [...before('x', 'v0')] : [node('Identity', ['x'], ['v0'])];
    for (let i = 0; i < steps; i++) for (const n of step(`v${i}`, `v${i + 1}`, i)) nodes.push(n);
    for (const n of after?.(`v${steps}`, 'y') ?? [node('Identity', [`v${steps}`], ['y'])]) nodes.push(n);
    return model([...nodes, ...constants, value(11, 'x', 1, x), value(12, 'y', type, y)]);
  };
const two =
  (op: string, ...more: Part[]) =>
  (p: string, q: string): readonly Part[] => [node(op, [p, p], [q], ...more)];
const graph = (
  nodes: readonly Part[],
  outputs: readonly (readonly [string, number, readonly number[]])[],
  inputs: readonly Part[] = [],
): Part => {
  const parts = [...nodes, text(2, 'g'), ...inputs, ...outputs.map(([n, t, d]) => value(12, n, t, d))];
  return w => parts.forEach(p => p(w));
};
const matrix = floats('w', [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7], [4, 4]);
const sized = { before: (x: string, to: string) => [node('Shape', [x], [to])], x: ['n', 3], type: 7, y: [2] };
const N = { n: { min: 1, max: 9 } };
/** A model with functions: f0 is the identity, each other one calls the one before twice and adds. */
export function doublingFunctions(depth: number): Uint8Array {
  const domain = (d: string): Part => text(7, d);
  const call = (i: number, from: string, to: string): Part => node(`f${i}`, [from], [to], domain('own'));
  const fn = (i: number, nodes: readonly Part[]): Part =>
    sub(
      25,
      text(1, `f${i}`),
      text(4, 'x'),
      text(5, 'y'),
      ...nodes.map(n => relabelled(n)),
      sub(9, int(2, 17)),
      sub(9, text(1, 'own'), int(2, 1)),
      text(10, 'own'),
    );
  const functions = Array.from({ length: depth + 1 }, (_, i) =>
    fn(
      i,
      i === 0 ? [node('Identity', ['x'], ['y'])] : [call(i - 1, 'x', 'a'), call(i - 1, 'x', 'b'), node('Add', ['a', 'b'], ['y'])],
    ),
  );
  return withFunctions([call(depth, 'x', 'y'), value(11, 'x', 1, [4]), value(12, 'y', 1, [4])], functions);
}
/** A model whose functions are `depth` deep inside of each other, once each. */
export function nestedFunctions(depth: number): Uint8Array {
  const call = (i: number): Part => node(`f${i}`, ['x'], ['y'], text(7, 'own'));
  const functions = Array.from({ length: depth + 1 }, (_, i) =>
    sub(
      25,
      text(1, `f${i}`),
      text(4, 'x'),
      text(5, 'y'),
      relabelled(i === 0 ? node('Neg', ['x'], ['y']) : call(i - 1)),
      sub(9, int(2, 17)),
      sub(9, text(1, 'own'), int(2, 1)),
      text(10, 'own'),
    ),
  );
  return withFunctions([call(depth), value(11, 'x', 1, [4]), value(12, 'y', 1, [4])], functions);
}
/** Nodes are field 7 of a function where they are field 1 of a graph. */
const relabelled = (n: Part): Part => {
  const bytes = encode(n);
  return w => {
    let at = 1;
    while ((bytes[at] ?? 0) > 127) at++;
    w.uint32(7 * 8 + 2).bytes(bytes.subarray(at + 1));
  };
};
const withFunctions = (parts: readonly Part[], functions: readonly Part[]): Uint8Array =>
  encode(int(1, 8), sub(7, ...parts, text(2, 'g')), sub(8, int(2, 17)), sub(8, text(1, 'own'), int(2, 1)), ...functions);
/** If nodes, each inside of the one before. */
export function nestedIfs(depth: number): Uint8Array {
  const inner = (d: number): Part =>
    d === 0
      ? graph([node('Add', ['x', 'x'], [`o${d}`])], [[`o${d}`, 1, [4]]])
      : graph(
          [
            node(
              'If',
              ['c'],
              [`o${d}`],
              attribute('then_branch', { graph: inner(d - 1) }),
              attribute('else_branch', { graph: graph([node('Neg', ['x'], [`e${d}`])], [[`e${d}`, 1, [4]]]) }),
            ),
          ],
          [[`o${d}`, 1, [4]]],
        );
  const top = node(
    'If',
    ['c'],
    ['y'],
    attribute('then_branch', { graph: inner(depth) }),
    attribute('else_branch', { graph: graph([node('Neg', ['x'], ['e'])], [['e', 1, [4]]]) }),
  );
  return model([top, value(11, 'x', 1, [4]), value(11, 'c', 9, []), value(12, 'y', 1, [4])]);
}

const branch = (p: string, q: string, op: string): Part => graph([node(op, [p, p], [`${q}_${op}`])], [[`${q}_${op}`, 1, [4, 4]]]);
export const CHAINS: readonly Chain[] = [
  { name: 'elementwise', of: chain(two('Add')) },
  {
    name: 'elementwise with broadcasting',
    of: chain((p, q) => [node('ReduceSum', [p, 'last'], [`${q}r`]), node('Mul', [p, `${q}r`], [q])], {
      constants: [longs('last', [1])],
    }),
  },
  {
    name: 'elementwise of three',
    of: chain(
      (p, q) => [node('Greater', [p, 'w'], [`${q}c`]), node('Where', [`${q}c`, p, p], [`${q}s`]), node('Mul', [`${q}s`, p], [q])],
      { constants: [matrix] },
    ),
  },
  {
    name: 'elementwise before a reduction',
    of: chain(two('Add'), { after: (x, to) => [node('ReduceSum', [x], [to])], y: [1, 1] }),
  },
  {
    name: 'elementwise behind a product',
    of: chain(two('Mul'), { before: (x, to) => [node('MatMul', [x, 'w'], [to])], constants: [matrix] }),
  },
  {
    name: 'elementwise behind a convolution',
    of: chain(two('Add'), {
      x: [1, 1, 8, 8],
      before: (x, to) => [node('Conv', [x, 'k'], [to])],
      constants: [floats('k', [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3])],
      y: [1, 1, 6, 6],
    }),
  },
  { name: 'activations', of: chain((p, q) => [node('Sigmoid', [p], [`${q}s`]), node('Mul', [`${q}s`, p], [q])]) },
  {
    name: 'casts',
    of: chain((p, q) => [
      node('Cast', [p], [`${q}i`], attribute('to', 7)),
      node('Add', [`${q}i`, `${q}i`], [`${q}a`]),
      node('Cast', [`${q}a`], [q], attribute('to', 1)),
    ]),
  },
  {
    name: 'views',
    of: chain(
      (p, q) => [
        node('Transpose', [p], [`${q}t`]),
        node('Reshape', [`${q}t`, 'flat'], [`${q}r`]),
        node('Reshape', [`${q}r`, 'square'], [`${q}b`]),
        node('Add', [`${q}b`, `${q}t`], [q]),
      ],
      { constants: [longs('flat', [16]), longs('square', [4, 4])] },
    ),
  },
  {
    name: 'assembled and cut',
    of: chain(
      (p, q) => [node('Concat', [p, p], [`${q}c`], attribute('axis', 0)), node('Slice', [`${q}c`, 'from', 'to', 'axis'], [q])],
      { constants: [longs('from', [2]), longs('to', [6]), longs('axis', [0])] },
    ),
  },
  {
    name: 'split and swapped',
    of: chain((p, q) => [
      node('Split', [p], [`${q}a`, `${q}b`], attribute('axis', 0)),
      node('Concat', [`${q}b`, `${q}a`], [q], attribute('axis', 0)),
    ]),
  },
  {
    name: 'index maps',
    of: chain(
      (p, q) => [node('Gather', [p, 'i'], [`${q}g`]), node('Gather', [p, 'j'], [`${q}h`]), node('Add', [`${q}g`, `${q}h`], [q])],
      { constants: [longs('i', [3, 2, 1, 0]), longs('j', [1, 0, 3, 2])] },
    ),
  },
  {
    name: 'pads',
    of: chain(
      (p, q) => [node('Pad', [p, 'pads'], [`${q}p`]), node('Pad', [`${q}p`, 'cut'], [`${q}c`]), node('Add', [`${q}c`, p], [q])],
      { constants: [longs('pads', [1, 1, 1, 1]), longs('cut', [-1, -1, -1, -1])] },
    ),
  },
  { name: 'products', of: chain(two('MatMul')) },
  { name: 'softmax', of: chain((p, q) => [node('Softmax', [p], [`${q}s`]), node('Mul', [`${q}s`, p], [q])]) },
  {
    name: 'normalizations spelt out',
    of: chain((p, q) => [
      node('ReduceMean', [p], [`${q}m`], attribute('axes', [1])),
      node('Sub', [p, `${q}m`], [`${q}d`]),
      node('Mul', [`${q}d`, `${q}d`], [`${q}q`]),
      node('ReduceMean', [`${q}q`], [`${q}v`], attribute('axes', [1])),
      node('Sqrt', [`${q}v`], [`${q}r`]),
      node('Div', [`${q}d`, `${q}r`], [q]),
    ]),
  },
  {
    name: 'resizes',
    of: chain(
      (p, q) => [
        node('Resize', [p, '', 'up'], [`${q}u`]),
        node('MaxPool', [`${q}u`], [`${q}d`], attribute('kernel_shape', [2, 2]), attribute('strides', [2, 2])),
        node('Add', [`${q}d`, p], [q]),
      ],
      { x: [1, 1, 4, 4], constants: [floats('up', [1, 1, 2, 2], [4])] },
    ),
  },
  {
    name: 'convolutions with residuals',
    of: chain((p, q) => [node('Conv', [p, 'k'], [`${q}c`], attribute('pads', [1, 1, 1, 1])), node('Add', [`${q}c`, p], [q])], {
      x: [1, 1, 8, 8],
      constants: [floats('k', [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3])],
    }),
  },
  {
    name: 'quantization',
    of: chain(
      (p, q) => [
        node('QuantizeLinear', [p, 's', 'z'], [`${q}q`]),
        node('DequantizeLinear', [`${q}q`, 's', 'z'], [`${q}d`]),
        node('Add', [`${q}d`, p], [q]),
      ],
      {
        constants: [
          sub(5, tensor({ name: 's', dims: [], type: 1, raw: new Uint8Array(Float32Array.of(0.5).buffer) })),
          sub(5, tensor({ name: 'z', dims: [], type: 2, raw: Uint8Array.of(7) })),
        ],
      },
    ),
  },
  {
    name: 'branches',
    of: chain((p, q) => [
      node('ReduceSum', [p], [`${q}r`], attribute('keepdims', 0)),
      node('Cast', [`${q}r`], [`${q}c`], attribute('to', 9)),
      node(
        'If',
        [`${q}c`],
        [q],
        attribute('then_branch', { graph: branch(p, q, 'Add') }),
        attribute('else_branch', { graph: branch(p, q, 'Mul') }),
      ),
    ]),
  },
  {
    name: 'loops',
    of: chain(
      (p, q) => [
        node(
          'Loop',
          ['three', '', p],
          [q],
          attribute('body', {
            graph: graph(
              [
                node('Add', [`${q}v`, p], [`${q}a`]),
                node('Add', [`${q}a`, p], [`${q}o`]),
                node('Identity', [`${q}c`], [`${q}d`]),
              ],
              [
                [`${q}d`, 9, []],
                [`${q}o`, 1, [4, 4]],
              ],
              [value(11, `${q}i`, 7, []), value(11, `${q}c`, 9, []), value(11, `${q}v`, 1, [4, 4])],
            ),
          }),
        ),
      ],
      { constants: [longs('three', [3], [])] },
    ),
  },
  {
    name: 'sums of sizes',
    of: chain(two('Add'), {
      ...sized,
      before: (x, to) => [node('Shape', [x], [`${to}s`]), node('Mod', [`${to}s`, 'ten'], [to])],
      constants: [longs('ten', [10])],
    }),
    dims: N,
  },
  { name: 'products of sizes', of: chain(two('Mul'), sized), dims: N },
  {
    name: 'quotients of sizes',
    of: chain(
      (p, q) => [node('Div', [p, 'three'], [`${q}d`]), node('Add', [`${q}d`, p], [`${q}a`]), node('Div', [`${q}a`, 'two'], [q])],
      { ...sized, constants: [longs('three', [3]), longs('two', [2])] },
    ),
    dims: N,
  },
  {
    name: 'extremes of sizes',
    of: chain(
      (p, q) => [
        node('Div', [p, 'three'], [`${q}d`]),
        node('Mul', [p, 'two'], [`${q}m`]),
        node('Sub', [`${q}m`, 'seven'], [`${q}s`]),
        node('Max', [`${q}s`, `${q}d`], [q]),
      ],
      { ...sized, constants: [longs('three', [3]), longs('two', [2]), longs('seven', [7])] },
    ),
    dims: N,
  },
  {
    name: 'lists of sizes',
    of: chain((p, q) => [node('Concat', [p, p], [`${q}c`], attribute('axis', 0)), node('Gather', [`${q}c`, 'i'], [q])], {
      ...sized,
      constants: [longs('i', [2, 1])],
    }),
    dims: N,
  },
  {
    name: 'axes that grow by their halves',
    of: chain(
      (p, q) => [
        node('MaxPool', [p], [`${q}h`], attribute('kernel_shape', [2]), attribute('strides', [2])),
        node('Concat', [p, `${q}h`], [q], attribute('axis', 2)),
      ],
      { x: [1, 1, 'n'], y: [1, 1, 'm'] },
    ),
    dims: { n: { min: 2, max: 3 } },
    code: 'E302',
  },
  {
    name: 'axes that double',
    of: chain((p, q) => [node('Concat', [p, p], [q], attribute('axis', 1))], { x: [1, 1], y: [1, 'm'] }),
    code: 'E102',
  },
  {
    name: 'constants',
    of: chain(two('Add'), {
      before: (_, to) => [node('Identity', ['w'], [to])],
      after: (v, to) => [node('Add', [v, 'x'], [to])],
      constants: [matrix],
    }),
  },
  { name: 'functions that double', of: doublingFunctions, code: 'E202' },
];
