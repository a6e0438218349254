import type { Tensor, Numbers } from './tensors.ts';
import { bytesOf, fromBytes, isTexts, toBrain, toHalf } from './tensors.ts';

/** The file beside manifest.json in which a bundle that was compiled here has what its manifest does not say. */
export const SIDECAR = 'serving.json';
interface Stored {
  readonly type: string;
  readonly dims: readonly number[];
  /** Base64 of little-endian elements, or strings. */
  readonly data: string | readonly string[];
}
/** Inputs, and the outputs that the model must give for them. */
export interface Golden {
  /** What gave the outputs: `evaluator`, the reference in float64, or `bundle` itself when it was compiled. */
  readonly by: 'evaluator' | 'bundle';
  readonly rtol: number;
  readonly atol: number;
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
}
export interface Sidecar {
  readonly objective?: string;
  readonly classes?: number;
  readonly golden?: Golden;
}
export const stored = (t: Tensor): Stored => ({
  type: t.type,
  dims: t.dims,
  data: isTexts(t.data) ? t.data : Buffer.from(bytesOf(t.data)).toString('base64'),
});
export const restored = (s: Stored): Tensor => ({
  type: s.type,
  dims: s.dims,
  data: typeof s.data === 'string' ? fromBytes(s.type, Buffer.from(s.data, 'base64'), 'golden') : s.data,
});

/** The first element of an output that is further from what it must be than the tolerance; undefined where all are right. */
export function differs(got: Tensor | undefined, want: Tensor, rtol: number, atol: number): string | undefined {
  if (!got || got.data.length !== want.data.length || got.dims.join() !== want.dims.join())
    return `is [${got?.dims.join(', ') ?? ''}] instead of [${want.dims.join(', ')}]`;
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [got.data[i], want.data[i]];
    if (a === b || (typeof a === 'number' && Number.isNaN(a) && Number.isNaN(b))) continue;
    // Of small floats the bits are compared: they are rounded once.
    const near = typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) <= atol + rtol * Math.abs(b);
    if (!near) return `gives ${String(a)} instead of ${String(b)} at element ${i}`;
  }
  return undefined;
}
/** Values that many models can take, the same each time: rows of mixed sizes, and some that are missing where a table may have them. */
export function madeUp(type: string, count: number, seed: number, missing: boolean): Numbers | readonly string[] {
  let s = seed >>> 0 || 1;
  const next = (): number => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
  const make = (): number => {
    if (type.startsWith('float')) return missing && next() < 0.1 ? NaN : (next() * 2 - 0.5) * 10 ** Math.floor(next() * 4);
    return type === 'bool' ? Number(next() < 0.5) : Math.floor(next() * 3);
  };
  const values = Array.from({ length: count }, make);
  switch (type) {
    case 'string':
      return values.map(String);
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'uint64':
      return BigUint64Array.from(values, BigInt);
    case 'float64':
      return Float64Array.from(values);
    case 'float32':
      return Float32Array.from(values, v => (missing ? v : v / 1000));
    case 'float16':
      return Uint16Array.from(values, v => toHalf(v / 1000));
    case 'bfloat16':
      return Uint16Array.from(values, v => toBrain(v / 1000));
    case 'uint16':
      return Uint16Array.from(values);
    case 'int8':
      return Int8Array.from(values);
    case 'int16':
      return Int16Array.from(values);
    case 'int32':
      return Int32Array.from(values);
    case 'uint32':
      return Uint32Array.from(values);
    default:
      return Uint8Array.from(values);
  }
}
