import type { Op } from '../define.ts';
import { Resize } from './resize.ts';
import { DeformedColumns, GridSample, RoiAlign, RoiPool } from './sample.ts';

export const resampleOps: readonly Op[] = [Resize, DeformedColumns, GridSample, RoiAlign, RoiPool];
