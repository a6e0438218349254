import { must } from '../../../core/diagnostic.ts';
import { bytesOf } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { and, eq, konst, permute, select, type Expr, type Lanes } from '../../../kernel/ir.ts';
import type { Profile } from '../../../target/profile.ts';

/** Tables in registers. The lanes of their vectors, or undefined where the target cannot look lanes up. */
export const lookupLanes = ({ vector }: Profile, dtype: 'f32' | 'f64'): Lanes | undefined =>
  vector.permute ? ((vector.bits / 8 / bytesOf(dtype)) as Lanes) : undefined;
/** More vectors of a table would not stay in registers. */
export const MOST_VECTORS = 16;

/** Of a table in 2, 4, 8, … vectors the elements at the indices `at`, of which the lowest bits count. */
export function lookUp(k: KernelBuilder, vectors: readonly Expr[], at: Expr): Expr {
  let x = vectors;
  const halve = (join: (a: Expr, b: Expr) => Expr): void => {
    x = Array.from({ length: x.length / 2 }, (_, i) => k.let(join(must(x[2 * i]), must(x[2 * i + 1]))));
  };
  halve((a, b) => permute(a, b, at));
  for (let bit = 2 * at.t.lanes; x.length > 1; bit *= 2) {
    const place = konst(at.t, bit);
    const upper = k.let(eq(and(at, place), place));
    halve((a, b) => select(upper, b, a));
  }
  return must(x[0]);
}
