import { fail } from '../../core/diagnostic.ts';
import { unsafePath, type ExternalResolver } from './external.ts';
import { isZip, readZip } from './zip.ts';

interface ZippedModel {
  /** The path of the model in the archive. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly beside: ExternalResolver;
}
/**
 * A model that is a folder, as a zip archive of it: the file of one of the given names that lies least deep, and what lies beside it.
 * undefined where the archive has none. E202: there are several of one depth. E203: damaged.
 */
export function zippedFolder(bytes: Uint8Array, file: string, names: readonly string[]): ZippedModel | undefined {
  if (!isZip(bytes)) return undefined;
  const entries = new Map(readZip(bytes, file).map(e => [e.name, e]));
  const depth = (name: string): number => name.split('/').length;
  const found = [...entries.keys()]
    .filter(n => names.includes(n.slice(n.lastIndexOf('/') + 1)))
    .sort((a, b) => depth(a) - depth(b));
  const [name, second] = found;
  if (name === undefined) return undefined;
  if (second !== undefined && depth(second) === depth(name))
    fail('E202', { file, why: `it holds several models (${name}, ${second}); unpack it and give one of them` });
  const folder = name.slice(0, name.lastIndexOf('/') + 1);
  const model = entries.get(name)?.read() ?? new Uint8Array();
  // A file is unpacked once, however many of its parts are asked for.
  const read = new Map<string, Uint8Array>();
  const beside: ExternalResolver = (location, offset, length) => {
    const bad = (why: string): never => fail('E204', { why: `'${location}' ${why}` });
    const unsafe = unsafePath(location);
    if (unsafe !== undefined) bad(unsafe);
    const data = read.get(location) ?? entries.get(folder + location)?.read() ?? bad('is not in the archive, beside the model');
    read.set(location, data);
    const size = length ?? data.length - offset;
    if (offset < 0 || size < 0 || offset + size > data.length)
      bad(`has ${data.length} bytes; ${size} from byte ${offset} are wanted`);
    return data.subarray(offset, offset + size);
  };
  return { name, bytes: model, beside };
}
