/**
 * A copy with a border, so that windows need no limits:
 * ```
 * for n, for y, parallel (all axes but the last spatial one):
 *   if y inside: left border; for (x, channel) by lanes: padded[n][y][x][channel] = x[n][y - before][..]; right border
 *   else:        the whole row is border
 * ```
 * Three or four planes (a picture) are read by vectors of pixels and interleaved by shuffles. The input may be computed on the way.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimEq, dimMul, dimProd, dimSub, isMultiple, rangeOf, type Dim } from '../../../core/dim.ts';
import { regOf, type DType } from '../../../core/dtype.ts';
import { dimStrides } from '../../../core/shape.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  int,
  konst,
  loadType,
  mul,
  shuffle,
  splat,
  sub,
  vtype,
  within,
  type Expr,
  type Lanes,
  type Num,
} from '../../../kernel/ir.ts';
import { forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import { turned } from '../../schedules/pack.ts';

/** What a padded copy is made of, where that is not the input's own elements and zeros. */
interface Cells {
  readonly dtype: DType;
  /** Elements of a pixel, at least as many as the input's channels, which whole vectors hold; what is behind those is not used. */
  readonly channels: Dim;
  /** An element of the border, as a register holds it. */
  border(k: KernelBuilder): Expr;
  /** Elements of the input as they are stored. */
  convert(v: Expr): Expr;
}
/**
 * Copies a channels-last input into scratch memory with a border of zeros, so that windows need not look where they are. `sizes`:
 * batch and spatial sizes with the border; `pads`: before each spatial axis, then after each.
 */
export function padInto(c: LowerCtx<unknown>, x: Source, sizes: readonly Dim[], pads: readonly Dim[], as?: Cells): SlotBuffer {
  const nd = sizes.length - 1;
  const own = must(x.dims.at(-1));
  const { dtype, channels } = as ?? { dtype: x.dtype, channels: own };
  const dims = [...sizes, channels];
  const to = c.temp('padded', dtype, dimProd(dims));
  const strides = dimStrides(dims);
  const axes = Array.from({ length: nd + 2 }, (_, i) => i);
  // A row of pixels is one run of elements where it lies so. Vectors that reach beyond a pixel then end in the next one.
  const rows = x.canMerge(nd) ? x.merge([...axes.slice(0, nd).map(a => [a]), [nd, nd + 1]]) : undefined;
  const lanes: Lanes = x.vector ? lanesOf(c.profile) : 1;
  const inner = must(x.dims[nd]);
  const before = must(pads[nd - 1]);
  const after = dimSub(dimSub(must(sizes[nd]), before), inner);
  c.kernel('pad', k => {
    const store = (at: Expr, v: Expr): void => k.store(to, at, cast(loadType(dtype, v.t.lanes), v));
    const put = (at: Expr, v: Expr): void => store(at, as ? as.convert(v) : v);
    const border = as ? k.let(as.border(k)) : konst(vtype(regOf(dtype)), 0);
    const clear = (at: Expr, n: Dim): void =>
      forLanes(k, n, as || dtype === regOf(dtype) ? lanesOf(c.profile) : 1, (i, l) => store(add(at, i), splat(border, l)));
    const row = (idx: readonly Expr[], at: Expr): void => {
      clear(at, dimMul(before, channels));
      const begin = k.let(add(at, k.dim(dimMul(before, channels))));
      const planes = planar(c, x);
      if (planes) {
        interleave(k, planes, idx, inner, channels, (px, v, l) => put(add(begin, add(mul(px, k.dim(channels)), l)), v));
        clear(k.let(add(begin, k.dim(dimMul(inner, channels)))), dimMul(after, channels));
        return;
      }
      const pixel = (px: Expr): Expr => k.let(add(begin, mul(px, k.dim(channels))));
      const one = (px: Expr): void => {
        const at = pixel(px);
        forLanes(k, own, lanes, (i, l) => put(add(at, i), x.at(k, [...idx, px, i], l)));
        k.for(own, channels, i => store(add(at, i), konst(vtype(regOf(dtype)), 0)));
      };
      if (rows && dimEq(own, channels))
        forLanes(k, dimMul(inner, channels), lanes, (i, l) => put(add(begin, i), rows.at(k, [...idx, i], l)));
      else if (rows && overruns(own, channels, inner) && lanes >= 4) {
        const last = k.dim(dimSub(inner, 1));
        k.for(0, last, px => {
          const [from, at] = [k.let(mul(px, k.dim(own))), pixel(px)];
          k.for(0, channels, i => put(add(at, i), rows.at(k, [...idx, add(from, i)], 4)), { step: 4 });
        });
        one(last);
      } else k.for(0, inner, one);
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
        { parallel: true },
      );
    };
    nest([], int(0), int(1));
  });
  return to;
}

/** Whether vectors of four that begin with a pixel fill its place in the copy, and end in the next pixel at the latest. */
const overruns = (own: Dim, channels: Dim, width: Dim): boolean =>
  isMultiple(channels, 4) && Number(own) + 4 > Number(channels) && Number(own) >= 3 && rangeOf(width).lo > 0;
/** A picture of three or four planes (an input of the model, as most are): the same with the columns last, to be read by vectors. */
function planar(c: LowerCtx<unknown>, x: Source): Source | undefined {
  const channels = x.dims.at(-1);
  const r = x.ref;
  if (!r || lanesOf(c.profile) < 4 || x.dtype !== 'f32' || (channels !== 3 && channels !== 4) || r.strides.at(-2) !== 1)
    return undefined;
  const swap = <T>(v: readonly T[]): T[] => [...v.slice(0, -2), ...v.slice(-1), ...v.slice(-2, -1)];
  return c.sourceOf({ buffer: r.buffer, dims: swap(r.dims), strides: swap(r.strides) });
}
/** Puts the pixels of a row with their channels together. `put` gets a pixel, and values from its channel `at` on. */
function interleave(
  k: KernelBuilder,
  planes: Source,
  idx: readonly Expr[],
  width: Dim,
  channels: Dim,
  put: (pixel: Expr, value: Expr, at: Num) => void,
): void {
  const count = Number(channels);
  forLanes(k, width, 4, (px, lanes) => {
    const of = Array.from({ length: count }, (_, i) => k.let(planes.at(k, [...idx, i, px], lanes)));
    if (lanes === 1) {
      of.forEach((v, i) => put(px, v, i));
      return;
    }
    if (count === 4) {
      turned(k, of).forEach((v, i) => put(px, v, 4 * i));
      return;
    }
    const [r, g, b] = [must(of[0]), must(of[1]), must(of[2])];
    const rg = k.let(shuffle(r, g, [0, 4, 1, 5]));
    const gb = k.let(shuffle(g, b, [1, 5, 2, 6]));
    const br = k.let(shuffle(b, r, [2, 7, 3, 3]));
    put(px, shuffle(rg, b, [0, 1, 4, 2]), 0);
    put(px, shuffle(gb, r, [0, 1, 6, 2]), 4);
    put(px, shuffle(br, g, [0, 1, 7, 2]), 8);
  });
}
