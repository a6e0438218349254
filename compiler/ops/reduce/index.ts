import type { Op } from '../define.ts';
import { LayerNorm, LRN, Softmax } from './norm.ts';
import { ReduceTo, Spread } from './reduce-to.ts';
import { ArgReduce, Cumulative, Reduce } from './reduce.ts';

export const reduceOps: readonly Op[] = [Reduce, ArgReduce, Cumulative, Softmax, LayerNorm, LRN, ReduceTo, Spread];
