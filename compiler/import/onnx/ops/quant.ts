import { dimEq, dimFloorDiv, dimMod, dimProd, type Dim } from '../../../core/dim.ts';
import { DTYPES, isFloat, type DType } from '../../../core/dtype.ts';
import { toNumbers } from '../../../core/tensor.ts';
import { must } from '../../../core/diagnostic.ts';
import { tensorOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { ConvInteger } from '../../../ops/conv/conv-integer.ts';
import { AveragePool } from '../../../ops/pool/pool.ts';
import { DequantizeLinear, QuantizeLinear } from '../../../ops/quant/quant.ts';
import { Range } from '../../../ops/movement/range.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { convAttrs, operands, poolAttrs } from './conv.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { cast, concat, reshape, transpose } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { castTo } from '../../shared/small.ts';
import { addBias } from '../../shared/channels.ts';
import {
  dequantized,
  dynamicallyQuantized,
  flat,
  integerProduct,
  isSingle,
  quantized,
  requantized,
  sideways,
} from '../../shared/quant.ts';

/** How the elements of a tensor share scales: x seen in other sizes, operands shaped to meet it, and the way back. */
interface Shared {
  readonly x: Value;
  fit(v: Value): Value;
  back(y: Value): Value;
}
/** One scale for all, one for each index along an axis, or one for each block along it. */
function sharing(n: OnnxNode, c: ImportCtx, x: Value, scale: Value): Shared {
  const rank = rankOf(x);
  const same = (y: Value): Value => y;
  if (rankOf(scale) === 0 || (rankOf(scale) === 1 && isSingle(scale))) return { x, fit: v => reshape(c, v, []), back: same };
  const axis = axisOf(n, n.int('axis', 1), rank);
  if (rankOf(scale) === 1 && (rank > 1 || n.int('block_size', 0) === 0))
    return { x, fit: v => reshape(c, v, [...v.type.shape, ...axesFrom(x, axis + 1).map(() => 1)]), back: same };
  if (rankOf(scale) !== rank) n.reject(`the scale has ${rankOf(scale)} axes, x has ${rank}`);
  const block = n.int('block_size', 0);
  const { shape } = x.type;
  const [size, blocks] = [must(shape[axis]), must(scale.type.shape[axis])];
  if (dimEq(size, blocks)) return { x, fit: same, back: same };
  if (block < 1) n.reject('the scale has an axis in blocks, but block_size is not given');
  const around = (...mid: readonly Dim[]): Dim[] => [...shape.slice(0, axis), ...mid, ...shape.slice(axis + 1)];
  if (dimEq(dimMod(size, block), 0))
    return {
      x: reshape(c, x, around(dimFloorDiv(size, block), block)),
      fit: v => reshape(c, v, around(dimFloorDiv(size, block), 1)),
      back: y => reshape(c, y, shape),
    };
  // The last block is cut short, or may be.
  const places = c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: size });
  const at = c.apply1(e.Div, [places, c.literal('i64', block)]);
  return { x, fit: v => c.apply1(Gather, [v, at], { axis }), back: same };
}

const quantizeLinear: OnnxBuilder = (n, c) => {
  const [given, scale] = [n.input(0, 'x'), n.input(1, 'y_scale')];
  const zero = n.inputs[2];
  const to = zero?.type.dtype ?? typeOf(n, 'output_dtype', 'u8');
  const s = sharing(n, c, given, scale);
  const same = isFloat(given.type.dtype) && given.type.dtype === scale.type.dtype ? given.type.dtype : 'f32';
  const real = typeOf(n, 'precision', same);
  const [x, by] = [cast(c, s.x, real), cast(c, s.fit(scale), real)];
  if (!isFloat(to)) return [s.back(c.apply1(QuantizeLinear, [x, by, zero ? s.fit(zero) : c.literal(to, 0)]))];
  const quotient = c.apply1(e.Div, [x, by]);
  const from = offset(n, zero);
  const y = from ? c.apply1(e.Add, [quotient, cast(c, s.fit(from), real)]) : quotient;
  return [s.back(castTo(c, y, to, { saturate: n.bool('saturate', true), round: 'up' }))];
};
/** An attribute that may name an element type; 0 is none. */
const typeOf = (n: OnnxNode, name: string, otherwise: DType): DType => (n.int(name, 0) === 0 ? otherwise : n.dtype(name));
/** The zero point of small floats, where there is one. Of 8 bits it must be 0. */
function offset(n: OnnxNode, zero: Value | undefined): Value | undefined {
  const t = tensorOf(zero);
  if (!zero || (t && toNumbers(t).every(v => v === 0))) return undefined;
  if (t && DTYPES[zero.type.dtype].bits === 8) n.reject('the zero point of an 8-bit float must be 0');
  return zero;
}
const dequantizeLinear: OnnxBuilder = (n, c) => {
  const [given, scale] = [n.input(0, 'x'), n.input(1, 'x_scale')];
  const zero = n.inputs[2];
  const s = sharing(n, c, given, scale);
  const to = n.opset >= 23 ? typeOf(n, 'output_dtype', scale.type.dtype) : scale.type.dtype;
  const { dtype } = given.type;
  if (isFloat(dtype)) {
    const x = cast(c, s.x, 'f32');
    const from = offset(n, zero);
    const moved = from ? c.apply1(e.Sub, [x, cast(c, s.fit(from), 'f32')]) : x;
    return [s.back(cast(c, c.apply1(e.Mul, [moved, cast(c, s.fit(scale), 'f32')]), to))];
  }
  // What follows knows integers of a byte.
  const whole: DType = DTYPES[dtype].bits >= 8 ? dtype : DTYPES[dtype].kind === 'int' ? 'i8' : 'u8';
  const z = zero ? cast(c, s.fit(zero), whole) : c.literal(whole, 0);
  return [s.back(c.apply1(DequantizeLinear, [cast(c, s.x, whole), s.fit(scale), z], { to }))];
};
const dynamicQuantizeLinear: OnnxBuilder = (n, c) => {
  const { y, scale, zero } = dynamicallyQuantized(c, n.input(0));
  return [y, scale, zero];
};
const qLinearMatMul: OnnxBuilder = (n, c) => {
  const a = n.input(0, 'a');
  const acc = integerProduct(c, a, n.input(3, 'b'), n.input(2), n.input(5));
  const scales = [sideways(c, n.input(1), true), sideways(c, n.input(4), false)];
  return [requantized(c, acc, scales, n.input(6), n.input(7), a.type.dtype)];
};
const qLinearConv: OnnxBuilder = (n, c) => {
  const [x, w] = operands(n, 3);
  const perOutput = (v: Value, like: Value): Value =>
    isSingle(v) ? reshape(c, v, []) : reshape(c, v, [must(v.type.shape[0]), ...axesFrom(like, 1).map(() => 1)]);
  const attrs = convAttrs(n, x, w);
  const acc = c.apply1(ConvInteger, [x, w, flat(c, n.input(2)), perOutput(n.input(5), w)], attrs);
  const sum = addBias(c, acc, n.inputs[8]);
  const ws = n.input(4);
  const scale = isSingle(ws) ? reshape(c, ws, []) : reshape(c, ws, [must(ws.type.shape[0]), ...axesFrom(x, 2).map(() => 1)]);
  return [requantized(c, sum, [flat(c, n.input(1)), scale], n.input(6), n.input(7), x.type.dtype)];
};
/** Integer Gemm; without the scale of the result it gives floats. */
const qGemm: OnnxBuilder = (n, c) => {
  const turned = (v: Value, flag: string): Value => (n.bool(flag, false) ? transpose(c, v, [1, 0]) : v);
  const [a, b] = [turned(n.input(0), 'transA'), turned(n.input(3), 'transB')];
  const product = integerProduct(c, a, b, flat(c, n.input(2)), n.input(5));
  const bias = n.inputs[6];
  const acc = bias ? c.apply1(e.Add, [product, bias]) : product;
  const scales = [flat(c, n.input(1)), sideways(c, n.input(4), false), c.literal('f32', n.float('alpha', 1))];
  const out = n.inputs[7];
  if (out) return [requantized(c, acc, scales, out, n.inputs[8], a.type.dtype)];
  return [c.apply1(e.Mul, [cast(c, acc, 'f32'), scales.reduce((p, q) => c.apply1(e.Mul, [p, q]))])];
};
const matMulInteger: OnnxBuilder = (n, c) => [integerProduct(c, n.input(0), n.input(1), n.inputs[2], n.inputs[3])];
const convInteger: OnnxBuilder = (n, c) => {
  const [x, w] = operands(n, 1);
  const [xz, wz] = [n.inputs[2], n.inputs[3]];
  const perOutput =
    wz && (isSingle(wz) ? reshape(c, wz, []) : reshape(c, wz, [must(wz.type.shape[0]), ...axesFrom(w, 1).map(() => 1)]));
  return [c.apply1(ConvInteger, [x, w, xz && flat(c, xz), perOutput], convAttrs(n, x, w))];
};
/** Integer product of A and B, scaled; B may be quantized here and A as it comes (`A` in floats). */
const matMulIntegerToFloat: OnnxBuilder = (n, c) => {
  const acc = integerProduct(c, n.input(0), n.input(1), n.inputs[4], n.inputs[5]);
  const scale = c.apply1(e.Mul, [sideways(c, n.input(2), true), sideways(c, n.input(3), false)]);
  const y = c.apply1(e.Mul, [cast(c, acc, 'f32'), scale]);
  return [n.inputs[6] ? c.apply1(e.Add, [y, n.inputs[6]]) : y];
};
const dynamicQuantizeMatMul: OnnxBuilder = (n, c) => {
  const x = dynamicallyQuantized(c, n.input(0));
  const acc = integerProduct(c, x.y, n.input(1), x.zero, n.inputs[3]);
  const y = c.apply1(e.Mul, [cast(c, acc, 'f32'), c.apply1(e.Mul, [x.scale, sideways(c, n.input(2), false)])]);
  return [n.inputs[4] ? c.apply1(e.Add, [y, n.inputs[4]]) : y];
};

/** Two quantized operands; the operator runs on what they stand for. */
const binary =
  (op: typeof e.Add): OnnxBuilder =>
  (n, c) => {
    const [a, b] = [dequantized(c, n.input(0), n.input(1), n.inputs[2]), dequantized(c, n.input(3), n.input(4), n.inputs[5])];
    return [quantized(c, c.apply1(op, [a, b]), n.input(6), n.inputs[7], n.input(0).type.dtype)];
  };
/** One quantized operand. */
const unary =
  (f: (x: Value, n: OnnxNode, c: ImportCtx) => Value): OnnxBuilder =>
  (n, c) => [
    quantized(c, f(dequantized(c, n.input(0), n.input(1), n.inputs[2]), n, c), n.input(3), n.inputs[4], n.input(0).type.dtype),
  ];
function globalAverage(x: Value, n: OnnxNode, c: ImportCtx): Value {
  const last = n.bool('channels_last', false);
  return reduceOver(c, 'mean', x, last ? axesFrom(x, 1).slice(0, -1) : axesFrom(x, 2), true);
}
function averagePool(given: Value, n: OnnxNode, c: ImportCtx): Value {
  const rank = rankOf(given);
  const last = n.bool('channels_last', false);
  const x = last ? transpose(c, given, [0, rank - 1, ...axesFrom(given, 1).slice(0, -1)]) : given;
  const y = c.apply1(AveragePool, [x], { ...poolAttrs(n, x), countPads: n.bool('count_include_pad', false) });
  return last ? transpose(c, y, [0, ...axesFrom(y, 2), 1]) : y;
}
/** Along one axis; the attribute `opset` below 13 takes all axes from it on together. */
function softmax(x: Value, n: OnnxNode, c: ImportCtx): Value {
  const rank = rankOf(x);
  const axis = axisOf(n, n.int('axis', -1), rank);
  if (n.int('opset', 13) >= 13 || axis === rank - 1) return c.apply1(Softmax, [x], { axis });
  const flat = reshape(c, x, [dimProd(x.type.shape.slice(0, axis)), dimProd(x.type.shape.slice(axis))]);
  return reshape(c, c.apply1(Softmax, [flat], { axis: 1 }), x.type.shape);
}
const qLinearConcat: OnnxBuilder = (n, c) => {
  const parts = Array.from({ length: Math.floor((n.inputs.length - 2) / 3) }, (_, i) =>
    dequantized(c, n.input(2 + 3 * i), n.input(3 + 3 * i), n.input(4 + 3 * i)),
  );
  const [first] = parts;
  if (!first) return n.reject('takes at least one tensor');
  const y = concat(c, parts, axisOf(n, n.int('axis'), rankOf(first)));
  return [quantized(c, y, n.input(0), n.input(1), n.input(2).type.dtype)];
};
const qLinearWhere: OnnxBuilder = (n, c) => {
  const [a, b] = [dequantized(c, n.input(1), n.input(2), n.inputs[3]), dequantized(c, n.input(4), n.input(5), n.inputs[6])];
  return [quantized(c, c.apply1(e.Where, [n.input(0), a, b]), n.input(7), n.inputs[8], n.input(1).type.dtype)];
};

export const quantOps: OnnxOps = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  'com.microsoft.QuantizeLinear': quantizeLinear,
  'com.microsoft.DequantizeLinear': dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  QLinearMatMul: qLinearMatMul,
  QLinearConv: qLinearConv,
  MatMulInteger: matMulInteger,
  ConvInteger: convInteger,
  'com.microsoft.QGemm': qGemm,
  'com.microsoft.MatMulIntegerToFloat': matMulIntegerToFloat,
  'com.microsoft.DynamicQuantizeMatMul': dynamicQuantizeMatMul,
  'com.microsoft.QLinearAdd': binary(e.Add),
  'com.microsoft.QLinearMul': binary(e.Mul),
  'com.microsoft.QLinearSigmoid': unary((x, _, c) => c.apply1(e.Sigmoid, [x])),
  'com.microsoft.QLinearLeakyRelu': unary((x, n, c) => c.apply1(e.LeakyRelu, [x], { alpha: n.float('alpha', 0.01) })),
  'com.microsoft.QLinearGlobalAveragePool': unary(globalAverage),
  'com.microsoft.QLinearAveragePool': unary(averagePool),
  'com.microsoft.QLinearSoftmax': unary(softmax),
  'com.microsoft.QLinearConcat': qLinearConcat,
  'com.microsoft.QLinearWhere': qLinearWhere,
};
