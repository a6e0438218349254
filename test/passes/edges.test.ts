/**
 * Rewrites are right where floats end: arithmetic on zeros of both signs, denormals, the largest numbers, infinities and NaN gives after all
 * passes what it gave before, to a few roundings, and what is not finite exactly. Constants are those that rules look for, and near misses.
 */
import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, nodesOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import {
  Abs,
  Add,
  Clip,
  Div,
  Erf,
  Exp,
  Gelu,
  HardSigmoid,
  Log,
  Max,
  Min,
  Mish,
  Mul,
  Neg,
  Pow,
  Reciprocal,
  Relu,
  Sigmoid,
  Softplus,
  Sqrt,
  Sub,
  Swish,
  Tanh,
} from '../../compiler/ops/elementwise/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { FLOAT_EDGES, MOST } from './float-edges.ts';
import { dice, type Dice } from './random-graph.ts';

const profile = must(resolveTarget('wasm-simd').profiles[0]);
const X = FLOAT_EDGES;
const x = input('x', { dtype: 'f32', shape: [X.length] });
const num = (v: number): Value => constant(fromNumbers('f32', [], [v]));
const of = (op: Op, inputs: readonly Value[], attrs: Attrs = {}): Value => apply1(op, inputs, attrs, noLoc);
const graphOf = (outputs: readonly Value[]): Graph => ({
  name: 'edges',
  inputs: [x],
  outputs: outputs.map((value, i) => ({ name: `y${i}`, value })),
  symbolDefinitions: [],
});
const values = (g: Graph): Map<string, Float64Array> =>
  new Map([...evaluate(g, new Map([['x', fromNumbers('f32', [X.length], X)]]))].map(([n, t]) => [n, toNumbers(t)]));

/** Numbers that rules know, and those just beside them. */
const KNOWN = [0, -0, 1, -1, 2, 3, 0.5, -0.5, 6, 1 / 6, 1e-6, 4, 0.25, MOST, -MOST, Infinity, -Infinity];
const number = (d: Dice): number => {
  const v = d.pick(KNOWN);
  return d.roll(3) > 0 ? v : v * (1 + d.pick([1e-3, -1e-3, 1e-5, 1e-6, -1e-7]));
};
function expression(d: Dice, depth: number): Value {
  if (depth === 0) return x;
  const a = expression(d, depth - 1);
  const b = d.roll(4) === 0 ? expression(d, d.roll(depth)) : num(number(d));
  const pair = d.roll(2) === 0 ? [a, b] : [b, a];
  switch (d.roll(14)) {
    case 0:
    case 1:
      return of(Add, pair);
    case 2:
      return of(Sub, pair);
    case 3:
    case 4:
      return of(Mul, pair);
    case 5:
      return of(Div, pair);
    case 6:
      return of(Max, pair);
    case 7:
      return of(Min, pair);
    case 8: {
      const [lo, hi] = [number(d), number(d)];
      return of(Clip, [a], d.roll(3) === 0 ? { lo } : d.roll(2) === 0 ? { hi } : { lo: Math.min(lo, hi), hi: Math.max(lo, hi) });
    }
    case 9:
      return of(Pow, [a, num(d.pick([2, 3, 0.5, -0.5, 1, -1]))]);
    case 10:
      return of(d.pick([Neg, Abs, Relu]), [a]);
    case 11:
      return of(d.pick([Reciprocal, Sqrt]), [a]);
    case 12:
      return of(HardSigmoid, [a], { alpha: number(d), beta: 0.5 });
    default:
      return of(d.pick([Exp, Log, Sigmoid, Tanh]), [a]);
  }
}
/** What tells numbers apart that look alike: 0 from -0 and from the smallest, infinity from the largest. */
const SENSITIVE: readonly ((v: Value) => Value)[] = [v => of(Reciprocal, [v]), v => of(Log, [v]), v => of(Sqrt, [v])];
/** Where two results are not the same, in words. A few roundings are allowed; `kind`: only which numbers are special counts. */
function departs(a: Float64Array, b: Float64Array, kind: boolean): string | undefined {
  for (const [i, p] of a.entries()) {
    const q = must(b[i]);
    // A rounding decides at the border what overflows, and what is the smallest number or zero.
    const border = Math.sign(p) === Math.sign(q) && Math.min(Math.abs(p), Math.abs(q)) > 0.999 * MOST;
    if (border || (Object.is(Math.sign(p), Math.sign(q)) && Math.max(Math.abs(p), Math.abs(q)) < 1e-44)) continue;
    const special = !Number.isFinite(p) || !Number.isFinite(q) || p === 0 || q === 0;
    const far = special ? !Object.is(p, q) : !kind && Math.abs(p - q) > 2 ** -20 * Math.abs(p) + 1e-44;
    if (far) return `${q} instead of ${p} at x = ${X[i] ?? NaN}`;
  }
  return undefined;
}
const check = (y: Value): string | undefined => {
  const before = graphOf([y, ...SENSITIVE.map(f => f(y))]);
  const after = runPasses(before, profile);
  const [want, got] = [values(before), values(after)];
  for (const [name, w] of want) {
    const why = departs(w, must(got.get(name)), name !== 'y0');
    if (why !== undefined) return `${name}: ${why}\n${printGraph(before)}\n${printGraph(after)}`;
  }
  return undefined;
};

/** Expressions by hand: EDGES=20000 npm test -- test/passes/edges. */
const COUNT = Number(process.env['EDGES'] ?? 1500);
describe('all passes', () => {
  it('keep what random arithmetic gives where floats end', () => {
    for (let seed = 1; seed <= COUNT; seed++) {
      const d = dice(seed);
      expect([seed, check(expression(d, 1 + d.roll(4)))]).toEqual([seed, undefined]);
    }
  });
  it.each<readonly [string, Value]>([
    ['log(relu(x) + 1e-6)', of(Log, [of(Add, [of(Relu, [x]), num(1e-6)])])],
    ['a bound at the largest float', of(Clip, [of(Log, [x])], { lo: -MOST })],
    ['log(1 + exp(x)) overflows', of(Log, [of(Add, [num(1), of(Exp, [x])])])],
    ['x / (1 + |x|)', of(Div, [x, of(Add, [num(1), of(Abs, [x])])])],
    ['relu6(x + 3) / 6', of(Div, [of(Clip, [of(Add, [x, num(3)])], { lo: 0, hi: 6 }), num(6)])],
  ])('keep %s', (_, y) => {
    expect(check(y)).toBeUndefined();
  });
});

describe('an activation function spelt out', () => {
  const one = num(1);
  const half = (f: Value): Value => of(Mul, [of(Mul, [x, num(0.5)]), of(Add, [f, one])]);
  const cubed = (k: number): Value => of(Add, [x, of(Mul, [of(Pow, [x, num(3)]), num(k)])]);
  /** How each is written, with its constants times `k`. */
  const SPELT: readonly (readonly [op: Op, spelt: (k: number) => Value])[] = [
    [Sigmoid, k => of(Reciprocal, [of(Add, [num(k), of(Exp, [of(Neg, [x])])])])],
    [Sigmoid, k => of(Div, [one, of(Add, [of(Exp, [of(Mul, [x, num(-k)])]), one])])],
    [Gelu, k => half(of(Erf, [of(Div, [x, num(Math.SQRT2 * k)])]))],
    [Gelu, k => half(of(Tanh, [of(Mul, [cubed(0.044715 * k), num(Math.sqrt(2 / Math.PI))])]))],
    [Mish, k => of(Mul, [x, of(Tanh, [of(Softplus, [of(Mul, [x, num(k)])])])])],
    [Mish, k => of(Mul, [of(Tanh, [of(Log, [of(Add, [of(Exp, [x]), num(k)])])]), x])],
  ];
  const operators = (y: Value): Op[] => nodesOf(runPasses(graphOf([y]), profile)).map(n => n.op);
  it.each(SPELT)('$name is found', (op, spelt) => {
    expect(operators(spelt(1))).toEqual([op]);
  });
  it.each(SPELT)('$name is not found in what is nearly it', (op, spelt) => {
    for (const off of [1e-3, 1e-4, 1e-5, 1e-6]) for (const k of [1 + off, 1 - off]) expect(operators(spelt(k))).not.toContain(op);
  });
  it('is not found where a part of it is wanted elsewhere', () => {
    const inner = of(Erf, [of(Div, [x, num(Math.SQRT2)])]);
    expect(nodesOf(runPasses(graphOf([half(inner), inner]), profile)).map(n => n.op)).not.toContain(Gelu);
  });
  it('keeps the factor of a swish to the bit', () => {
    const [n] = nodesOf(runPasses(graphOf([of(Mul, [x, of(Sigmoid, [of(Mul, [x, num(1.702)])])])]), profile));
    expect([n?.op, n?.attrs['alpha']]).toEqual([Swish, Math.fround(1.702)]);
  });
});
