import { encode, bytes, float, int, sub, text, type Part } from './onnx-writer.ts';

/** Writes TensorFlow's protobuf files for tests, with field numbers of its own: the decoder's table is not asked. */

export interface TfTensor {
  readonly type: number;
  readonly dims: readonly number[];
  readonly content?: Uint8Array;
  readonly strings?: readonly string[];
}
export type TfAttr =
  | { readonly i: number }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly s: string }
  | { readonly type: number }
  | { readonly shape: readonly number[] }
  | { readonly tensor: TfTensor }
  | { readonly func: string }
  | { readonly ints: readonly number[] }
  | { readonly types: readonly number[] }
  | { readonly funcs: readonly string[] };
export interface TfNodeSpec {
  readonly name: string;
  readonly op: string;
  readonly inputs?: readonly string[];
  readonly attrs?: Readonly<Record<string, TfAttr>>;
}
export interface TfFunctionSpec {
  readonly name: string;
  readonly args: Readonly<Record<string, number>>;
  readonly outs: Readonly<Record<string, number>>;
  readonly nodes: readonly TfNodeSpec[];
  /** Result → a value in the body. */
  readonly ret: Readonly<Record<string, string>>;
}
/** TensorFlow's numbers of element types. */
export const TF = { f32: 1, i32: 3, string: 7, i64: 9, bool: 10, resource: 20, variant: 21 } as const;

const shapePart = (field: number, dims: readonly number[]): Part => sub(field, ...dims.map(d => sub(2, int(1, d))));
const tensorPart = (field: number, t: TfTensor): Part =>
  sub(
    field,
    int(1, t.type),
    shapePart(2, t.dims),
    ...(t.content ? [bytes(4, t.content)] : []),
    ...(t.strings ?? []).map(s => text(8, s)),
  );
function attrPart(a: TfAttr): Part {
  if ('i' in a) return int(3, a.i);
  if ('f' in a) return float(4, a.f);
  if ('b' in a) return int(5, a.b ? 1 : 0);
  if ('s' in a) return text(2, a.s);
  if ('type' in a) return int(6, a.type);
  if ('shape' in a) return shapePart(7, a.shape);
  if ('tensor' in a) return tensorPart(8, a.tensor);
  if ('func' in a) return sub(10, text(1, a.func));
  if ('funcs' in a) return sub(1, ...a.funcs.map(f => sub(9, text(1, f))));
  if ('ints' in a) return sub(1, ...a.ints.map(v => int(3, v)));
  return sub(1, ...a.types.map(v => int(6, v)));
}
const nodeParts = (n: TfNodeSpec): readonly Part[] => [
  text(1, n.name),
  text(2, n.op),
  ...(n.inputs ?? []).map(i => text(3, i)),
  ...Object.entries(n.attrs ?? {}).map(([key, a]) => sub(5, text(1, key), sub(2, attrPart(a)))),
];
export const writeNode = (n: TfNodeSpec): Uint8Array => encode(...nodeParts(n));
const functionPart = (f: TfFunctionSpec): Part => {
  const args = (field: number, list: Readonly<Record<string, number>>): Part[] =>
    Object.entries(list).map(([name, type]) => sub(field, text(1, name), int(3, type)));
  return sub(
    1,
    sub(1, text(1, f.name), ...args(2, f.args), ...args(3, f.outs)),
    ...f.nodes.map(n => sub(3, ...nodeParts(n))),
    ...Object.entries(f.ret).map(([key, value]) => sub(4, text(1, key), text(2, value))),
  );
};
const graphParts = (nodes: readonly TfNodeSpec[], functions: readonly TfFunctionSpec[]): readonly Part[] => [
  ...nodes.map(n => sub(1, ...nodeParts(n))),
  ...(functions.length > 0 ? [sub(2, ...functions.map(functionPart))] : []),
];
/** The bytes of a frozen graph. */
export const writeGraph = (nodes: readonly TfNodeSpec[], functions: readonly TfFunctionSpec[] = []): Uint8Array =>
  encode(...graphParts(nodes, functions));

export interface TfPort {
  /** `node:output`. */
  readonly ref: string;
  readonly type: number;
  readonly shape: readonly number[];
}
export interface SavedModelSpec {
  readonly nodes: readonly TfNodeSpec[];
  readonly functions?: readonly TfFunctionSpec[];
  readonly signatures: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, TfPort>>; readonly outputs: Readonly<Record<string, TfPort>> }>
  >;
  /** The node that restores variables. */
  readonly restore?: string;
  /** File names by the tensors that take them. */
  readonly assets?: Readonly<Record<string, string>>;
}
/** The bytes of saved_model.pb. */
export function writeSavedModel(m: SavedModelSpec): Uint8Array {
  const ports = (field: number, list: Readonly<Record<string, TfPort>>): Part[] =>
    Object.entries(list).map(([name, p]) =>
      sub(field, text(1, name), sub(2, text(1, p.ref), int(2, p.type), shapePart(3, p.shape))),
    );
  const signatures = Object.entries(m.signatures).map(([name, s]) =>
    sub(5, text(1, name), sub(2, ...ports(1, s.inputs), ...ports(2, s.outputs), text(3, 'tensorflow/serving/predict'))),
  );
  const assets = Object.entries(m.assets ?? {}).map(([tensor, file]) => sub(6, sub(1, text(1, tensor)), text(2, file)));
  const meta = [
    sub(1, text(4, 'serve')),
    sub(2, ...graphParts(m.nodes, m.functions ?? [])),
    ...(m.restore === undefined ? [] : [sub(3, text(3, m.restore))]),
    ...signatures,
    ...assets,
  ];
  return encode(int(1, 1), sub(2, ...meta));
}
export const floatsOf = (dims: readonly number[], values: readonly number[]): TfAttr => ({
  tensor: { type: TF.f32, dims, content: new Uint8Array(Float32Array.from(values).buffer) },
});
export const intsOf = (dims: readonly number[], values: readonly number[]): TfAttr => ({
  tensor: { type: TF.i32, dims, content: new Uint8Array(Int32Array.from(values).buffer) },
});
export const longsOf = (dims: readonly number[], values: readonly number[]): TfAttr => ({
  tensor: { type: TF.i64, dims, content: new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer) },
});
/** A constant. */
export const constNode = (name: string, value: TfAttr): TfNodeSpec => ({
  name,
  op: 'Const',
  attrs: { value, ...('tensor' in value && { dtype: { type: value.tensor.type } }) },
});
