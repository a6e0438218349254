import { If } from './control.ts';
import { Recurrent } from './recurrent.ts';
import { Attention } from './attention.ts';
import { Frames, Dft, MelWeights } from './signal.ts';
import { Det } from './linalg.ts';
import { NGrams } from './ngrams.ts';
import { MatMulNBits } from './nbits.ts';
import type { Op } from './define.ts';
import { elementwiseOps } from './elementwise.ts';
import { Loop } from './loop.ts';
import { MatMul } from './matmul.ts';
import { Concat } from './concat.ts';
import { Conv, ConvTranspose } from './conv.ts';
import { ConvInteger } from './conv-integer.ts';
import { AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool } from './pool.ts';
import { DeformedColumns, GridSample, RoiAlign, RoiPool } from './sample.ts';
import { Gather, GatherElements, GatherND, OneHot, ReverseSequence, Trilu } from './gather.ts';
import { Col2Im } from './col2im.ts';
import { NonMaxSuppression } from './nms.ts';
import { Pad } from './pad.ts';
import { Eye, Range, RangeSize } from './range.ts';
import { Resize } from './resize.ts';
import { ScatterElements, ScatterND, TensorScatter } from './scatter.ts';
import { Compress, NonZero } from './select.ts';
import { TopK } from './topk.ts';
import { LinearRows } from './linear-rows.ts';
import { treeOps } from './trees.ts';
import { TreeShap } from './trees-shap.ts';
import { Unique } from './unique.ts';
import { DimOf, Sizes } from './shape.ts';
import { Expand, Reshape, Slice, Transpose } from './view.ts';
import { reduceOps } from './reduce.ts';
import { reduceToOps } from './reduce-to.ts';
import { normOps } from './norm.ts';
import { quantOps } from './quant.ts';
import { Lookup } from './lookup.ts';
import { PairwiseCoupling } from './pairwise.ts';

/** Every operator there is: what the graph parser knows by name. One line a family. */
export const allOps: readonly Op[] = [
  ...[AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool],
  ...[GridSample, RoiAlign, RoiPool, DeformedColumns],
  MatMulNBits,
  NGrams,
  Det,
  Frames,
  Dft,
  MelWeights,
  Attention,
  Recurrent,
  ...elementwiseOps,
  ...quantOps,
  ...[Lookup, PairwiseCoupling],
  ...[...treeOps, TreeShap, LinearRows],
  ...normOps,
  ...reduceToOps,
  ...reduceOps,
  If,
  Loop,
  MatMul,
  Resize,
  ...[Conv, ConvInteger, ConvTranspose],
  ...[DimOf, Sizes],
  ...[Reshape, Transpose, Slice, Expand, Concat, Pad],
  ...[ScatterElements, ScatterND, TensorScatter, Col2Im, Compress, NonZero, Unique, TopK, NonMaxSuppression],
  ...[Gather, GatherElements, GatherND, OneHot, Trilu, ReverseSequence, Range, RangeSize, Eye],
];
