import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimMul, dimProd, dimSub, type Dim } from '../../core/dim.ts';
import { isFloat, isInt } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, toNumbers } from '../../core/tensor.ts';
import { add, div, int, konst, loadType, max, min, mul, rem, sub, within, type Expr, type Lanes } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { forAll, lanesOf } from '../loops.ts';
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
      const plain = out.buffer.dtype === 'f32' || out.buffer.dtype === 'i32';
      const lanes: Lanes = plain && x.vector && out.strides.at(-1) === 1 ? lanesOf(c.profile) : 1;
      c.kernel('col2im_clear', k => {
        const zero = konst(loadType(out.buffer.dtype, 1), 0);
        forAll(k, out.dims, idx => k.store(out.buffer, refIndex(k, out, idx), zero));
      });
      const grid = places(a);
      const flat = (k: { dim(d: Dim): Expr }, idx: readonly Expr[], sizes: readonly Dim[]): Expr =>
        idx.reduce<Expr>((sum, e, i) => add(mul(sum, k.dim(must(sizes[i]))), e), int(0));
      c.kernel('col2im', k =>
        forAll(k, out.dims.slice(0, 2), ([n, ch]) => {
          const rank = a.block.length;
          /** Adds the places of a row of the grid whose last index is between bounds, so that they lie in the image. */
          const row = (b: readonly Expr[], l: readonly Expr[], pos: readonly Expr[]): void => {
            const d = rank - 1;
            const stride = must(a.strides[d]);
            const start = k.let(sub(mul(must(b[d]), must(a.dilations[d])), must(a.pads[d])));
            const past = (end: Expr): Expr => k.let(div(max(add(sub(end, start), stride - 1), 0), stride));
            const lo = past(int(0));
            const hi = k.let(min(past(k.dim(must(a.image[d]))), k.dim(must(grid[d]))));
            const from = k.let(add(mul(must(ch), k.dim(dimProd(a.block))), flat(k, b, a.block)));
            const put = (i: Expr, width: Lanes): void => {
              const v = x.at(k, [must(n), from, flat(k, [...l, i], grid)], width);
              const at = k.let(refIndex(k, out, [must(n), must(ch), ...pos, add(start, mul(i, stride))]));
              k.store(out.buffer, at, add(k.load(out.buffer, at, width), v));
            };
            const middle = lanes === 1 || stride > 1 ? lo : k.let(sub(hi, rem(max(sub(hi, lo), 0), lanes)));
            if (middle !== lo) k.for(lo, middle, i => put(i, lanes), { step: lanes });
            k.for(middle, hi, i => put(i, 1));
          };
          const nest = (b: readonly Expr[], l: readonly Expr[], pos: readonly Expr[]): void => {
            const i = l.length;
            if (b.length < rank) k.for(0, must(a.block[b.length]), e => nest([...b, e], l, pos));
            else if (i === rank - 1) row(b, l, pos);
            else
              k.for(0, must(grid[i]), g => {
                const p = k.let(sub(add(mul(g, must(a.strides[i])), mul(must(b[i]), must(a.dilations[i]))), must(a.pads[i])));
                k.if(within(p, 0, k.dim(must(a.image[i]))), () => nest(b, [...l, g], [...pos, p]));
              });
          };
          nest([], [], []);
        }),
      );
    },
  },
});
