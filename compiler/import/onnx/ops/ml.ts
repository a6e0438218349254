import { must } from '../../../core/diagnostic.ts';
import { dimProd } from '../../../core/dim.ts';
import { isFloat, type DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import type { ImportCtx, OnnxBuilder, OnnxOps } from '../registry.ts';
import { encodeOps } from './ml-encode.ts';
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
const binarizer: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  return [cast(c, c.apply1(e.Greater, [x, c.literal(x.type.dtype, n.float('threshold', 0))]), x.type.dtype)];
};

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
  ...encodeOps,
  'ai.onnx.ml.Scaler': scaler,
  'ai.onnx.ml.Normalizer': normalizer,
  'ai.onnx.ml.Imputer': imputer,
  'ai.onnx.ml.Binarizer': binarizer,
  'ai.onnx.ml.FeatureVectorizer': featureVectorizer,
  'ai.onnx.ml.ArrayFeatureExtractor': arrayFeatureExtractor,
  'ai.onnx.ml.ZipMap': zipMap,
  'ai.onnx.ml.LinearRegressor': linearRegressor,
  'ai.onnx.ml.LinearClassifier': linearClassifier,
  'ai.onnx.ml.SVMRegressor': svmRegressor,
  'ai.onnx.ml.SVMClassifier': svmClassifier,
};
