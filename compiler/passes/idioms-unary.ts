import { fromNumbers, scalar, toNumbers, type Tensor } from '../core/tensor.ts';
import type { Node, Value } from '../graph/graph.ts';
import { op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import type { Attrs, Op } from '../ops/define.ts';
import { Div, Erf, Exp, Gelu, Log, Mish, Mul, Reciprocal, Sigmoid, Softplus, Swish, Tanh } from '../ops/elementwise/index.ts';
import { newFormulas, sameFormula, type Formulas, type Product } from './formula.ts';
import { out, sameType, splat } from './match.ts';

/**
 * Activation functions that an exporter spelt out, by their formulas and exact constants. The operator must also be like the expression at
 * numbers where floats end: zeros, denormals, large numbers, infinities and NaN.
 */
interface Idiom {
  readonly op: Op;
  readonly attrs: Attrs;
  formula(f: Formulas): Product;
}
const ONE = (f: Formulas): Product => f.num(1);
const cube = (f: Formulas): Product => f.mul(f.x, f.x, f.x);
const half = (f: Formulas, by: Product): Product => f.mul(f.num(0.5), f.x, f.add(ONE(f), by));
const K = Math.sqrt(2 / Math.PI);
const IDIOMS: readonly Idiom[] = [
  { op: Sigmoid, attrs: {}, formula: f => f.inv(f.add(ONE(f), f.call(Exp, f.mul(f.num(-1), f.x)))) },
  { op: Gelu, attrs: { approximate: 'none' }, formula: f => half(f, f.call(Erf, f.mul(f.num(Math.SQRT1_2), f.x))) },
  {
    op: Gelu,
    attrs: { approximate: 'tanh' },
    formula: f => half(f, f.call(Tanh, f.mul(f.num(K), f.add(f.x, f.mul(f.num(0.044715), cube(f)))))),
  },
  {
    op: Gelu,
    attrs: { approximate: 'tanh' },
    formula: f => half(f, f.call(Tanh, f.mul(f.num(K), f.x, f.add(ONE(f), f.mul(f.num(0.044715), f.x, f.x))))),
  },
  { op: Mish, attrs: {}, formula: f => f.mul(f.x, f.call(Tanh, f.call(Softplus, f.x))) },
  { op: Mish, attrs: {}, formula: f => f.mul(f.x, f.call(Tanh, f.call(Log, f.add(ONE(f), f.call(Exp, f.x))))) },
];
/** x * sigmoid(alpha * x), for any alpha that the expression has. */
function swish(n: Node, x: Value): Idiom | undefined {
  const gate = n.inputs.find(v => v?.def.k === 'node' && v.def.op === Sigmoid);
  const inner = gate?.def.k === 'node' ? gate.def.inputs[0] : undefined;
  const alpha =
    inner === x ? 1 : inner?.def.k === 'node' && inner.def.op === Mul ? inner.def.inputs.map(splat).find(Number) : undefined;
  if (alpha === undefined) return undefined;
  return { op: Swish, attrs: { alpha }, formula: f => f.mul(f.x, f.call(Sigmoid, f.mul(f.num(alpha), f.x))) };
}

/** The functions that one of must be in an expression that is looked into. */
const CALLS: ReadonlySet<Op> = new Set([Erf, Exp, Sigmoid, Tanh]);
/** How many operators deep the variable may lie under the root. */
const MOST_DEPTH = 9;
/** What the expression may be a function of: values that a function of `CALLS` is applied to on the way, the deepest first. */
function variables(m: Match, root: Node): readonly Value[] {
  const found = new Set<Value>();
  let called = false;
  let front: readonly Node[] = [root];
  for (let depth = 0; depth < MOST_DEPTH && front.length > 0; depth++) {
    const next: Node[] = [];
    for (const n of front) {
      called ||= CALLS.has(n.op);
      for (const v of n.inputs) {
        if (!v || splat(v) !== undefined || !sameType(v, out(root))) continue;
        found.delete(v);
        found.add(v);
        if (v.def.k === 'node' && v.def.op.lower.k === 'elementwise' && m.usedOnce(v)) next.push(v.def);
      }
    }
    front = next;
  }
  return called ? [...found].reverse() : [];
}

/** Numbers of every magnitude and sign, and where floats end; without the largest, which a factor of 2 in another order overflows. */
const EDGES = [0, 1e-45, 1e-38, 1e-20, 1e-4, 0.5, 1, 3, 9, 20, 87, 90, 104, 1e4, 1e20, 1e30, Infinity];
const SAMPLES: readonly number[] = [NaN, ...EDGES, ...EDGES.map(x => -x)];
/** The values of an expression at the samples, each step rounded to its type as in the graph. */
function sampled(root: Value, x: Value): readonly number[] {
  const made = new Map<Value, Tensor>([[x, fromNumbers(x.type.dtype, [SAMPLES.length], SAMPLES)]]);
  const visit = (v: Value): Tensor => {
    const had = made.get(v);
    if (had) return had;
    const constant = splat(v);
    const t =
      constant === undefined && v.def.k === 'node'
        ? applied(
            v.def.op,
            v.def.attrs,
            v,
            v.def.inputs.map(i => i && visit(i)),
          )
        : scalar(v.type.dtype, constant ?? NaN);
    made.set(v, t);
    return t;
  };
  return [...toNumbers(visit(root))];
}
function applied(o: Op, attrs: Attrs, like: Value, inputs: readonly (Tensor | undefined)[]): Tensor {
  const n = [SAMPLES.length];
  const [t] = o.eval(
    { attrs, out: [{ dtype: like.type.dtype, shape: n }], dim: d => Number(d), dims: () => n, graph: () => [] },
    ...inputs,
  );
  return t ?? scalar(like.type.dtype, NaN);
}
/** Whether two functions are infinite and not a number at the same samples, and elsewhere as near as roundings of their steps allow. */
const alike = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((p, i) => {
    const q = b[i] ?? NaN;
    const x = Math.abs(SAMPLES[i] ?? 0);
    if (!Number.isFinite(p) || !Number.isFinite(q)) return Object.is(p, q);
    // Where 1 + erf or 1 + tanh is nearly 0, what is left of it is multiplied by x.
    return Math.abs(p - q) <= 1e-6 * Math.abs(p) + 2 ** -24 * x;
  });

export const unaryRules: readonly Rule[] = [
  rule('an activation function spelt out', op([Mul, Div, Reciprocal], [], { more: true }), m => {
    const { root } = m;
    const y = out(root);
    if (y.type.dtype !== 'f32' && y.type.dtype !== 'f64') return undefined;
    for (const x of variables(m, root)) {
      const f = newFormulas();
      const said = f.of(y, x, v => m.usedOnce(v));
      if (!said) continue;
      const also = swish(root, x);
      const found = [...IDIOMS, ...(also ? [also] : [])].find(i => sameFormula(said, i.formula(f)));
      if (!found) continue;
      const operator = applied(found.op, found.attrs, y, [fromNumbers(x.type.dtype, [SAMPLES.length], SAMPLES)]);
      if (alike(sampled(y, x), [...toNumbers(operator)])) return m.apply1(found.op, [x], found.attrs);
    }
    return undefined;
  }),
];
