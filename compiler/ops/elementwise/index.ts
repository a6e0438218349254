import type { Op } from '../define.ts';
import * as activation from './activation.ts';
import * as arith from './arith.ts';
import * as cast from './cast.ts';
import * as logic from './logic.ts';
import * as math from './math.ts';

/** The elementwise operators: what the files beside this one export by theme, which is operators and nothing else. */
export * from './activation.ts';
export * from './arith.ts';
export * from './cast.ts';
export * from './logic.ts';
export * from './math.ts';
export const elementwiseOps: readonly Op[] = [arith, logic, math, activation, cast].flatMap(file => Object.values<Op>(file));
