import type { Answer, Call } from '../../core/call.ts';
import type { Inference, ModelInfo, Tensors } from '../../core/model.ts';
import { bad, datatypeOf, isTexts, type Tensor } from '../../core/tensors.ts';
import { message } from './messages.ts';
import { VERSION } from './metadata.ts';
import { allInputs, fromElements, fromRaw, portOf, rowsOf, toRaw, wantedOutputs } from './tensors.ts';

/** 64-bit integers come as objects. */
type Integer = number | { toString(): string };
interface TensorMessage {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly Integer[];
  readonly contents: Readonly<Record<string, readonly unknown[]>> | null;
}
interface RequestMessage {
  readonly id: string;
  readonly inputs: readonly TensorMessage[];
  readonly outputs: readonly { readonly name: string }[];
  readonly rawInputContents: readonly Uint8Array[];
}
/** The field of typed contents by datatype; the rest is sent raw only. */
const CONTENTS: Readonly<Record<string, string>> = {
  BOOL: 'bool',
  INT8: 'int',
  INT16: 'int',
  INT32: 'int',
  INT64: 'int64',
  UINT8: 'uint',
  UINT16: 'uint',
  UINT32: 'uint',
  UINT64: 'uint64',
  FP32: 'fp32',
  FP64: 'fp64',
  BYTES: 'bytes',
};
const Request = message('InferRequest');
const Response = message('InferResponse');

/** Inference by a message ModelInferRequest. */
export function grpcInference(c: Call, m: ModelInfo): Inference {
  let r: RequestMessage;
  try {
    r = Request.decode(c.body) as unknown as RequestMessage;
  } catch (e) {
    return bad(`the message cannot be read: ${e instanceof Error ? e.message : String(e)}`);
  }
  const raw = r.rawInputContents.length > 0;
  if (raw && r.rawInputContents.length !== r.inputs.length)
    bad(`${r.rawInputContents.length} raw contents for ${r.inputs.length} inputs`);
  const given = r.inputs.map((t, i): readonly [string, Tensor] => {
    const port = portOf(m, t.name, t.datatype);
    const dims = t.shape.map(Number);
    const bytes = r.rawInputContents[i];
    if (bytes) return [t.name, fromRaw(port, dims, bytes)];
    const field = CONTENTS[t.datatype] ?? bad(`input '${t.name}': ${t.datatype} is sent in raw_input_contents only`);
    const list = t.contents?.[field] ?? [];
    return [
      t.name,
      fromElements(port, dims, field === 'bytes' ? list.map(b => Buffer.from(b as Uint8Array).toString()) : list.map(plain)),
    ];
  });
  const inputs = allInputs(m, given);
  const outputs = wantedOutputs(
    m,
    r.outputs.map(o => o.name),
  );
  return {
    inputs,
    rows: rowsOf(inputs),
    finish: o =>
      grpcAnswer(
        o,
        m,
        r.id,
        outputs.map(p => p.name),
        raw,
      ),
  };
}
const isLong = (v: unknown): v is { toString(): string } => typeof v === 'object' && v !== null && 'low' in v;
const plain = (v: unknown): unknown => (isLong(v) ? BigInt(v.toString()) : v);

function grpcAnswer(o: Tensors, m: ModelInfo, id: string, names: readonly string[], raw: boolean): Answer {
  const tensors = names.map(name => [name, o[name] ?? bad(`the model gave no '${name}'`)] as const);
  // All outputs are sent in one way; 64-bit integers keep all their digits in bytes.
  const typed = !raw && tensors.every(([, t]) => CONTENTS[datatypeOf(t.type)] !== undefined && !t.type.endsWith('int64'));
  const body = Response.encode({
    modelName: m.name,
    modelVersion: VERSION,
    id,
    outputs: tensors.map(([name, t]) => ({
      name,
      datatype: datatypeOf(t.type),
      shape: t.dims,
      ...(typed && { contents: { [CONTENTS[datatypeOf(t.type)] ?? '']: elementsOf(t) } }),
    })),
    ...(!typed && { rawOutputContents: tensors.map(([, t]) => toRaw(t)) }),
  }).finish();
  return { status: 200, headers: {}, body };
}
function elementsOf(t: Tensor): readonly unknown[] {
  if (isTexts(t.data)) return t.data.map(text => Buffer.from(text));
  if (t.type === 'bool') return Array.from(t.data, Boolean);
  return Array.from(t.data, Number);
}
