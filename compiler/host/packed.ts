import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** Bytes as they are, and as servers send them. */
export interface Bytes {
  readonly disk: number;
  /** Undefined where there is a file that is too large to be packed just to know. */
  readonly gzip?: number;
  readonly brotli?: number;
}
/** Brotli's level for answers made on the fly; its highest takes minutes for what is here as large as a runtime. Gzip: its default. */
const BROTLI_LEVEL = 5;
/** Larger files are not packed just to know how small they get: nobody should wait for that. */
export const LARGEST = 1 << 25;

/** How small a file becomes on its way. */
export async function packed(bytes: Uint8Array): Promise<Bytes> {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants;
  const zipped = await promisify(gzip)(bytes);
  const params = { [BROTLI_PARAM_QUALITY]: BROTLI_LEVEL, [BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const broken = await promisify(brotliCompress)(bytes, { params });
  return { disk: bytes.length, gzip: zipped.length, brotli: broken.length };
}
/** Files together, each packed by itself as a server does. */
export function together(all: readonly Bytes[]): Bytes {
  const of = (key: keyof Bytes): number | undefined =>
    all.reduce<number | undefined>((n, b) => (n === undefined || b[key] === undefined ? undefined : n + b[key]), 0);
  const [gzip, brotli] = [of('gzip'), of('brotli')];
  return { disk: of('disk') ?? 0, ...(gzip !== undefined && { gzip }), ...(brotli !== undefined && { brotli }) };
}
