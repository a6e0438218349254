import { concatBytes } from '../../core/bytes.ts';
import { fail, type Loc } from '../../core/diagnostic.ts';
import { bytesOf, isInt, type DType } from '../../core/dtype.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../core/tensor.ts';
import { textTensor } from '../../core/texts.ts';
import type { ModelFile } from '../importer.ts';
import { textOf } from './cursor.ts';
import { unsafePath } from './external.ts';
import { asList, asNumber, asText, field, isArray, type Json } from './json.ts';

/** A weight of a model of TensorFlow.js, which lies in shards beside model.json (tfjs-core/src/io/types.ts). */
interface TfjsWeight {
  readonly name: string;
  readonly dims: readonly number[];
  /** As the manifest has it: `float32`, `int32`, `bool`, `string`, `complex64` … */
  readonly type: string;
  /** As it lies in the file. E204: that is too short. */
  bytes(): Uint8Array;
  /** E106: of a type that Sinter has not. */
  tensor(): Tensor;
}
const STORED: Readonly<Record<string, DType>> = {
  float32: 'f32',
  float16: 'f16',
  int32: 'i32',
  uint8: 'u8',
  uint16: 'u16',
  bool: 'bool',
  int8: 'i8',
  int16: 'i16',
  float64: 'f64',
};
const storedAs = (word: string): DType | undefined => (Object.hasOwn(STORED, word) ? STORED[word] : undefined);

/**
 * The weights by the manifest of model.json. The shards of a group are one array of bytes, in which weights follow each other unaligned;
 * it is put together when something of it is asked for, or where texts, each behind its length, have to be counted.
 * E203: a manifest that is none. E204: a shard is missing, too short, or outside of the model's folder.
 */
export function tfjsWeights(manifest: Json | undefined, model: ModelFile): TfjsWeight[] {
  const file = model.name;
  const loc = (what: string): Loc => ({ k: 'file', file, what });
  const bad = (why: string, what = ''): never => fail('E203', { file, why: `its weightsManifest: ${why}` }, loc(what));
  if (!isArray(manifest)) return bad('it is no list');
  return asList(manifest).flatMap(group => {
    const paths = asList(field(group, 'paths')).map(p => (typeof p === 'string' ? p : bad('a path is no text')));
    let shards: Uint8Array | undefined;
    const part = (name: string, from: number, size: number): Uint8Array => {
      const all = (shards ??= joined(paths, model));
      if (from + size <= all.length) return all.subarray(from, from + size);
      const why = `'${paths.join("', '")}' have ${all.length} bytes; '${name}' ends at ${from + size}`;
      return fail('E204', { why }, loc(name));
    };
    let at = 0;
    return asList(field(group, 'weights')).map((w): TfjsWeight => {
      const name = asText(field(w, 'name')) || bad('a weight has no name');
      const dims = asList(field(w, 'shape')).map(d =>
        typeof d === 'number' && Number.isInteger(d) && d >= 0 ? d : bad('a shape is none', name),
      );
      const elements = numel(dims);
      if (!Number.isSafeInteger(8 * elements)) bad(`a shape of ${dims.join('×')}`, name);
      const type = asText(field(w, 'dtype'));
      const q = field(w, 'quantization') ?? undefined;
      const from = at;
      const sized = (size: number, tensor: (bytes: Uint8Array) => Tensor): TfjsWeight => {
        at += size;
        const bytes = (): Uint8Array => part(name, from, size);
        return { name, dims, type, bytes, tensor: () => tensor(bytes()) };
      };
      if (type === 'string') {
        const texts: string[] = [];
        for (let i = 0, to = from; i < elements; i++) {
          const head = part(name, to, 4);
          const size = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
          texts.push(textOf(part(name, to + 4, size)));
          to += 4 + size;
          at = to;
        }
        const size = at - from;
        at = from;
        return sized(size, () => textTensor(dims, texts));
      }
      if (type === 'complex64') return sized(8 * elements, () => fail('E106', { type, what: `weight '${name}'` }, loc(name)));
      const [stored, to] = [storedAs(asText(field(q, 'dtype')) || type), storedAs(type)];
      if (!stored || !to) return bad(`the type ${JSON.stringify(asText(field(q, 'dtype')) || type)} is not known`, name);
      return sized(elements * bytesOf(stored), bytes => {
        const raw: Tensor = { dtype: stored, dims, bytes };
        if (q === undefined) return raw;
        const [scale, min] = [asNumber(field(q, 'scale')) ?? 1, asNumber(field(q, 'min')) ?? 0];
        const values = toNumbers(raw);
        // float16 is widened, integers are steps from a least value, in the float32 arithmetic of TensorFlow.js; results that are integers are
        // rounded (tfjs-core/src/io/io_utils.ts).
        const given = stored === 'f16' ? values : values.map(v => Math.fround(v * scale + min));
        return fromNumbers(to, dims, isInt(to) ? given.map(v => Math.round(v)) : given);
      });
    });
  });
}
/** The bytes of all shards of a group, one after the other. */
function joined(paths: readonly string[], model: ModelFile): Uint8Array {
  const loc: Loc = { k: 'file', file: model.name, what: '' };
  const parts = paths.map(path => {
    const unsafe = unsafePath(path);
    if (unsafe !== undefined) fail('E204', { why: `'${path.slice(0, 200)}' ${unsafe}` }, loc);
    return (
      model.beside?.(path, 0, undefined) ?? fail('E204', { why: `'${path}' is not there: give the files beside the model` }, loc)
    );
  });
  const [only] = parts;
  return only && parts.length === 1 ? only : concatBytes(parts);
}
