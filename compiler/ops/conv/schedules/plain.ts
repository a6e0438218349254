/**
 * Convolution of any type, layout and weights:
 * ```
 * for n, for output channel, for y, for x, parallel:    in the order of the layout's axes
 *   acc = 0                                             scalar
 *   for ky if y inside: for kx if x inside:
 *     for channel of the group: acc += (x[n, channel, y', x'] - xZero) * (w[o, channel, ky, kx] - wZero)
 *   out[n, o, y, x] = epilogue(acc)
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { regOf } from '../../../core/dtype.ts';
import { add, cast, div, int, konst, mul, sub, vtype, within, type Base, type Expr } from '../../../kernel/ir.ts';
import { forAll } from '../../loops.ts';
import type { LowerCtx } from '../../lowering.ts';
import { channelAxis, layoutShape, spatialAxes, type WindowAttrs } from '../../spatial.ts';

/** Any type, layout and weights: one output after the other, summed as `sums`. Inputs 2 and 3, where given, are taken off x and w. */
export function lowerConvPlain(c: LowerCtx<WindowAttrs & { readonly group: number }>, sums?: Base): void {
  const { layout, strides, dilations, pads, group } = c.attrs;
  const [x, w] = [c.need(0), c.need(1)];
  const [xZero, wZero] = [c.source(2), c.source(3)?.broadcast(w.dims)];
  const sink = c.sink(0);
  const rank = x.dims.length;
  const axes = spatialAxes(layout, rank);
  const channel = channelAxis(layout, rank);
  const reg = vtype(sums ?? regOf(sink.dtype));
  const less = (v: Expr, zero: Expr | undefined): Expr => (zero ? sub(cast(reg, v), cast(reg, zero)) : cast(reg, v));
  const perGroup = must(w.dims[1]);
  const outs = must(sink.dims[channel]);
  c.kernel('conv', k =>
    forAll(k, sink.dims, idx => {
      const o = must(idx[channel]);
      const outsPer = div(k.dim(outs), group);
      const start = group === 1 ? int(0) : k.let(mul(div(o, outsPer), k.dim(perGroup)));
      const acc = k.var(konst(reg, 0));
      const sum = (at: readonly Expr[], kernel: readonly Expr[]): void =>
        k.for(0, perGroup, i => {
          const v = x.at(k, layoutShape<Expr>(layout, must(idx[0]), add(start, i), at));
          const tap = [o, i, ...kernel];
          k.set(acc, add(acc, mul(less(v, xZero?.at(k, [])), less(w.at(k, tap), wZero?.at(k, tap)))));
        });
      const nest = (at: readonly Expr[], kernel: readonly Expr[]): void => {
        const axis = at.length;
        if (axis === axes.length) {
          sum(at, kernel);
          return;
        }
        const own = must(axes[axis]);
        k.for(0, must(w.dims[axis + 2]), j => {
          const p = k.let(
            sub(add(mul(must(idx[own]), must(strides[axis])), mul(j, must(dilations[axis]))), k.dim(must(pads[axis]))),
          );
          k.if(within(p, 0, k.dim(must(x.dims[own]))), () => nest([...at, p], [...kernel, j]));
        });
      };
      nest([], []);
      sink.store(k, idx, cast(vtype(regOf(sink.dtype)), acc));
    }),
  );
}
