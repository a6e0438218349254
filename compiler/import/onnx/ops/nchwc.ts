import { must } from '../../../core/diagnostic.ts';
import { dimMul } from '../../../core/dim.ts';
import { fromTyped, typed, type Tensor } from '../../../core/tensor.ts';
import { symbolicOf, tensorOf, type Value } from '../../../graph/graph.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { Resize } from '../../../ops/resample/resize.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { reshape, slice, transpose } from '../../shared/views.ts';
import { averagePool, fusedConvolution, globalPool, maxPool, operands } from './conv.ts';
import { viewOps } from './view.ts';

/**
 * The layout in which onnxruntime's optimiser leaves convolutional networks: channels in blocks of 8 or 16, [N, C / block, H, W, block], which
 * the file declares as [N, C, H, W] with C rounded up to whole blocks. What lies between ReorderInput and ReorderOutput is plain [N, C, H, W] here,
 * with the channels that fill the last block; only the weights of convolutions come in another order, and Reshapes that look into the blocks.
 */
export const NCHWC = 'com.microsoft.nchwc';

/**
 * A filter [O, I, H, W] in the order of its elements that its sizes say. The file holds it as [O / block][I / block][H][W][block][block], input channels
 * before output channels in a block, or, where I does not fill blocks, as [O / block][I][H][W][block].
 */
export function plainFilter(t: Tensor, block: number): Tensor {
  const [o = 0, i = 0, height = 0, width = 0] = t.dims;
  const inner = i % block === 0 ? block : 1;
  const area = height * width;
  const from = typed(t);
  const out = new Float32Array(from.length);
  let at = 0;
  for (let ob = 0; ob < o; ob += block)
    for (let ib = 0; ib < i; ib += inner)
      for (let p = 0; p < area; p++)
        for (let bi = 0; bi < inner; bi++)
          for (let bo = 0; bo < block; bo++) out[((ob + bo) * i + ib + bi) * area + p] = Number(from[at++]);
  return fromTyped('f32', t.dims, out);
}

const toChannelsLast = [0, 2, 3, 1];
const toChannelsFirst = [0, 3, 1, 2];
function imageOf(n: OnnxNode): Value {
  const x = n.input(0, 'X');
  return x.type.shape.length === 4 ? x : n.reject(`X has ${x.type.shape.length} axes, must have 4`);
}
const reorderInput =
  (block: number): OnnxBuilder =>
  (n, c) => {
    const x = imageOf(n);
    const image = n.bool('channels_last', false) ? transpose(c, x, toChannelsFirst) : x;
    const channels = image.type.shape[1];
    if (typeof channels !== 'number') return n.unsupported('a number of channels that is open; fix it with --dim');
    const missing = Math.ceil(channels / block) * block - channels;
    return [missing === 0 ? image : c.apply1(Pad, [image], { begin: [0, 0, 0, 0], end: [0, missing, 0, 0] })];
  };
const reorderOutput: OnnxBuilder = (n, c) => {
  const x = imageOf(n);
  const image = slice(c, x, new Map([[1, { start: 0, size: n.int('channels'), step: 1 }]]));
  return [n.bool('channels_last', false) ? transpose(c, image, toChannelsLast) : image];
};
function convolution(block: number): OnnxBuilder {
  // A filter that several nodes use stays one.
  const plain = new WeakMap<Value, Value>();
  const filter = (n: OnnxNode, c: ImportCtx, w: Value): Value => {
    const t = tensorOf(w) ?? n.unsupported('weights known only when the model runs');
    if (t.dtype !== 'f32' || t.dims.length !== 4 || must(t.dims[0]) % block !== 0)
      n.reject(`W is ${t.dtype}[${t.dims.join(',')}], must be f32 of four axes, the first of whole blocks of ${block}`);
    const made = plain.get(w) ?? c.constant(plainFilter(t, block));
    plain.set(w, made);
    return made;
  };
  return (n, c) => {
    const [x, w] = operands(n);
    return [fusedConvolution(n, c, x, filter(n, c, w))];
  };
}
const upsample: OnnxBuilder = (n, c) => {
  const x = imageOf(n);
  const scales = n.ints('scales');
  if (scales.length !== 4 || scales.some(s => s < 1))
    n.reject(`scales are ${scales.join(', ')}; they must be four positive integers`);
  const mode = n.string('mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') return n.reject(`mode is '${mode}', not nearest or linear`);
  const coordinates = n.string('coordinate_transformation_mode', 'asymmetric');
  if (coordinates !== 'asymmetric' && coordinates !== 'half_pixel' && coordinates !== 'align_corners')
    return n.reject(`coordinate_transformation_mode is '${coordinates}'`);
  return c.apply(Resize, [x], {
    shape: x.type.shape.map((d, i) => dimMul(d, must(scales[i]))),
    scales,
    mode,
    coordinates: mode === 'nearest' ? 'asymmetric' : coordinates,
    nearest: 'floor',
    starts: [0, 0, 0, 0],
    ends: [1, 1, 1, 1],
  });
};
/**
 * Sums of values whose sizes the optimiser could not prove equal see the blocks as an axis: [N, C, H, W] to [N, C / block, H, W, block] and back.
 * Other Reshapes are as ever.
 */
const blockReshape =
  (block: number): OnnxBuilder =>
  (n, c) => {
    const x = n.input(0);
    const { shape } = x.type;
    const to = n.inputs[1] && symbolicOf(n.inputs[1]);
    const [rows, channels] = [must(shape[0] ?? 1), shape[1]];
    const known = (i: number, d: number): boolean => to?.[i] === d;
    if (to && known(0, 0) && known(2, 0) && known(3, 0) && typeof channels === 'number') {
      if (to.length === 5 && known(4, block) && shape.length === 4 && known(1, channels / block)) {
        const split = reshape(c, x, [rows, channels / block, block, must(shape[2]), must(shape[3])]);
        return [transpose(c, split, [0, 1, 3, 4, 2])];
      }
      if (to.length === 4 && shape.length === 5 && shape[4] === block && known(1, channels * block)) {
        const joined = transpose(c, x, [0, 1, 4, 2, 3]);
        return [reshape(c, joined, [rows, channels * block, must(shape[2]), must(shape[3])])];
      }
    }
    return must(viewOps['Reshape'])(n, c);
  };

/** The operators of a file with blocks of so many channels. */
export const blockedOps = (block: number): OnnxOps => ({ ...domainOps(block), Reshape: blockReshape(block) });
const domainOps = (block: number): OnnxOps => ({
  [`${NCHWC}.ReorderInput`]: reorderInput(block),
  [`${NCHWC}.ReorderOutput`]: reorderOutput,
  [`${NCHWC}.Conv`]: convolution(block),
  [`${NCHWC}.MaxPool`]: maxPool,
  [`${NCHWC}.AveragePool`]: averagePool,
  [`${NCHWC}.GlobalMaxPool`]: globalPool('max'),
  [`${NCHWC}.GlobalAveragePool`]: globalPool('mean'),
  [`${NCHWC}.Upsample`]: upsample,
});
const undecided: OnnxBuilder = n =>
  n.unsupported(
    'onnxruntime optimised the file for one kind of processor, and nothing in it tells whether its blocks are of 8 or of 16 channels; ' +
      'save it again from the original model with the optimisation level ORT_ENABLE_EXTENDED, or give the original model',
  );
/** The operators where the size of the blocks is not known. */
export const nchwcOps: OnnxOps = Object.fromEntries(Object.keys(domainOps(8)).map(name => [name, undecided]));
