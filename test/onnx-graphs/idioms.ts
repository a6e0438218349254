/** What exporters spell out in small operators, and near misses of it. */
import type { Draw, Spec, Val } from './draw.ts';

/** Adds an operator; undefined where the oracle refuses it. */
export type Apply = (s: Spec) => Promise<Val | undefined>;
type Idiom = (d: Draw, op: (name: string, ...inputs: readonly (Val | undefined)[]) => Promise<Val>) => Promise<unknown>;

/** A constant, or one that is slightly another. */
const near = (d: Draw, x: number): Val => {
  const by = d.chance(0.7) ? 0 : d.pick([1e-3, -1e-3, 1e-4, 1e-5, 1e-6]);
  return d.constant('f32', [], [Math.fround(x * (1 + by))]);
};
const idioms: Readonly<Record<string, Idiom>> = {
  silu: async (d, op) => {
    const x = d.floats();
    return op('Mul', x, await op('Sigmoid', x));
  },
  gelu: async (d, op) => {
    const x = d.floats();
    const erf = await op('Erf', await op('Div', x, near(d, Math.SQRT2)));
    return op('Mul', await op('Mul', x, await op('Add', erf, near(d, 1))), near(d, 0.5));
  },
  'gelu, tanh': async (d, op) => {
    const x = d.floats();
    const cube = await op('Mul', await op('Pow', x, near(d, 3)), near(d, 0.044715));
    const t = await op('Tanh', await op('Mul', await op('Add', x, cube), near(d, Math.sqrt(2 / Math.PI))));
    return op('Mul', await op('Mul', near(d, 0.5), x), await op('Add', near(d, 1), t));
  },
  mish: async (d, op) => {
    const x = d.floats();
    return op('Mul', x, await op('Tanh', await op('Softplus', x)));
  },
  'hard swish': async (d, op) => {
    const x = d.floats();
    const inner = await op('Add', x, near(d, 3));
    const clip = await op('Min', await op('Max', inner, near(d, 0)), near(d, 6));
    return op('Div', await op('Mul', x, clip), near(d, 6));
  },
  'log of what is not negative': async (d, op) =>
    op('Log', await op('Add', await op('Relu', d.floats()), near(d, d.pick([1e-6, 1e-10, 1])))),
  softplus: async (d, op) => op('Log', await op('Add', near(d, 1), await op('Exp', d.floats()))),
  'layer norm': async (d, op) => {
    const x = d.floats(undefined, 1);
    if (d.opset >= 18) return undefined;
    const mean = await op('ReduceMean', x);
    const c = await op('Sub', x, mean);
    const variance = await op('ReduceMean', await op('Mul', c, c));
    const n = await op('Div', c, await op('Sqrt', await op('Add', variance, near(d, 1e-5))));
    return op('Add', await op('Mul', n, d.beside(n)), d.beside(n));
  },
  'rms norm': async (d, op) => {
    const x = d.floats(undefined, 1);
    if (d.opset >= 18) return undefined;
    const power = await op('ReduceMean', await op('Pow', x, near(d, 2)));
    return op('Mul', x, await op('Reciprocal', await op('Sqrt', await op('Add', power, near(d, 1e-6)))));
  },
  softmax: async (d, op) => {
    const x = d.floats(undefined, 1);
    if (d.opset >= 13) return undefined;
    const e = await op('Exp', await op('Sub', x, await op('ReduceMax', x)));
    return op('Div', e, await op('ReduceSum', e));
  },
  attention: async (d, op) => {
    const [n, h, w] = [d.between(1, 6), d.between(1, 3), d.between(1, 5)];
    const [q, k, v] = [d.input('f32', [1, h, n, w]), d.input('f32', [1, h, w, n]), d.input('f32', [1, h, n, w])];
    const scores = await op('Div', await op('MatMul', q, k), near(d, Math.sqrt(w)));
    const mask = d.constant('f32', [1, 1, d.pick([1, n]), n], undefined);
    const blocked = await op(
      'Mul',
      await op('Greater', mask, near(d, 0.5)).then(b => op('Cast', b)),
      near(d, d.pick([-1e4, -1e9, -3.4e38])),
    );
    return op('MatMul', await op('Softmax', await op('Add', scores, blocked)), v);
  },
  'scale and shift': async (d, op) => {
    const x = d.floats();
    return op('Add', await op('Mul', await op('Sub', x, d.beside(x)), d.beside(x)), d.beside(x));
  },
  'round by a large number': async (d, op) => op('Sub', await op('Add', d.floats(), near(d, 12582912)), near(d, 12582912)),
  'a size that is computed': async (d, op) => {
    const x = d.floats(undefined, 2);
    const shape = await op('Shape', x);
    const first = await op('Gather', shape, d.constant('i64', [1], [0]));
    return op('Reshape', x, await op('Concat', first, d.ints([-1])));
  },
  'dequantize, multiply, quantize': async (d, op) => {
    const scale = (): Val => d.constant('f32', [], [0.01 + d.next() * 0.05]);
    const zero = d.constant('u8', [], [d.below(200)]);
    const through = async (v: Val): Promise<Val> => {
      const s = scale();
      return op('DequantizeLinear', await op('QuantizeLinear', v, s, zero), s, zero);
    };
    const x = d.floats(2);
    const w = d.constant('i8', [x.t.dims[1] ?? 1, d.between(1, 8)]);
    return through(await op('MatMul', await through(x), await op('DequantizeLinear', w, scale())));
  },
};
/** Attributes that an idiom's operators have where they stand in no table of their own. */
const attrs: Readonly<Record<string, Spec['attrs']>> = {
  ReduceMean: { axes: [-1], keepdims: 1 },
  ReduceMax: { axes: [-1], keepdims: 1 },
  ReduceSum: { axes: [-1], keepdims: 1 },
  Softmax: { axis: -1 },
  Concat: { axis: 0 },
  Cast: { to: 1 },
};
export async function drawIdiom(d: Draw, apply: Apply): Promise<void> {
  const gone = new Error('the oracle refuses a part');
  const make = d.pick(Object.values(idioms));
  try {
    await make(d, async (op, ...inputs) => {
      const v = await apply({ op, inputs, ...(attrs[op] && { attrs: attrs[op] }) });
      if (!v) throw gone;
      return v;
    });
  } catch (e) {
    if (e !== gone) throw e;
  }
}
