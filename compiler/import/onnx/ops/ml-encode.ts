import { must } from '../../../core/diagnostic.ts';
import { isFloat, type DType } from '../../../core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../../core/tensor.ts';
import { relisted, textTensor } from '../../../core/texts.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { lookedUp } from '../../shared/lookup.ts';
import { cast, reshape } from '../../shared/views.ts';

/** The encoders of ai.onnx.ml: categories as numbers or texts. */

/** Keys or values of an encoder, [n], by the attribute that holds them. */
function list(n: OnnxNode, c: ImportCtx, what: 'keys' | 'values'): Tensor {
  if (n.has(`${what}_tensor`)) return relisted(n.tensor(`${what}_tensor`), c.textList);
  if (n.has(`${what}_strings`))
    return textTensor([n.strings(`${what}_strings`).length], n.strings(`${what}_strings`), c.textList);
  const of = (dtype: DType, v: readonly number[]): Tensor => fromNumbers(dtype, [v.length], v);
  return n.has(`${what}_int64s`) ? of('i64', n.ints(`${what}_int64s`)) : of('f32', n.floats(`${what}_floats`));
}
/** What a key that is not among the keys becomes, by the type of the values. */
function defaultOf(n: OnnxNode, c: ImportCtx, dtype: DType): number {
  if (n.has('default_tensor')) return toNumbers(relisted(n.tensor('default_tensor'), c.textList))[0] ?? 0;
  if (dtype === 'text') return c.textList.placeOf(n.string('default_string', '_Unused'));
  return isFloat(dtype) ? n.float('default_float', -0) : n.int('default_int64', -1);
}
const labelEncoder: OnnxBuilder = (n, c) => {
  if (n.opset < 2) return [mapped(n, c, n.strings('classes_strings'), undefined)];
  const keys = list(n, c, 'keys');
  const values = list(n, c, 'values');
  const [count, other] = [keys, values].map(t => t.dims[0] ?? 1);
  if (count !== other) n.reject(`${count} keys and ${other} values`);
  const given = n.input(0);
  if ((given.type.dtype === 'text') !== (keys.dtype === 'text')) n.reject(`x is ${given.type.dtype}, the keys are ${keys.dtype}`);
  if (values.dtype === 'text') c.labels([...textsIn(c, values), n.string('default_string', '_Unused')]);
  const x = keys.dtype === 'text' ? given : cast(c, given, keys.dtype);
  const found = lookedUp(c, x, keys, values, defaultOf(n, c, values.dtype));
  // Before version 4 NaN is equal to no key.
  const nan = n.opset < 4 || !isFloat(keys.dtype) ? -1 : toNumbers(keys).findIndex(v => Number.isNaN(v));
  const ofNan = toNumbers(values)[nan] ?? 0;
  return [nan < 0 ? found : c.apply1(e.Where, [c.apply1(e.IsNaN, [x]), c.literal(values.dtype, ofNan), found])];
};
const textsIn = (c: ImportCtx, t: Tensor): readonly string[] => [...toNumbers(t)].map(i => must(c.textList.texts[i]));
/** Texts to numbers, or numbers to texts: pairs of the two, by the type of x. Without numbers, the place of each text. */
function mapped(n: OnnxNode, c: ImportCtx, names: readonly string[], numbers: readonly number[] | undefined): Value {
  const texts = textTensor([names.length], names, c.textList);
  const ints = fromNumbers('i64', [names.length], numbers ?? names.map((_, i) => i));
  if (numbers && numbers.length !== names.length) n.reject(`${names.length} texts and ${numbers.length} numbers`);
  const x = n.input(0);
  return x.type.dtype === 'text'
    ? lookedUp(c, x, texts, ints, defaultOf(n, c, 'i64'))
    : lookedUp(c, cast(c, x, 'i64'), ints, texts, defaultOf(n, c, 'text'));
}
const oneHot: OnnxBuilder = (n, c) => {
  if (!n.bool('zeros', true)) c.warn('one-hot', 'a value of no category gives zeros; onnxruntime stops there');
  const isText = n.input(0).type.dtype === 'text';
  const cats = isText ? c.texts(n.strings('cats_strings')) : c.literal('i64', n.ints('cats_int64s'));
  const x = isText ? n.input(0) : cast(c, n.input(0), 'i64');
  return [cast(c, c.apply1(e.Equal, [reshape(c, x, [...x.type.shape, 1]), cats]), 'f32')];
};

export const encodeOps: OnnxOps = {
  'ai.onnx.ml.LabelEncoder': labelEncoder,
  'ai.onnx.ml.CategoryMapper': (n, c) => [mapped(n, c, n.strings('cats_strings'), n.ints('cats_int64s'))],
  'ai.onnx.ml.OneHotEncoder': oneHot,
};
