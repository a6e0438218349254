import { must } from '../../../core/diagnostic.ts';
import { dimProd } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Mod } from '../../../ops/elementwise/index.ts';
import { AveragePool, MaxPool, MaxPoolIndices } from '../../../ops/pool/pool.ts';
import { toChannelsLast, toPlanar } from '../../../ops/spatial.ts';
import { rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { sizesValue } from '../sizes.ts';
import { transpose } from '../views.ts';
import { windowAttrs, type Window } from './window.ts';

export interface Pooling extends Window {
  /** The sizes of the window. */
  readonly kernel: readonly number[];
}
const attrsOf = (c: ImportBuilder, x: Value, o: Pooling) => ({
  ...windowAttrs(c, x, o.kernel, o),
  kernel: o.kernel,
  ceil: false,
});

export const maxPool = (c: ImportBuilder, x: Value, o: Pooling): Value => c.apply1(MaxPool, [x], attrsOf(c, x, o));
/** The mean over the elements of the window that are in x: padding does not count. */
export const averagePool = (c: ImportBuilder, x: Value, o: Pooling): Value =>
  c.apply1(AveragePool, [x], { ...attrsOf(c, x, o), countPads: false });

/** `maxPool` of [N, H, W, C] or [N, C, H, W], and where each maximum is in its plane, h * W + w, as i64. */
export function maxPoolPlaces(c: ImportBuilder, x: Value, o: Pooling): readonly [value: Value, place: Value] {
  const last = o.layout === 'NHWC';
  const planar = last ? transpose(c, x, toPlanar(rankOf(x))) : x;
  const outs = c.apply(MaxPoolIndices, [planar], { ...attrsOf(c, planar, { ...o, layout: 'NCHW' }) });
  // Places are those in the whole tensor.
  const plane = sizesValue(c, [dimProd(planar.type.shape.slice(2))], []);
  const inPlane = c.apply1(Mod, [must(outs[1]), plane], { fmod: false });
  const turned = (v: Value): Value => (last ? transpose(c, v, toChannelsLast(rankOf(x))) : v);
  return [turned(must(outs[0])), turned(inPlane)];
}
