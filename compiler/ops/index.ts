import { If } from './control/if.ts';
import { Recurrent } from './recurrent/recurrent.ts';
import { Attention } from './attention/attention.ts';
import { Frames, Dft, MelWeights } from './signal/signal.ts';
import { Det } from './matmul/linalg.ts';
import { NGrams } from './ml/ngrams.ts';
import { MatMulNBits } from './matmul/nbits.ts';
import type { Op } from './define.ts';
import { elementwiseOps } from './elementwise/index.ts';
import { Loop } from './control/loop.ts';
import { MatMul } from './matmul/matmul.ts';
import { MatMulInteger } from './matmul/matmul-integer.ts';
import { Concat } from './movement/concat.ts';
import { Conv, ConvTranspose } from './conv/conv.ts';
import { ConvInteger } from './conv/conv-integer.ts';
import { AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool } from './pool/pool.ts';
import { DeformedColumns, GridSample, RoiAlign, RoiPool } from './resample/sample.ts';
import { Gather, GatherElements, GatherND, OneHot, ReverseSequence, Trilu } from './movement/gather.ts';
import { Col2Im } from './conv/col2im.ts';
import { NonMaxSuppression } from './sort/nms.ts';
import { Pad } from './movement/pad.ts';
import { Eye, Range, RangeSize } from './movement/range.ts';
import { Resize } from './resample/resize.ts';
import { ScatterElements, ScatterND, TensorScatter } from './movement/scatter.ts';
import { Compress, NonZero } from './sort/select.ts';
import { TopK } from './sort/topk.ts';
import { LinearRows } from './ml/linear-rows.ts';
import { treeOps } from './trees/ensemble.ts';
import { TreeShap } from './trees/shap.ts';
import { Unique } from './sort/unique.ts';
import { DimOf, Sizes } from './movement/shape.ts';
import { Expand, Reshape, Slice, Transpose } from './movement/view.ts';
import { reduceOps } from './reduce/reduce.ts';
import { reduceToOps } from './reduce/reduce-to.ts';
import { normOps } from './reduce/norm.ts';
import { quantOps } from './quant/quant.ts';
import { Lookup } from './ml/lookup.ts';
import { PairwiseCoupling } from './ml/pairwise.ts';

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
  MatMulInteger,
  Resize,
  ...[Conv, ConvInteger, ConvTranspose],
  ...[DimOf, Sizes],
  ...[Reshape, Transpose, Slice, Expand, Concat, Pad],
  ...[ScatterElements, ScatterND, TensorScatter, Col2Im, Compress, NonZero, Unique, TopK, NonMaxSuppression],
  ...[Gather, GatherElements, GatherND, OneHot, Trilu, ReverseSequence, Range, RangeSize, Eye],
];
