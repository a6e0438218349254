import { InternalError, must } from '../core/diagnostic.ts';
import { fromNumbers, scalar, toNumbers, type Tensor } from '../core/tensor.ts';
import type { Node, Value } from '../graph/graph.ts';
import { op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import type { Attrs, Op } from '../ops/define.ts';
import {
  Add,
  Clip,
  Div,
  Erf,
  Exp,
  Gelu,
  HardSigmoid,
  HardSwish,
  Log,
  Max,
  Min,
  Mish,
  Mul,
  Reciprocal,
  Relu,
  Sigmoid,
  Softplus,
  Softsign,
  Sub,
  Swish,
  Tanh,
} from '../ops/elementwise/index.ts';
import { erf } from '../kernel/eval/scalar.ts';
import { out, sameType, splat } from './match.ts';

/**
 * Activation functions that an exporter spelt out are found by what they compute, not by how they are written: an expression over one
 * value and numbers is tried on a list of samples, and compared with the functions that there is one operator for.
 */

/** Close to the kinks and bends of what is looked for, around zero, and far out. */
const SAMPLES = [
  1e-4, 0.01, 0.1, 0.3, 0.5, 0.9, 1, 1.3, 1.7, 2, 2.4, 2.6, 2.9, 3, 3.1, 3.7, 4.5, 5.5, 6.2, 8, 11, 20, 40, 79, 300, 3000,
];
const X: readonly number[] = [0, ...SAMPLES, ...SAMPLES.map(x => -x)];
/** Beyond this, spelt-out exponentials overflow; the operator does not. */
const OVERFLOWS = 80;

interface Known {
  readonly op: Op;
  readonly attrs: Attrs;
  f(x: number): number;
}
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const fixed: readonly Known[] = [
  { op: Sigmoid, attrs: {}, f: sigmoid },
  { op: Tanh, attrs: {}, f: Math.tanh },
  { op: Relu, attrs: {}, f: x => Math.max(x, 0) },
  { op: HardSwish, attrs: {}, f: x => x * Math.min(1, Math.max(0, x / 6 + 0.5)) },
  { op: Gelu, attrs: { approximate: 'none' }, f: x => 0.5 * x * (1 + erf(x * Math.SQRT1_2)) },
  {
    op: Gelu,
    attrs: { approximate: 'tanh' },
    f: x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  },
  { op: Softplus, attrs: {}, f: softplus },
  { op: Softsign, attrs: {}, f: x => x / (1 + Math.abs(x)) },
  { op: Mish, attrs: {}, f: x => x * Math.tanh(softplus(x)) },
];
/** Functions with a parameter that a few values tell. */
function fitted(at: (x: number) => number): readonly Known[] {
  const share = at(1);
  const alpha = Math.log(share / (1 - share));
  const slope = at(0.1) - at(-0.1);
  const found: Known[] = [];
  if (share > 0 && share < 1) found.push({ op: Swish, attrs: { alpha: tidy(alpha) }, f: x => x * sigmoid(alpha * x) });
  if (slope > 0) {
    const a = tidy(slope / 0.2);
    const b = tidy(at(0));
    found.push({ op: HardSigmoid, attrs: { alpha: a, beta: b }, f: x => Math.min(1, Math.max(0, a * x + b)) });
  }
  return found;
}
/** The simplest number that f32 arithmetic may have meant. */
function tidy(v: number): number {
  for (const d of [1, 2, 3, 5, 6, 10, 1000])
    if (Math.abs(v * d - Math.round(v * d)) < 1e-5 * Math.max(1, Math.abs(v * d))) return Math.round(v * d) / d;
  return v;
}

/** One of these is in every way to spell out an activation: other expressions are not tried. */
const TRIGGERS: ReadonlySet<Op> = new Set<Op>([Erf, Tanh, Sigmoid, Exp, Clip, HardSigmoid, Softplus, Log, Relu]);
const LARGEST = 14;

/** The nodes between `root` and `x`, if they compute root from x and numbers alone and nothing else uses what they compute. */
function between(m: Match, root: Node, x: Value): readonly Node[] | undefined {
  const nodes: Node[] = [];
  const todo: Node[] = [root];
  const seen = new Set<Node>();
  for (let n = todo.pop(); n; n = todo.pop()) {
    if (seen.has(n)) continue;
    seen.add(n);
    nodes.push(n);
    if (nodes.length > LARGEST || n.op.lower.k !== 'elementwise' || n.outputs.length !== 1) return undefined;
    if (n !== root && !m.usedOnce(out(n))) return undefined;
    if (!sameType(out(n), out(root))) return undefined;
    for (const v of n.inputs) {
      if (!v || v === x || splat(v) !== undefined) continue;
      if (v.def.k !== 'node') return undefined;
      todo.push(v.def);
    }
  }
  return nodes;
}
/** What the expression may be a function of: the deepest first. */
function candidates(m: Match, root: Node): readonly Value[] {
  const found = new Set<Value>();
  let triggered = false;
  let front: readonly Node[] = [root];
  for (let depth = 0; depth < 9 && front.length > 0 && found.size < LARGEST; depth++) {
    const next: Node[] = [];
    for (const n of front) {
      triggered ||= TRIGGERS.has(n.op);
      for (const v of n.inputs) {
        if (!v || splat(v) !== undefined || !sameType(v, out(root))) continue;
        found.delete(v);
        found.add(v);
        if (v.def.k === 'node' && v.def.op.lower.k === 'elementwise' && m.usedOnce(v)) next.push(v.def);
      }
    }
    front = next;
  }
  return triggered ? [...found].reverse() : [];
}
/** The expression's values at the samples. */
function sampled(root: Node, x: Value, nodes: readonly Node[]): readonly number[] {
  const { dtype } = x.type;
  const made = new Map<Value, Tensor>([[x, fromNumbers(dtype, [X.length], X)]]);
  const pending = [...nodes];
  // Nodes are few: those whose operands are there are run until all are done.
  while (pending.length > 0) {
    const i = pending.findIndex(n => n.inputs.every(v => !v || made.has(v) || splat(v) !== undefined));
    const [n] = pending.splice(i, 1);
    if (i < 0 || !n) throw new InternalError('an expression without a beginning');
    const [t] = n.op.eval(
      {
        attrs: n.attrs,
        out: [{ dtype: out(n).type.dtype, shape: [X.length] }],
        dim: d => Number(d),
        dims: () => [X.length],
        graph: () => [],
      },
      ...n.inputs.map(v => v && (made.get(v) ?? scalar(v.type.dtype, must(splat(v))))),
    );
    made.set(out(n), must(t));
  }
  return [...toNumbers(must(made.get(out(root))))];
}
function agrees(values: readonly number[], k: Known): boolean {
  return values.every((v, i) => {
    const x = must(X[i]);
    const want = k.f(x);
    return Math.abs(v - want) <= 2e-6 * (1 + Math.abs(want)) || (!Number.isFinite(v) && Math.abs(x) > OVERFLOWS);
  });
}

export const unaryRules: readonly Rule[] = [
  rule('an activation function spelt out', op([Mul, Div, Add, Sub, Reciprocal, Log, Clip, Min, Max], [], { more: true }), m => {
    const { root } = m;
    const { dtype } = out(root).type;
    if (dtype !== 'f32' && dtype !== 'f64') return undefined;
    for (const x of candidates(m, root)) {
      const nodes = between(m, root, x);
      if (!nodes || nodes.length < 2 || !nodes.some(n => TRIGGERS.has(n.op))) continue;
      const values = sampled(root, x, nodes);
      const at = (v: number): number => values[X.indexOf(v)] ?? NaN;
      const known = [...fixed, ...fitted(at)].find(k => agrees(values, k));
      if (known) return m.apply1(known.op, [x], known.attrs);
    }
    return undefined;
  }),
];
