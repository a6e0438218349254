import { parseJson as readJson } from '../../core/json.ts';
import { bad, countOf, fromList, type Tensor } from '../../core/tensors.ts';
import type { ModelInfo, Port, Table } from '../../core/model.ts';
import { floats, inconsistent, unreadable, type Rows } from './rows.ts';

type Json = unknown;
const isObject = (x: Json): x is Readonly<Record<string, Json>> => typeof x === 'object' && x !== null && !Array.isArray(x);
/** Members of a body that hold the data, as the formats of TensorFlow Serving and SageMaker name them. */
const WRAPPERS = ['instances', 'inputs', 'features', 'data'];
/** More dimensions than a tensor of any model has. */
const DEEPEST = 16;

/** The value of application/json. 415 where it is none. */
export function parseJson(bytes: Uint8Array): Json {
  try {
    return readJson(bytes);
  } catch (e) {
    return unreadable('json', e instanceof Error ? e.message : String(e));
  }
}
/** The data of a body: itself, or its member `instances`, `inputs`, `features` or `data`. */
function unwrapped(body: Json, names: readonly string[]): Json {
  if (!isObject(body)) return body;
  const wrapper = WRAPPERS.find(w => Object.hasOwn(body, w) && !names.includes(w));
  return wrapper === undefined ? body : body[wrapper];
}
/**
 * Rows from a list of lists, a list of objects by the names of columns, or one of them. What an object leaves out is missing, as null is.
 * 400 with row and column of what does not fit.
 */
export function jsonRows(body: Json, t: Table): Rows {
  const data = unwrapped(body, t.names ?? []);
  const rows = Array.isArray(data) ? (data as readonly Json[]) : [data];
  const list = rows.length > 0 && rows.every(r => !Array.isArray(r) && !isObject(r)) ? [rows] : rows;
  if (list.length === 0) bad('Unable to evaluate payload provided: there are no rows');
  const out = floats(t.type, list.length * t.columns).fill(NaN);
  const number = (v: Json, row: number, column: number): number => {
    if (typeof v === 'number') return v;
    if (v === null || v === 'NaN') return NaN;
    if (v === 'Infinity' || v === '-Infinity') return Number(v);
    if (typeof v === 'boolean') return Number(v);
    return bad(
      `Unable to evaluate payload provided: row ${row + 1}, column ${column + 1} is ${JSON.stringify(v).slice(0, 40)} and no number`,
    );
  };
  list.forEach((row, r) => {
    const from = r * t.columns;
    if (Array.isArray(row)) {
      if (row.length !== t.columns) inconsistent(row.length, t.columns, `json (row ${r + 1})`);
      for (let i = 0; i < row.length; i++) out[from + i] = number(row[i] as Json, r, i);
    } else if (isObject(row))
      for (const name of Object.keys(row)) {
        const i = (t.names ?? []).indexOf(name);
        if (i < 0)
          bad(`Unable to evaluate payload provided: row ${r + 1} has '${name.slice(0, 64)}', which is no feature of the model`);
        out[from + i] = number(row[name], r, i);
      }
    else bad(`Unable to evaluate payload provided: row ${r + 1} is neither a list of numbers nor an object`);
  });
  return { data: out, rows: list.length, columns: t.columns };
}
/** Nested lists as one tensor. 400 where they are of different lengths. */
export function nested(value: Json, port: Port): Tensor {
  const dims: number[] = [];
  for (let v = value; Array.isArray(v); v = (v as readonly Json[])[0]) {
    dims.push(v.length);
    if (dims.length > DEEPEST) bad(`input ${port.name} has more than ${DEEPEST} dimensions`);
  }
  countOf(dims);
  const list: Json[] = [];
  const level = (v: Json, axis: number): void => {
    if (axis === dims.length) {
      if (Array.isArray(v)) bad(`input ${port.name}: lists of different depths`);
      list.push(v);
      return;
    }
    if (!Array.isArray(v) || v.length !== dims[axis])
      return bad(`input ${port.name}: lists of different lengths, at element ${list.length}`);
    for (const x of v) level(x as Json, axis + 1);
  };
  level(value, 0);
  return { type: port.type, dims, data: fromList(port.type, list, port.name) };
}
/** Inputs by name, or the only input. 400. */
export function jsonInputs(body: Json, m: ModelInfo): Record<string, Tensor> {
  const data = unwrapped(
    body,
    m.inputs.map(p => p.name),
  );
  const [only] = m.inputs;
  if (!isObject(data)) {
    if (m.inputs.length !== 1 || !only) return bad(`give an object with the inputs ${m.inputs.map(p => p.name).join(', ')}`);
    return { [only.name]: nested(data, only) };
  }
  const unknown = Object.keys(data).find(name => !m.inputs.some(p => p.name === name));
  if (unknown !== undefined)
    bad(`there is no input '${unknown.slice(0, 64)}'; the inputs are ${m.inputs.map(p => p.name).join(', ')}`);
  return Object.fromEntries(
    m.inputs.map(p => [p.name, Object.hasOwn(data, p.name) ? nested(data[p.name], p) : bad(`input ${p.name} is missing`)]),
  );
}
