import { must } from '../../../core/diagnostic.ts';
import type { Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { rankOf } from '../../shared/axes.ts';
import { einsum } from '../../shared/einsum.ts';
import { gather } from '../../shared/gather.ts';
import { field } from '../../shared/json.ts';
import { cast, reshape, transpose } from '../../shared/views.ts';
import { dtypeOr, type LayerView } from '../layer.ts';
import type { Flow, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { activate } from './functions.ts';
import { absMaxQuantized, throughFloat8, unpackInt4 } from './quantized.ts';

/** Layers that multiply with a matrix, and those that look rows of one up; quantized ones as Keras 3 computes them. */

const add = (c: KerasBuilder, x: Value, b: Value | undefined): Value => (b ? c.apply1(e.Add, [x, b]) : x);
/** Whether inputs are rounded to 8 bits before the product: by default they are for int8. */
function roundsInputs(n: LayerView): boolean {
  const config = n.json('quantization_config');
  if (config === undefined || config === null) return n.quantized === 'int8';
  const q = field(field(config, 'config'), 'activation_quantizer');
  return q !== undefined && q !== null;
}
/** What the layer has beside its weights: `kernel` and the like in whole numbers, with its scales. */
interface Quantized {
  /** Whole numbers as floats. */
  readonly kernel: Value;
  readonly bias: Value | undefined;
  readonly scale: Value;
}
/** The weights of int8 and int4. In groups (`int4/128`) they are dequantized at once, and the scale is 1. */
function quantizedKernel(n: LayerView, c: KerasBuilder, name: 'kernel' | 'embeddings', bias: boolean, length: number): Quantized {
  const after = (i: number): number => i + (bias ? 1 : 0);
  const raw = n.variable(name, 0) ?? n.bad(`the weight '${name}' is missing`);
  if (n.variable(`lora_${name}_a`, -1))
    return c.unsupported('quantized weights with a low-rank adaptation; save the model as .keras, which merges them');
  const whole = n.quantized === 'int4' ? unpackInt4(c, raw, -1, length) : raw;
  const kernel = cast(c, c.constant(whole, `${n.name}/${name}`), n.dtype);
  const constantOf = (what: string, place: number): Value | undefined => {
    const t = n.variable(what, place);
    return t && cast(c, c.constant(t, `${n.name}/${what}`), n.dtype);
  };
  const scale = constantOf(`${name}_scale`, after(1)) ?? n.bad(`the weight '${name}_scale' is missing`);
  // Groups have a scale for each, and a zero point.
  const inGroups = n.quantized === 'int4' && rankOf(scale) === 2;
  const zero = inGroups ? constantOf(`${name}_zero`, after(2)) : undefined;
  const groups = inGroups ? n.variable('g_idx', after(3)) : undefined;
  const b = bias ? constantOf('bias', 1) : undefined;
  if (!zero || !groups) return { kernel, bias: b, scale };
  const at = cast(c, c.constant(groups), 'i64');
  const axis = name === 'kernel' ? 0 : rankOf(scale) - 1;
  const each = (v: Value): Value => gather(c, v, at, axis);
  return { kernel: c.apply1(e.Mul, [c.apply1(e.Sub, [kernel, each(zero)]), each(scale)]), bias: b, scale: c.literal(n.dtype, 1) };
}
/** The product of a layer whose weights are whole numbers: `multiply` multiplies, `align` shapes scales of the inputs to meet the result. */
function quantizedProduct(
  n: LayerView,
  c: KerasBuilder,
  x: Value,
  q: Quantized,
  axes: readonly number[],
  multiply: (x: Value, kernel: Value) => Value,
  align: (scale: Value) => Value,
): Value {
  if (!roundsInputs(n)) return c.apply1(e.Div, [multiply(x, q.kernel), q.scale]);
  const { y, scale } = absMaxQuantized(c, x, axes);
  return c.apply1(e.Div, [multiply(y, q.kernel), c.apply1(e.Mul, [align(scale), q.scale])]);
}

/** A weight with what low-rank adaptation adds to it: .keras has them merged, .h5 apart. */
function adapted(n: LayerView, c: KerasBuilder, name: string, w: Value): Value {
  const [a, b] = ['a', 'b'].map(x => n.variable(`lora_${name}_${x}`, -1));
  if (!a || !b) return w;
  const rank = n.int('lora_rank');
  const [left, right] = [a, b].map(t => cast(c, c.constant(t, n.name), n.dtype));
  const delta = c.apply1(MatMul, [must(left), must(right)]);
  const factor = n.float('lora_alpha', rank) / rank;
  return c.apply1(e.Add, [w, c.apply1(e.Mul, [delta, c.literal(n.dtype, factor)])]);
}
/** With float8, a bias of f32 goes through bfloat16. */
const roundedBias = (c: KerasBuilder, b: Value): Value => (b.type.dtype === 'f32' ? cast(c, cast(c, b, 'bf16'), 'f32') : b);
const QUANTIZED = ['int8', 'int4'];
const dense: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const useBias = n.bool('use_bias', n.bool('bias', true));
  const product = (): Value => {
    if (QUANTIZED.includes(n.quantized)) {
      const q = quantizedKernel(n, c, 'kernel', useBias, n.int('units'));
      const y = quantizedProduct(
        n,
        c,
        x,
        q,
        [-1],
        (a, b) => c.apply1(MatMul, [a, b]),
        s => s,
      );
      return add(c, y, q.bias);
    }
    if (n.quantized === 'float8') {
      const names = ['kernel', useBias && 'bias', 'inputs_scale', 'inputs_amax_history', 'kernel_scale'] as const;
      const all = n.variables(...names);
      const [kernel, scales] = [must(all[0]), [must(all.at(-3)), must(all.at(-1))] as const];
      const y = c.apply1(MatMul, [throughFloat8(c, x, scales[0]), throughFloat8(c, kernel, scales[1])]);
      return add(c, y, useBias ? roundedBias(c, must(all[1])) : undefined);
    }
    if (n.quantized !== '') return c.unsupported(`quantization of the kind ${n.quantized}`);
    const [kernel, bias] = n.variables('kernel', useBias && 'bias');
    return add(c, c.apply1(MatMul, [x, adapted(n, c, 'kernel', must(kernel))]), bias);
  };
  return [{ value: activate(n, c, product()) }];
};

/** The letters of an equation of an EinsumDense, with those that `...` stands for. */
function letters(n: LayerView, rank: number): { readonly x: string; readonly w: string; readonly y: string } {
  const m = /^([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)$/.exec(n.text('equation').replaceAll(/\s/g, ''));
  const [x = '', w = '', y = ''] = m?.slice(1) ?? n.bad(`the equation '${n.text('equation')}'`);
  const many = rank - x.replace('...', '').length;
  const free = Array.from('zyxwvutsrqponmlkjihgfedcba')
    .filter(l => !(x + w + y).includes(l))
    .slice(0, Math.max(0, many));
  return { x: x.replace('...', free.join('')), w, y: y.replace('...', free.join('')) };
}
const biasOf = (n: LayerView, c: KerasBuilder, axes: string): Value | undefined => {
  const t = axes === '' ? undefined : n.variable('bias', 1);
  return t && cast(c, c.constant(t, `${n.name}/bias`), n.dtype);
};
/** The kernel of an equation in 4 bits: rows are what is summed over, columns the rest. */
function packedKernel(n: LayerView, c: KerasBuilder, x: Value, at: ReturnType<typeof letters>): Value {
  const order = Array.from(at.w);
  const summed = order.filter(l => !at.y.includes(l));
  if (roundsInputs(n) || order.slice(0, summed.length).some(l => at.y.includes(l)) || summed.some(l => !at.x.includes(l)))
    return c.unsupported('quantization of the kind int4 for this equation');
  const given = n.json('output_shape');
  const out = Array.isArray(given) ? (given as readonly unknown[]) : [given];
  const sizes = order.map((l): number => {
    const d = summed.includes(l) ? x.type.shape[at.x.indexOf(l)] : out[at.y.indexOf(l) - (at.y.length - out.length)];
    return typeof d === 'number' ? d : c.unsupported('quantization of the kind int4 for open sizes');
  });
  const q = quantizedKernel(
    n,
    c,
    'kernel',
    n.text('bias_axes', '') !== '',
    sizes.slice(summed.length).reduce((a, b) => a * b, 1),
  );
  return reshape(c, rankOf(q.scale) === 0 ? q.kernel : c.apply1(e.Div, [q.kernel, q.scale]), sizes);
}
const einsumDense: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const at = letters(n, rankOf(x));
  const equation = `${at.x},${at.w}->${at.y}`;
  const biasAxes = n.text('bias_axes', '');
  /** A bias has the axes of its letters, in the order of the result. */
  const shaped = (bias: Value | undefined): Value | undefined => {
    if (!bias) return undefined;
    const own = Array.from(at.y).map(l => biasAxes.includes(l));
    let next = 0;
    const sizes = own.map((is): Dim => (is ? must(bias.type.shape[next++]) : 1));
    return rankOf(bias) === biasAxes.length ? reshape(c, bias, sizes) : bias;
  };
  const product = (): Value => {
    if (n.quantized === 'int4')
      return add(c, einsum(c, equation, [x, packedKernel(n, c, x, at)]), shaped(biasOf(n, c, biasAxes)));
    if (n.quantized === 'int8') {
      const q = quantizedKernel(n, c, 'kernel', biasAxes !== '', 0);
      const axes = Array.from(at.x).flatMap((l, i) => (at.y.includes(l) ? [] : [i]));
      const align = (scale: Value): Value => {
        const kept = Array.from(at.x).filter(l => at.y.includes(l));
        const small = reshape(
          c,
          scale,
          kept.map(l => must(x.type.shape[at.x.indexOf(l)])),
        );
        const order = Array.from(at.y).filter(l => kept.includes(l));
        const turned = transpose(
          c,
          small,
          order.map(l => kept.indexOf(l)),
        );
        return reshape(
          c,
          turned,
          Array.from(at.y).map((l): Dim => (kept.includes(l) ? must(x.type.shape[at.x.indexOf(l)]) : 1)),
        );
      };
      return add(
        c,
        quantizedProduct(n, c, x, q, axes, (a, b) => einsum(c, equation, [a, b]), align),
        shaped(q.bias),
      );
    }
    if (n.quantized === 'float8') {
      const all = n.variables('kernel', biasAxes !== '' && 'bias', 'inputs_scale', 'inputs_amax_history', 'kernel_scale');
      const y = einsum(c, equation, [throughFloat8(c, x, must(all.at(-3))), throughFloat8(c, must(all[0]), must(all.at(-1)))]);
      return add(c, y, shaped(biasAxes !== '' ? roundedBias(c, must(all[1])) : undefined));
    }
    if (n.quantized !== '') return c.unsupported(`quantization of the kind ${n.quantized}`);
    const [kernel, bias] = n.variables('kernel', biasAxes !== '' && 'bias');
    return add(c, einsum(c, equation, [x, adapted(n, c, 'kernel', must(kernel))]), shaped(bias));
  };
  return [{ value: activate(n, c, product()) }];
};

/** Which ids count: all but 0, where the layer says so. */
const maskOf = (n: LayerView, c: KerasBuilder, ids: Value): Value | undefined =>
  n.bool('mask_zero', false) ? c.apply1(e.Not, [c.apply1(e.Equal, [ids, c.literal(ids.type.dtype, 0)])]) : undefined;
/** Rows of the embeddings by ids. */
function looked(n: LayerView, c: KerasBuilder, ids: Value): Value {
  const at = ids.type.dtype === 'i32' || ids.type.dtype === 'i64' ? ids : cast(c, ids, 'i32');
  if (!QUANTIZED.includes(n.quantized)) return gather(c, adapted(n, c, 'embeddings', must(n.variables('embeddings')[0])), at, 0);
  const q = quantizedKernel(n, c, 'embeddings', false, n.int('output_dim'));
  const rows = gather(c, q.kernel, at, 0);
  if (rankOf(q.scale) === 0) return rows;
  const scale = gather(c, q.scale, at, 0);
  return c.apply1(e.Div, [rows, reshape(c, scale, [...scale.type.shape, 1])]);
}
const embedding: LayerBuilder = (n, c, call) => {
  const ids = call.x();
  const mask = maskOf(n, c, ids);
  const y: Flow = { value: looked(n, c, ids), mask };
  return [y];
};
/** The ids of vectors again: scores for each row of the embeddings. */
const reversibleEmbedding: LayerBuilder = (n, c, call) => {
  const x = call.x();
  if (call.json('reverse', 1) !== true) return [{ value: looked(n, c, x), mask: maskOf(n, c, x) }];
  const tied = n.bool('tie_weights', true);
  const scores = (): Value => {
    if (QUANTIZED.includes(n.quantized)) {
      if (!tied || n.quantized === 'int4') return c.unsupported(`scores by embeddings of the kind ${n.quantized}`);
      const q = quantizedKernel(n, c, 'embeddings', false, n.int('output_dim'));
      return quantizedProduct(
        n,
        c,
        x,
        q,
        [-1],
        (a, b) => c.apply1(MatMul, [a, b], { transB: true }),
        s => s,
      );
    }
    const [embeddings, reverse] = n.variables('embeddings', !tied && 'reverse_embeddings');
    const type = dtypeOr(n.json('reverse_dtype'), n.dtype);
    const w = cast(c, tied ? adapted(n, c, 'embeddings', must(embeddings)) : must(reverse), type);
    return c.apply1(MatMul, [cast(c, x, type), w], { transB: tied });
  };
  const y = scores();
  const cap = n.json('logit_soft_cap');
  if (typeof cap !== 'number') return [{ value: y }];
  const limit = c.literal(y.type.dtype, cap);
  return [{ value: c.apply1(e.Mul, [c.apply1(e.Tanh, [c.apply1(e.Div, [y, limit])]), limit]) }];
};

export const denseLayers: LayerTable = {
  Dense: dense,
  EinsumDense: einsumDense,
  Embedding: embedding,
  ReversibleEmbedding: reversibleEmbedding,
};
