import type { Dim } from '../../core/dim.ts';
import { normAxis } from '../../core/shape.ts';
import type { Value } from '../../graph/graph.ts';

/** Says that what is imported is wrong: the builder of an importer, or its view of a node. */
export interface Rejects {
  reject(why: string): never;
}
export const rankOf = (v: Value): number => v.type.shape.length;
/** The size of an axis, which may count from the end and must be there. */
export const sizeAt = (c: Rejects, v: Value, axis: number): Dim =>
  v.type.shape.at(axis) ?? c.reject(`a tensor of ${rankOf(v)} axes where axis ${axis} is needed`);
/** All axes from `first` on. */
export const axesFrom = (v: Value, first = 0): number[] => Array.from({ length: rankOf(v) - first }, (_, i) => first + i);
/** An axis that may count from the end. */
export const axisOf = (c: Rejects, axis: number, rank: number): number =>
  normAxis(axis, rank) ?? c.reject(`axis ${axis} of a tensor with ${rank} axes`);
/** The position before an axis: like an axis, or the rank itself. */
export const positionOf = (c: Rejects, axis: number, rank: number): number => (axis === rank ? rank : axisOf(c, axis, rank));
/** Axes that may count from the end, in order. */
export function sortedAxes(c: Rejects, axes: readonly number[], rank: number): number[] {
  const all = axes.map(a => axisOf(c, a, rank)).sort((a, b) => a - b);
  all.forEach((a, i) => {
    if (a === all[i + 1]) c.reject(`axis ${a} is given twice`);
  });
  return all;
}
