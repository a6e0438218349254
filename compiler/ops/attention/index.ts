import type { Op } from '../define.ts';
import { Attention } from './attention.ts';

export const attentionOps: readonly Op[] = [Attention];
