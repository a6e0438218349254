import { must } from '../../../core/diagnostic.ts';
import { dimSub, showDim, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { GatherND } from '../../../ops/movement/gather.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import { rankOf, sizeAt } from '../../shared/axes.ts';
import { gather } from '../../shared/gather.ts';
import { sizesValue } from '../../shared/sizes.ts';
import { suppressed } from '../../shared/tensorflow/select.ts';
import { cast, concat, reshape, slice, transpose } from '../../shared/views.ts';
import { readFlex } from '../flexbuffer.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode } from '../registry.ts';
import { real } from './real.ts';

interface Options {
  readonly most: number;
  readonly classes: number;
  readonly perBox: number;
  readonly perClass: number;
  readonly regular: boolean;
  readonly score: number;
  readonly iou: number;
  /** Of y, x, height and width. */
  readonly scales: readonly number[];
}
function optionsOf(n: TfliteNode): Options {
  const map = readFlex(n.customOptions, why => n.reject(why));
  if (typeof map !== 'object' || map instanceof Uint8Array || !('max_detections' in map))
    return n.reject('its options are no map with max_detections');
  const number = (key: string, otherwise?: number): number => {
    const v = (Object.hasOwn(map, key) ? map[key] : undefined) ?? otherwise;
    return typeof v === 'number' ? v : n.reject(`its options have no number ${key}`);
  };
  const count = (key: string, otherwise?: number): number => {
    const v = number(key, otherwise);
    return Number.isInteger(v) && v > 0 && v < 1e6 ? v : n.reject(`${key} is ${v}`);
  };
  return {
    most: count('max_detections'),
    classes: count('num_classes'),
    perBox: count('max_classes_per_detection'),
    perClass: count('detections_per_class', 100),
    regular: number('use_regular_nms', 0) !== 0,
    score: number('nms_score_threshold'),
    iou: number('nms_iou_threshold'),
    scales: ['y_scale', 'x_scale', 'h_scale', 'w_scale'].map(k => number(k)),
  };
}
const column = (c: TfliteCtx, v: Value, from: number, size: Dim = 1): Value =>
  slice(c, v, new Map([[rankOf(v) - 1, { start: from, size, step: 1 }]]));
/** Boxes [anchors, 4] of two corners, of what the network says about their anchors: centre and size. */
function decoded(c: TfliteCtx, encodings: Value, anchors: Value, scales: readonly number[]): Value {
  const div = (v: Value, by: number): Value => c.apply1(e.Div, [v, c.literal('f32', by)]);
  const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
  const mul = (a: Value, b: Value): Value => c.apply1(e.Mul, [a, b]);
  const [corners, ends] = [0, 1]
    .map(axis => {
      const scale = (i: number): number => must(scales[i]);
      const centre = add(
        mul(div(column(c, encodings, axis), scale(axis)), column(c, anchors, axis + 2)),
        column(c, anchors, axis),
      );
      const size = mul(c.apply1(e.Exp, [div(column(c, encodings, axis + 2), scale(axis + 2))]), column(c, anchors, axis + 2));
      const half = mul(size, c.literal('f32', 0.5));
      return [c.apply1(e.Sub, [centre, half]), add(centre, half)] as const;
    })
    .reduce<readonly [Value[], Value[]]>(
      ([a, b], [lo, hi]) => [
        [...a, lo],
        [...b, hi],
      ],
      [[], []],
    );
  return concat(c, [...corners, ...ends], 1);
}
/** The largest float below another: a score that is equal to the threshold counts. */
function below(threshold: number): number {
  const [f] = Float32Array.of(threshold);
  if (f === undefined || f === 0) return -(2 ** -149);
  const bits = new Int32Array(Float32Array.of(f).buffer);
  bits[0] = must(bits[0]) + (f > 0 ? -1 : 1);
  return must(new Float32Array(bits.buffer)[0]);
}
/** Rows filled up to a number of them. */
const filled = (c: TfliteCtx, v: Value, length: Dim, value = 0): Value =>
  c.apply1(Pad, [v, c.literal(v.type.dtype, value)], {
    mode: 'constant',
    begin: v.type.shape.map(() => 0),
    end: v.type.shape.map((d, i) => (i === 0 ? dimSub(length, d) : 0)),
  });

/**
 * The boxes of a detector: encodings [1, anchors, 4], scores [1, anchors, classes and perhaps the background], anchors. Boxes, classes,
 * scores and how many there are, filled up with zeros (tflite/kernels/detection_postprocess.cc).
 */
export const detections: TfliteBuilder = (n, c) => {
  const o = optionsOf(n);
  const [encodings, scores, anchors] = [real(n, c, 0), real(n, c, 1), real(n, c, 2)];
  const count = sizeAt(c, encodings, 1);
  const kinds = sizeAt(c, scores, -1);
  const offset = typeof kinds === 'number' ? kinds - o.classes : n.unsupported('an open number of classes');
  if (offset !== 0 && offset !== 1) n.reject(`${showDim(kinds)} scores of a box for ${o.classes} classes`);
  const rows = (v: Value): Value => column(c, reshape(c, v, [count, must(v.type.shape.at(-1))]), 0, 4);
  const boxes = decoded(c, rows(encodings), rows(anchors), o.scales);
  const own = column(c, reshape(c, scores, [count, kinds]), offset, o.classes);
  const y = o.regular ? byClass(c, boxes, own, o) : byBox(c, boxes, own, o);
  const single = (v: Value): Value => reshape(c, v, [1, ...v.type.shape]);
  return [single(y.boxes), single(cast(c, y.classes, 'f32')), single(y.scores), reshape(c, cast(c, y.count, 'f32'), [1])];
};
interface Found {
  readonly boxes: Value;
  readonly classes: Value;
  readonly scores: Value;
  readonly count: Value;
}
/** Boxes that overlap a better one are dropped, whatever their classes; each that is left has its best classes. */
function byBox(c: TfliteCtx, boxes: Value, scores: Value, o: Options): Found {
  const anchors = must(boxes.type.shape[0]);
  const k = Math.min(o.perBox, o.classes);
  const [best, kinds] = c.apply(TopK, [scores], { k, axis: 1, largest: true });
  const rows = suppressed(
    c,
    reshape(c, boxes, [1, anchors, 4]),
    reshape(c, column(c, must(best), 0), [1, 1, anchors]),
    { max: c.literal('i64', o.most), iou: c.literal('f32', o.iou), score: c.literal('f32', below(o.score)) },
    o.most,
  );
  const found = must(rows.type.shape[0]);
  const at = reshape(c, column(c, rows, 2), [found]);
  const taken = (v: Value): Value => {
    const all = filled(c, gather(c, v, at, 0, false), o.most);
    const wide = c.apply1(Pad, [all, c.literal(v.type.dtype, 0)], { mode: 'constant', begin: [0, 0], end: [0, o.perBox - k] });
    return reshape(c, wide, [o.most * o.perBox]);
  };
  // A box stands once for each of its classes.
  const repeated = reshape(
    c,
    concat(
      c,
      Array.from({ length: k }, () => reshape(c, boxes, [anchors, 1, 4])),
      1,
    ),
    [anchors, k * 4],
  );
  const all = filled(c, gather(c, repeated, at, 0, false), o.most);
  const wide = c.apply1(Pad, [all, c.literal('f32', 0)], { mode: 'constant', begin: [0, 0], end: [0, (o.perBox - k) * 4] });
  return {
    boxes: reshape(c, wide, [o.most * o.perBox, 4]),
    classes: taken(must(kinds)),
    scores: taken(must(best)),
    count: sizesValue(c, [found], []),
  };
}
/** Each class drops its own boxes; the best of all classes are left. */
function byClass(c: TfliteCtx, boxes: Value, scores: Value, o: Options): Found {
  const anchors = must(boxes.type.shape[0]);
  const most = o.classes * o.perClass;
  const rows = suppressed(
    c,
    reshape(c, boxes, [1, anchors, 4]),
    reshape(c, transpose(c, scores, [1, 0]), [1, o.classes, anchors]),
    { max: c.literal('i64', o.perClass), iou: c.literal('f32', o.iou), score: c.literal('f32', below(o.score)) },
    most,
  );
  const found = must(rows.type.shape[0]);
  const pair = concat(c, [column(c, rows, 2), column(c, rows, 1)], 1);
  const kept = c.apply1(GatherND, [scores, pair], { batch: 0 });
  // Of equal scores the lower class comes first, as rows are in the order of classes.
  const [best, place] = c.apply(TopK, [filled(c, kept, Math.max(most, o.most), -Infinity)], {
    k: o.most,
    axis: 0,
    largest: true,
  });
  const real = c.apply1(e.Greater, [must(best), c.literal('f32', -Infinity)]);
  const chosen = gather(c, filled(c, pair, Math.max(most, o.most)), must(place), 0, false);
  const box = gather(c, boxes, reshape(c, column(c, chosen, 0), [o.most]), 0, false);
  const zeroed = (v: Value): Value => {
    const mask = reshape(c, real, [o.most, ...v.type.shape.slice(1).map(() => 1)]);
    return c.apply1(e.Where, [mask, v, c.literal(v.type.dtype, 0)]);
  };
  const limit = sizesValue(c, [found], []);
  return {
    boxes: zeroed(box),
    classes: zeroed(reshape(c, column(c, chosen, 1), [o.most])),
    scores: zeroed(must(best)),
    count: c.apply1(e.Min, [limit, c.literal('i64', o.most)]),
  };
}
