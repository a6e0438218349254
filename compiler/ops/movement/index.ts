import type { Op } from '../define.ts';
import { Concat } from './concat.ts';
import { Gather, GatherElements, GatherND, OneHot, ReverseSequence, Trilu } from './gather.ts';
import { Indices } from './indices.ts';
import { Pad } from './pad.ts';
import { Eye, Range, RangeSize } from './range.ts';
import { ScatterElements, ScatterND, TensorScatter } from './scatter.ts';
import { DimOf, Guarded, Sizes } from './shape.ts';
import { Expand, Reshape, Slice, Transpose } from './view.ts';

export const movementOps: readonly Op[] = [
  Concat,
  Indices,
  Gather,
  GatherElements,
  GatherND,
  OneHot,
  ReverseSequence,
  Trilu,
  Pad,
  Eye,
  Range,
  RangeSize,
  ScatterElements,
  ScatterND,
  TensorScatter,
  DimOf,
  Guarded,
  Sizes,
  Expand,
  Reshape,
  Slice,
  Transpose,
];
