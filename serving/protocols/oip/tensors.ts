import { bad, bytesOf, countOf, datatypeOf, fromBytes, fromList, isTexts, type Tensor } from '../../core/tensors.ts';
import type { ModelInfo, Port } from '../../core/model.ts';

/** The input that a request names. 400 where there is none, or it is of another type. */
export function portOf(m: ModelInfo, name: string, datatype: string): Port {
  const port = m.inputs.find(p => p.name === name);
  if (!port)
    return bad(
      `unexpected inference input '${name.slice(0, 64)}' for model '${m.name}'; its inputs are ${m.inputs.map(p => p.name).join(', ')}`,
    );
  const want = datatypeOf(port.type);
  if (datatype !== want)
    bad(`inference input '${name}' data-type is '${datatype.slice(0, 16)}', but model '${m.name}' expects '${want}'`);
  return port;
}
/** 400 where the shape is not the input's, or the elements are not as many as it says. */
export function checked(port: Port, t: Tensor): Tensor {
  const shape = `[${port.shape.map(d => (typeof d === 'number' ? d : -1)).join(',')}]`;
  if (t.dims.length !== port.shape.length || t.dims.some((d, i) => typeof port.shape[i] === 'number' && d !== port.shape[i]))
    bad(`unexpected shape for input '${port.name}'. Expected ${shape}, got [${t.dims.join(',')}]`);
  const want = countOf(t.dims);
  if (t.data.length !== want)
    bad(`input '${port.name}' has ${t.data.length} elements, but its shape [${t.dims.join(',')}] holds ${want}`);
  return t;
}
/** The tensor of an input from its raw bytes. 400. */
export function fromRaw(port: Port, dims: readonly number[], bytes: Uint8Array): Tensor {
  const data = port.type === 'string' ? textsFrom(bytes, port.name) : fromBytes(port.type, bytes, port.name);
  return checked(port, { type: port.type, dims, data });
}
export function fromElements(port: Port, dims: readonly number[], list: readonly unknown[]): Tensor {
  return checked(port, { type: port.type, dims, data: fromList(port.type, list, port.name) });
}
/** Strings as u32 lengths and bytes. */
function textsFrom(bytes: Uint8Array, name: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder();
  const out: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.length - at >= 4 ? view.getUint32(at, true) : Infinity;
    if (length > bytes.length - at - 4) bad(`input '${name}': a string at byte ${at} is not whole`);
    out.push(utf8.decode(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return out;
}
export function toRaw(t: Tensor): Uint8Array {
  if (!isTexts(t.data)) return bytesOf(t.data);
  return Buffer.concat(
    t.data.flatMap(text => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}
/** The inputs of a model, each given once. 400 where one is missing or given twice. */
export function allInputs(m: ModelInfo, given: readonly (readonly [string, Tensor])[]): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, t] of given) {
    if (Object.hasOwn(inputs, name)) bad(`input '${name}' is given twice`);
    inputs[name] = t;
  }
  for (const p of m.inputs)
    if (!Object.hasOwn(inputs, p.name)) bad(`expected ${m.inputs.length} inputs for model '${m.name}': '${p.name}' is missing`);
  return inputs;
}
/** The outputs that a request wants, all where it names none. 400. */
export function wantedOutputs(m: ModelInfo, names: readonly string[]): readonly Port[] {
  if (names.length === 0) return m.outputs;
  return names.map(
    name =>
      m.outputs.find(p => p.name === name) ??
      bad(
        `unexpected inference output '${name.slice(0, 64)}' for model '${m.name}'; its outputs are ${m.outputs.map(p => p.name).join(', ')}`,
      ),
  );
}
export const rowsOf = (inputs: Readonly<Record<string, Tensor>>): number => Object.values(inputs)[0]?.dims[0] ?? 1;
