import type { DimOption } from './options.ts';
import type { Iterations } from './import/shared/trees.ts';

/** A size `4`, a range `1..512` or its multiples `32..640:32` of a dimension, as text has it; undefined where it is none. */
export function parseDimOption(text: string): DimOption | undefined {
  const [, n, min, max, step] = /^(?:(\d+)|(\d+)\.\.(\d+)(?::(\d+))?)$/.exec(text) ?? [];
  if (n !== undefined) return Number(n);
  if (min === undefined || max === undefined) return undefined;
  return { min: Number(min), max: Number(max), ...(step !== undefined && { step: Number(step) }) };
}
/** Boosting rounds `A..B`, from A to B, as text has them; undefined where it is none. */
export function parseIterations(text: string): Iterations | undefined {
  const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(text) ?? [];
  return first === undefined || last === undefined ? undefined : { first: Number(first), last: Number(last) };
}
