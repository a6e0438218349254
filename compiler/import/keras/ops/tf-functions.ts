import type { Json } from '../../shared/json.ts';
import { field, isArray } from '../../shared/json.ts';
import type { Arg, CallView, LayerBuilder, LayerTable } from '../registry.ts';

/**
 * Functions of TensorFlow that Keras 2 makes layers of (`TFOpLambda`, `SlicingOpLambda`): the operations of keras.ops that mean the same,
 * with the names of their arguments.
 */
interface Same {
  readonly op: string;
  readonly names?: Readonly<Record<string, string>>;
}
const same = (op: string, names: Readonly<Record<string, string>> = {}): Same => ({ op, names });
const AB = { a: 'x1', b: 'x2' };
const XY = { x: 'x1', y: 'x2' };
const binary: Readonly<Record<string, string>> = {
  add: 'Add',
  subtract: 'Subtract',
  sub: 'Subtract',
  multiply: 'Multiply',
  mul: 'Multiply',
  divide: 'Divide',
  truediv: 'Divide',
  floordiv: 'FloorDivide',
  floormod: 'Mod',
  mod: 'Mod',
  pow: 'Power',
  maximum: 'Maximum',
  minimum: 'Minimum',
  equal: 'Equal',
  not_equal: 'NotEqual',
  less: 'Less',
  less_equal: 'LessEqual',
  greater: 'Greater',
  greater_equal: 'GreaterEqual',
  logical_and: 'LogicalAnd',
  logical_or: 'LogicalOr',
  divide_no_nan: 'DivideNoNan',
};
const unary: Readonly<Record<string, string>> = {
  abs: 'Absolute',
  negative: 'Negative',
  neg: 'Negative',
  exp: 'Exp',
  log: 'Log',
  sqrt: 'Sqrt',
  rsqrt: 'Rsqrt',
  square: 'Square',
  sin: 'Sin',
  cos: 'Cos',
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  softplus: 'Softplus',
  floor: 'Floor',
  ceil: 'Ceil',
  sign: 'Sign',
  erf: 'Erf',
  logical_not: 'LogicalNot',
};
const FUNCTIONS = new Map<string, Same>([
  ...Object.entries(binary).flatMap(([k, op]) => [`math.${k}`, `__operators__.${k}`].map(name => [name, same(op, XY)] as const)),
  ...Object.entries(unary).flatMap(([k, op]) => [`math.${k}`, `__operators__.${k}`, k].map(name => [name, same(op)] as const)),
  ...['sum', 'mean', 'max', 'min', 'prod', 'any', 'all'].flatMap(k => {
    const op = `${k.charAt(0).toUpperCase()}${k.slice(1)}`;
    return [`math.reduce_${k}`, `reduce_${k}`].map(name => [name, same(op, { input_tensor: 'x' })] as const);
  }),
  ...['relu', 'relu6', 'sigmoid', 'silu', 'swish', 'elu', 'selu', 'softplus', 'softsign', 'tanh', 'softmax', 'log_softmax'].map(
    k => {
      const op = k === 'swish' ? 'Silu' : k.replace(/(?:^|_)([a-z])/g, (_, ch: string) => ch.toUpperCase());
      return [`nn.${k}`, same(op, { features: 'x', logits: 'x' })] as const;
    },
  ),
  ['concat', same('Concatenate', { values: 'xs' })],
  ['stack', same('Stack', { values: 'x' })],
  ['unstack', same('Unstack', { value: 'x' })],
  ['split', same('Split', { value: 'x', num_or_size_splits: 'indices_or_sections' })],
  ['reshape', same('Reshape', { tensor: 'x', shape: 'newshape' })],
  ['expand_dims', same('ExpandDims', { input: 'x' })],
  ['squeeze', same('Squeeze', { input: 'x' })],
  ['transpose', same('Transpose', { a: 'x', perm: 'axes' })],
  ['tile', same('Tile', { input: 'x', multiples: 'repeats' })],
  ['cast', same('Cast')],
  ['identity', same('Copy', { input: 'x' })],
  ['stop_gradient', same('StopGradient', { input: 'x' })],
  ['clip_by_value', same('Clip', { t: 'x', clip_value_min: 'x_min', clip_value_max: 'x_max' })],
  ['where', same('Where', XY)],
  ['linalg.matmul', same('Matmul', AB)],
  ['matmul', same('Matmul', AB)],
  ['pad', same('Pad', { tensor: 'x', paddings: 'pad_width' })],
]);
/** Settings that change what a function means, where they are not as they are left out. */
const OTHERWISE = ['transpose_a', 'transpose_b', 'adjoint_a', 'adjoint_b', 'beta'];
const renamed = (call: CallView, names: Readonly<Record<string, string>>): CallView => {
  const kwargs = new Map<string, Arg>([...call.kwargs].filter(([k]) => k !== 'name').map(([k, a]) => [names[k] ?? k, a]));
  return {
    ...call,
    kwargs,
    json: (name, place) => {
      const a = kwargs.get(name) ?? (place === undefined ? undefined : call.args[place]);
      return a?.k === 'json' ? (typeof a.json === 'string' && name === 'mode' ? a.json.toLowerCase() : a.json) : undefined;
    },
  };
};
/** Builds such layers with the operations of `table`. */
export const functionLayers = (table: LayerTable): LayerTable => {
  const opLambda: LayerBuilder = (n, c, call) => {
    const name = n.text('function');
    const to = FUNCTIONS.get(name);
    const build = to && table[`ops.${to.op}`];
    if (!build)
      return c.unsupported(
        `Sinter does not know tf.${name} as a layer; export the model as a SavedModel (model.export) and compile that`,
      );
    for (const key of OTHERWISE)
      if (call.json(key) === true || typeof call.json(key) === 'number') return c.unsupported(`tf.${name} with ${key}`);
    return build(n, c, renamed(call, to.names ?? {}));
  };
  const slicing: LayerBuilder = (n, c, call) => {
    const spec = call.json('slice_spec', 1);
    const entry = (j: Json): Json => {
      if (typeof j === 'string') return { class_name: '__ellipsis__', config: {} };
      return field(j, 'start') !== undefined || field(j, 'stop') !== undefined
        ? {
            class_name: '__slice__',
            config: { start: field(j, 'start') ?? null, stop: field(j, 'stop') ?? null, step: field(j, 'step') ?? null },
          }
        : j;
    };
    const list = isArray(spec)
      ? Array.from(spec as readonly Json[]).map(entry)
      : spec === undefined
        ? c.unsupported('a slice by tensors')
        : [entry(spec)];
    const key: Arg = { k: 'list', items: list.map(json => ({ k: 'json', json })) };
    const build = table['ops.GetItem'] ?? c.unsupported('slices');
    return build(n, c, { ...call, kwargs: new Map([['key', key]]) });
  };
  return { TFOpLambda: opLambda, SlicingOpLambda: slicing };
};
