import { must } from '../../../core/diagnostic.ts';
import { dimProd, dimSub } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Conv } from '../../../ops/conv/conv.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { DeformedColumns, GridSample, RoiAlign, RoiPool } from '../../../ops/resample/sample.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { perAxis, windowOf } from './window.ts';
import { rankOf } from '../../shared/axes.ts';
import { declaredOr } from './declared.ts';
import { indicesInto } from '../../shared/indices.ts';
import { element, lengthOf, sizeOf } from '../../shared/sizes.ts';
import { concat, reshape, slice } from '../../shared/views.ts';

const gridSample: OnnxBuilder = (n, c) => {
  const mode = n.string('mode', n.opset < 20 ? 'bilinear' : 'linear');
  const modes = new Map([
    ['bilinear', 'linear'],
    ['linear', 'linear'],
    ['bicubic', 'cubic'],
    ['cubic', 'cubic'],
    ['nearest', 'nearest'],
  ]);
  const border = n.string('padding_mode', 'zeros');
  return [
    c.apply1(GridSample, [n.input(0, 'X'), n.input(1, 'grid')], {
      mode: modes.get(mode) ?? n.reject(`mode is '${mode}'`),
      border,
      alignCorners: n.bool('align_corners', false),
    }),
  ];
};
/** The positions of a regular grid, which a matrix per picture moves: a product with a constant. */
const affineGrid: OnnxBuilder = (n, c) => {
  const theta = n.input(0, 'theta');
  const open = (): never =>
    n.unsupported('its size is computed when the model runs; it must be a constant, or the file must declare it');
  const asked = n.input(1, 'size');
  const axes = lengthOf(c, asked) - 2;
  if (axes < 1) n.reject(`a size of ${axes + 2} axes`);
  const cells = Array.from({ length: axes }, (_, i) => element(c, asked, i + 2));
  const sizes = cells.map((v, i) => {
    const d = sizeOf(c, v, declaredOr(n, 0, i + 1, 'size', open));
    return typeof d === 'number' ? d : open();
  });
  const corners = n.bool('align_corners', false);
  const total = sizes.reduce((p, q) => p * Math.max(0, q), 1);
  c.room(total * (sizes.length + 1), 'a grid');
  for (const size of sizes) c.room(size, 'an axis of a grid');
  const positions = sizes.map(size =>
    Array.from({ length: size }, (_, i) => (corners ? (size === 1 ? -1 : -1 + (2 * i) / (size - 1)) : -1 + (2 * i + 1) / size)),
  );
  const rows: number[] = [];
  for (let i = 0; i < total; i++) {
    let rest = i;
    const at: number[] = [];
    // x, the last axis, comes first.
    for (let a = sizes.length - 1; a >= 0; a--) {
      const size = must(sizes[a]);
      at.push(must(positions[a]?.[rest % size]));
      rest = Math.floor(rest / size);
    }
    for (const p of at) rows.push(p);
    rows.push(1);
  }
  const base = c.literal(theta.type.dtype, rows, [total, sizes.length + 1]);
  const moved = c.apply1(MatMul, [base, theta], { transB: true });
  return [reshape(c, moved, [must(theta.type.shape[0]), ...sizes, sizes.length])];
};
const roiAlign: OnnxBuilder = (n, c) => {
  const mode = n.string('mode', 'avg');
  if (mode !== 'avg' && mode !== 'max') n.reject(`mode is '${mode}'`);
  const coordinates = n.string('coordinate_transformation_mode', n.opset < 16 ? 'output_half_pixel' : 'half_pixel');
  const x = n.input(0, 'X');
  const pictures = indicesInto(c, n.input(2, 'batch_indices'), [must(x.type.shape[0])], false);
  return [
    c.apply1(RoiAlign, [x, n.input(1, 'rois'), pictures], {
      of: mode === 'avg' ? 'mean' : 'max',
      height: n.int('output_height', 1),
      width: n.int('output_width', 1),
      samples: n.int('sampling_ratio', 0),
      scale: n.float('spatial_scale', 1),
      halfPixel: coordinates === 'half_pixel',
    }),
  ];
};
const maxRoiPool: OnnxBuilder = (n, c) => {
  const [height = 1, width = 1] = perAxis(n, 'pooled_shape', 2);
  return [
    c.apply1(RoiPool, [n.input(0, 'X'), n.input(1, 'rois')], {
      height,
      width,
      scale: n.float('spatial_scale', 1),
    }),
  ];
};
/** Samples where the offsets say, then one matrix product a group. */
const deformConv: OnnxBuilder = (n, c) => {
  const [x, w, offset] = [n.input(0, 'X'), n.input(1, 'W'), n.input(2, 'offset')];
  const spatial = x.type.shape.slice(2);
  const kernel = w.type.shape.slice(2).map(d => (typeof d === 'number' ? d : n.unsupported('a kernel whose size is not fixed')));
  const window = windowOf(n, spatial, kernel);
  const group = n.int('group', 1);
  const columns = c.apply1(DeformedColumns, [x, offset, n.inputs[4]], {
    ...window,
    kernel,
    offsetGroups: n.int('offset_group', 1),
  });
  const [batch, channels, size, area] = columns.type.shape;
  const outs = must(w.type.shape[0]);
  if (typeof outs !== 'number' || typeof channels !== 'number') return n.unsupported('channels that are not fixed');
  if (outs % group !== 0 || channels % group !== 0) n.reject(`${channels} and ${outs} channels in ${group} groups`);
  const depth = dimProd([channels / group, must(size)]);
  const y = c.apply1(MatMul, [
    reshape(c, w, [1, group, outs / group, depth]),
    reshape(c, columns, [must(batch), group, depth, must(area)]),
  ]);
  const shaped = reshape(c, y, [must(batch), outs, ...offset.type.shape.slice(2)]);
  const bias = n.inputs[3];
  return [bias ? c.apply1(e.Add, [shaped, reshape(c, bias, [outs, ...spatial.map(() => 1)])]) : shaped];
};
/** A depthwise convolution over the past and the input; the end of both is the next past. */
const causalConv: OnnxBuilder = (n, c) => {
  const [x, w] = [n.input(0, 'input'), n.input(1, 'weight')];
  if (rankOf(x) !== 3 || rankOf(w) !== 3) n.reject('input and weight must have 3 axes');
  const [bias, past] = [n.inputs[2], n.inputs[3]];
  const channels = must(x.type.shape[1]);
  const keep = dimSub(must(w.type.shape[2]), 1);
  const long = past ? concat(c, [past, x], 2) : c.apply1(Pad, [x], { begin: [0, 0, keep], end: [0, 0, 0] });
  if (typeof channels !== 'number') return n.unsupported('channels that are not fixed');
  const y = c.apply1(Conv, [long, w], { strides: [1], dilations: [1], pads: [0, 0], group: channels });
  const sum = bias ? c.apply1(e.Add, [y, reshape(c, bias, [channels, 1])]) : y;
  return [activated(n, c, sum), slice(c, long, new Map([[2, { start: must(x.type.shape[2]), size: keep, step: 1 }]]))];
};
function activated(n: OnnxNode, c: ImportCtx, y: Value): Value {
  const kind = n.string('activation', 'none');
  if (kind === 'none') return y;
  if (kind !== 'silu' && kind !== 'swish') n.reject(`activation is '${kind}'`);
  return c.apply1(e.Mul, [y, c.apply1(e.Sigmoid, [y])]);
}
export const sampleOps: OnnxOps = {
  GridSample: gridSample,
  AffineGrid: affineGrid,
  RoiAlign: roiAlign,
  MaxRoiPool: maxRoiPool,
  DeformConv: deformConv,
  CausalConvWithState: causalConv,
};
