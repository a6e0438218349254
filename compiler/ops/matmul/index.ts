import type { Op } from '../define.ts';
import { Det } from './linalg.ts';
import { MatMul } from './matmul.ts';
import { MatMulInteger } from './matmul-integer.ts';
import { MatMulNBits } from './nbits.ts';

export const matmulOps: readonly Op[] = [Det, MatMul, MatMulInteger, MatMulNBits];
