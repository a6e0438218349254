import { fail } from '../core/diagnostic.ts';
import { DTYPES, isDType, isInt, type DType } from '../core/dtype.ts';
import { textTensor } from '../core/texts.ts';
import { fromNumbers, fromTyped, numel, type Tensor } from '../core/tensor.ts';

/** What a JSON file may say of a tensor: nested lists, or an object with flat data. 64-bit integers may be strings of digits. */
type JsonTensors = ReadonlyMap<string, (want: DType) => Tensor>;

/**
 * Reads tensors from JSON. A file holds either an object `{ name: tensor, … }` or a single tensor, which comes under the name ''.
 * A tensor is a number, a nested list of numbers (or booleans, or strings where texts are wanted), or `{ data: [flat or nested], dims?: [...], type?: 'float32' | 'f32' … }`
 * as onnxruntime's Tensor has it. A tensor without a type takes the one that the caller wants. E205 where it is not sound.
 */
export function readJson(bytes: Uint8Array, file: string): JsonTensors {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (e) {
    return fail('E205', { file, why: e instanceof Error ? e.message : String(e) });
  }
  if (!isObject(value) || 'data' in value) return new Map([['', want => tensorOfJson(value, want, file)]]);
  const entries = Object.entries(value);
  return new Map(entries.map(([name, v]) => [name, want => tensorOfJson(v, want, `${file}#${name}`)]));
}
const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

function tensorOfJson(value: unknown, want: DType, file: string): Tensor {
  const bad = (why: string): never => fail('E205', { file, why });
  if (!isObject(value)) return build(want, undefined, value, bad);
  const type = value['type'] ?? value['dtype'] ?? want;
  const dtype = typeof type !== 'string' ? undefined : isDType(type) ? type : byOrtName(type);
  if (dtype === undefined) return bad(`type ${JSON.stringify(type)} is not known`);
  const dims: unknown = value['dims'] ?? value['shape'];
  if (dims === undefined) return build(dtype, undefined, value['data'], bad);
  if (!Array.isArray(dims) || dims.length > 32) return bad('dims is not a list of sizes');
  const sizes = dims.map((d: unknown) =>
    typeof d === 'number' && Number.isSafeInteger(d) && d >= 0 ? d : bad('dims is not a list of sizes'),
  );
  return build(dtype, sizes, value['data'], bad);
}
const byOrtName = (name: string): DType | undefined => {
  const hit = Object.entries(DTYPES).find(([, info]) => info.ort === name)?.[0];
  return hit !== undefined && isDType(hit) ? hit : undefined;
};

function build(dtype: DType, dims: readonly number[] | undefined, data: unknown, bad: (why: string) => never): Tensor {
  const found: number[] = [];
  for (let v = data; Array.isArray(v); v = v[0]) {
    found.push(v.length);
    if (found.length > 32) bad('lists inside lists, more than 32 deep');
  }
  // Level by level, so that depth is never recursion and every level has one length.
  let items: readonly unknown[] = [data];
  for (const n of found) {
    for (const v of items) if (!Array.isArray(v) || v.length !== n) return bad('its lists do not have equal lengths');
    items = items.flatMap((v): readonly unknown[] => (Array.isArray(v) ? v : []));
  }
  const shape = dims ?? found;
  if (numel(shape) !== items.length)
    return bad(`${items.length} ${dtype === 'text' ? 'texts' : 'numbers'} for ${dtype}[${shape.join(',')}]`);
  if (dtype === 'text')
    return textTensor(
      shape,
      items.map(v => (typeof v === 'string' ? v : bad(`${show(v)} is no text`))),
    );
  if (dtype === 'i64' || dtype === 'u64') {
    const Ctor = DTYPES[dtype].array;
    const low = dtype === 'i64' ? -(2n ** 63n) : 0n;
    const out = items.map(v => {
      const whole = typeof v === 'number' ? Number.isInteger(v) : typeof v === 'string' && /^-?\d{1,20}$/.test(v);
      const n = whole
        ? BigInt(v as number | string)
        : typeof v === 'boolean'
          ? BigInt(v)
          : bad(`${show(v)} is not a whole number`);
      return n >= low && n < low + 2n ** 64n ? n : bad(`${show(v)} does not fit ${dtype}`);
    });
    return fromTyped(dtype, shape, Ctor.from(out));
  }
  const numbers = items.map(v => {
    const n = typeof v === 'boolean' ? Number(v) : typeof v === 'string' ? SPECIAL[v] : v;
    if (typeof n !== 'number') return bad(`${show(v)} is not a number`);
    if (isInt(dtype) && !Number.isInteger(n)) return bad(`${show(v)} is not a whole number`);
    return n;
  });
  if (isInt(dtype)) checkRange(dtype, numbers, bad);
  return fromNumbers(dtype, shape, numbers);
}
/** JSON has no names for these; strings stand for them. */
const SPECIAL: Readonly<Record<string, number>> = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity };
const show = (v: unknown): string => (v === undefined ? 'nothing' : JSON.stringify(v).slice(0, 40));
function checkRange(dtype: DType, numbers: readonly number[], bad: (why: string) => never): void {
  const span = 2 ** DTYPES[dtype].bits;
  const low = DTYPES[dtype].kind === 'int' ? -span / 2 : 0;
  for (const n of numbers) if (n < low || n >= low + span) bad(`${n} does not fit ${dtype}`);
}
