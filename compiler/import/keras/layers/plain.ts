import * as e from '../../../ops/elementwise/index.ts';
import type { Value } from '../../../graph/graph.ts';
import { rankOf } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { asNumber, field, type Json } from '../../shared/json.ts';
import { oneHot } from '../../shared/tensorflow/select.ts';
import { cast, reshape } from '../../shared/views.ts';
import { dtypeOr, type LayerView } from '../layer.ts';
import type { KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';

/** Layers that do nothing when a model is used, and the few that prepare numbers. */

/** What only training has. */
const nothing: LayerBuilder = (_n, _c, call) => [{ value: call.x() }];
const masking: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const differs = c.apply1(e.Not, [c.apply1(e.Equal, [x, c.literal(x.type.dtype, n.float('mask_value', 0))])]);
  const axis = rankOf(x) - 1;
  const any = reduceOver(c, 'max', differs, [axis], true);
  const mask = reshape(c, any, x.type.shape.slice(0, -1));
  return [{ value: c.apply1(e.Where, [any, x, c.literal(x.type.dtype, 0)]), mask }];
};
/** A number or numbers for the last axis. */
function factor(n: LayerView, c: KerasBuilder, key: string, otherwise: number): Value {
  const j: Json = n.json(key) ?? otherwise;
  const plain = field(field(j, 'config'), 'value') ?? j;
  const list = Array.isArray(plain)
    ? (plain as readonly Json[]).map(v => asNumber(v) ?? n.bad(`'${key}' is no list of numbers`))
    : undefined;
  return list ? c.literal(n.dtype, list) : c.literal(n.dtype, asNumber(plain) ?? n.bad(`'${key}' is no number`));
}
const rescaling: LayerBuilder = (n, c, call) => {
  const x = cast(c, call.x(), n.dtype);
  return [{ value: c.apply1(e.Add, [c.apply1(e.Mul, [x, factor(n, c, 'scale', 1)]), factor(n, c, 'offset', 0)]) }];
};
/** Whole numbers below `depth` in one of the forms that categories have. */
function encoded(n: LayerView, c: KerasBuilder, ids: Value, depth: number, mode: string, weights: Value | undefined): Value {
  const type = weights?.type.dtype ?? n.dtype;
  const whole = cast(c, ids, 'i64');
  const row = rankOf(whole) === 0 ? reshape(c, whole, [1]) : whole;
  const hot = (at: Value): Value => oneHot(c, at, depth, c.literal(type, 1), c.literal(type, 0), rankOf(at));
  switch (mode) {
    case 'one_hot': {
      const { shape } = row.type;
      return hot(shape.length > 1 && shape.at(-1) === 1 ? reshape(c, row, shape.slice(0, -1)) : row);
    }
    case 'multi_hot':
      return reduceOver(c, 'max', hot(row), [rankOf(row) > 1 ? rankOf(row) - 1 : 0], false);
    case 'count': {
      const each = weights ? c.apply1(e.Mul, [hot(row), reshape(c, weights, [...weights.type.shape, 1])]) : hot(row);
      return reduceOver(c, 'sum', each, [rankOf(row) > 1 ? 1 : 0], false);
    }
    default:
      return c.unsupported(`output mode '${mode}'`);
  }
}
const categoryEncoding: LayerBuilder = (n, c, call) => {
  if (n.bool('sparse', false)) c.unsupported('sparse results');
  const weights = call.named('count_weights', 1)?.value;
  const depth = n.json('num_tokens') === undefined ? n.int('max_tokens') : n.int('num_tokens');
  return [{ value: encoded(n, c, call.x(), depth, n.text('output_mode', 'multi_hot'), weights && cast(c, weights, n.dtype)) }];
};
/** How many boundaries are not above x. */
const discretization: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const j = n.json('bin_boundaries');
  const bounds = (Array.isArray(j) ? (j as readonly Json[]) : []).map(
    b => asNumber(b) ?? n.bad("'bin_boundaries' are no numbers"),
  );
  if (bounds.length === 0) return c.unsupported('it has no boundaries: it was never adapted');
  const dtype = x.type.dtype === 'f64' ? 'f64' : 'f32';
  const wide = cast(c, x, dtype);
  const over = c.apply1(e.GreaterOrEqual, [reshape(c, wide, [...x.type.shape, 1]), c.literal(dtype, bounds)]);
  const places = reduceOver(c, 'sum', cast(c, over, 'i32'), [rankOf(x)], false);
  const mode = n.text('output_mode', 'int');
  if (mode === 'int') {
    const given = n.json('dtype');
    return [
      {
        value: cast(
          c,
          places,
          typeof given === 'string' && given.startsWith('int') ? dtypeOr(given, 'i64') : n.version === 3 ? 'i32' : 'i64',
        ),
      },
    ];
  }
  return [{ value: encoded(n, c, places, bounds.length + 1, mode, undefined) }];
};
/** Layers that Sinter has no meaning for, with what can be done. */
const refused =
  (why: string): LayerBuilder =>
  (_, c) =>
    c.unsupported(why);
const TEXT =
  'it works on text, which compiled models do not take; give the model what comes out of it, from a copy of the model without this layer';

export const plainLayers: LayerTable = {
  Identity: nothing,
  Dropout: nothing,
  SpatialDropout1D: nothing,
  SpatialDropout2D: nothing,
  SpatialDropout3D: nothing,
  AlphaDropout: nothing,
  GaussianDropout: nothing,
  GaussianNoise: nothing,
  ActivityRegularization: nothing,
  RandomBrightness: nothing,
  RandomContrast: nothing,
  RandomFlip: nothing,
  RandomRotation: nothing,
  RandomTranslation: nothing,
  RandomZoom: nothing,
  RandomHeight: nothing,
  RandomWidth: nothing,
  RandomColorDegeneration: nothing,
  RandomColorJitter: nothing,
  RandomGaussianBlur: nothing,
  RandomGrayscale: nothing,
  RandomHue: nothing,
  RandomInvert: nothing,
  RandomPosterization: nothing,
  RandomPerspective: nothing,
  RandomSaturation: nothing,
  RandomSharpness: nothing,
  RandomShear: nothing,
  RandomErasing: nothing,
  RandomElasticTransform: nothing,
  Masking: masking,
  Rescaling: rescaling,
  CategoryEncoding: categoryEncoding,
  Discretization: discretization,
  Lambda: refused(
    'a Lambda layer holds Python code, which is never run; build the model from layers or from operations of keras.ops, and save it again',
  ),
  TextVectorization: refused(TEXT),
  StringLookup: refused(TEXT),
  Hashing: refused(TEXT),
  HashedCrossing: refused(TEXT),
  TFSMLayer: refused('it holds a SavedModel; compile that instead'),
  TorchModuleWrapper: refused('it holds a module of PyTorch; export that to ONNX'),
  JaxLayer: refused('it holds a function of JAX; export the model as a SavedModel'),
  FlaxLayer: refused('it holds a module of Flax; export the model as a SavedModel'),
};
