import type { Answer, Call, Contract } from '../../core/call.ts';
import { ServeError } from '../../core/errors.ts';
import type { Inference, ModelInfo, Table, Tensors } from '../../core/model.ts';
import { bad, isTexts, jsonNested, type Tensor } from '../../core/tensors.ts';
import { acceptOf, bare, contentOf, type Content } from './content.ts';
import { parseCsv } from './csv.ts';
import { jsonInputs, jsonRows, parseJson } from './json.ts';
import { parseLibsvm } from './libsvm.ts';
import { readNpy, writeNpy } from './npy.ts';
import { batchLines, jsonList, jsonScores, lines, oneLine, type Predictions } from './predictions.ts';
import { parseRecordio } from './recordio.ts';
import { fitted, floats, type Rows } from './rows.ts';
import { encodeSelected } from './selected.ts';

/** What the environment of the container and its tag say. */
export interface ContainerSettings {
  readonly multiModel: boolean;
  readonly batch: boolean;
  /** `SAGEMAKER_INFERENCE_OUTPUT`. */
  readonly selected: string | undefined;
  readonly defaultAccept: string | undefined;
  /** Tags up to 1.2-1 answer text/csv in one line, whatever is accepted. */
  readonly oneLine: boolean;
}
export function containerSettings(env: Readonly<Record<string, string>>, contract: Contract): ContainerSettings {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return {
    multiModel: given('SAGEMAKER_MULTI_MODEL')?.toLowerCase() === 'true',
    batch: given('SAGEMAKER_BATCH') !== undefined,
    selected: env['SAGEMAKER_INFERENCE_OUTPUT'],
    defaultAccept: given('SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT'),
    oneLine: contract.k === 'xgboost' && !isAfter(contract.tag, [1, 2, 2]),
  };
}
/** Whether a tag such as `1.5-1` or `0.90-2-cpu-py3` is of a version or a later one. */
function isAfter(tag: string, version: readonly number[]): boolean {
  const parts = (/^\d+(?:[.-]\d+)*/.exec(tag)?.[0] ?? '').split(/[.-]/).map(Number);
  // `latest` and other names are the newest.
  if (parts[0] === undefined || Number.isNaN(parts[0]) || tag === '') return true;
  for (const [i, want] of version.entries()) {
    const have = parts[i] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

/** The inference that a body of /invocations asks for. Errors have the status of the container. Undefined for an empty body. */
export function invocation(c: Call, m: ModelInfo, s: ContainerSettings): Inference | undefined {
  if (c.body.length === 0) return undefined;
  const content = contentOf(c.headers['content-type']);
  const { table } = m;
  const inputs = table ? { [table.input]: rowsOf(content, c.body, table) } : tensorsOf(content, c.body, m);
  const rows = Object.values(inputs)[0]?.dims[0] ?? 1;
  const accept = c.headers['accept'];
  return {
    inputs,
    rows,
    finish: table ? o => tableAnswer(o, m, s, accept) : o => tensorAnswer(o, m, s, accept, content),
  };
}
function rowsOf(content: Content, body: Uint8Array, t: Table): Tensor {
  const r = parseRows(content, body, t);
  return { type: t.type, dims: [r.rows, r.columns], data: r.data };
}
function parseRows(content: Content, body: Uint8Array, t: Table): Rows {
  switch (content) {
    case 'csv':
      return fitted(parseCsv(body, t), t, 'csv');
    case 'libsvm':
      return parseLibsvm(body, t);
    case 'recordio-protobuf':
      return parseRecordio(body, t);
    case 'json':
      return jsonRows(parseJson(body), t);
    case 'npy': {
      const { data, dims } = readNpy(body);
      if (isTexts(data)) return bad('npy holds texts');
      const [rows = 1, columns = data.length] = dims.length === 1 ? [1, dims[0]] : dims;
      if (dims.length > 2) bad(`npy has ${dims.length} dimensions instead of rows and columns`);
      const out = floats(t.type, data.length);
      for (let i = 0; i < data.length; i++) out[i] = Number(data[i]);
      return fitted({ data: out, rows, columns }, t, 'npy');
    }
  }
}
function tensorsOf(content: Content, body: Uint8Array, m: ModelInfo): Tensors {
  const [only] = m.inputs;
  switch (content) {
    case 'json':
      return jsonInputs(parseJson(body), m);
    case 'npy': {
      if (m.inputs.length !== 1 || !only)
        return bad(`a .npy holds one array; the inputs are ${m.inputs.map(p => p.name).join(', ')}`);
      const t = readNpy(body);
      // NumPy has no bfloat16: its bits.
      if (t.type !== only.type && !(only.type === 'bfloat16' && t.type === 'uint16'))
        bad(`input ${only.name} is ${only.type}, the .npy holds ${t.type}`);
      return { [only.name]: { ...t, type: only.type } };
    }
    case 'csv': {
      if (m.inputs.length !== 1 || !only || only.type !== 'float32')
        throw new ServeError(415, 'this model takes application/json or application/x-npy');
      const columns = Number(only.shape[1] ?? 1);
      const r = parseCsv(body, { columns, type: 'float32' });
      return { [only.name]: { type: only.type, dims: [r.rows, r.columns], data: r.data } };
    }
    case 'libsvm':
    case 'recordio-protobuf':
      throw new ServeError(415, 'this model takes application/json or application/x-npy');
  }
}

const answer = (type: string, body: string | Uint8Array): Answer => ({
  status: 200,
  headers: { 'content-type': type },
  body: typeof body === 'string' ? Buffer.from(body) : body,
});
/** Flask adds the charset to types of text. */
const TEXT = 'text/csv; charset=utf-8';
function predictionsOf(o: Tensors, m: ModelInfo): Predictions {
  const t = o[m.outputs[0]?.name ?? ''];
  if (!t || isTexts(t.data)) throw new ServeError(500, 'the model gave no predictions');
  const rows = t.dims[0] ?? 1;
  const numbers =
    t.data instanceof BigInt64Array || t.data instanceof BigUint64Array ? Float64Array.from(t.data, Number) : t.data;
  return { data: numbers, rows, width: t.dims.length > 1 ? t.data.length / Math.max(1, rows) : undefined };
}
function tableAnswer(o: Tensors, m: ModelInfo, s: ContainerSettings, header: string | undefined): Answer {
  const p = predictionsOf(o, m);
  if (s.multiModel) return multiModelAnswer(p, o, m, s, header);
  if (s.oneLine) return answer(TEXT, oneLine(p));
  const accept = acceptOf(header, s.defaultAccept ?? 'text/csv');
  const type = accept === 'text/csv' ? TEXT : accept;
  if (s.selected !== undefined) {
    const about = m.objective === undefined ? undefined : { objective: m.objective, classes: m.classes };
    return answer(type, encodeSelected(p, s.selected, about, accept, s.batch));
  }
  if (s.batch) return answer(type, batchLines(p));
  switch (accept) {
    case 'application/json':
      return answer(accept, jsonScores(p));
    case 'text/csv':
      return answer(type, lines(p));
    case 'application/x-npy':
      return answer(accept, writeNpy(firstOf(o, m)));
    default:
      throw new ServeError(500, `Content type ${accept} is not supported by this framework.`);
  }
}
function multiModelAnswer(p: Predictions, o: Tensors, m: ModelInfo, s: ContainerSettings, header: string | undefined): Answer {
  const given = bare(header ?? '').toLowerCase();
  const accept = given === '' || given === '*/*' ? (s.defaultAccept ?? 'application/json') : given;
  switch (accept) {
    case 'csv':
    case 'text/csv':
      return answer(accept, s.batch ? batchLines(p) : oneLine(p));
    case 'json':
    case 'application/json':
      return answer(accept, jsonList(p));
    case 'application/x-npy':
      return answer(accept, writeNpy(firstOf(o, m)));
    default:
      throw new ServeError(
        415,
        `Encoding to accept type ${accept} failed with exception: ${accept} is not an accepted Accept type. Please choose one of the following: ['text/csv', 'application/json'].`,
      );
  }
}
const firstOf = (o: Tensors, m: ModelInfo): Tensor => o[m.outputs[0]?.name ?? ''] ?? bad('the model gave nothing');
/** Of a model that is no table: JSON of all outputs, or one as .npy, or rows as CSV. */
function tensorAnswer(o: Tensors, m: ModelInfo, s: ContainerSettings, header: string | undefined, content: Content): Answer {
  const otherwise = content === 'npy' ? 'application/x-npy' : (s.defaultAccept ?? 'application/json');
  const accept = acceptOf(header, otherwise);
  switch (accept) {
    case 'application/x-npy':
      return answer(accept, writeNpy(firstOf(o, m)));
    case 'text/csv':
      return answer(TEXT, lines(predictionsOf(o, m)));
    case 'application/json':
      return answer(
        accept,
        m.outputs.length === 1
          ? `{"predictions": ${jsonNested(firstOf(o, m))}}`
          : `{"outputs": {${m.outputs.map(p => `${JSON.stringify(p.name)}: ${jsonNested(o[p.name] ?? firstOf(o, m))}`).join(', ')}}}`,
      );
    default:
      throw new ServeError(406, `Accept type ${accept} is not supported for this model.`);
  }
}
