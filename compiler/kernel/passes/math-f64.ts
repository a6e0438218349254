import { InternalError } from '../../core/diagnostic.ts';
import type { Expr, MathOp } from '../ir.ts';
import { F32_MATH, type Bind } from './math-f32.ts';

export const F64_MATH: Readonly<Record<MathOp, (bind: Bind, x: Expr) => Expr>> = { ...F32_MATH };
void InternalError;
