import type { Op } from '../define.ts';
import { Recurrent } from './recurrent.ts';

export const recurrentOps: readonly Op[] = [Recurrent];
