import type { Value } from '../../../graph/graph.ts';
import type { ImportCtx, OnnxNode } from '../registry.ts';
import { axesFrom, rankOf, sortedAxes } from '../../shared/axes.ts';

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
