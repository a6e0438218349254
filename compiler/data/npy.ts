/**
 * NumPy's .npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * Our own, because the packages for it on npm read big-endian files as little-endian and believe sizes that the data does not have.
 */
import { isCoded, storedAs } from '../core/codes.ts';
import { fail } from '../core/diagnostic.ts';
import { DTYPES, type DType } from '../core/dtype.ts';
import { maxOf } from '../core/extremes.ts';
import { textsOf, textTensor } from '../core/texts.ts';
import { fromNumbers, numel, stridesOf, toNumbers, type Tensor } from '../core/tensor.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** NumPy itself refuses longer headers unless told otherwise. */
const MAX_HEADER = 1 << 20;
/** By NumPy's kind and size, without the byte order. bfloat16 is not among NumPy's types: that of ml_dtypes is written as two bytes. */
const CODES: Readonly<Record<string, DType>> = {
  f2: 'f16',
  V2: 'bf16',
  f4: 'f32',
  f8: 'f64',
  i1: 'i8',
  i2: 'i16',
  i4: 'i32',
  i8: 'i64',
  u1: 'u8',
  u2: 'u16',
  u4: 'u32',
  u8: 'u64',
  b1: 'bool',
};

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** Reads a .npy file; the elements are a view of it where they lie there as a tensor wants them. E205 where it is not sound. */
export function readNpy(bytes: Uint8Array, file: string): Tensor {
  const bad = (why: string): never => fail('E205', { file, why });
  if (!MAGIC.every((b, i) => bytes[i] === b)) bad('it is not a .npy file');
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) bad(`version ${major} of the .npy format is not known`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) bad('it ends inside its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER) bad(`a header of ${length} bytes`);
  if (bytes.length < start + length) bad('it ends inside its header');
  const { descr, fortran, shape } = parseHeader(new TextDecoder().decode(bytes.subarray(start, start + length)), bad);

  const text = /^([<>|=])([US])(\d{1,9})$/.exec(descr);
  if (text)
    return fortran && shape.length > 1
      ? bad('texts in column-major order')
      : readTexts(bytes.subarray(start + length), shape, text, bad);
  const dtype = Object.hasOwn(CODES, descr.slice(1)) ? CODES[descr.slice(1)] : undefined;
  if (dtype === undefined || !/^[<>|=]/.test(descr)) return bad(`element type '${descr}' is not supported`);
  const size = DTYPES[dtype].bytes;
  const need = numel(shape) * size;
  const have = bytes.length - start - length;
  if (have !== need) bad(`${have} bytes of data, ${dtype}[${shape.join(',')}] has ${need}`);
  let data = bytes.subarray(start + length);
  if (descr.startsWith('>') && size > 1) data = swapped(data, size);
  if (fortran && shape.length > 1) data = rowMajor(data, shape, size);
  return { dtype, dims: shape, bytes: data };
}
/** Texts of one width each, which zeros fill up: 32-bit code points (U) or UTF-8 (S). */
function readTexts(data: Uint8Array, dims: readonly number[], descr: RegExpExecArray, bad: (why: string) => never): Tensor {
  const [, order = '', kind = '', digits = ''] = descr;
  const width = Number(digits) * (kind === 'U' ? 4 : 1);
  const count = numel(dims);
  if (data.length !== count * width) bad(`${data.length} bytes of data, ${count} texts of ${width} bytes have ${count * width}`);
  // Texts without a byte would be as many as a header says.
  if (width === 0 && count > MAX_HEADER) bad(`${count} texts of no bytes`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const utf8 = new TextDecoder();
  const at = (i: number): string => {
    if (kind === 'S') return utf8.decode(data.subarray(i * width, (i + 1) * width)).replace(/\0+$/, '');
    const points = Array.from({ length: width / 4 }, (_, j) => view.getUint32(i * width + 4 * j, order !== '>'));
    while (points.at(-1) === 0) points.pop();
    if (points.some(p => p > 0x10ffff)) bad('a text holds no code points');
    return String.fromCodePoint(...points);
  };
  return textTensor(
    dims,
    Array.from({ length: count }, (_, i) => at(i)),
  );
}
/** The header is a Python literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`. */
function parseHeader(text: string, bad: (why: string) => never): Header {
  const dict = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (dict === undefined) return bad('its header is not a dictionary');
  if (/['"]descr['"]\s*:\s*\[/.test(dict)) return bad('structured element types are not supported');
  const entry = /\s*(['"])(\w+)\1\s*:\s*(?:(['"])([^'"]*)\3|(True|False)|\(([\d\sL,]*)\))\s*(?:,\s*|$)/y;
  const seen = new Map<string, RegExpExecArray>();
  while (entry.lastIndex < dict.length) {
    const m = entry.exec(dict);
    if (m === null) return bad('its header cannot be parsed');
    seen.set(m[2] ?? '', m);
  }
  const descr = seen.get('descr')?.[4];
  const order = seen.get('fortran_order')?.[5];
  const list = seen.get('shape')?.[6];
  if (descr === undefined || order === undefined || list === undefined)
    return bad('its header lacks descr, fortran_order or shape');
  const sizes = list.split(',').map(s => s.trim());
  if (sizes.at(-1) === '') sizes.pop();
  const shape = sizes.map(s => (/^\d{1,15}L?$/.test(s) ? Number.parseInt(s, 10) : bad(`a size of '${s}'`)));
  if (shape.length > 32) return bad(`${shape.length} dimensions`);
  return { descr, fortran: order === 'True', shape };
}
function swapped(data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += size) for (let b = 0; b < size; b++) out[i + b] = data[i + size - 1 - b] ?? 0;
  return out;
}
/** Column-major elements in row-major order. */
function rowMajor(data: Uint8Array, dims: readonly number[], size: number): Uint8Array {
  const out = new Uint8Array(data.length);
  const strides = stridesOf(dims);
  const index = dims.map(() => 0);
  let to = 0;
  for (let from = 0; from < data.length; from += size) {
    for (let b = 0; b < size; b++) out[to * size + b] = data[from + b] ?? 0;
    for (let axis = 0; axis < dims.length; axis++) {
      const next = (index[axis] ?? 0) + 1;
      to += strides[axis] ?? 0;
      if (next < (dims[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      to -= next * (strides[axis] ?? 0);
    }
  }
  return out;
}

/** A tensor as programs in C read it: of a type that NumPy has not, the bits of its elements, integers; of texts, their places. */
export const numpyBits = (t: Tensor): Tensor =>
  t.dtype === 'text' ? { ...t, dtype: 'i32' } : isCoded(t.dtype) && t.dtype !== 'f16' ? { ...t, dtype: storedAs(t.dtype) } : t;
/**
 * A .npy file (version 1.0, or 2.0 for a very long shape). Of the types that NumPy has not, bf16 is widened to f32, and others are the bits of their
 * elements, a byte each.
 */
export function writeNpy(t: Tensor): Uint8Array {
  if (t.dtype === 'text') return writeTexts(t);
  const tensor = t.dtype === 'bf16' ? fromNumbers('f32', t.dims, toNumbers(t)) : numpyBits(t);
  const code = Object.entries(CODES).find(([, dtype]) => dtype === tensor.dtype)?.[0] ?? '';
  const order = DTYPES[tensor.dtype].bytes === 1 ? '|' : '<';
  return npyFile(`${order}${code}`, t.dims, tensor.bytes);
}
/** Texts as code points, all as wide as the longest. */
function writeTexts(t: Tensor): Uint8Array {
  const points = textsOf(t).map(v => Array.from(v, ch => ch.codePointAt(0) ?? 0));
  const width = maxOf(
    points.map(p => p.length),
    1,
  );
  const data = new Uint32Array(points.length * width);
  points.forEach((p, i) => data.set(p, i * width));
  return npyFile(`<U${width}`, t.dims, new Uint8Array(data.buffer));
}
function npyFile(descr: string, dims: readonly number[], bytes: Uint8Array): Uint8Array {
  const shape = dims.length === 1 ? `${dims.join()},` : dims.join(', ');
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const wide = dict.length > 0xff00;
  const prefix = wide ? 12 : 10;
  // The data begins at a multiple of 64 bytes, and the header ends with a line feed.
  const length = Math.ceil((prefix + dict.length + 1) / 64) * 64 - prefix;
  const out = new Uint8Array(prefix + length + bytes.length);
  out.set(MAGIC);
  out.set(wide ? [2, 0] : [1, 0], 6);
  const view = new DataView(out.buffer);
  if (wide) view.setUint32(8, length, true);
  else view.setUint16(8, length, true);
  out.set(new TextEncoder().encode(dict.padEnd(length - 1) + '\n'), prefix);
  out.set(bytes, prefix + length);
  return out;
}
