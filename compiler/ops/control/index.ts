import type { Op } from '../define.ts';
import { If } from './if.ts';
import { Loop } from './loop.ts';

export const controlOps: readonly Op[] = [If, Loop];
