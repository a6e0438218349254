import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimMax, dimProd, dimSub, type Dim } from '../../core/dim.ts';
import { asSpelt } from '../../core/texts.ts';
import { utf8 } from '../../core/bytes.ts';
import type { Value } from '../../graph/graph.ts';
import { Pad } from '../../ops/movement/pad.ts';
import { TextPlaces, TextSpelling } from '../../ops/text/places.ts';
import { concat, reshape, slice } from '../shared/views.ts';
import type { ImportBuilder } from '../shared/builder.ts';

/**
 * Texts in models that look into them. Operators of `ops/text.ts` take and give what texts hold; all others take places in a list, which are
 * made of what the operands of one node hold, and of whose results that are texts it is told again what they hold.
 */

/** Texts by what they hold: bytes along a last axis more. */
export interface Spelt {
  readonly spelt: Value;
}

/** What texts hold that are places: constants, or texts that the model knows. */
export function spellingOf(c: ImportBuilder, v: Value): Value {
  if (v.def.k === 'const') return c.constant(asSpelt({ ...v.def.tensor, texts: c.textList.texts }));
  return c.apply1(TextSpelling, [v, c.literal('u8', [0], [1, 1])], { width: longestKnown(c) });
}
const longestKnown = (c: ImportBuilder): number => c.textList.texts.reduce((n, t) => Math.max(n, utf8(t).length), 1);

/** Bytes of texts with room for `width` each. */
function widened(c: ImportBuilder, x: Value, width: Dim): Value {
  const axes = x.type.shape.length;
  const more = dimSub(width, must(x.type.shape.at(-1)));
  if (more === 0) return x;
  const begin = new Array<Dim>(axes).fill(0);
  return c.apply1(Pad, [x], { begin, end: begin.with(axes - 1, more) });
}
export const widthOf = (x: Value): Dim => must(x.type.shape.at(-1));

/**
 * Operands of one node as places in one list: a text that is in several of them has one place. `again`: what the texts hold that came out.
 */
export function placed(
  c: ImportBuilder,
  operands: readonly Value[],
): { readonly places: readonly Value[]; readonly again: (v: Value) => Value } {
  const width = operands.map(widthOf).reduce(dimMax);
  const rows = operands.map(x => {
    const wide = widened(c, x, width);
    return reshape(c, wide, [dimProd(x.type.shape.slice(0, -1)), width]);
  });
  const all = rows.length === 1 ? must(rows[0]) : concat(c, rows, 0);
  const ids = c.apply1(TextPlaces, [all]);
  let start: Dim = 0;
  const places = operands.map(x => {
    const shape = x.type.shape.slice(0, -1);
    const size = dimProd(shape);
    const part = slice(c, ids, new Map([[0, { start, size, step: 1 }]]));
    start = dimAdd(start, size);
    return reshape(c, part, shape);
  });
  return {
    places,
    again: v =>
      v.def.k === 'const' ? spellingOf(c, v) : c.apply1(TextSpelling, [v, all], { width: dimMax(width, longestKnown(c)) }),
  };
}
