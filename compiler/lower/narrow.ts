/**
 * Weights of 32-bit floats as the narrowest type that holds each of them exactly, and the kernel that widens them when the model is loaded.
 * What quantization rounds to few bits, and models of half floats, are so stored and downloaded small, whatever layout a kernel wants.
 * ```
 * 4 bits:  for group of 32:  to[0..16) = (bytes & 15) - 8;  to[16..32) = (bytes >> 4) - 8       integers -8..7
 * others:  for i: to[i] = from[i]                                                  integers -128..127; half floats of either kind
 * ```
 */
import { must } from '../core/diagnostic.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, type Tensor } from '../core/tensor.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import { add, and, cast, int, mul, reinterpret, shr, sub, vtype, widen, type Expr, type Lanes } from '../kernel/ir.ts';
import { WEIGHT_GROUP, type SlotBuffer } from '../ops/lowering.ts';

/** Fewer weights are not worth a call. */
const LEAST = 1024;
/** Elements that one step of a kernel widens. */
const GROUP = WEIGHT_GROUP;

/** What holds a value exactly, by the value and its bits, the smallest first. -0 is no integer. */
const KINDS = {
  nibbles: v => v >= -8 && v <= 7 && Number.isInteger(v) && !Object.is(v, -0),
  i8: v => v >= -128 && v <= 127 && Number.isInteger(v) && !Object.is(v, -0),
  f16: (v, bits) => {
    const a = Math.abs(v);
    return a < 2 ** -14 ? Number.isInteger(v * 2 ** 24) : a <= 65504 && (bits & 0x1fff) === 0;
  },
  bf16: (v, bits) => (bits & 0xffff) === 0 && Number.isFinite(v),
} as const satisfies Readonly<Record<string, (v: number, bits: number) => boolean>>;
type Kind = keyof typeof KINDS;

interface Narrow {
  readonly kind: Kind;
  /** What is stored. */
  readonly stored: Tensor;
  /** Elements of the widened weights: whole groups. */
  readonly size: number;
}
/** The narrowest kind that holds all weights. Those of full precision show in their first elements that there is none. */
function kindOf(t: Tensor): Kind | undefined {
  if (t.dtype !== 'f32' || numel(t.dims) < LEAST) return undefined;
  const data = typed(t) as Float32Array;
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  return (Object.keys(KINDS) as Kind[]).find(k => data.every((v, i) => KINDS[k](v, must(bits[i]))));
}
/** Weights as integers of 8 bits, if these hold all of them. */
export function asBytes(t: Tensor): Tensor | undefined {
  const kind = kindOf(t);
  return kind === 'nibbles' || kind === 'i8' ? fromNumbers('i8', t.dims, toNumbers(t)) : undefined;
}
/** How weights are stored; undefined where they are as small as they get. */
export function narrowed(t: Tensor): Narrow | undefined {
  const kind = kindOf(t);
  if (kind === undefined) return undefined;
  const data = typed(t) as Float32Array;
  const size = Math.ceil(data.length / GROUP) * GROUP;
  const padded = new Float32Array(size);
  padded.set(data);
  return { kind, size, stored: kind === 'nibbles' ? nibbles(padded) : fromNumbers(kind, [size], padded) };
}
/** Byte i of 16 holds elements i and i + 16 of a group. */
function nibbles(data: Float32Array): Tensor {
  const out = new Uint8Array(data.length / 2);
  out.forEach((_, i) => {
    const at = Math.floor(i / (GROUP / 2)) * GROUP + (i % (GROUP / 2));
    out[i] = (must(data[at]) + 8) | ((must(data[at + GROUP / 2]) + 8) << 4);
  });
  return fromTyped('u8', [out.length], out);
}

/** Emits the widening of `size` elements, by vectors where there are any. The size is a parameter, so one kernel serves all weights. */
export function widenKernel(k: KernelBuilder, { kind, size }: Narrow, from: SlotBuffer, to: SlotBuffer, lanes: Lanes): void {
  k.for(0, k.param(size / GROUP), g => {
    const at = k.let(mul(g, GROUP));
    if (kind === 'f16' || kind === 'bf16') {
      const n: Lanes = lanes >= 4 ? 4 : 1;
      k.for(0, GROUP, i => k.store(to, add(at, i), k.load(from, add(at, i), n)), { step: n });
    } else if (lanes < 4) {
      const number = (v: Expr): Expr => cast(vtype('f32'), v);
      if (kind === 'i8') k.for(0, GROUP, i => k.store(to, add(at, i), number(k.load(from, add(at, i)))));
      else
        k.for(0, GROUP / 2, i => {
          const byte = k.let(k.load(from, add(mul(g, GROUP / 2), i)));
          k.store(to, add(at, i), number(sub(and(byte, 15), 8)));
          k.store(to, add(add(at, i), GROUP / 2), number(sub(shr(byte, 4), 8)));
        });
    } else if (kind === 'i8') for (const part of [0, 16]) storeWide(k, k.let(k.load(from, add(at, part), 16)), to, add(at, part));
    else {
      const raw = k.let(k.load(from, mul(g, GROUP / 2), 16));
      [and(raw, 15), shr(raw, int(4))].forEach((half, i) => storeWide(k, k.let(half), to, add(at, 16 * i), 8));
    }
  });
}
/** Sixteen bytes, less `zero`, as floats. */
function storeWide(k: KernelBuilder, bytes: Expr, to: SlotBuffer, at: Expr, zero = 0): void {
  (['low', 'high'] as const).forEach((upper, i) => {
    const pairs = k.let(widen(bytes, upper));
    (['low', 'high'] as const).forEach((lower, j) => {
      const v = cast(vtype('f32', 4), reinterpret(vtype('i32', 4), widen(pairs, lower)));
      k.store(to, add(at, 8 * i + 4 * j), zero === 0 ? v : sub(v, zero));
    });
  });
}
