import type { Answer, Call } from '../../core/call.ts';
import type { Inference, ModelInfo, Tensors } from '../../core/model.ts';
import { parseJson } from '../../core/json.ts';
import { bad, countOf, datatypeOf, jsonElements, typeOf, type Tensor } from '../../core/tensors.ts';
import { allInputs, fromElements, fromRaw, portOf, rowsOf, toRaw, wantedOutputs } from './tensors.ts';
import { VERSION } from './metadata.ts';

/**
 * Inference by the Open Inference Protocol over HTTP, with its binary extension: JSON, then tensors in its order;
 * https://github.com/kserve/open-inference-protocol/tree/main/specification/protocol
 */
type Json = Readonly<Record<string, unknown>>;
const isObject = (x: unknown): x is Json => typeof x === 'object' && x !== null && !Array.isArray(x);
const LENGTH = 'inference-header-content-length';
/** More dimensions than a tensor of any model has. */
const DEEPEST = 16;

interface WantedOutput {
  readonly name: string;
  readonly binary: boolean;
}
export function restInference(c: Call, m: ModelInfo): Inference {
  const length = headerLength(c);
  if (length === 0) return rawInference(c.body, m);
  const body = objectOf(c.body.subarray(0, length), 'the request');
  const parameters = isObject(body['parameters']) ? body['parameters'] : {};
  const { inputs: list } = body;
  if (!Array.isArray(list)) return bad("the request has no list of 'inputs'");
  let at = length;
  const given = list.map((x: unknown): readonly [string, Tensor] => {
    const input = isObject(x) ? x : bad("an element of 'inputs' is no object");
    const name = text(input, 'name');
    const port = portOf(m, name, text(input, 'datatype'));
    const dims = shapeOf(input, name);
    const size = isObject(input['parameters']) ? input['parameters']['binary_data_size'] : undefined;
    if (size === undefined) {
      const { data } = input;
      if (!Array.isArray(data)) return bad(`input '${name}' has no list of 'data'`);
      return [name, fromElements(port, dims, flat(data, name))];
    }
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > c.body.length - at)
      return bad(`input '${name}': binary_data_size is ${JSON.stringify(size)}, and ${c.body.length - at} bytes are left`);
    at += size;
    return [name, fromRaw(port, dims, c.body.subarray(at - size, at))];
  });
  if (at !== c.body.length) bad(`${c.body.length - at} bytes follow the last tensor`);
  const inputs = allInputs(m, given);
  const binary = parameters['binary_data_output'] === true;
  const id = typeof body['id'] === 'string' ? body['id'] : undefined;
  const wanted = outputsOf(body['outputs'], m, binary);
  return { inputs, rows: rowsOf(inputs), finish: o => restAnswer(o, m, id, wanted) };
}
/** One tensor as it is: its shape follows from its length. */
function rawInference(body: Uint8Array, m: ModelInfo): Inference {
  const [port] = m.inputs;
  if (!port || m.inputs.length !== 1) return bad(`a raw tensor is of a model with one input; '${m.name}' has ${m.inputs.length}`);
  const { bytes } = typeOf(port.type);
  if (bytes === 0) return bad(`input '${port.name}' is of strings, which have no shape of their own`);
  const fixed = port.shape.reduce<number>((n, d) => (typeof d === 'number' ? n * d : n), 1);
  const free = port.shape.filter(d => typeof d === 'string').length;
  if (free > 1) bad(`the shape of input '${port.name}' does not follow from its length`);
  const size = body.length / bytes / Math.max(1, fixed);
  if (free === 1 && !Number.isInteger(size)) bad(`${body.length} bytes are no whole number of rows of input '${port.name}'`);
  const inputs = {
    [port.name]: fromRaw(
      port,
      port.shape.map(d => (typeof d === 'number' ? d : size)),
      body,
    ),
  };
  return {
    inputs,
    rows: rowsOf(inputs),
    finish: o =>
      restAnswer(
        o,
        m,
        undefined,
        m.outputs.map(p => ({ name: p.name, binary: true })),
      ),
  };
}
function headerLength(c: Call): number {
  const given = c.headers[LENGTH];
  if (given === undefined) return c.body.length;
  const n = /^\d{1,10}$/.test(given.trim()) ? Number(given) : NaN;
  return n <= c.body.length ? n : bad(`${LENGTH} is '${given.slice(0, 32)}', and the body has ${c.body.length} bytes`);
}
function objectOf(bytes: Uint8Array, what: string): Json {
  let value: unknown;
  try {
    value = parseJson(bytes);
  } catch (e) {
    return bad(`failed to parse ${what}: ${e instanceof Error ? e.message : String(e)}`);
  }
  return isObject(value) ? value : bad(`${what} is no JSON object`);
}
function text(o: Json, name: string): string {
  const v = o[name];
  return typeof v === 'string' ? v : bad(`an input has no '${name}'`);
}
function shapeOf(input: Json, name: string): readonly number[] {
  const { shape } = input;
  if (!Array.isArray(shape) || shape.length > DEEPEST || !shape.every((d): d is number => typeof d === 'number'))
    return bad(`input '${name}' has no 'shape' of numbers`);
  countOf(shape);
  return shape;
}
/** Elements, flat or nested. */
function flat(data: readonly unknown[], name: string): readonly unknown[] {
  if (!data.some(Array.isArray)) return data;
  const out: unknown[] = [];
  const level = (list: readonly unknown[], depth: number): void => {
    if (depth > DEEPEST) bad(`input '${name}' has more than ${DEEPEST} dimensions`);
    for (const x of list)
      if (Array.isArray(x)) level(x, depth + 1);
      else out.push(x);
  };
  level(data, 1);
  return out;
}
function outputsOf(given: unknown, m: ModelInfo, binary: boolean): readonly WantedOutput[] {
  if (given !== undefined && !Array.isArray(given)) bad("'outputs' is no list");
  const list = ((given ?? []) as readonly unknown[]).map(o => (isObject(o) ? o : bad("an element of 'outputs' is no object")));
  if (list.length === 0) return m.outputs.map(p => ({ name: p.name, binary }));
  wantedOutputs(
    m,
    list.map(o => text(o, 'name')),
  );
  return list.map(o => {
    const parameters = isObject(o['parameters']) ? o['parameters'] : {};
    if (Number(parameters['classification'] ?? 0) > 0) bad('classification of outputs is not supported');
    const own = parameters['binary_data'];
    return { name: text(o, 'name'), binary: typeof own === 'boolean' ? own : binary };
  });
}
function restAnswer(o: Tensors, m: ModelInfo, id: string | undefined, wanted: readonly WantedOutput[]): Answer {
  const parts: Uint8Array[] = [];
  const outputs = wanted.map(({ name, binary }) => {
    const t = o[name] ?? bad(`the model gave no '${name}'`);
    const head = `{"name":${JSON.stringify(name)},"datatype":"${datatypeOf(t.type)}","shape":[${t.dims.join(',')}]`;
    if (!binary) return `${head},"data":[${jsonElements(t).join(',')}]}`;
    const bytes = toRaw(t);
    parts.push(bytes);
    return `${head},"parameters":{"binary_data_size":${bytes.length}}}`;
  });
  const own = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const json = Buffer.from(
    `{${own}"model_name":${JSON.stringify(m.name)},"model_version":"${VERSION}","outputs":[${outputs.join(',')}]}`,
  );
  if (parts.length === 0) return { status: 200, headers: { 'content-type': 'application/json' }, body: json };
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', [LENGTH]: String(json.length) },
    body: Buffer.concat([json, ...parts]),
  };
}
