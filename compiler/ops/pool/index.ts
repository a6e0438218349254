import type { Op } from '../define.ts';
import { AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool } from './pool.ts';

export const poolOps: readonly Op[] = [AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool];
