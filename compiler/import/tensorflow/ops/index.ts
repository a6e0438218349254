import type { TfBuilder } from '../registry.ts';
import { convOps } from './conv.ts';
import { elementwiseOps } from './elementwise.ts';
import { gatherOps } from './gather.ts';
import { matrixOps } from './matrix.ts';
import { randomOps } from './random.ts';
import { reduceOps } from './reduce.ts';
import { segmentOps } from './segment.ts';
import { shapeOps } from './shape.ts';
import { viewOps } from './view.ts';

/** The one table of TensorFlow's operators: for frozen graphs, SavedModels and graph models of TF.js. */
export const tfOps: ReadonlyMap<string, TfBuilder> = new Map(
  [convOps, elementwiseOps, gatherOps, matrixOps, randomOps, reduceOps, segmentOps, shapeOps, viewOps].flatMap(ops =>
    Object.entries(ops),
  ),
);
