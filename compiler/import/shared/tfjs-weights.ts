import { fail, type Loc } from '../../core/diagnostic.ts';
import { bytesOf, isInt, type DType } from '../../core/dtype.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../core/tensor.ts';
import type { ModelFile } from '../importer.ts';
import { unsafePath } from './external.ts';
import { asNumber, field, type Json } from './json.ts';

/** The weights of a model of TensorFlow.js, which lie in shards beside model.json (tfjs-core/src/io/types.ts). */
interface TfjsWeight {
  readonly name: string;
  readonly dims: readonly number[];
  /** As the manifest has it: `float32`, `int32`, `bool`, `string`. */
  readonly type: string;
  /** E106: of a type that is no number. */
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
const list = (j: Json | undefined): readonly Json[] => (Array.isArray(j) ? (j as readonly Json[]) : []);

/**
 * The weights by the manifest of model.json. The shards of a group are one array of bytes, in which weights follow each other unaligned;
 * it is put together when the first of them is asked for. E203: a manifest that is none. E204: a shard is missing, too short, or outside
 * of the model's folder.
 */
export function tfjsWeights(manifest: Json | undefined, model: ModelFile): TfjsWeight[] {
  const file = model.name;
  const loc = (what: string): Loc => ({ k: 'file', file, what });
  const bad = (why: string, what = ''): never => fail('E203', { file, why: `its weightsManifest: ${why}` }, loc(what));
  if (!Array.isArray(manifest)) return bad('it is no list');
  return list(manifest).flatMap(group => {
    const paths = list(field(group, 'paths')).map(p => (typeof p === 'string' ? p : bad('a path is no text')));
    let bytes: Uint8Array | undefined;
    const whole = (): Uint8Array => (bytes ??= joined(paths, model));
    let at = 0;
    return list(field(group, 'weights')).map((w): TfjsWeight => {
      const name = field(w, 'name');
      if (typeof name !== 'string') return bad('a weight has no name');
      const dims = list(field(w, 'shape')).map(d =>
        typeof d === 'number' && Number.isInteger(d) && d >= 0 ? d : bad('a shape is none', name),
      );
      const elements = numel(dims);
      if (!Number.isSafeInteger(elements)) bad(`a shape of ${dims.join('×')}`, name);
      const type = field(w, 'dtype');
      const q = field(w, 'quantization');
      const storedAs = field(q, 'dtype') ?? type;
      const from = at;
      if (type === 'string')
        return { name, dims, type, tensor: () => fail('E106', { type: 'string', what: `weight '${name}'` }, loc(name)) };
      const stored = typeof storedAs === 'string' && Object.hasOwn(STORED, storedAs) ? STORED[storedAs] : undefined;
      const to = typeof type === 'string' && Object.hasOwn(STORED, type) ? STORED[type] : undefined;
      if (!stored || !to || typeof type !== 'string') return bad(`the type ${JSON.stringify(storedAs)} is not known`, name);
      const size = elements * bytesOf(stored);
      at += size;
      return {
        name,
        dims,
        type,
        tensor: () => {
          const all = whole();
          if (from + size > all.length)
            fail(
              'E204',
              { why: `'${paths.join("', '")}' have ${all.length} bytes; '${name}' ends at ${from + size}` },
              loc(name),
            );
          const raw: Tensor = { dtype: stored, dims, bytes: all.subarray(from, from + size) };
          if (q === undefined || q === null) return raw;
          const scale = asNumber(field(q, 'scale')) ?? 1;
          const min = asNumber(field(q, 'min')) ?? 0;
          const values = toNumbers(raw);
          // float16 is widened, integers are steps from a least value, in the float32 arithmetic of TensorFlow.js.
          const given = stored === 'f16' ? values : values.map(v => Math.fround(v * scale + min));
          return fromNumbers(to, dims, isInt(to) ? given.map(v => Math.round(v)) : given);
        },
      };
    });
  });
}
/** The bytes of all shards of a group, one after the other. */
function joined(paths: readonly string[], model: ModelFile): Uint8Array {
  const parts = paths.map(path => {
    const unsafe = unsafePath(path);
    if (unsafe !== undefined) fail('E204', { why: `'${path}' ${unsafe}` }, { k: 'file', file: model.name, what: '' });
    return (
      model.beside?.(path, 0, undefined) ??
      fail('E204', { why: `'${path}' is not there: give the files beside the model` }, { k: 'file', file: model.name, what: '' })
    );
  });
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
