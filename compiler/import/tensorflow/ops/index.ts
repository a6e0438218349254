import type { TfBuilder } from '../registry.ts';
import { audioOps } from './audio.ts';
import { controlOps } from './control.ts';
import { convOps } from './conv.ts';
import { diagonalOps } from './diagonal.ts';
import { elementwiseOps } from './elementwise.ts';
import { gatherOps } from './gather.ts';
import { imageOps } from './image.ts';
import { listOps } from './list.ts';
import { matrixOps } from './matrix.ts';
import { nmsOps } from './nms.ts';
import { quantOps } from './quant.ts';
import { randomOps } from './random.ts';
import { reduceOps } from './reduce.ts';
import { resourceOps } from './resource.ts';
import { segmentOps } from './segment.ts';
import { shapeOps } from './shape.ts';
import { signalOps } from './signal.ts';
import { tableOps } from './table.ts';
import { viewOps } from './view.ts';

/** The one table of TensorFlow's operators: for frozen graphs, SavedModels and graph models of TF.js. */
export const tfOps: ReadonlyMap<string, TfBuilder> = new Map(
  [
    audioOps,
    controlOps,
    convOps,
    diagonalOps,
    elementwiseOps,
    gatherOps,
    imageOps,
    listOps,
    matrixOps,
    nmsOps,
    quantOps,
    randomOps,
    reduceOps,
    resourceOps,
    segmentOps,
    shapeOps,
    signalOps,
    tableOps,
    viewOps,
  ].flatMap(ops => Object.entries(ops)),
);
