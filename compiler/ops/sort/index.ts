import type { Op } from '../define.ts';
import { NonMaxSuppression } from './nms.ts';
import { Compress, NonZero } from './select.ts';
import { TopK } from './topk.ts';
import { Unique } from './unique.ts';

export const sortOps: readonly Op[] = [NonMaxSuppression, Compress, NonZero, TopK, Unique];
