import protobuf from 'protobufjs';
import { inconsistent, floats, unreadable, type Rows, type RowsWanted } from './rows.ts';

/**
 * Records of AWS's algorithms: RecordIO frames (a magic number, the length, the data padded to four bytes), each with a message Record.
 * https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html
 */
const MAGIC = 0xced7230a;
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Float32Tensor { repeated float values = 1; repeated uint64 keys = 2; repeated uint64 shape = 3; }
  message Float64Tensor { repeated double values = 1; repeated uint64 keys = 2; repeated uint64 shape = 3; }
  message Int32Tensor { repeated int32 values = 1; repeated uint64 keys = 2; repeated uint64 shape = 3; }
  message Value {
    oneof value { Float32Tensor float32_tensor = 2; Float64Tensor float64_tensor = 3; Int32Tensor int32_tensor = 7; }
  }
  message Record { map<string, Value> features = 1; map<string, Value> label = 2; }
`);
const Record = root.lookupType('Record');
interface TensorMessage {
  readonly values?: readonly number[];
  readonly keys?: readonly (number | { toNumber(): number })[];
  readonly shape?: readonly (number | { toNumber(): number })[];
}
interface ValueMessage {
  readonly float32Tensor?: TensorMessage | null;
  readonly float64Tensor?: TensorMessage | null;
  readonly int32Tensor?: TensorMessage | null;
}
const cannot = (why: string): never => unreadable('recordio-protobuf', why);
const size = (v: number | { toNumber(): number } | undefined): number => (typeof v === 'object' ? v.toNumber() : (v ?? 0));

/** The records of a body. 415 where a frame is not whole. */
export function* records(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 8) cannot(`${bytes.length - at} bytes at ${at} are no record`);
    if (view.getUint32(at, true) !== MAGIC) cannot(`Invalid RecordIO magic at offset ${at}`);
    const length = view.getUint32(at + 4, true);
    const padded = Math.ceil(length / 4) * 4;
    if (padded > bytes.length - at - 8) cannot(`Truncated record at offset ${at + 8}`);
    yield bytes.subarray(at + 8, at + 8 + length);
    at += 8 + padded;
  }
}
/** Rows of application/x-recordio-protobuf: features["values"] of each record, dense, or sparse with keys. 415, 400. */
export function parseRecordio(bytes: Uint8Array, want: RowsWanted): Rows {
  const rows: { readonly values: readonly number[]; readonly keys: readonly number[] | undefined; readonly width: number }[] = [];
  for (const record of records(bytes)) {
    let features: Readonly<Record<string, ValueMessage>>;
    try {
      ({ features } = Record.decode(record) as unknown as { features: Readonly<Record<string, ValueMessage>> });
    } catch (e) {
      return cannot(`record ${rows.length + 1}: ${e instanceof Error ? e.message : String(e)}`);
    }
    const v = Object.hasOwn(features, 'values') ? features['values'] : undefined;
    const t = v?.float32Tensor ?? v?.float64Tensor ?? v?.int32Tensor;
    if (!t) continue;
    const values = t.values ?? [];
    const keys = t.keys && t.keys.length > 0 ? t.keys.map(size) : undefined;
    if (keys && keys.length !== values.length)
      cannot(`record ${rows.length + 1} has ${keys.length} keys for ${values.length} values`);
    const shape = size(t.shape?.at(-1));
    rows.push({ values, keys, width: keys ? shape || Math.max(...keys) + 1 : values.length });
  }
  const [first] = rows;
  if (!first) return cannot('No records found in RecordIO-Protobuf data');
  const { columns } = want;
  const data = floats(want.type, rows.length * columns).fill(NaN);
  rows.forEach(({ values, keys, width }, r) => {
    if (width > columns || (!keys && width < columns - 1)) inconsistent(width, columns, 'recordio-protobuf');
    if (!keys && width !== first.width) cannot(`record ${r + 1} has ${width} values, record 1 has ${first.width}`);
    values.forEach((value, i) => {
      const column = keys ? (keys[i] ?? 0) : i;
      if (!(column < columns)) inconsistent(column + 1, columns, 'recordio-protobuf');
      data[r * columns + column] = value;
    });
  });
  return { data, rows: rows.length, columns };
}
/** Answers as records: label[key].float32_tensor of each. */
export function writeRecordio(answers: readonly Readonly<Record<string, readonly number[]>>[]): Uint8Array {
  const parts = answers.flatMap(answer => {
    const label = Object.fromEntries(Object.entries(answer).map(([key, values]) => [key, { float32Tensor: { values } }]));
    const bytes = Record.encode(Record.create({ label })).finish();
    const head = Buffer.alloc(8);
    head.writeUInt32LE(MAGIC, 0);
    head.writeUInt32LE(bytes.length, 4);
    return [head, bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)];
  });
  return Buffer.concat(parts);
}
