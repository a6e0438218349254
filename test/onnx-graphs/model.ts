/** ONNX models as plain data, which a test draws, cuts and writes as files. */
import { bytes, encode, float, int, sub, text, type Part } from '../onnx-writer.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';

/** An attribute: an integer, text, integers, a float, floats, or a tensor. */
export type Attr =
  | number
  | string
  | readonly number[]
  | { readonly f: number }
  | { readonly floats: readonly number[] }
  | { readonly t: Tensor };
export interface Node {
  readonly op: string;
  readonly domain?: string;
  /** Empty: left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Readonly<Record<string, Attr>>;
}
export interface Model {
  readonly opset: number;
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly inputs: ReadonlyMap<string, Tensor>;
  readonly outputs: readonly string[];
}
/** TensorProto.DataType. */
const ELEMENT: Readonly<Partial<Record<DType, number>>> = {
  ...{ f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6, i64: 7, bool: 9, f16: 10, f64: 11, u32: 12, u64: 13, bf16: 16 },
};
const tensorParts = (t: Tensor, name = ''): Part[] => [
  ...t.dims.map(d => int(1, d)),
  int(2, must(ELEMENT[t.dtype])),
  ...(name === '' ? [] : [text(8, name)]),
  bytes(9, t.bytes),
];
function attributeParts(a: Attr): Part[] {
  if (typeof a === 'number') return [int(3, a), int(20, 2)];
  if (typeof a === 'string') return [text(4, a), int(20, 3)];
  if ('f' in a) return [float(2, a.f), int(20, 1)];
  if ('floats' in a) return [...a.floats.map(x => float(7, x)), int(20, 6)];
  if ('t' in a) return [sub(5, ...tensorParts(a.t)), int(20, 4)];
  return [...a.map(x => int(8, x)), int(20, 7)];
}
/** A node as a part of what has its nodes in this field. `more`: parts of it that are no plain data. */
export const nodePart = (n: Node, field = 1, ...more: Part[]): Part =>
  sub(
    field,
    ...n.inputs.map(i => text(1, i)),
    ...n.outputs.map(o => text(2, o)),
    text(4, n.op),
    ...(n.domain === undefined ? [] : [text(7, n.domain)]),
    ...Object.entries(n.attrs).map(([k, v]) => sub(5, text(1, k), ...attributeParts(v))),
    ...more,
  );
/** What nodes are written as: parts of a graph, and of the model around it. */
export interface Written {
  readonly nodes: readonly Part[];
  readonly model?: readonly Part[];
}
/** The file of a model. Outputs have neither type nor shape: readers find them out. */
export function fileOf(m: Model, written: Written = { nodes: m.nodes.map(n => nodePart(n)) }): Uint8Array {
  const input = ([name, t]: readonly [string, Tensor]): Part =>
    sub(11, text(1, name), sub(2, sub(1, int(1, must(ELEMENT[t.dtype])), sub(2, ...t.dims.map(d => sub(1, int(1, d)))))));
  const domains = new Set(m.nodes.flatMap(n => n.domain ?? []));
  return encode(
    int(1, 8),
    sub(
      7,
      ...written.nodes,
      text(2, 'g'),
      ...[...m.constants].map(([name, t]) => sub(5, ...tensorParts(t, name))),
      ...[...m.inputs].map(input),
      ...m.outputs.map(o => sub(12, text(1, o))),
    ),
    sub(8, int(2, m.opset)),
    ...[...domains].map(d => sub(8, text(1, d), int(2, 1))),
    ...(written.model ?? []),
  );
}
/** A model of the same nodes for some outputs: what they do not need is left out. */
export function cut(m: Model, outputs: readonly string[], known: ReadonlyMap<string, Tensor> = new Map()): Model {
  const wanted = new Set(outputs);
  const nodes = m.nodes.filter(n => !n.outputs.every(o => known.has(o))).toReversed();
  const kept = nodes.filter(n => {
    if (!n.outputs.some(o => wanted.has(o))) return false;
    for (const i of n.inputs) if (!known.has(i)) wanted.add(i);
    return true;
  });
  const used = new Set(kept.flatMap(n => n.inputs));
  const of = (from: ReadonlyMap<string, Tensor>): [string, Tensor][] => [...from].filter(([name]) => used.has(name));
  return {
    opset: m.opset,
    nodes: kept.toReversed(),
    constants: new Map(of(m.constants)),
    inputs: new Map([...of(m.inputs), ...of(known)]),
    outputs,
  };
}
const shown = (t: Tensor): string => `${t.dtype}[${t.dims.join(',')}]`;
/** A model as text, for people who look for the fault. */
export function describe(m: Model): string {
  const attr = (a: Attr): string =>
    typeof a === 'object' && 't' in a ? shown(a.t) : JSON.stringify(typeof a === 'object' && 'f' in a ? a.f : a);
  const list = (values: ReadonlyMap<string, Tensor>): string => [...values].map(([k, t]) => `${k} ${shown(t)}`).join(', ');
  return [
    `opset ${m.opset}; inputs ${list(m.inputs)}; constants ${list(m.constants)}`,
    ...m.nodes.map(n => {
      const attrs = Object.entries(n.attrs).map(([k, v]) => `${k}=${attr(v)}`);
      return `  ${n.outputs.join(', ')} = ${n.op}(${[...n.inputs, ...attrs].join(', ')})`;
    }),
    `outputs ${m.outputs.join(', ')}`,
  ].join('\n');
}
