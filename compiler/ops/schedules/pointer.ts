import { bytesOf, type DType } from '../../core/dtype.ts';
import { InternalError } from '../../core/diagnostic.ts';
import { elementOf, type Buffer, type KernelBuilder } from '../../kernel/builder.ts';
import { add, ex, I32, mul, type Expr, type Lanes, type Num } from '../../kernel/ir.ts';

/**
 * Innermost loops of the hot kernels walk byte addresses held in variables, so that each access is a pointer and a constant distance
 * whatever the passes after them do.
 */

/** The byte address of element `at`, which counts elements of type `as`. */
export function address(k: KernelBuilder, b: Buffer, at: Num, as: DType = elementOf(b)): Expr {
  const given = k.load(b, at, 1, as);
  const e = given.k === 'cast' ? given.a : given;
  if (e.k !== 'load') throw new InternalError('a load that is none');
  return { k: 'addr', t: I32, buf: e.buf, dtype: e.dtype, at: e.at };
}
/** Elements at a constant distance (in elements) from a byte address within the same buffer. */
export function loadFrom(
  k: KernelBuilder,
  b: Buffer,
  pointer: Expr,
  at: number,
  lanes: Lanes = 1,
  as: DType = elementOf(b),
): Expr {
  const given = k.load(b, at, lanes, as);
  const e = given.k === 'cast' ? given.a : given;
  if (e.k !== 'load') throw new InternalError('a load that is none');
  return given.k === 'cast' ? { ...given, a: { ...e, base: pointer } } : { ...e, base: pointer };
}
/** A distance in elements as bytes. */
export const inBytes = (dtype: DType, elements: Num): Expr => mul(ex(elements), bytesOf(dtype));
/** Moves a pointer variable by a number of elements. */
export const advance = (k: KernelBuilder, pointer: Expr, dtype: DType, elements: Num): void =>
  k.set(pointer, add(pointer, inBytes(dtype, elements)));
