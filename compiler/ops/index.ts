import { If } from './control.ts';
import { Recurrent } from './recurrent.ts';
import type { Op } from './define.ts';
import { elementwiseOps } from './elementwise.ts';
import { Loop } from './loop.ts';
import { MatMul } from './matmul.ts';
import { Concat } from './concat.ts';
import { Gather, GatherElements, GatherND, OneHot, ReverseSequence, Trilu } from './gather.ts';
import { Eye, Range, RangeSize } from './range.ts';
import { DimOf, Sizes } from './shape.ts';
import { Expand, Reshape, Slice, Transpose } from './view.ts';
import { reduceOps } from './reduce.ts';

/** Every operator there is: what the graph parser knows by name. One line a family. */
export const allOps: readonly Op[] = [
  Recurrent,
  ...elementwiseOps,
  ...reduceOps,
  If,
  Loop,
  MatMul,
  ...[DimOf, Sizes],
  ...[Reshape, Transpose, Slice, Expand, Concat],
  ...[Gather, GatherElements, GatherND, OneHot, Trilu, ReverseSequence, Range, RangeSize, Eye],
];
