import { must } from '../../../core/diagnostic.ts';
import { dimMin, dimMul, dimProd, dimSub, type Dim } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather, GatherND } from '../../../ops/movement/gather.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { ScatterND } from '../../../ops/movement/scatter.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import { rankOf } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { sizesValue } from '../../shared/sizes.ts';
import { suppressed } from '../../shared/tensorflow/select.ts';
import { cast, concat, expand, reshape, slice, transpose } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

const column = (c: TfCtx, x: Value, i: number): Value =>
  reshape(c, slice(c, x, new Map([[rankOf(x) - 1, { start: i, size: 1, step: 1 }]])), x.type.shape.slice(0, -1));
/** Fills a vector up with zeros to a length. */
function filledUp(c: TfCtx, x: Value, length: Dim): Value {
  const missing = dimSub(length, must(x.type.shape[0]));
  return c.apply1(Pad, [x], { mode: 'constant', begin: [0], end: [missing] });
}
/** The boxes that are left, best first: their indices, how many there are, and perhaps their scores. */
function suppress(n: TfNode, c: TfCtx, iou: Value, score: Value | undefined): readonly (Value | undefined)[] {
  const [boxes, scores, max] = [n.input(0), n.input(1), n.input(2)];
  const [count = 1] = scores.type.shape;
  const limit = symbolicOf(max)?.[0];
  const rows = suppressed(
    c,
    reshape(c, boxes, [1, count, 4]),
    reshape(c, scores, [1, 1, count]),
    { max, iou, ...(score && { score }) },
    limit === undefined ? count : dimMin(count, limit),
  );
  const at = column(c, rows, 2);
  const found = must(at.type.shape[0]);
  const padded = n.bool('pad_to_max_output_size', false);
  if (padded && limit === undefined) n.unsupported('the number of boxes to fill up to comes out when the model runs');
  const whole = (v: Value): Value => (padded && limit !== undefined ? filledUp(c, v, limit) : v);
  const kept = n.wants(1) ? whole(c.apply1(Gather, [scores, at], { axis: 0 })) : undefined;
  return [whole(cast(c, at, 'i32')), kept, cast(c, sizesValue(c, [found], []), 'i32')];
}
const first: TfBuilder = (n, c) => {
  const iou = n.items[3] ? n.input(3) : c.literal('f32', n.float('iou_threshold', 0.5));
  return [suppress(n, c, iou, undefined)[0]];
};
const third: TfBuilder = (n, c) => [suppress(n, c, n.input(3), n.input(4))[0]];
const fourth: TfBuilder = (n, c) => {
  const [indices, , count] = suppress(n, c, n.input(3), n.input(4));
  return [indices, count];
};
const fifth: TfBuilder = (n, c) => {
  const sigma = n.input(5);
  const zero = sigma.def.k === 'const' && sigma.def.tensor.bytes.every(b => b === 0);
  if (!zero) n.unsupported('scores that fall instead of boxes that are dropped (soft_nms_sigma)');
  return suppress(n, c, n.input(3), n.input(4));
};

/** Classes one by one, then the best of all of them, filled up with zeros. */
const combined: TfBuilder = (n, c) => {
  const [boxes, scores] = [n.input(0), n.input(1)];
  const [batch = 1, count = 1, owners = 1] = boxes.type.shape;
  const classes = must(scores.type.shape[2]);
  const [each, total] = [2, 3].map(i => must(c.intsIn(n.input(i), 'number of boxes')[0]));
  const shared = owners === 1;
  // A class with boxes of its own is like a picture of its own.
  const pictures = shared ? batch : dimMul(batch, classes);
  const kinds = shared ? classes : 1;
  const own = shared ? reshape(c, boxes, [batch, count, 4]) : reshape(c, transpose(c, boxes, [0, 2, 1, 3]), [pictures, count, 4]);
  const byClass = transpose(c, scores, [0, 2, 1]);
  const limit = dimMul(dimMul(pictures, kinds), dimMin(count, must(each)));
  const o = { max: n.input(2), iou: n.input(4), score: n.input(5) };
  const rows = suppressed(c, own, reshape(c, byClass, [pictures, kinds, count]), o, limit);
  // Where a box is left of its class, as truth values over all.
  const flat = dimProd([batch, classes, count]);
  const step = (d: Dim): Value => sizesValue(c, [d], []);
  const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
  const at = add(
    c.apply1(e.Mul, [add(c.apply1(e.Mul, [column(c, rows, 0), step(kinds)]), column(c, rows, 1)), step(count)]),
    column(c, rows, 2),
  );
  const found = must(rows.type.shape[0]);
  const none = expand(c, c.literal('bool', 0), [flat]);
  const left = c.apply1(ScatterND, [none, reshape(c, at, [found, 1]), expand(c, c.literal('bool', 1), [found])], {
    reduction: 'none',
  });
  const all = dimMul(classes, count);
  const kept = reshape(c, c.apply1(e.Where, [left, reshape(c, byClass, [flat]), c.literal('f32', -Infinity)]), [batch, all]);
  const size = n.bool('pad_per_class', false) ? dimMin(must(total), dimMul(must(each), classes)) : must(total);
  const taken = dimMin(size, all);
  const [best, place] = c.apply(TopK, [kept], { k: taken, axis: 1, largest: true });
  const real = c.apply1(e.Greater, [must(best), c.literal('f32', -Infinity)]);
  const zeroed = (v: Value, mask: Value): Value => c.apply1(e.Where, [mask, v, c.literal(v.type.dtype, 0)]);
  const kind = c.apply1(e.Div, [must(place), step(count)]);
  const box = c.apply1(e.Mod, [must(place), step(count)], { fmod: false });
  const owner = shared ? c.apply1(e.Mul, [kind, c.literal('i64', 0)]) : kind;
  const pairs = concat(
    c,
    [box, owner].map(v => reshape(c, v, [batch, taken, 1])),
    2,
  );
  const found4 = c.apply1(GatherND, [boxes, pairs], { batch: 1 });
  const held = n.bool('clip_boxes', true) ? c.apply1(e.Clip, [found4], { lo: 0, hi: 1 }) : found4;
  const grown = (v: Value): Value => {
    const end = v.type.shape.map((_, a) => (a === 1 ? dimSub(size, taken) : 0));
    return end.every(d => d === 0) ? v : c.apply1(Pad, [v], { mode: 'constant', begin: end.map(() => 0), end });
  };
  return [
    grown(zeroed(held, reshape(c, real, [batch, taken, 1]))),
    grown(zeroed(must(best), real)),
    grown(zeroed(cast(c, kind, 'f32'), real)),
    cast(c, reduceOver(c, 'sum', cast(c, real, 'i64'), [1], false), 'i32'),
  ];
};

export const nmsOps: TfOps = {
  CombinedNonMaxSuppression: combined,
  NonMaxSuppression: first,
  NonMaxSuppressionV2: first,
  NonMaxSuppressionV3: third,
  NonMaxSuppressionV4: fourth,
  NonMaxSuppressionV5: fifth,
};
