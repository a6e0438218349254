import { must } from '../core/diagnostic.ts';
import { invertPerm } from '../core/shape.ts';

/** For operators that say how their attributes follow when axes get another order: axis i is what was axis perm[i]. */

/** Where an axis is now. */
export const movedAxis = (axis: number, perm: readonly number[]): number => must(invertPerm(perm)[axis]);
/** Where several axes are now, in order. */
export const movedAxes = (axes: readonly number[], perm: readonly number[]): number[] =>
  axes.map(a => movedAxis(a, perm)).sort((p, q) => p - q);
/** A list with an element for each axis. */
export const perAxis = <T>(list: readonly T[], perm: readonly number[]): T[] => perm.map(p => must(list[p]));
