import { must } from '../core/diagnostic.ts';
import { dimAdd, dimEq, dimMul, dimsEq, dimSub, rangeOf, type Dim } from '../core/dim.ts';
import { toNumbers } from '../core/tensor.ts';
import { symbolicOf, tensorOf, type Node, type Value } from '../graph/graph.ts';
import { any, op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { Concat } from '../ops/movement/concat.ts';
import { Conv } from '../ops/conv/conv.ts';
import { Add, elementwiseOps } from '../ops/elementwise/index.ts';
import { attrsOf } from '../ops/define.ts';
import { Gather } from '../ops/movement/gather.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { ScatterND } from '../ops/movement/scatter.ts';
import { Pad } from '../ops/movement/pad.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { spatialAxes } from '../ops/spatial.ts';
import { Expand, isWholeSlice, Reshape, Slice, Transpose } from '../ops/movement/view.ts';
import { isFloatValue, madeBy, out, splat } from './match.ts';

/** Rules over the movement of data: what undoes itself, and what one operator can do in the place of two. */

const shapeOf = (v: Value): readonly Dim[] => v.type.shape;
const reshape = (m: Match, x: Value, shape: readonly Dim[]): Value =>
  dimsEq(shapeOf(x), shape) ? x : m.apply1(Reshape, [x], { shape });

const reshapes: Rule[] = [
  rule('a reshape to the same shape', op(Reshape, [any('x')]), m =>
    dimsEq(shapeOf(m.value('x')), shapeOf(out(m.root))) ? m.value('x') : undefined,
  ),
  rule('a reshape of a reshape', op(Reshape, [op(Reshape, [any('x')])]), m => reshape(m, m.value('x'), shapeOf(out(m.root)))),
  rule('a transpose of a transpose', op(Transpose, [op(Transpose, [any('x')], { as: 'inner' })]), m => {
    const inner = attrsOf(m.node('inner'), Transpose).perm;
    const perm = attrsOf(m.root, Transpose).perm.map(p => must(inner[p]));
    return perm.every((p, i) => p === i) ? m.value('x') : m.apply1(Transpose, [m.value('x')], { perm });
  }),
  rule('a transpose that moves nothing', op(Transpose, [any('x')]), m =>
    attrsOf(m.root, Transpose).perm.every((p, i) => p === i) ? m.value('x') : undefined,
  ),
  // Axes of one element may be anywhere: if the others stay in order, memory does.
  rule('a transpose of axes of one element', op(Transpose, [any('x')]), m => {
    const x = m.value('x');
    const moved = attrsOf(m.root, Transpose).perm.filter(p => shapeOf(x)[p] !== 1);
    return moved.every((p, i) => i === 0 || p > must(moved[i - 1]))
      ? m.apply1(Reshape, [x], { shape: shapeOf(out(m.root)) })
      : undefined;
  }),
  rule('an expansion to the same shape', op(Expand, [any('x')]), m =>
    dimsEq(shapeOf(m.value('x')), shapeOf(out(m.root))) ? m.value('x') : undefined,
  ),
  rule('an expansion of an expansion', op(Expand, [op(Expand, [any('x')])]), m =>
    m.apply1(Expand, [m.value('x')], { shape: shapeOf(out(m.root)) }),
  ),
];

interface SliceAttrs {
  readonly starts: readonly Dim[];
  readonly sizes: readonly Dim[];
  readonly steps: readonly Dim[];
}
const sliceAttrs = (n: Node): SliceAttrs => attrsOf(n, Slice);
const at = (ds: readonly Dim[], i: number): Dim => must(ds[i]);
/** `sub` of what is left of x after `first`. */
const sliceOfSlice = (first: SliceAttrs, sub: SliceAttrs): SliceAttrs => ({
  starts: sub.starts.map((s, a) => dimAdd(at(first.starts, a), dimMul(s, at(first.steps, a)))),
  sizes: sub.sizes,
  steps: sub.steps.map((s, a) => dimMul(s, at(first.steps, a))),
});
/** Which axes a slice leaves whole. */
const wholeAxis = (x: Value, s: SliceAttrs, a: number): boolean =>
  at(s.starts, a) === 0 && at(s.steps, a) === 1 && dimEq(at(s.sizes, a), at(shapeOf(x), a));
function slice(m: Match, x: Value, s: SliceAttrs): Value {
  return isWholeSlice(shapeOf(x), s) ? x : m.apply1(Slice, [x], { ...s });
}

const slices: Rule[] = [
  rule('a slice of everything', op(Slice, [any('x')]), m =>
    isWholeSlice(shapeOf(m.value('x')), sliceAttrs(m.root)) ? m.value('x') : undefined,
  ),
  rule('a slice of a slice', op(Slice, [op(Slice, [any('x')], { as: 'inner' })]), m =>
    slice(m, m.value('x'), sliceOfSlice(sliceAttrs(m.node('inner')), sliceAttrs(m.root))),
  ),
  // The part may reach over several operands: then it stays.
  rule('a slice of one operand of a concatenation', op(Slice, [op(Concat, [], { more: true, as: 'whole' })]), m => {
    const s = sliceAttrs(m.root);
    const parts = m.node('whole').inputs.map(v => must(v));
    const axis = attrsOf(m.node('whole'), Concat).axis;
    if (at(s.steps, axis) !== 1) return undefined;
    let from: Dim = 0;
    for (const x of parts) {
      const size = at(shapeOf(x), axis);
      const start = dimSub(at(s.starts, axis), from);
      const spare = dimSub(dimSub(size, start), at(s.sizes, axis));
      if (rangeOf(start).lo >= 0 && rangeOf(spare).lo >= 0)
        return slice(m, x, { ...s, starts: s.starts.map((v, a) => (a === axis ? start : v)) });
      from = dimAdd(from, size);
    }
    return undefined;
  }),
  rule('a slice of an expansion', op(Slice, [op(Expand, [any('x')])]), m => {
    const x = m.value('x');
    const s = sliceAttrs(m.root);
    const pad = s.sizes.length - shapeOf(x).length;
    if (!shapeOf(x).every((d, a) => d === 1 || wholeAxis(must(m.root.inputs[0]), s, a + pad))) return undefined;
    return m.apply1(Expand, [x], { shape: s.sizes });
  }),
];

/** Concatenations built up one by one would else be written out again at each step. */
const MAX_PARTS = 64;
const concats: Rule[] = [
  rule('a concatenation of one', op(Concat, [any('x')]), m => m.value('x')),
  rule('a concatenation with nothing', op(Concat, [], { more: true }), m => {
    const axis = attrsOf(m.root, Concat).axis;
    const parts = m.root.inputs.map(v => must(v));
    const some = parts.filter(x => shapeOf(x)[axis] !== 0);
    return some.length > 0 && some.length < parts.length ? m.apply1(Concat, some, { axis }) : undefined;
  }),
  rule('a concatenation in a concatenation', op(Concat, [], { more: true }), m => {
    const axis = attrsOf(m.root, Concat).axis;
    const flat = m.root.inputs.flatMap(v => {
      const inner = madeBy(v, Concat);
      return inner && v && m.usedOnce(v) && inner.attrs.axis === axis ? inner.inputs : [v];
    });
    return flat.length > m.root.inputs.length && flat.length <= MAX_PARTS ? m.apply1(Concat, flat, { axis }) : undefined;
  }),
  rule('neighbouring slices put together again', op(Concat, [], { more: true }), m => {
    const axis = attrsOf(m.root, Concat).axis;
    const joined: Value[] = [];
    for (const v of m.root.inputs) {
      const last = joined.at(-1);
      const both = last && v && joinSlices(m, last, v, axis);
      if (both) joined[joined.length - 1] = both;
      else joined.push(must(v));
    }
    if (joined.length === m.root.inputs.length) return undefined;
    return joined.length === 1 ? joined[0] : m.apply1(Concat, joined, { axis });
  }),
];
function joinSlices(m: Match, a: Value, b: Value, axis: number): Value | undefined {
  const [p, q] = [madeBy(a, Slice), madeBy(b, Slice)];
  const x = p?.inputs[0];
  if (!p || !q || !x || x !== q.inputs[0]) return undefined;
  const [s, t] = [sliceAttrs(p), sliceAttrs(q)];
  const same = s.starts.every(
    (v, i) =>
      i === axis || (dimEq(v, at(t.starts, i)) && dimEq(at(s.sizes, i), at(t.sizes, i)) && dimEq(at(s.steps, i), at(t.steps, i))),
  );
  const next = dimAdd(at(s.starts, axis), dimMul(at(s.sizes, axis), at(s.steps, axis)));
  if (!same || !dimEq(at(s.steps, axis), at(t.steps, axis)) || !dimEq(next, at(t.starts, axis))) return undefined;
  return slice(m, x, { ...s, sizes: s.sizes.map((v, i) => (i === axis ? dimAdd(v, at(t.sizes, i)) : v)) });
}

/** What all operands but one broadcast to already covers the result: repeating that one first is for nothing. */
function withoutExpansion(m: Match): readonly Value[] | undefined {
  const { inputs, op: o, attrs } = m.root;
  const shape = shapeOf(out(m.root));
  for (const [i, v] of inputs.entries()) {
    const inner = madeBy(v, Expand)?.inputs[0];
    if (!inner) continue;
    const now = inputs.with(i, inner);
    // Trailing axes count, sizes of 1 yield.
    const covered = shape.every((d, a) =>
      now.some(x => {
        const own = x && shapeOf(x)[a - shape.length + shapeOf(x).length];
        return own !== undefined && dimEq(own, d);
      }),
    );
    if (covered) return m.apply(o, now, attrs);
  }
  return undefined;
}
const expansions: Rule[] = [
  rule(
    'an operand need not be expanded',
    op(
      elementwiseOps.filter(o => o.lower.k === 'elementwise' && o.inputs.length > 1),
      [],
      { more: true },
    ),
    m => withoutExpansion(m),
  ),
  rule(
    'a function of an expansion',
    op(
      elementwiseOps.filter(o => o.lower.k === 'elementwise' && o.inputs.length === 1),
      [op(Expand, [any('x')], { once: true })],
    ),
    m => m.apply1(Expand, [m.apply1(m.root.op, [m.value('x')], m.root.attrs)], { shape: shapeOf(out(m.root)) }),
  ),
];

const reductions: Rule[] = [
  rule('a reduction of axes of one element', op(Reduce, [any('x')]), m => {
    const x = m.value('x');
    const { axes, of } = attrsOf(m.root, Reduce);
    if (!axes.every(a => shapeOf(x)[a] === 1)) return undefined;
    const y = reshape(m, x, shapeOf(out(m.root)));
    // A sum begins with 0, so that of -0 alone is 0.
    return isFloatValue(x) && (of === 'sum' || of === 'mean') ? m.apply1(Add, [y, m.literal(x.type.dtype, 0)]) : y;
  }),
];

const products: Rule[] = [
  rule('a product with a transposed matrix', op(MatMul, [], { more: true }), m => {
    const { inputs } = m.root;
    const attrs = attrsOf(m.root, MatMul);
    const turned = (v: Value | undefined): Value | undefined => {
      const n = madeBy(v, Transpose);
      const perm = n?.attrs.perm ?? [];
      const r = perm.length;
      return r >= 2 && perm.every((p, i) => p === (i === r - 1 ? r - 2 : i === r - 2 ? r - 1 : i)) ? n?.inputs[0] : undefined;
    };
    const [a, b] = [turned(inputs[0]), turned(inputs[1])];
    if (!a && !b) return undefined;
    const flip = (was: boolean, now: Value | undefined): boolean => was !== (now !== undefined);
    return m.apply1(MatMul, [a ?? inputs[0], b ?? inputs[1]], {
      ...attrs,
      transA: flip(attrs.transA, a),
      transB: flip(attrs.transB, b),
    });
  }),
];
const padding: Rule[] = [
  rule(
    'zeros around the input of a convolution',
    op(Conv, [op(Pad, [any('x')], { more: true, as: 'pad' })], { more: true }),
    m => {
      const attrs = attrsOf(m.root, Conv);
      const { mode, begin, end } = attrsOf(m.node('pad'), Pad);
      const value = m.node('pad').inputs[1];
      if (mode !== 'constant' || (value && splat(value) !== 0)) return undefined;
      // Zeros times weights that are infinite are not a number; what a convolution pads with it does not multiply.
      const weights = tensorOf(m.root.inputs[1]);
      if (!weights || !toNumbers(weights).every(Number.isFinite)) return undefined;
      const spatial = spatialAxes(attrs.layout, begin.length);
      if (begin.some((b, a) => !spatial.includes(a) && (b !== 0 || end[a] !== 0))) return undefined;
      const own = attrs.pads;
      const more = [...spatial.map(a => at(begin, a)), ...spatial.map(a => at(end, a))];
      // Cutting off and padding again is not the same as neither.
      if ([...own, ...more].some(d => rangeOf(d).lo < 0)) return undefined;
      return m.apply1(Conv, [m.value('x'), ...m.root.inputs.slice(1)], {
        ...attrs,
        pads: own.map((d, i) => dimAdd(d, at(more, i))),
      });
    },
  ),
];
const gathers: Rule[] = [
  rule('one row gathered', op(Gather, [any('x'), any('i')]), m => {
    const known = symbolicOf(m.value('i'));
    const [i] = known ?? [];
    const axis = attrsOf(m.root, Gather).axis;
    const x = m.value('x');
    const n = at(shapeOf(x), axis);
    if (i === undefined || known?.length !== 1 || rangeOf(i).lo < 0 || rangeOf(dimSub(n, i)).lo < 1) return undefined;
    const cut = slice(m, x, {
      starts: shapeOf(x).map((_, a) => (a === axis ? i : 0)),
      sizes: shapeOf(x).map((d, a) => (a === axis ? 1 : d)),
      steps: shapeOf(x).map(() => 1),
    });
    return reshape(m, cut, shapeOf(out(m.root)));
  }),
];

const scatters: Rule[] = [
  rule('rows that are all written', op(ScatterND, [any('x'), any('at'), any('updates')]), m => {
    const rows = symbolicOf(m.value('at'));
    const all = m.value('at').type.shape.at(-1) === 1 && rows?.length === shapeOf(m.value('x'))[0];
    const updates = m.value('updates');
    return all && rows?.every((r, i) => r === i) && attrsOf(m.root, ScatterND).reduction === 'none'
      ? reshape(m, updates, shapeOf(out(m.root)))
      : undefined;
  }),
];

export const viewRules: readonly Rule[] = [
  ...reshapes,
  ...slices,
  ...concats,
  ...expansions,
  ...reductions,
  ...products,
  ...padding,
  ...gathers,
  ...scatters,
];
