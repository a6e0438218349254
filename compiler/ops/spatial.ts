import { must } from '../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimFloorDiv, dimMin, dimMul, dimSub, type Dim } from '../core/dim.ts';
import { numel, stridesOf, type Tensor } from '../core/tensor.ts';
import type { NodeOf } from '../graph/graph.ts';
import { attr, type Typed } from './define.ts';
import { gatherStrided } from './strided.ts';

/** What convolutions and pools share: windows that slide over the spatial axes of [N, C, …] or [N, …, C]. */
export type Layout = 'NCHW' | 'NHWC';

/** The axes of a tensor in a layout: where channels and spatial axes are. */
export const channelAxis = (layout: Layout, rank: number): number => (layout === 'NCHW' ? 1 : rank - 1);
export const spatialAxes = (layout: Layout, rank: number): readonly number[] =>
  Array.from({ length: rank - 2 }, (_, i) => i + (layout === 'NCHW' ? 2 : 1));
/** A shape in a layout from its parts. */
export const layoutShape = <T>(layout: Layout, batch: T, channels: T, spatial: readonly T[]): T[] =>
  layout === 'NCHW' ? [batch, channels, ...spatial] : [batch, ...spatial, channels];
/** Which axis of [N, C, …] each axis of the layout is, and the other way round. */
export const toPlanar = (rank: number): number[] => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
export const toChannelsLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];

/** How a window slides. `pads` are the elements before each spatial axis, then those after each; negative ones crop. */
export const windowAttrs = {
  strides: attr.ints(),
  pads: attr.dims(),
  dilations: attr.ints(),
  layout: attr.oneOf(['NCHW', 'NHWC'], 'NCHW'),
} as const;
export type WindowAttrs = Typed<typeof windowAttrs>;
/** The attributes of a window over f32 channels last: there a convolution is a product over contiguous memory. */
export const channelsLast = <A extends WindowAttrs>(n: NodeOf<A>): A | undefined =>
  n.attrs.layout === 'NCHW' && n.inputs[0]?.type.dtype === 'f32' ? { ...n.attrs, layout: 'NHWC' } : undefined;
export type Steps = Omit<WindowAttrs, 'layout'>;

/** Checks that the attributes are for `n` spatial axes. */
export function checkWindow(a: Steps, kernel: readonly Dim[], n: number, reject: (why: string) => never): void {
  if (a.strides.length !== n || a.dilations.length !== n || a.pads.length !== 2 * n || kernel.length !== n)
    reject(`kernel, strides, dilations and pads must be for ${n} spatial axes`);
  if (a.strides.some(s => s < 1)) reject('strides must be positive');
  if (a.dilations.some(d => d < 1)) reject('dilations must be positive');
}
/** From the first element of a window to one past its last. */
export const extent = (kernel: Dim, dilation: number): Dim => dimAdd(dimMul(dimSub(kernel, 1), dilation), 1);
/** Places of a window along one axis. With `ceil` a last window may reach over the end, if it begins before it. */
function windowCount(size: Dim, kernel: Dim, stride: number, dilation: number, before: Dim, after: Dim, ceil = false): Dim {
  const room = dimSub(dimAdd(size, dimAdd(before, after)), extent(kernel, dilation));
  if (!ceil) return dimAdd(dimFloorDiv(room, stride), 1);
  return dimMin(dimAdd(dimCeilDiv(room, stride), 1), dimCeilDiv(dimAdd(size, before), stride));
}
/** The sizes of the spatial axes after sliding a window over them. */
export function slidSizes(a: Steps, sizes: readonly Dim[], kernel: readonly Dim[], ceil = false): Dim[] {
  const n = sizes.length;
  return sizes.map((s, i) =>
    windowCount(s, must(kernel[i]), must(a.strides[i]), must(a.dilations[i]), must(a.pads[i]), must(a.pads[i + n]), ceil),
  );
}

/** One tap of a window: which element of the kernel, and which of the input. */
export interface Tap {
  readonly kernel: number;
  readonly at: number;
}
/** For each place of the window along one axis the taps that meet the input. */
export function taps(places: number, size: number, kernel: number, stride: number, dilation: number, before: number): Tap[][] {
  return Array.from({ length: places }, (_, o) => {
    const out: Tap[] = [];
    for (let j = 0; j < kernel; j++) {
      const at = o * stride - before + j * dilation;
      if (at >= 0 && at < size) out.push({ kernel: j, at });
    }
    return out;
  });
}
/** A tensor as [N, C, …] whatever its layout is. */
export const planar = (t: Tensor, layout: Layout): Tensor => (layout === 'NCHW' ? t : permute(t, toPlanar(t.dims.length)));
/** A result computed as [N, C, …] in the layout that is wanted. */
export const inLayout = (t: Tensor, layout: Layout): Tensor =>
  layout === 'NCHW' ? t : permute(t, toChannelsLast(t.dims.length));
/** A copy with the axes in another order. */
export function permute(t: Tensor, perm: readonly number[]): Tensor {
  const s = stridesOf(t.dims);
  return gatherStrided(
    t,
    perm.map(p => must(t.dims[p])),
    0,
    perm.map(p => must(s[p])),
  );
}
/** All index tuples of some sizes in row-major order. */
export function* indices(sizes: readonly number[]): Generator<readonly number[]> {
  const n = numel(sizes);
  const at = new Array<number>(sizes.length).fill(0);
  for (let i = 0; i < n; i++) {
    yield at;
    for (let a = sizes.length - 1; a >= 0; a--) {
      const next = (at[a] ?? 0) + 1;
      at[a] = next < (sizes[a] ?? 0) ? next : 0;
      if (at[a] !== 0) break;
    }
  }
}
