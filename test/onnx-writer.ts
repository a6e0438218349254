/** Writes small ONNX files for tests, with field numbers of their own: the decoder's table is not asked. */
import protobuf from 'protobufjs/minimal.js';

type Writer = InstanceType<typeof protobuf.Writer>;
export type Part = (w: Writer) => void;
const all =
  (parts: readonly Part[]): Part =>
  w =>
    parts.forEach(p => p(w));
/** A field of varint, of text or bytes, or of a message made of parts. */
export const int =
  (field: number, value: number | bigint): Part =>
  w => {
    w.uint32(field * 8);
    const v = BigInt.asUintN(64, BigInt(value));
    w.uint64({ low: Number(v & 0xffffffffn) | 0, high: Number(v >> 32n) | 0, unsigned: true });
  };
export const text =
  (field: number, value: string): Part =>
  w =>
    void w.uint32(field * 8 + 2).string(value);
export const bytes =
  (field: number, value: Uint8Array): Part =>
  w =>
    void w.uint32(field * 8 + 2).bytes(value);
export const float =
  (field: number, value: number): Part =>
  w =>
    void w.uint32(field * 8 + 5).float(value);
export const sub =
  (field: number, ...parts: Part[]): Part =>
  w => {
    w.uint32(field * 8 + 2).fork();
    all(parts)(w);
    w.ldelim();
  };
/** The bytes of a message. */
export function encode(...parts: Part[]): Uint8Array {
  const w = protobuf.Writer.create();
  all(parts)(w);
  return new Uint8Array(w.finish());
}

export interface TensorParts {
  readonly name?: string;
  readonly dims: readonly number[];
  readonly type: number;
  readonly raw?: Uint8Array;
  readonly more?: readonly Part[];
}
export const tensor = (t: TensorParts): Part =>
  all([
    ...t.dims.map(d => int(1, d)),
    int(2, t.type),
    ...(t.name === undefined ? [] : [text(8, t.name)]),
    ...(t.raw === undefined ? [] : [bytes(9, t.raw)]),
    ...(t.more ?? []),
  ]);
/** An attribute from a plain value: integers, lists of integers, text, or a graph's parts. */
export function attribute(name: string, value: number | readonly number[] | string | { readonly graph: Part }): Part {
  const body =
    typeof value === 'number'
      ? [int(3, value), int(20, 2)]
      : typeof value === 'string'
        ? [text(4, value), int(20, 3)]
        : 'graph' in value
          ? [sub(6, value.graph), int(20, 5)]
          : [...value.map(v => int(8, v)), int(20, 7)];
  return sub(5, text(1, name), ...body);
}
export const node = (op: string, inputs: readonly string[], outputs: readonly string[], ...attributes: Part[]): Part =>
  sub(1, ...inputs.map(i => text(1, i)), ...outputs.map(o => text(2, o)), text(4, op), ...attributes);
/** An input (field 11) or output (12) of a graph; a size may be a name. */
export const value = (field: 11 | 12 | 13, name: string, type: number, shape: readonly (number | string)[]): Part =>
  sub(
    field,
    text(1, name),
    sub(2, sub(1, int(1, type), sub(2, ...shape.map(d => sub(1, typeof d === 'number' ? int(1, d) : text(2, d)))))),
  );
/** A model of IR version 8 from the parts of its graph. */
export const model = (graph: readonly Part[], opset = 17): Uint8Array =>
  encode(int(1, 8), text(2, 'test'), sub(7, ...graph, text(2, 'g')), sub(8, int(2, opset)));
