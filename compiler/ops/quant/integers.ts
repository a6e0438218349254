import { must } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import type { TensorType } from '../../core/shape.ts';
import { fromTyped, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import { tensorOf, type Node } from '../../graph/graph.ts';
import { broadcastIndex } from '../elementwise/op.ts';

/** What products of 8-bit integers share. Inputs 0 and 1 are the operands, inputs 2 and 3 the zero points that are taken off them. */

const RANGES: Partial<Record<DType, readonly [number, number]>> = { u8: [0, 255], i8: [-128, 127] };
/** The smallest and the largest element of a type of 8 bits; undefined for other types. */
export const byteRange = (t: DType): readonly [number, number] | undefined => RANGES[t];

/** Rejects operands that are not of 8 bits, and zero points of another type than theirs. */
export function checkIntegers(
  types: readonly (TensorType | undefined)[],
  names: readonly string[],
  reject: (why: string) => never,
): void {
  names.forEach((name, i) => {
    const [{ dtype }, zero] = [must(types[i]), types[i + 2]];
    if (!byteRange(dtype)) reject(`${name} is ${dtype}, not u8 or i8`);
    if (zero && zero.dtype !== dtype) reject(`${name} is ${dtype} and its zero point ${zero.dtype}`);
  });
}
/** x - zero as i32; zero broadcasts. */
export function shifted(x: Tensor, zero: Tensor | undefined): Tensor {
  const [data, zeros] = [new Int32Array(numbersOf(x)), zero && numbersOf(zero)];
  if (zero && zeros?.some(z => z !== 0)) {
    const at = broadcastIndex(zero.dims, x.dims);
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) - (zeros[at(i)] ?? 0);
  }
  return fromTyped('i32', x.dims, data);
}
/** The elements of a tensor, bytes without a copy of them. */
export function numbersOf(t: Tensor): Int8Array | Uint8Array | Float64Array {
  const a = t.dtype === 'i8' || t.dtype === 'u8' ? typed(t) : undefined;
  return a instanceof Int8Array || a instanceof Uint8Array ? a : toNumbers(t);
}
interface Known {
  readonly zero: Tensor | undefined;
  readonly range: readonly [number, number];
}
const ranges = new WeakMap<Tensor, Known>();
/** The least and the largest of 0 and the elements of operand 1 less its zero point; undefined where one of them is not a constant. */
export function constantRange(n: Pick<Node, 'inputs'>): readonly [number, number] | undefined {
  const [w, zero] = [tensorOf(n.inputs[1]), tensorOf(n.inputs[3])];
  if (!w || (n.inputs[3] && !zero)) return undefined;
  const had = ranges.get(w);
  if (had && had.zero === zero) return had.range;
  const range = rangeOf(zero && numbersOf(zero).some(z => z !== 0) ? numbersOf(shifted(w, zero)) : numbersOf(w));
  ranges.set(w, { zero, range });
  return range;
}
/** The least and the largest of some numbers and 0. */
export function rangeOf(a: ArrayLike<number>): readonly [number, number] {
  let [least, most] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const v = a[i] ?? 0;
    if (v < least) least = v;
    if (v > most) most = v;
  }
  return [least, most];
}
/** Operand 1 with its zero point taken off, as i32; undefined where one of them is not a constant. */
export function constantOperand(n: Pick<Node, 'inputs'>): Tensor | undefined {
  const [w, zero] = [tensorOf(n.inputs[1]), tensorOf(n.inputs[3])];
  return w && (zero || !n.inputs[3]) ? shifted(w, zero) : undefined;
}
