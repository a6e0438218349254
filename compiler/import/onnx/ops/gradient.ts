import { must } from '../../../core/diagnostic.ts';
import { dimEq } from '../../../core/dim.ts';
import type { Node, Value } from '../../../graph/graph.ts';
import { Add, Cast, Div, Greater, Mul, Neg, Sub } from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { Reduce } from '../../../ops/reduce/reduce.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { expand, reshape, transpose } from '../../shared/views.ts';

/** What the inputs of a node get of what its output gets: the chain rule. undefined: no part of it. */
type Rule = (c: ImportCtx, n: Node, g: Value) => readonly (Value | undefined)[];

const mul = (c: ImportCtx, a: Value, b: Value): Value => c.apply1(Mul, [a, b]);
const one = (c: ImportCtx, like: Value): Value => c.literal(like.type.dtype, 1);
const input = (n: Node, i: number): Value => must(n.inputs[i]);
const output = (n: Node): Value => must(n.outputs[0]);

const RULES: Readonly<Record<string, Rule>> = {
  Add: (_, __, g) => [g, g],
  Sub: (c, _, g) => [g, c.apply1(Neg, [g])],
  Mul: (c, n, g) => [mul(c, g, input(n, 1)), mul(c, g, input(n, 0))],
  Div: (c, n, g) => {
    const by = c.apply1(Div, [g, input(n, 1)]);
    return [by, c.apply1(Neg, [mul(c, by, output(n))])];
  },
  Neg: (c, _, g) => [c.apply1(Neg, [g])],
  Exp: (c, n, g) => [mul(c, g, output(n))],
  Log: (c, n, g) => [c.apply1(Div, [g, input(n, 0)])],
  Sqrt: (c, n, g) => [c.apply1(Div, [mul(c, g, c.literal(g.type.dtype, 0.5)), output(n)])],
  Sigmoid: (c, n, g) => [mul(c, g, mul(c, output(n), c.apply1(Sub, [one(c, g), output(n)])))],
  Tanh: (c, n, g) => [mul(c, g, c.apply1(Sub, [one(c, g), mul(c, output(n), output(n))]))],
  Relu: (c, n, g) => {
    const on = c.apply1(Greater, [input(n, 0), c.literal(g.type.dtype, 0)]);
    return [mul(c, g, c.apply1(Cast, [on], { to: g.type.dtype }))];
  },
  Reshape: (c, n, g) => [reshape(c, g, input(n, 0).type.shape)],
  Transpose: (c, n, g) => {
    const perm = n.attrs['perm'];
    const list = Array.isArray(perm) ? perm.map(Number) : [];
    return [
      transpose(
        c,
        g,
        list.map((_, i) => list.indexOf(i)),
      ),
    ];
  },
  Reduce: (c, n, g) => {
    const { of, axes } = n.attrs;
    const x = input(n, 0).type.shape;
    if ((of !== 'sum' && of !== 'mean') || !Array.isArray(axes)) return [];
    const kept = reshape(
      c,
      g,
      x.map((d, i) => (axes.includes(i) ? 1 : d)),
    );
    const all = expand(c, kept, x);
    if (of === 'sum') return [all];
    const count = axes.reduce<number>((p, a) => p * Number(x[Number(a)]), 1);
    return Number.isNaN(count) ? [] : [mul(c, all, c.literal(g.type.dtype, 1 / count))];
  },
  MatMul: (c, n, g) => {
    const [a, b] = [input(n, 0), input(n, 1)];
    if (a.type.shape.length < 2 || b.type.shape.length < 2) return [];
    const [ta, tb] = [n.attrs['transA'] === true, n.attrs['transB'] === true];
    const times = (x: Value, y: Value, transA: boolean, transB: boolean): Value => c.apply1(MatMul, [x, y], { transA, transB });
    return [ta ? times(b, g, tb, true) : times(g, b, false, !tb), tb ? times(g, a, true, ta) : times(a, g, !ta, false)];
  },
};

/** Sums what was broadcast, so that a gradient has the sizes of what it is the gradient of. */
function summed(c: ImportCtx, g: Value, like: Value): Value {
  const { shape } = like.type;
  const extra = g.type.shape.length - shape.length;
  const axes = g.type.shape.flatMap((d, i) => (i < extra || (shape[i - extra] === 1 && !dimEq(d, 1)) ? [i] : []));
  return axes.length === 0 ? g : reshape(c, c.apply1(Reduce, [g], { of: 'sum', axes, keep: false }), shape);
}

/** Nodes between `xs` and `y`, each after those that it reads. */
function between(xs: ReadonlySet<Value>, y: Value): readonly Node[] {
  const order: Node[] = [];
  const needed = new Map<Node, boolean>();
  const stack: { readonly n: Node; i: number; reaches: boolean }[] = [];
  const enter = (v: Value): boolean => {
    if (xs.has(v)) return true;
    if (v.def.k !== 'node') return false;
    const had = needed.get(v.def);
    if (had === undefined) stack.push({ n: v.def, i: 0, reaches: false });
    return had ?? false;
  };
  enter(y);
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const v = top.n.inputs[top.i];
    if (top.i < top.n.inputs.length) {
      const before = stack.length;
      if (v && enter(v)) top.reaches = true;
      // A node that was pushed is looked at again when it is done.
      if (stack.length === before) top.i++;
      continue;
    }
    stack.pop();
    needed.set(top.n, top.reaches);
    if (top.reaches) order.push(top.n);
  }
  return order;
}

/** Gradient of the training preview: derivatives of a number `y` by values `xs`, all named. */
const gradient: OnnxBuilder = (n: OnnxNode, c: ImportCtx) => {
  const names = n.strings('xs');
  const fixed = n.strings('zs', []);
  const xs = names.map(name => c.named(name));
  if (n.inputs.length !== names.length + fixed.length)
    n.reject(`${n.inputs.length} inputs for ${names.length + fixed.length} names`);
  if (xs.some((x, i) => x !== n.inputs[i])) n.unsupported('derivatives at other values than those that the graph has');
  const y = c.named(n.string('y'));
  const targets = new Set(xs);
  const total = new Map<Value, Value>([[y, expand(c, one(c, y), y.type.shape)]]);
  for (const node of [...between(targets, y)].reverse()) {
    const g = total.get(must(node.outputs[0]));
    if (!g) continue;
    const parts = RULES[node.op.name]?.(c, node, g);
    node.inputs.forEach((v, i) => {
      if (!v) return;
      const part = parts?.[i] ?? (v.def.k === 'const' ? undefined : n.unsupported(`the derivative of ${node.op.name}`));
      if (!part) return;
      const had = total.get(v);
      const own = summed(c, part, v);
      total.set(v, had ? c.apply1(Add, [had, own]) : own);
    });
  }
  return xs.map(x => total.get(x) ?? expand(c, c.literal(x.type.dtype, 0), x.type.shape));
};

export const gradientOps: OnnxOps = { 'ai.onnx.preview.training.Gradient': gradient };
