import { ServeError } from '../../core/errors.ts';
import { bytesOf, countOf, fromBytes, isTexts, TYPES, typeOf, type Tensor } from '../../core/tensors.ts';

/** NumPy's .npy format, version 1: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
const unreadable = (why: string): never => {
  throw new ServeError(415, `Loading npy data failed: ${why}`);
};
/** Reads application/x-npy: little-endian, row-major. 415 where it is anything else. */
export function readNpy(bytes: Uint8Array): Tensor {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (b.length < 12 || !b.subarray(0, 6).equals(MAGIC)) return unreadable('it is not a .npy file');
  const [major = 0] = b.subarray(6);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? b.readUInt16LE(8) : b.readUInt32LE(8);
  if (major > 3 || length > b.length - start) return unreadable('it ends inside its header');
  const header = b.toString('latin1', start, start + length);
  const descr = /'descr'\s*:\s*'([<>|=])([a-z]\d)'/.exec(header);
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (!descr || shape === undefined) return unreadable('its header has no element type or shape that is known');
  const type = TYPES.find(t => t.numpy === descr[2]);
  if (!type || (descr[1] === '>' && type.bytes > 1)) return unreadable(`elements of type ${descr[1] ?? ''}${descr[2] ?? ''}`);
  const dims = shape
    .split(',')
    .map(s => s.trim())
    .filter(s => s !== '')
    .map(Number);
  if (/'fortran_order'\s*:\s*True/.test(header) && dims.length > 1) return unreadable('it is in column-major order');
  const data = b.subarray(start + length);
  const want = countOf(dims) * type.bytes;
  if (data.length !== want) return unreadable(`${data.length} bytes of data; [${dims.join(', ')}] has ${want}`);
  return { type: type.type, dims, data: fromBytes(type.type, data, 'npy') };
}
export function writeNpy(t: Tensor): Uint8Array {
  const { numpy } = typeOf(t.type);
  if (numpy === undefined || isTexts(t.data)) throw new ServeError(406, `application/x-npy holds no ${t.type}`);
  const order = t.data.BYTES_PER_ELEMENT > 1 ? '<' : '|';
  const shape = t.dims.length === 1 ? `${t.dims.join()},` : t.dims.join(', ');
  const header = `{'descr': '${order}${numpy}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The data begin at a multiple of 64.
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11);
  const head = Buffer.alloc(10);
  MAGIC.copy(head);
  head[6] = 1;
  head.writeUInt16LE(padded.length + 1, 8);
  return Buffer.concat([head, Buffer.from(`${padded}\n`), bytesOf(t.data)]);
}
