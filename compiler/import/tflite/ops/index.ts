import type { TfliteBuilder } from '../registry.ts';
import { convOps } from './conv.ts';
import { elementwiseOps } from './elementwise.ts';
import { imageOps } from './image.ts';
import { matmulOps } from './matmul.ts';
import { movementOps } from './movement.ts';
import { poolOps } from './pool.ts';
import { reduceOps } from './reduce.ts';
import { selectOps } from './select.ts';
import { sizeOps } from './sizes.ts';
import { variableOps } from './variable.ts';

const families = [convOps, matmulOps, poolOps, elementwiseOps, movementOps, reduceOps, imageOps, selectOps, sizeOps, variableOps];

/** The operators that are imported, by their names in the file. */
export const tfliteOps: ReadonlyMap<string, TfliteBuilder> = new Map(families.flatMap(f => Object.entries(f)));
