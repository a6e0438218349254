import { dimHi, rangeOf, type Dim } from '../../../core/dim.ts';
import { normAxis } from '../../../core/shape.ts';
import type { Value } from '../../../graph/graph.ts';
import type { ImportCtx, OnnxNode } from '../registry.ts';

export const rankOf = (v: Value): number => v.type.shape.length;
/** All axes from `first` on. */
export const axesFrom = (v: Value, first = 0): number[] => Array.from({ length: rankOf(v) - first }, (_, i) => first + i);
/** An axis that may count from the end. */
export const axisOf = (n: OnnxNode, axis: number, rank: number): number =>
  normAxis(axis, rank) ?? n.reject(`axis ${axis} of a tensor with ${rank} axes`);
/** The position before an axis: like an axis, or the rank itself. */
export const positionOf = (n: OnnxNode, axis: number, rank: number): number => (axis === rank ? rank : axisOf(n, axis, rank));
/** Axes that may count from the end, in order. */
export function sortedAxes(n: OnnxNode, axes: readonly number[], rank: number): number[] {
  const all = axes.map(a => axisOf(n, a, rank)).sort((a, b) => a - b);
  all.forEach((a, i) => {
    if (a === all[i + 1]) n.reject(`axis ${a} is given twice`);
  });
  return all;
}
/**
 * The axes of a reduction: an attribute before opset `inputFrom`, the second input from then on. None given means all of them, or
 * with `noop_with_empty_axes` none.
 */
export function reductionAxes(n: OnnxNode, c: ImportCtx, x: Value, inputFrom: number): number[] {
  const second = n.inputs[1]?.type.shape[0] === 0 ? undefined : n.inputs[1];
  const given = n.opset < inputFrom ? n.ints('axes', undefined) : second && c.intsIn(second, 'axes');
  if (given !== undefined && given.length > 0) return sortedAxes(n, given, rankOf(x));
  return n.bool('noop_with_empty_axes', false) ? [] : axesFrom(x);
}

/** The range of a size that is either 1 or `d`. */
export const oneOr = (d: Dim): { readonly lo: number; readonly hi: number } => ({
  lo: Math.min(1, Math.max(0, rangeOf(d).lo)),
  hi: Math.max(1, dimHi(d)),
});
