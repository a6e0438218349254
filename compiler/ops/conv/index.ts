import type { Op } from '../define.ts';
import { Col2Im } from './col2im.ts';
import { Conv, ConvTranspose } from './conv.ts';
import { ConvInteger } from './conv-integer.ts';

export const convOps: readonly Op[] = [Col2Im, Conv, ConvTranspose, ConvInteger];
