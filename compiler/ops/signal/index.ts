import type { Op } from '../define.ts';
import { Frames, Dft, MelWeights } from './signal.ts';

export const signalOps: readonly Op[] = [Frames, Dft, MelWeights];
