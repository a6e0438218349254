import { fail } from '../../core/diagnostic.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import { numel, toNumbers } from '../../core/tensor.ts';
import { unsafePath } from '../shared/external.ts';
import { asList, asNumber, asText, field, type Json } from '../shared/json.ts';
import type { ModelFile } from '../importer.ts';
import type { TensorProto } from './records.ts';
import { COMPLEX64, STRING, tensorProto, typeOfWord } from './tensor.ts';

/** The value of a constant by its name; undefined: it is none of the weights. */
export type Weights = (name: string) => TensorProto | undefined;
interface Entry {
  readonly group: number;
  readonly offset: number;
  readonly bytes: number;
  readonly json: Json;
  readonly shape: readonly number[];
  readonly dtype: string;
}
/** What the manifest calls element types, and what they lie in the files as. */
const TYPES: Readonly<Record<string, DType>> = {
  float32: 'f32',
  int32: 'i32',
  bool: 'bool',
  uint8: 'u8',
  uint16: 'u16',
  float16: 'f16',
};

/**
 * The weights of a model of TF.js: groups of tensors, one after the other, cut into files (shards) wherever it fits. Files are read where a
 * weight is asked for. E204: a file is missing, or outside of the folder. E203: they are shorter than their tensors.
 */
export function openWeights(file: ModelFile, manifest: Json | undefined): Weights {
  const groups = asList(manifest);
  const bad = (why: string): never => fail('E203', { file: file.name, why: `weightsManifest: ${why}` });
  const read = new Map<number, Uint8Array>();
  const bytesOf = (group: number): Uint8Array => {
    const had = read.get(group);
    if (had) return had;
    const beside =
      file.beside ?? fail('E204', { why: `weights are beside '${file.name}', and only the model's own bytes were given` });
    const parts = asList(field(groups[group], 'paths')).map(p => {
      const path = typeof p === 'string' ? p : bad('a path that is no text');
      const why = unsafePath(path);
      return why === undefined
        ? beside(path, 0, undefined)
        : fail('E204', { why: `${JSON.stringify(path.slice(0, 200))} ${why}` });
    });
    const all = joined(parts);
    read.set(group, all);
    return all;
  };
  const byName = new Map<string, Entry>();
  groups.forEach((g, group) => {
    let offset = 0;
    for (const json of asList(field(g, 'weights'))) {
      const name = asText(field(json, 'name'));
      if (name === '') bad('a weight without a name');
      const shape = asList(field(json, 'shape')).map(d => asNumber(d) ?? -1);
      const dtype = asText(field(json, 'dtype'));
      if (shape.some(d => !Number.isInteger(d) || d < 0)) bad(`weight '${name}' has a shape of ${shape.join('x')}`);
      const bytes =
        dtype === 'string' ? textBytes(() => bytesOf(group), offset, numel(shape), bad) : numel(shape) * sizeOf(json, dtype, bad);
      if (!Number.isSafeInteger(bytes)) bad(`weight '${name}' is absurdly large`);
      byName.set(name, { group, offset, bytes, json, shape, dtype });
      offset += bytes;
    }
  });
  return name => {
    const e = byName.get(name);
    if (!e) return undefined;
    const all = bytesOf(e.group);
    if (e.offset + e.bytes > all.length) bad(`weight '${name}' ends at byte ${e.offset + e.bytes} of ${all.length}`);
    return valueOf(e, all.slice(e.offset, e.offset + e.bytes), bad);
  };
}
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
/** Bytes of an element as it lies in the file. */
function sizeOf(json: Json, dtype: string, bad: (why: string) => never): number {
  if (dtype === 'complex64') return 8;
  const quantized = asText(field(field(json, 'quantization'), 'dtype'));
  const stored = quantized === '' ? dtype : quantized;
  const as = TYPES[stored];
  return as === undefined ? bad(`element type '${stored}'`) : DTYPES[as].bytes;
}
/** How many bytes texts take: each is behind its length. */
function textBytes(bytes: () => Uint8Array, offset: number, count: number, bad: (why: string) => never): number {
  const all = bytes();
  const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  let at = offset;
  for (let i = 0; i < count; i++) {
    if (at + 4 > all.length) return bad('text that is cut off');
    at += 4 + view.getUint32(at, true);
  }
  return at - offset;
}
function valueOf(e: Entry, bytes: Uint8Array, bad: (why: string) => never): TensorProto {
  if (e.dtype === 'string') return tensorProto(STRING, e.shape, new Uint8Array(0), textsIn(bytes));
  if (e.dtype === 'complex64') return tensorProto(COMPLEX64, e.shape, bytes);
  const type = typeOfWord(e.dtype.replace('float32', 'float').replace('float16', 'half'));
  const q = field(e.json, 'quantization');
  if (q === undefined) return tensorProto(type, e.shape, bytes);
  const stored = TYPES[asText(field(q, 'dtype'))] ?? bad('its quantization');
  const [scale, min] = stored === 'f16' ? [1, 0] : [asNumber(field(q, 'scale')) ?? 1, asNumber(field(q, 'min')) ?? 0];
  const values = Float32Array.from(toNumbers({ dtype: stored, dims: e.shape, bytes }), v => v * scale + min);
  // Integers are rounded (tfjs-core/src/io/io_utils.ts).
  const out = e.dtype === 'int32' ? Int32Array.from(values, v => Math.round(v)) : values;
  return tensorProto(type, e.shape, new Uint8Array(out.buffer));
}
function textsIn(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: string[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const size = view.getUint32(at, true);
    out.push(new TextDecoder().decode(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return out;
}
