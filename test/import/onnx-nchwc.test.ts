import { describe, expect, it } from '@jest/globals';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { compiled } from '../conformance/compiled.ts';
import { attribute, encode, int, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';
import { expectClose, noise } from '../ops/problems.ts';

/**
 * Networks as onnxruntime's optimiser leaves them, beside themselves before: what the optimiser does is done here, by its description (blocks of the
 * output channels, and of the input channels where these fill blocks; zeros in the rest of the last block).
 */
const DOMAIN = 'com.microsoft.nchwc';
const whole = (n: number, block: number): number => Math.ceil(n / block) * block;

/** Element (o, i, y, x) of a filter, 0 beyond it. */
const at = (t: Tensor, values: Float64Array, o: number, i: number, p: number): number => {
  const [outs = 0, ins = 0, h = 0, w = 0] = t.dims;
  return o < outs && i < ins ? (values[(o * ins + i) * h * w + p] ?? 0) : 0;
};
function blocked(t: Tensor, block: number): Tensor {
  const [outs = 0, ins = 0, h = 0, w = 0] = t.dims;
  const inner = ins < block ? 1 : block;
  const dims = [whole(outs, block), ins < block ? ins : whole(ins, block), h, w];
  const values = toNumbers(t);
  const out: number[] = [];
  for (let o = 0; o < outs; o += block)
    for (let i = 0; i < ins; i += inner)
      for (let p = 0; p < h * w; p++)
        for (let a = 0; a < inner; a++) for (let b = 0; b < block; b++) out.push(at(t, values, o + b, i + a, p));
  return fromNumbers('f32', dims, out);
}
const padded = (t: Tensor, block: number): Tensor => {
  const values = toNumbers(t);
  const n = whole(values.length, block);
  return fromNumbers(
    'f32',
    [n],
    Array.from({ length: n }, (_, i) => values[i] ?? 0),
  );
};

interface Net {
  readonly channels: readonly [first: number, second: number];
  /** How different the scales of output channels are. */
  readonly spread?: number;
  readonly free?: boolean;
}
/** Two convolutions, a depthwise one, a sum with what went in, pools and an upsampling; blocked by `block`, or plain. */
function network(net: Net, block: number | undefined): Uint8Array {
  const [c1, c2] = net.channels;
  const scaled = (dims: readonly number[], seed: number): Tensor => {
    const each = numel(dims) / (dims[0] ?? 1);
    const scales = toNumbers(noise('f32', [dims[0] ?? 1], seed + 50));
    const values = toNumbers(noise('f32', dims, seed));
    return fromNumbers(
      'f32',
      dims,
      values.map((v, i) => 0.3 * v * Math.exp((net.spread ?? 0) * (scales[Math.floor(i / each)] ?? 0))),
    );
  };
  const constants: Part[] = [];
  const add = (name: string, t: Tensor): string => {
    constants.push(sub(5, tensor({ name, dims: t.dims, type: t.dtype === 'i64' ? 7 : 1, raw: t.bytes })));
    return name;
  };
  const weights = (name: string, dims: readonly number[], seed: number): readonly string[] => {
    const [w, b] = [scaled(dims, seed), noise('f32', [dims[0] ?? 1], seed + 1)];
    return [add(`${name}w`, block ? blocked(w, block) : w), add(`${name}b`, block ? padded(b, block) : b)];
  };
  const domain = block ? [text(7, DOMAIN)] : [];
  const op = (type: string, ins: readonly string[], out: string, ...attrs: Part[]): Part =>
    node(type, ins, [out], ...attrs, ...domain);
  const same = attribute('pads', [1, 1, 1, 1]);
  const window = [attribute('kernel_shape', [3, 3]), attribute('strides', [2, 2]), same];
  const relu = block ? attribute('activation', 'Relu') : undefined;
  const nodes: Part[] = [];
  // The first convolution reads plain data.
  nodes.push(op('Conv', ['x', ...weights('first', [c1, 3, 3, 3], 1)], block ? 'first' : 'linear', same, ...(relu ? [relu] : [])));
  if (!block) nodes.push(node('Relu', ['linear'], ['first']));
  nodes.push(op('Conv', ['first', ...weights('second', [c2, c1, 3, 3], 3)], 'second', same));
  nodes.push(
    op('Conv', ['second', ...weights('deep', [c2, 1, 3, 3], 5)], 'deep', same, attribute('group', block ? whole(c2, block) : c2)),
  );
  if (block && net.free) {
    // Sizes that could not be proved equal: the sum is of blocks.
    const split = add('split', fromNumbers('i64', [5], [0, whole(c2, block) / block, 0, 0, block]));
    const join = add('join', fromNumbers('i64', [4], [0, whole(c2, block), 0, 0]));
    nodes.push(node('Reshape', ['deep', split], ['deep5']), node('Reshape', ['second', split], ['second5']));
    nodes.push(node('Add', ['deep5', 'second5'], ['sum5']), node('Reshape', ['sum5', join], ['sum']));
  } else nodes.push(node('Add', ['deep', 'second'], ['sum']));
  nodes.push(op('MaxPool', ['sum'], 'max', ...window), op('AveragePool', ['max'], 'mean', ...window));
  if (block) nodes.push(op('Upsample', ['mean'], 'up', attribute('scales', [1, 1, 2, 3])));
  else {
    const scales = add('scales', fromNumbers('f32', [4], [1, 1, 2, 3]));
    const how = [attribute('coordinate_transformation_mode', 'asymmetric'), attribute('nearest_mode', 'floor')];
    nodes.push(node('Resize', ['mean', '', scales], ['up'], ...how));
  }
  nodes.push(op('GlobalAveragePool', ['up'], 'global'));
  if (block) {
    nodes.push(op('ReorderOutput', ['up'], 'y', attribute('channels', c2)));
    nodes.push(op('ReorderOutput', ['global'], 'z', attribute('channels', c2), attribute('channels_last', 1)));
  } else nodes.push(node('Identity', ['up'], ['y']), node('Transpose', ['global'], ['z'], attribute('perm', [0, 2, 3, 1])));
  const size = net.free ? (['h', 'w'] as const) : ([9, 10] as const);
  const results = ['y', 'z'].map(name => sub(12, text(1, name), sub(2, sub(1, int(1, 1)))));
  const graph = [...nodes, text(2, 'g'), ...constants, value(11, 'x', 1, [1, 3, ...size]), ...results];
  return encode(int(1, 8), sub(7, ...graph), sub(8, int(2, 17)), ...(block ? [sub(8, text(1, DOMAIN), int(2, 1))] : []));
}

const x = new Map([['x', noise('f32', [1, 3, 9, 10], 9)]]);
async function check(net: Net, block: number): Promise<void> {
  const options = net.free ? { dims: { h: 9, w: 10 } } : {};
  const want = evaluate(importOnnx(network(net, undefined), options).graph, x);
  const { graph } = importOnnx(network(net, block), options);
  const [mine, module] = [evaluate(graph, x), (await compiled('wasm', graph))(x)];
  for (const [name, t] of want) {
    expect([name, mine.get(name)?.dims]).toEqual([name, t.dims]);
    expectClose(mine.get(name), t, 1e-5, 1e-6);
    expectClose(module.get(name), t, 1e-4, 1e-5);
  }
}
describe('blocked layouts of onnxruntime', () => {
  it('blocks of 8 by a filter of 24 channels', () => check({ channels: [16, 24] }, 8));
  it('blocks of 16 by 8 channels that are filled up', () => check({ channels: [16, 8] }, 16));
  it('channels that fill no block', () => check({ channels: [8, 20] }, 8));
  it('blocks as an axis of a sum', () => check({ channels: [16, 32], free: true }, 16));
  it.each([8, 16])('blocks of %i by the scales of channels, where all sizes fit both', block =>
    check({ channels: [32, 48], spread: 1 }, block),
  );
  it('is refused where nothing tells the size of the blocks', () => {
    expect(() => importOnnx(network({ channels: [16, 32] }, 8))).toThrow(
      /E101.*blocks are of 8 or of 16 channels.*ORT_ENABLE_EXTENDED/,
    );
  });
});
