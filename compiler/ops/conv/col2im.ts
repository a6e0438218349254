import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimMul, dimProd, dimSub, type Dim } from '../../core/dim.ts';
import { isFloat, isInt } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, toNumbers } from '../../core/tensor.ts';
import { add, and, int, konst, loadType, mul, sub, within, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { forAll } from '../loops.ts';
import { refIndex } from '../ref.ts';
import { indexOf } from '../strided.ts';

interface Geometry {
  readonly image: readonly Dim[];
  readonly block: readonly Dim[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}
/** How many places a block has along each axis of the image. */
const places = (a: Geometry): Dim[] =>
  a.image.map((n, i) => {
    const span = dimAdd(dimMul(must(a.dilations[i]), dimSub(must(a.block[i]), 1)), 1);
    const room = dimAdd(n, must(a.pads[i]) + must(a.pads[i + a.image.length]));
    return dimAdd(dimFloorDiv(dimSub(room, span), must(a.strides[i])), 1);
  });

export const Col2Im = defineOp({
  name: 'Col2Im',
  doc: 'Adds columns of blocks [batch, channel * block, place] up to the image that they overlap in; pads are cut off.',
  inputs: ['x'],
  attrs: { image: attr.dims(), block: attr.dims(), strides: attr.ints(), dilations: attr.ints(), pads: attr.ints() },
  infer: c => {
    const x = must(c.types[0]);
    const { image, block, strides, dilations, pads } = c.attrs;
    const rank = image.length;
    if (x.shape.length !== 3) c.reject(`takes [batch, channel * block, place], not ${x.shape.length} axes`);
    if (!isFloat(x.dtype) && !isInt(x.dtype)) c.reject(`adds numbers, not ${x.dtype}`);
    if (block.length !== rank || strides.length !== rank || dilations.length !== rank || pads.length !== 2 * rank)
      c.reject(`block, strides, dilations and pads are for ${rank} axes`);
    if (strides.some(s => s < 1) || dilations.some(s => s < 1)) c.reject('strides and dilations must be positive');
    c.same(must(x.shape[2]), dimProd(places(c.attrs)), 'columns and places of the block');
    const channels = dimFloorDiv(must(x.shape[1]), dimProd(block));
    c.same(must(x.shape[1]), dimMul(channels, dimProd(block)), 'channels');
    return [tensorType(x.dtype, [must(x.shape[0]), channels, ...image])];
  },
  eval: (c, x) => {
    const t = must(x);
    const a = c.attrs;
    const dims = c.dims(0);
    const image = dims.slice(2);
    const block = a.block.map(d => c.dim(d));
    const grid = places(a).map(d => c.dim(d));
    const from = toNumbers(t);
    const out = new Float64Array(numel(dims));
    const step = stridesOf(image);
    const [cells, many] = [numel(block), numel(grid)];
    for (let row = 0; row < (dims[0] ?? 0) * (dims[1] ?? 0); row++)
      for (let b = 0; b < cells; b++)
        for (let l = 0; l < many; l++) {
          const [inBlock, at] = [indexOf(b, block), indexOf(l, grid)];
          const pos = image.map(
            (_, i) => must(at[i]) * must(a.strides[i]) + must(inBlock[i]) * must(a.dilations[i]) - must(a.pads[i]),
          );
          if (pos.some((p, i) => p < 0 || p >= must(image[i]))) continue;
          const q = row * numel(image) + pos.reduce((s, p, i) => s + p * must(step[i]), 0);
          out[q] = must(out[q]) + must(from[(row * cells + b) * many + l]);
        }
    return [fromNumbers(t.dtype, dims, out)];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const a: Geometry = c.attrs;
      const x = c.need(0);
      const out = must(c.sink(0).ref, 'memory of the result');
      c.kernel('col2im_clear', k => {
        const zero = konst(loadType(out.buffer.dtype, 1), 0);
        forAll(k, out.dims, idx => k.store(out.buffer, refIndex(k, out, idx), zero));
      });
      const grid = places(a);
      const flat = (k: { dim(d: Dim): Expr }, idx: readonly Expr[], sizes: readonly Dim[]): Expr =>
        idx.reduce<Expr>((sum, e, i) => add(mul(sum, k.dim(must(sizes[i]))), e), int(0));
      c.kernel('col2im', k =>
        forAll(k, out.dims.slice(0, 2), ([n, ch]) => {
          const nest = (b: readonly Expr[], l: readonly Expr[]): void => {
            const rank = a.block.length;
            if (b.length < rank) k.for(0, must(a.block[b.length]), i => nest([...b, i], l));
            else if (l.length < rank) k.for(0, must(grid[l.length]), i => nest(b, [...l, i]));
            else {
              const pos = b.map((e, i) =>
                k.let(sub(add(mul(must(l[i]), must(a.strides[i])), mul(e, must(a.dilations[i]))), must(a.pads[i]))),
              );
              const inside = pos.map((p, i) => within(p, 0, k.dim(must(a.image[i])))).reduce(and);
              k.if(inside, () => {
                const row = add(mul(must(ch), k.dim(dimProd(a.block))), flat(k, b, a.block));
                const v = x.at(k, [must(n), row, flat(k, l, grid)]);
                const at = k.let(refIndex(k, out, [must(n), must(ch), ...pos]));
                k.store(out.buffer, at, add(k.load(out.buffer, at), v));
              });
            }
          };
          nest([], []);
        }),
      );
    },
  },
});
