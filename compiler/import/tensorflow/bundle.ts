import { fail } from '../../core/diagnostic.ts';
import { DTYPES } from '../../core/dtype.ts';
import { numel, type Tensor } from '../../core/tensor.ts';
import type { ExternalResolver } from '../shared/external.ts';
import { decodeMessage } from '../shared/protobuf.ts';
import { maskedCrc } from './crc32c.ts';
import { readTable } from './leveldb.ts';
import { BundleRecord, Header } from './schema.ts';
import { dimsOf, dtypeOf, typeName } from './tensor.ts';

/** The values of a checkpoint by their keys; undefined: there is none of the key. */
export type Checkpoint = (key: string) => Tensor | undefined;

/**
 * Reads the index of a checkpoint; values are read where they are used, and their checksums looked at. E203: damaged, or a wrong checksum.
 * E204: a shard is missing or too short. E106: an element type that Sinter has not.
 */
export function openCheckpoint(prefix: string, beside: ExternalResolver): Checkpoint {
  const index = `${prefix}.index`;
  const records = readTable(beside(index, 0, undefined), index);
  const bad = (why: string): never => fail('E203', { file: index, why });
  const head = records.get('') ?? bad('it has no header');
  const { shards, endianness } = decodeMessage(head, Header, 'a checkpoint', index);
  if (endianness !== 0) fail('E202', { file: index, why: 'it is of a big-endian machine' });
  return key => {
    const record = records.get(key);
    if (!record) return undefined;
    const e = decodeMessage(record, BundleRecord, 'an entry of a checkpoint', index);
    const what = `variable '${key}'`;
    if (e.slices.length > 0) fail('E202', { file: index, why: `${what} is cut into slices` });
    const dtype = dtypeOf(e.dtype) ?? fail('E106', { type: typeName(e.dtype), what });
    const dims = dimsOf(e.shape);
    const need = numel(dims) * DTYPES[dtype].bytes;
    if (dims.some(d => d < 0) || e.size !== need) bad(`${what} has ${e.size} bytes, ${dtype}[${dims.join(',')}] has ${need}`);
    if (e.shard < 0 || e.shard >= Math.max(1, shards)) bad(`${what} is in shard ${e.shard} of ${shards}`);
    const number = (n: number): string => String(n).padStart(5, '0');
    const name = `${prefix}.data-${number(e.shard)}-of-${number(Math.max(1, shards))}`;
    const bytes = beside(name, e.offset, e.size);
    if (e.checksum !== undefined && maskedCrc(bytes) !== e.checksum)
      fail('E203', { file: name, why: `the checksum of ${what} is wrong` });
    return { dtype, dims, bytes };
  };
}
