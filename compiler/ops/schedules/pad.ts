import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd, dimSub, type Dim } from '../../core/dim.ts';
import { regOf } from '../../core/dtype.ts';
import { dimStrides } from '../../core/shape.ts';
import { add, and, int, konst, mul, sub, vtype, within, type Expr, type Lanes } from '../../kernel/ir.ts';
import { forLanes, lanesOf } from '../loops.ts';
import type { LowerCtx, SlotBuffer, Source } from '../lowering.ts';

/**
 * Copies a channels-last input into scratch memory with a border of zeros, so that windows need not look where they are. `sizes`:
 * batch and spatial sizes with the border; `pads`: before each spatial axis, then after each.
 */
export function padInto(c: LowerCtx<unknown>, x: Source, sizes: readonly Dim[], pads: readonly Dim[]): SlotBuffer {
  const nd = sizes.length - 1;
  const channels = must(x.dims.at(-1));
  const dims = [...sizes, channels];
  const to = c.temp('padded', x.dtype, dimProd(dims));
  const strides = dimStrides(dims);
  const axes = Array.from({ length: nd + 2 }, (_, i) => i);
  // A row of pixels is one run of elements where it lies so.
  const joined = x.canMerge(nd);
  const src = joined ? x.merge([...axes.slice(0, nd).map(a => [a]), [nd, nd + 1]]) : x;
  const lanes: Lanes = x.vector ? lanesOf(c.profile) : 1;
  const inner = must(x.dims[nd]);
  const before = must(pads[nd - 1]);
  const after = dimSub(dimSub(must(sizes[nd]), before), inner);
  c.kernel('pad', k => {
    const clear = (at: Expr, n: Dim): void =>
      forLanes(k, n, x.dtype === regOf(x.dtype) ? lanesOf(c.profile) : 1, (i, l) =>
        k.store(to, add(at, i), konst(vtype(regOf(x.dtype), l), 0)),
      );
    const row = (idx: readonly Expr[], at: Expr): void => {
      clear(at, dimMul(before, channels));
      const begin = k.let(add(at, k.dim(dimMul(before, channels))));
      if (joined) forLanes(k, dimMul(inner, channels), lanes, (i, l) => k.store(to, add(begin, i), src.at(k, [...idx, i], l)));
      else
        k.for(0, inner, px => {
          const pixel = k.let(add(begin, mul(px, k.dim(channels))));
          forLanes(k, channels, lanes, (i, l) => k.store(to, add(pixel, i), src.at(k, [...idx, px, i], l)));
        });
      clear(k.let(add(begin, k.dim(dimMul(inner, channels)))), dimMul(after, channels));
    };
    const nest = (idx: readonly Expr[], at: Expr, inside: Expr): void => {
      const axis = idx.length;
      if (axis === nd) {
        k.if(
          inside,
          () => row(idx, at),
          () => clear(at, must(strides[nd - 1])),
        );
        return;
      }
      k.for(
        0,
        must(sizes[axis]),
        i => {
          const pad = axis === 0 ? 0 : must(pads[axis - 1]);
          const own = k.let(sub(i, k.dim(pad)));
          const ok = pad === 0 && axis === 0 ? inside : k.let(and(inside, within(own, 0, k.dim(must(x.dims[axis])))));
          nest([...idx, own], k.let(add(at, mul(i, k.dim(must(strides[axis]))))), ok);
        },
        { parallel: axis === 0 },
      );
    };
    nest([], int(0), int(1));
  });
  return to;
}
