import { InternalError } from '../core/diagnostic.ts';
import { DTYPES, type DType, type TypedArray } from '../core/dtype.ts';
import { codeOf } from '../core/codes.ts';
import { bitsOf, getLane, putLane, type Value } from './arith.ts';
import { baseBytes, type Base } from './ir.ts';

/** Memory as a kernel is given it: the elements of a slot, and how many of them lie before the buffer. */
export interface BufferArg {
  readonly dtype: DType;
  readonly data: TypedArray;
  /** In elements of `dtype`. */
  readonly offset?: number;
}
/** One buffer seen as elements of one type. */
export interface Cell {
  readonly param: number;
  readonly name: string;
  readonly dtype: DType;
  view: TypedArray;
  offset: number;
}
/** Lanes in their machine form, for what looks at bits. */
export const scratch = new DataView(new ArrayBuffer(1024));

/** Points a cell at memory; accesses of another element type than the memory has see the same bytes. */
export function bindCell(c: Cell, a: BufferArg): void {
  const { array: Ctor, bytes } = DTYPES[c.dtype];
  const offset = ((a.offset ?? 0) * DTYPES[a.dtype].bytes) / bytes;
  if (a.data.byteOffset % bytes !== 0) throw new InternalError(`memory of ${c.name} is not aligned for ${c.dtype}`);
  c.view =
    a.data instanceof Ctor
      ? a.data
      : new Ctor(a.data.buffer as ArrayBuffer, a.data.byteOffset, Math.floor(a.data.byteLength / bytes));
  c.offset = offset;
}
export function writeFn(c: Cell, dtype: DType): (i: number, v: Value) => void {
  const code = codeOf(dtype);
  if (code) return (i, v) => void (c.view[i] = code.encode(Number(v)));
  return (i, v) => void (c.view[i] = v);
}
export function writeLanes(base: Base, lanes: readonly Value[]): void {
  const size = baseBytes(base);
  for (let i = 0; i < lanes.length; i++) putLane(scratch, i * size, base, lanes[i] ?? 0);
}
/** Picks the bits of one lane: from a where the mask has ones. */
export function blendFn(mask: Base, base: Base): (m: Value, a: Value, b: Value) => Value {
  if (bitsOf(mask) !== bitsOf(base)) throw new InternalError('select: the mask has another width than the operands');
  return (m, a, b) => {
    if (m === 0 || m === 0n) return b;
    if (m === -1 || m === -1n) return a;
    putLane(scratch, 0, mask, m);
    const bits = scratch.getBigUint64(0, true);
    putLane(scratch, 0, base, a);
    const x = scratch.getBigUint64(0, true);
    putLane(scratch, 0, base, b);
    const y = scratch.getBigUint64(0, true);
    scratch.setBigUint64(0, (x & bits) | (y & ~bits), true);
    return getLane(scratch, 0, base);
  };
}
