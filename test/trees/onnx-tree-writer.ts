/** Writes ONNX models of one tree operator. */
import { bytes, encode, float, int, sub, text, type Part } from '../onnx-writer.ts';

/** An attribute: text, a number, lists, or a tensor of one axis. */
export type ListAttr =
  | string
  | number
  | readonly string[]
  | readonly number[]
  | { readonly floats: readonly number[] }
  | Float32Array
  | Float64Array
  | Uint8Array;
const isTensor = (v: object): v is Float32Array | Float64Array | Uint8Array => ArrayBuffer.isView(v);
/** ONNX's numbers of element types. */
const elementOf = (v: Float32Array | Float64Array | Uint8Array): number =>
  v instanceof Float32Array ? 1 : v instanceof Float64Array ? 11 : 2;
export function listAttribute(name: string, v: ListAttr): Part {
  const body = (): Part[] => {
    if (typeof v === 'string') return [text(4, v), int(20, 3)];
    if (typeof v === 'number') return [int(3, v), int(20, 2)];
    if (isTensor(v)) {
      const raw = new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
      return [sub(5, int(1, v.length), int(2, elementOf(v)), bytes(9, raw)), int(20, 4)];
    }
    if ('floats' in v) return [...v.floats.map(x => float(7, x)), int(20, 6)];
    return [...v.map(x => (typeof x === 'string' ? text(9, x) : int(8, x))), int(20, typeof v[0] === 'string' ? 8 : 7)];
  };
  return sub(5, text(1, name), ...body());
}
/** Input X [n, features]; outputs Y, or Y (labels) and Z (scores). */
export function onnxTreeModel(
  op: string,
  rows: 'f32' | 'f64',
  features: number,
  outputs: 1 | 2,
  attrs: Readonly<Record<string, ListAttr>>,
): Uint8Array {
  const element = rows === 'f32' ? 1 : 11;
  const names = ['Y', 'Z'].slice(0, outputs);
  const type = (name: string): number => (outputs === 2 && name === 'Y' ? 7 : op === 'TreeEnsemble' ? element : 1);
  return encode(
    int(1, 8),
    sub(
      7,
      sub(
        1,
        ...[text(1, 'X'), ...names.map(n => text(2, n)), text(3, 'forest'), text(4, op)],
        ...Object.entries(attrs).map(([k, v]) => listAttribute(k, v)),
        text(7, 'ai.onnx.ml'),
      ),
      text(2, 'g'),
      sub(11, text(1, 'X'), sub(2, sub(1, int(1, element), sub(2, sub(1, text(2, 'n')), sub(1, int(1, features)))))),
      // Without sizes: both sides find them out.
      ...names.map(n => sub(12, text(1, n), sub(2, sub(1, int(1, type(n)))))),
    ),
    sub(8, int(2, 17)),
    sub(8, text(1, 'ai.onnx.ml'), int(2, op === 'TreeEnsemble' ? 5 : 3)),
  );
}
