/** The operators that networks spend their time in, each as an ONNX model of its own, of sizes that networks have. */
import { attribute, model, node, sub, tensor, value, type Part } from '../../test/onnx-writer.ts';
import { randomStream } from '../../compiler/core/random.ts';

interface KernelModel {
  readonly name: string;
  readonly doc: string;
  readonly bytes: Uint8Array;
}
const FLOAT = 1;
type Dims = readonly number[];
const product = (dims: Dims): number => dims.reduce((a, b) => a * b, 1);
/** A constant of small random numbers, so that sums of products stay of the size of their terms. */
function weights(name: string, dims: Dims, fanIn: number): Part {
  const next = randomStream(name.length + product(dims));
  const data = Float32Array.from({ length: product(dims) }, () => (2 * next() - 1) / Math.sqrt(fanIn));
  return sub(5, tensor({ name, dims, type: FLOAT, raw: new Uint8Array(data.buffer) }));
}
const floats = (name: string, values: Dims): Part =>
  sub(5, tensor({ name, dims: [values.length], type: FLOAT, raw: new Uint8Array(Float32Array.from(values).buffer) }));
/** A model of one operator from x to y; `more` are its constants and attributes. */
function one(
  name: string,
  doc: string,
  op: string,
  x: Dims,
  y: Dims,
  more: { readonly inputs?: readonly string[]; readonly constants?: readonly Part[]; readonly attributes?: readonly Part[] } = {},
): KernelModel {
  const parts = [
    node(op, ['x', ...(more.inputs ?? [])], ['y'], ...(more.attributes ?? [])),
    ...(more.constants ?? []),
    value(11, 'x', FLOAT, x),
    value(12, 'y', FLOAT, y),
  ];
  return { name, doc, bytes: model(parts) };
}
function conv(name: string, doc: string, x: Dims, out: number, kernel: number, group = 1): KernelModel {
  const [n = 1, c = 1, h = 1, w = 1] = x;
  const pad = kernel >> 1;
  return one(name, doc, 'Conv', x, [n, out, h, w], {
    inputs: ['w', 'b'],
    constants: [weights('w', [out, c / group, kernel, kernel], (c / group) * kernel * kernel), weights('b', [out], 1)],
    attributes: [attribute('kernel_shape', [kernel, kernel]), attribute('pads', [pad, pad, pad, pad]), attribute('group', group)],
  });
}
const gemm = (name: string, doc: string, m: number, k: number, n: number): KernelModel =>
  one(name, doc, 'MatMul', [m, k], [m, n], { inputs: ['w'], constants: [weights('w', [k, n], k)] });

/** Scaled dot products of 8 heads of 64: three inputs, as an exporter spells it. */
function attention(): KernelModel {
  const shape = [1, 8, 128, 64];
  const parts = [
    node('Transpose', ['k'], ['kt'], attribute('perm', [0, 1, 3, 2])),
    node('MatMul', ['q', 'kt'], ['s0']),
    node('Mul', ['s0', 'scale'], ['s']),
    node('Softmax', ['s'], ['p'], attribute('axis', -1)),
    node('MatMul', ['p', 'v'], ['y']),
    floats('scale', [1 / 8]),
    ...['q', 'k', 'v'].map(n => value(11, n, FLOAT, shape)),
    value(12, 'y', FLOAT, shape),
  ];
  return { name: 'attention', doc: '8 heads of 64, 128 tokens', bytes: model(parts) };
}
export function kernelModels(): readonly KernelModel[] {
  const layer = [1, 128, 384];
  return [
    gemm('gemm', '384 by 384 by 384', 384, 384, 384),
    gemm('gemm-tall', '128 tokens through 384 to 1536', 128, 384, 1536),
    gemm('gemv', 'one row through 1024 to 1024', 1, 1024, 1024),
    conv('conv-3x3', '64 to 64 channels, 56 by 56', [1, 64, 56, 56], 64, 3),
    conv('conv-1x1', '96 to 96 channels, 40 by 40', [1, 96, 40, 40], 96, 1),
    conv('conv-depthwise', '3x3, 64 channels, 112 by 112', [1, 64, 112, 112], 64, 3, 64),
    one('softmax', '8 heads of 128 by 128', 'Softmax', [8, 128, 128], [8, 128, 128], { attributes: [attribute('axis', -1)] }),
    one('layer-norm', '128 tokens of 384', 'LayerNormalization', layer, layer, {
      inputs: ['scale', 'bias'],
      constants: [weights('scale', [384], 1), weights('bias', [384], 1)],
      attributes: [attribute('axis', -1)],
    }),
    attention(),
    one('lstm', '50 steps of 64, 128 cells', 'LSTM', [50, 1, 64], [50, 1, 1, 128], {
      inputs: ['w', 'r', 'b'],
      constants: [weights('w', [1, 512, 64], 64), weights('r', [1, 512, 128], 128), weights('b', [1, 1024], 4)],
      attributes: [attribute('hidden_size', 128)],
    }),
    one('resize', 'linear, twice as large, 32 channels, 64 by 64', 'Resize', [1, 32, 64, 64], [1, 32, 128, 128], {
      inputs: ['', 'scales'],
      constants: [floats('scales', [1, 1, 2, 2])],
      attributes: [attribute('mode', 'linear')],
    }),
    one('transpose-nchw', 'channels last, 64 channels, 56 by 56', 'Transpose', [1, 64, 56, 56], [1, 56, 56, 64], {
      attributes: [attribute('perm', [0, 2, 3, 1])],
    }),
    one('transpose-heads', '128 tokens of 12 heads of 64', 'Transpose', [1, 128, 12, 64], [1, 12, 128, 64], {
      attributes: [attribute('perm', [0, 2, 1, 3])],
    }),
    one('reduce-mean', 'over 56 by 56 of 64 channels', 'ReduceMean', [1, 64, 56, 56], [1, 64, 1, 1], {
      attributes: [attribute('axes', [2, 3])],
    }),
    one('erf', '128 tokens of 1536', 'Erf', [1, 128, 1536], [1, 128, 1536]),
  ];
}
