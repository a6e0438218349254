import { numel, toNumbers, type Tensor } from '../../../core/tensor.ts';
import { unpackLimit } from '../../shared/archive.ts';
import { skip, take, u16, u8, type Cursor } from '../../shared/cursor.ts';
import { datasetOf, tensorOfDataset } from './data.ts';
import { cText, unknown, type H5File } from './file.ts';
import { hasDense, linksOf } from './groups.ts';
import { MESSAGE, messageCursor, messagesAt, rootAddress, type Message } from './header.ts';
import { dataspace, elementType, texts, type ElementType } from './types.ts';

export { isHdf5 } from './file.ts';

/** What an attribute holds: texts or numbers, one of them where it has no axis. Undefined: something else. */
type H5Attribute = string | number | readonly string[] | readonly number[] | undefined;
/** A group or an array of an HDF5 file. What it holds is read when it is asked for. E203: damaged; E202: what Keras does not write. */
export interface H5Node {
  /** Its path in the file. */
  readonly path: string;
  /** Names of its children. */
  readonly names: readonly string[];
  attribute(name: string): H5Attribute;
  /** What lies at a path below. */
  at(path: string): H5Node | undefined;
  /** The numbers of an array; undefined for a group. */
  tensor(): Tensor | undefined;
}
/** Structures of a file that are looked at: at least so many, and one more for so many bytes. */
const STEPS = { least: 10_000, bytes: 8 };

/**
 * Opens an HDF5 file; `whole` are the bytes of the file on disk. Sinter reads HDF5 itself: jsfive makes an object of every number, follows
 * pointers in circles and allocates what a file claims; h5wasm is a megabyte that starts asynchronously. h5wasm checks this reader in tests.
 */
export function openHdf5(bytes: Uint8Array, name: string, whole = bytes.length): H5Node {
  const f: H5File = { name, bytes, steps: STEPS.least + Math.ceil(bytes.length / STEPS.bytes), room: unpackLimit(whole) };
  return nodeAt(f, rootAddress(f), '');
}
function nodeAt(f: H5File, address: number, path: string): H5Node {
  const messages = messagesAt(f, address);
  const links = linksOf(f, messages, path);
  const opened = new Map<string, H5Node>();
  let attributes: ReadonlyMap<string, () => H5Attribute> | undefined;
  const child = (name: string): H5Node | undefined => {
    const to = links.get(name);
    const had = opened.get(name);
    if (had || to === undefined) return had;
    const made = nodeAt(f, to, path === '' ? name : `${path}/${name}`);
    opened.set(name, made);
    return made;
  };
  const attribute = (key: string): H5Attribute => (attributes ??= attributesOf(f, messages, path)).get(key)?.();
  return {
    path,
    names: [...links.keys()],
    attribute,
    at: below => {
      const [first, ...rest] = below.split('/').filter(s => s !== '');
      const c = first === undefined ? undefined : child(first);
      return rest.length === 0 ? c : c?.at(rest.join('/'));
    },
    tensor: () => {
      const d = datasetOf(f, messages, path);
      // Keras writes bfloat16 as bytes with their type beside them.
      const coded = d?.type.k === 'other' && d.type.size === 2 && attribute('dtype') === 'bfloat16';
      return d && tensorOfDataset(f, coded ? { ...d, type: BFLOAT16 } : d, path);
    },
  };
}
const BFLOAT16: ElementType = { k: 'number', dtype: 'bf16', size: 2, bigEndian: false };

/** The attributes among an object's messages (section IV.A.2.m), with their contents still to be read. */
function attributesOf(f: H5File, messages: readonly Message[], what: string): ReadonlyMap<string, () => H5Attribute> {
  const out = new Map<string, () => H5Attribute>();
  for (const m of messages) {
    if (m.type === MESSAGE.attributeInfo && hasDense(f, m)) unknown(f, "attributes in the form of libver='latest'", what);
    if (m.type !== MESSAGE.attribute) continue;
    const c = messageCursor(f, m, 'an attribute');
    const version = u8(c);
    if (version < 1 || version > 3) unknown(f, `an attribute of version ${version}`, what);
    const flags = u8(c);
    const sizes = [u16(c), u16(c), u16(c)];
    if (version === 3) skip(c, 1);
    const [name, type, space] = sizes.map(n => padded(c, n, version === 1)) as [Uint8Array, Uint8Array, Uint8Array];
    const rest = m.bytes.subarray(c.at);
    const sub = (bytes: Uint8Array): Message => ({ type: 0, flags: (flags & 1) !== 0 ? 2 : 0, bytes });
    out.set(cText(name), () => {
      const dims = dataspace(f, messageCursor(f, sub(space), 'a dataspace'));
      if (!dims) return undefined;
      const t = elementType(f, sub(type));
      const n = numel(dims);
      const values = rest.subarray(0, n * t.size);
      if (values.length < n * t.size) return undefined;
      if (t.k === 'other') return undefined;
      const list = t.k === 'number' ? [...toNumbers({ dtype: t.dtype, dims, bytes: values.slice() })] : texts(f, t, values, n);
      return dims.length === 0 ? list[0] : list;
    });
  }
  return out;
}
function padded(c: Cursor, n: number, pad: boolean): Uint8Array {
  const b = take(c, n);
  if (pad) skip(c, (8 - (n % 8)) % 8);
  return b;
}
/** Text of an attribute. */
export const textAttribute = (n: H5Node, name: string): string | undefined => {
  const a = n.attribute(name);
  return typeof a === 'string' ? a : undefined;
};
/** A list of texts, which Keras splits as `name0`, `name1` … where it is longer than an attribute may be. */
export function textsAttribute(n: H5Node, name: string): readonly string[] | undefined {
  const one = (key: string): readonly string[] | undefined => {
    const a = n.attribute(key);
    return typeof a === 'object' ? a.flatMap(x => (typeof x === 'string' ? [x] : [])) : undefined;
  };
  const whole = one(name);
  if (whole) return whole;
  const out: string[] = [];
  for (let i = 0; ; i++) {
    const next = one(`${name}${i}`);
    if (!next) return i === 0 ? undefined : out;
    for (const s of next) out.push(s);
  }
}
