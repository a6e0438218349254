/**
 * Transposed depthwise convolution, channels last: each output gathers the taps that hit an input, which lie a stride apart.
 * ```
 * for n, for output pixel, parallel:
 *   along each axis: taps (o + before) mod stride, + stride …, whose input (o + before - tap) / stride exists
 *   for channel by lanes:
 *     acc = 0; for those taps: acc += x[n][input ..][channel] * w[tap ..][channel]
 *     y[n][..][channel] = epilogue(acc)
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { fromTyped, stridesOf, type Tensor } from '../../../core/tensor.ts';
import { tensorOf, type NodeOf } from '../../../graph/graph.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, div, int, konst, max, min, mul, rem, sub, vtype, type Expr } from '../../../kernel/ir.ts';
import { forAll, forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx } from '../../lowering.ts';
import { permute, type WindowAttrs } from '../../spatial.ts';
import { registerValues } from '../../schedules/pack.ts';

/** Whether each output channel is made of one input channel, and weights are known. */
export const isDepthwise = (n: NodeOf<WindowAttrs & { readonly group: number }>): boolean => {
  const { layout, group, dilations } = n.attrs;
  const w = tensorOf(n.inputs[1]);
  return (
    layout === 'NHWC' &&
    must(n.outputs[0]).type.dtype === 'f32' &&
    w !== undefined &&
    group > 1 &&
    w.dims[0] === group &&
    w.dims[1] === 1 &&
    dilations.every(d => d === 1)
  );
};
/** Weights [C, 1, …taps] as [taps, C]. */
function byTap(w: Tensor): Tensor {
  const axes = w.dims.map((_, i) => i);
  const { dtype, data } = registerValues(permute(w, [...axes.slice(2), 0, 1]));
  return fromTyped(dtype, [data.length], data);
}
export function lowerDepthwiseTranspose(c: LowerCtx<WindowAttrs & { readonly group: number }>): void {
  const { strides, pads } = c.attrs;
  const [x, sink] = [c.sourceOf(c.rows(0)), c.sink(0)];
  const w = must(c.constant(1));
  const kernel = w.dims.slice(2);
  const channels = must(w.dims[0]);
  const weights = c.weights('taps', byTap(w));
  const tapStrides = stridesOf(kernel).map(s => s * channels);
  const lanes = x.vector && sink.vector ? lanesOf(c.profile) : 1;
  c.kernel('convtranspose', k =>
    forAll(k, sink.dims.slice(0, -1), idx => {
      const [n, ...place] = idx;
      const axes = place.map((o, d) =>
        axisTaps(k, o, k.dim(must(pads[d])), k.dim(must(x.dims[d + 1])), must(kernel[d]), must(strides[d])),
      );
      forLanes(k, channels, lanes, (channel, l) => {
        const acc = k.var(konst(vtype('f32', l), 0));
        const nest = (at: readonly Expr[], from: Expr): void => {
          const a = axes[at.length];
          if (!a) {
            const v = x.at(k, [must(n), ...at, channel], l);
            k.set(acc, add(acc, mul(v, k.load(weights, from, l))));
            return;
          }
          const [stride, tapStride] = [must(strides[at.length]), must(tapStrides[at.length])];
          k.for(a.lo, a.hi, j => nest([...at, k.let(div(sub(a.place, j), stride))], k.let(add(from, mul(j, tapStride)))), {
            step: stride,
          });
        };
        nest([], channel);
        sink.store(k, [...idx, channel], acc);
      });
    }),
  );
}
/** The taps of output `o` along an axis: lo, lo + stride … below hi; tap j meets input (place - j) / stride. */
function axisTaps(
  k: KernelBuilder,
  o: Expr,
  before: Expr,
  size: Expr,
  kernel: number,
  stride: number,
): { readonly place: Expr; readonly lo: Expr; readonly hi: Expr } {
  const place = k.let(add(o, before));
  // The last input is met by the first tap that counts.
  const least = k.let(max(sub(place, mul(sub(size, 1), stride)), int(0)));
  const phase = k.let(rem(place, stride));
  const lo = k.let(add(least, rem(add(sub(phase, rem(least, stride)), stride), stride)));
  return { place, lo, hi: k.let(min(add(place, 1), kernel)) };
}
