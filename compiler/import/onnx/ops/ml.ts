import { must } from '../../../core/diagnostic.ts';
import { dimProd } from '../../../core/dim.ts';
import { isFloat, type DType } from '../../../core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Lookup } from '../../../ops/ml/lookup.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { linearClassifier, linearRegressor } from './ml-linear.ts';
import { svmClassifier, svmRegressor } from './ml-svm.ts';
import { rankOf } from '../../shared/axes.ts';
import { indicesInto } from '../../shared/indices.ts';
import { cast, concat, reshape, slice } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';

/** The operators of ai.onnx.ml, but for trees (`trees.ts`). Their results follow onnxruntime where the standard leaves them open. */

/** A list that applies to columns: one number for all or one for each. */
const columns = (c: ImportCtx, dtype: DType, v: readonly number[]): Value =>
  v.length === 1 ? c.literal(dtype, must(v[0])) : c.literal(dtype, v);

const scaler: OnnxBuilder = (n, c) => {
  const x = cast(c, n.input(0), 'f32');
  const moved = c.apply1(e.Sub, [x, columns(c, 'f32', n.floats('offset'))]);
  return [c.apply1(e.Mul, [moved, columns(c, 'f32', n.floats('scale'))])];
};
const normalizer: OnnxBuilder = (n, c) => {
  const x = cast(c, n.input(0), 'f32');
  const axes = [rankOf(x) - 1];
  const kind = n.string('norm', 'MAX');
  const norm = (): Value => {
    switch (kind) {
      case 'MAX':
        return reduceOver(c, 'max', x, axes, true);
      case 'L1':
        return reduceOver(c, 'sum', c.apply1(e.Abs, [x]), axes, true);
      case 'L2':
        return c.apply1(e.Sqrt, [reduceOver(c, 'sum', c.apply1(e.Mul, [x, x]), axes, true)]);
      default:
        return n.reject(`norm is '${kind}', not MAX, L1 or L2`);
    }
  };
  const size = norm();
  const zero = c.literal('f32', 0);
  return [c.apply1(e.Div, [x, c.apply1(e.Where, [c.apply1(e.Equal, [size, zero]), c.literal('f32', 1), size])])];
};
const imputer: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const { dtype } = x.type;
  const float = isFloat(dtype);
  const replaced = float ? n.float('replaced_value_float', 0) : n.int('replaced_value_int64', 0);
  const by = columns(c, dtype, float ? n.floats('imputed_value_floats') : n.ints('imputed_value_int64s'));
  const hole = Number.isNaN(replaced) ? c.apply1(e.IsNaN, [x]) : c.apply1(e.Equal, [x, c.literal(dtype, replaced)]);
  return [c.apply1(e.Where, [hole, by, x])];
};
const oneHot: OnnxBuilder = (n, c) => {
  if (n.has('cats_strings')) n.unsupported('it encodes text');
  const cats = n.ints('cats_int64s');
  if (!n.bool('zeros', true)) c.warn('one-hot', 'a value of no category gives zeros; onnxruntime stops there');
  const x = cast(c, n.input(0), 'i64');
  const hit = c.apply1(e.Equal, [reshape(c, x, [...x.type.shape, 1]), c.literal('i64', cats)]);
  return [cast(c, hit, 'f32')];
};
const binarizer: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  return [cast(c, c.apply1(e.Greater, [x, c.literal(x.type.dtype, n.float('threshold', 0))]), x.type.dtype)];
};

/** Keys or values of an encoder as numbers. */
function list(n: OnnxNode, what: 'keys' | 'values'): Tensor | readonly string[] {
  const tensor = n.has(`${what}_tensor`) ? n.tensor(`${what}_tensor`) : undefined;
  if (tensor) return tensor;
  if (n.has(`${what}_strings`)) return n.strings(`${what}_strings`);
  const of = (dtype: DType, v: readonly number[]): Tensor => fromNumbers(dtype, [v.length], v);
  return n.has(`${what}_int64s`) ? of('i64', n.ints(`${what}_int64s`)) : of('f32', n.floats(`${what}_floats`));
}
const isTensor = (t: Tensor | readonly string[]): t is Tensor => 'dtype' in t;
/** Text that is given becomes its place in the list, and the list goes beside the model. */
function labelEncoder(n: OnnxNode, c: ImportCtx): readonly Value[] {
  const keys = n.opset < 2 ? n.unsupported('it encodes text') : list(n, 'keys');
  if (!isTensor(keys)) return n.unsupported('its keys are text');
  const given = list(n, 'values');
  const text = isTensor(given) ? undefined : given;
  const values = isTensor(given) ? toNumbers(given) : given.map((_, i) => i);
  const dtype = isTensor(given) ? given.dtype : 'i64';
  if (text) c.labels([...text, n.string('default_string', '_Unused')]);
  const other = (): number => {
    if (text) return text.length;
    if (n.has('default_tensor')) return toNumbers(n.tensor('default_tensor'))[0] ?? 0;
    return isFloat(dtype) ? n.float('default_float', -0) : n.int('default_int64', -1);
  };
  const numbers = [...toNumbers(keys)];
  if (numbers.length !== values.length) n.reject(`${numbers.length} keys and ${values.length} values`);
  // The first of equal keys counts.
  const firsts = new Map<number, number>();
  numbers.forEach((v, i) => {
    if (!firsts.has(v) && !Number.isNaN(v)) firsts.set(v, i);
  });
  const places = [...firsts.values()];
  places.sort((a, b) => must(numbers[a]) - must(numbers[b]));
  const sorted = places.map(i => must(numbers[i]));
  const table = [...places.map(i => values[i] ?? 0), other()];
  const x = cast(c, n.input(0), keys.dtype);
  const found = c.apply1(Lookup, [x, c.literal(keys.dtype, sorted), c.literal(dtype, table)]);
  // Before version 4 NaN is equal to no key.
  const nan = n.opset < 4 ? -1 : numbers.findIndex(v => Number.isNaN(v));
  return [nan < 0 ? found : c.apply1(e.Where, [c.apply1(e.IsNaN, [x]), c.literal(dtype, values[nan] ?? 0), found])];
}

const featureVectorizer: OnnxBuilder = (n, c) => {
  const wanted = n.ints('inputdimensions', []);
  const parts = n.inputs.map((_, i) => {
    const given = cast(c, n.input(i), 'f32');
    const [rows, ...rest] = given.type.shape;
    const x = rankOf(given) < 2 ? reshape(c, given, [1, rows ?? 1]) : reshape(c, given, [must(rows), dimProd(rest)]);
    const size = wanted[i];
    const has = must(x.type.shape[1]);
    if (size === undefined || has === size) return x;
    if (typeof has !== 'number') return n.unsupported('features whose number is not fixed');
    return size < has
      ? slice(c, x, new Map([[1, { start: 0, size, step: 1 }]]))
      : c.apply1(Pad, [x, c.literal('f32', 0)], { begin: [0, 0], end: [0, size - has] });
  });
  return [concat(c, parts, 1)];
};
const arrayFeatureExtractor: OnnxBuilder = (n, c) => {
  const given = n.input(0);
  const x = rankOf(given) === 1 ? reshape(c, given, [1, ...given.type.shape]) : given;
  const at = n.input(1);
  const flat = reshape(c, at, [dimProd(at.type.shape)]);
  return [c.apply1(Gather, [x, indicesInto(c, flat, [must(x.type.shape.at(-1))], false)], { axis: rankOf(x) - 1 })];
};
/** A map from label to score is the scores, and the labels beside the model. */
const zipMap: OnnxBuilder = (n, c) => {
  if (n.has('classlabels_strings')) c.labels(n.strings('classlabels_strings'));
  else c.labels(n.ints('classlabels_int64s').map(String));
  return [n.input(0)];
};

export const mlOps: OnnxOps = {
  'ai.onnx.ml.Scaler': scaler,
  'ai.onnx.ml.Normalizer': normalizer,
  'ai.onnx.ml.Imputer': imputer,
  'ai.onnx.ml.OneHotEncoder': oneHot,
  'ai.onnx.ml.Binarizer': binarizer,
  'ai.onnx.ml.LabelEncoder': labelEncoder,
  'ai.onnx.ml.FeatureVectorizer': featureVectorizer,
  'ai.onnx.ml.ArrayFeatureExtractor': arrayFeatureExtractor,
  'ai.onnx.ml.ZipMap': zipMap,
  'ai.onnx.ml.LinearRegressor': linearRegressor,
  'ai.onnx.ml.LinearClassifier': linearClassifier,
  'ai.onnx.ml.SVMRegressor': svmRegressor,
  'ai.onnx.ml.SVMClassifier': svmClassifier,
};
