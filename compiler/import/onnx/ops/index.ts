import type { OnnxBuilder, OnnxOps } from '../registry.ts';
import { experimentalOps } from './experimental.ts';
import { gradientOps } from './gradient.ts';
import { nbitsOps } from './nbits.ts';
import { nchwcOps } from './nchwc.ts';
import { miscOps } from './misc.ts';
import { signalOps } from './signal.ts';
import { attentionMsOps } from './attention-ms.ts';
import { attentionOps } from './attention.ts';
import { recurrentOps } from './recurrent.ts';
import { sampleOps } from './sample.ts';
import { convOps } from './conv.ts';
import { matMulOps } from './matmul.ts';
import { controlOps } from './control.ts';
import { elementwiseOps } from './elementwise.ts';
import { gatherOps } from './gather.ts';
import { resizeOps } from './resize.ts';
import { shapeOps } from './shape.ts';
import { viewOps } from './view.ts';
import { randomOps } from './random.ts';
import { reduceOps } from './reduce.ts';
import { normOps } from './norm.ts';
import { quantOps } from './quant.ts';
import { lossOps } from './loss.ts';
import { mlOps } from './ml.ts';
import { treeOnnxOps } from './trees.ts';

/**
 * Every ONNX operator that can be imported. Add the table of a family here: one import and one line in `families`.
 */
const families: readonly OnnxOps[] = [
  gradientOps,
  experimentalOps,
  nbitsOps,
  nchwcOps,
  miscOps,
  signalOps,
  attentionMsOps,
  convOps,
  sampleOps,
  matMulOps,
  attentionOps,
  recurrentOps,
  controlOps,
  elementwiseOps,
  mlOps,
  treeOnnxOps,
  lossOps,
  quantOps,
  normOps,
  reduceOps,
  randomOps,
  viewOps,
  gatherOps,
  shapeOps,
  resizeOps,
];

/** Later families may not redefine what an earlier one has. */
function merge(tables: readonly OnnxOps[]): ReadonlyMap<string, OnnxBuilder> {
  const all = new Map<string, OnnxBuilder>();
  for (const t of tables)
    for (const [name, build] of Object.entries(t)) {
      if (all.has(name)) throw new Error(`ONNX operator ${name} is in two tables`);
      all.set(name, build);
    }
  return all;
}
export const onnxOps = merge(families);
