import { must } from '../../../core/diagnostic.ts';
import { dimHi } from '../../../core/dim.ts';
import { input, type Graph, type Value } from '../../../graph/graph.ts';
import { Loop } from '../../../ops/control/loop.ts';
import * as e from '../../../ops/elementwise/index.ts';
import type { ImportBuilder } from '../builder.ts';
import { expand, reshape } from '../views.ts';

/** What a cell makes of a sequence. */
export interface Run {
  /** Results at the steps that they are of, steps along the axis of those of the sequence. */
  readonly sequence: Value;
  readonly states: readonly Value[];
}
interface Steps {
  /** The sequence, cut along `axis`. */
  readonly xs: Value;
  /** The axis of the steps, 0 or 1; the other one is that of the batch. */
  readonly axis: 0 | 1;
  /** From the last step to the first; results stay at their steps. */
  readonly reverse?: boolean;
  /** [batch, time] of bool, or as `axis` has it: steps that are false keep the states. */
  readonly mask?: Value | undefined;
  /** The first states. */
  readonly start: readonly Value[];
}
/** A loop over the steps of a sequence: `step` makes the next states, of which the first is the result. */
export function looped(c: ImportBuilder, s: Steps, step: (x: Value, states: readonly Value[]) => readonly Value[]): Run {
  const { xs, axis, mask, start } = s;
  const shape = xs.type.shape.toSpliced(axis, 1);
  const time = must(xs.type.shape[axis], 'an axis of steps');
  const batch = must(shape[0], 'an axis of the batch');
  const formals = start.map((v, i) => input(`state_${i}`, v.type));
  const first = must(start[0]);
  // Before a step counts, the result is zero, whatever the state is.
  const before = mask ? input('before', first.type) : undefined;
  const x = input('x', { dtype: xs.type.dtype, shape });
  const m = mask ? input('mask', { dtype: 'bool', shape: [batch] }) : undefined;
  const made = step(x, formals);
  const kept = (now: Value, old: Value): Value =>
    m ? c.apply1(e.Where, [reshape(c, m, [batch, ...now.type.shape.slice(1).map(() => 1)]), now, old]) : now;
  const next = made.map((v, i) => kept(v, must(formals[i])));
  const result = before ? kept(must(made[0]), before) : must(made[0]);
  const carriedOut = [...next, ...(before ? [result] : [])];
  const body: Graph = {
    name: 'step',
    inputs: [...formals, ...(before ? [before] : []), x, ...(m ? [m] : [])],
    // One value is given once: copies keep results apart.
    outputs: [...carriedOut, result].map((value, i) => ({ name: `out_${i}`, value })),
    symbolDefinitions: [],
  };
  const zero = expand(c, c.literal(first.type.dtype, 0), first.type.shape);
  const carried = [...start, ...(before ? [zero] : [])];
  const scanned = [xs, ...(mask ? [mask] : [])];
  const turn = s.reverse === true ? 1 : 0;
  const outs = c.apply(Loop, [undefined, undefined, ...carried, ...scanned], {
    body,
    carried: carried.length,
    scanned: scanned.length,
    counts: false,
    conditional: false,
    iter: c.symbol('step', 0, Math.max(0, dimHi(time) - 1)),
    trip: time,
    count: time,
    inAxes: scanned.map(() => axis),
    inReverse: scanned.map(() => turn),
    outAxes: [axis],
    outReverse: [turn],
  });
  return { sequence: must(outs[carried.length]), states: outs.slice(0, start.length) };
}
