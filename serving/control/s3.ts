// Objects of S3: models that are read, captured data and compiled models that are written.
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { s3Config } from '../store/s3.ts';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export interface ObjectStore {
  /**
   * The path of a local copy of an object, one for each of its versions; several who ask at once share one download.
   * Errors: ObjectMissing where there is none, else those of the client.
   */
  fetch(uri: string): Promise<string>;
  put(uri: string, body: Uint8Array): Promise<void>;
}
export class ObjectMissing extends Error {
  override readonly name = 'ObjectMissing';
}
export interface ObjectStoreOptions {
  /** Of an S3 other than Amazon's; default: what AWS_ENDPOINT_URL_S3 says. */
  readonly endpoint?: string;
  readonly region?: string;
  /** The folder of the copies. */
  readonly cache: string;
  /** The most bytes of an object; default: 1 GiB. */
  readonly maxBytes?: number;
}
const GiB = 2 ** 30;

/** The parts of `s3://BUCKET/KEY`; undefined where it is not one. */
export function parseUri(uri: string): { readonly Bucket: string; readonly Key: string } | undefined {
  const [, Bucket = '', Key = ''] = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(uri) ?? [];
  return Bucket === '' ? undefined : { Bucket, Key };
}
function location(uri: string): { readonly Bucket: string; readonly Key: string } {
  const at = parseUri(uri);
  if (at === undefined) throw new Error(`${uri} is not of the form s3://BUCKET/KEY`);
  return at;
}
export function createObjectStore(o: ObjectStoreOptions): ObjectStore {
  const endpoint = o.endpoint ?? process.env['AWS_ENDPOINT_URL_S3'];
  const maxBytes = o.maxBytes ?? GiB;
  const client = new S3Client({
    ...s3Config(endpoint, o.region),
    requestHandler: { connectionTimeout: 5000, requestTimeout: 60_000 },
  });
  const running = new Map<string, Promise<string>>();

  async function download(uri: string): Promise<string> {
    const at = location(uri);
    const got = await client.send(new GetObjectCommand(at)).catch((e: unknown) => {
      if (e instanceof Error && (e.name === 'NoSuchKey' || e.name === 'NoSuchBucket' || e.name === 'NotFound'))
        throw new ObjectMissing(`there is no object ${uri}`);
      throw new Error(`${uri} cannot be read: ${e instanceof Error ? e.message || e.name : String(e)}`, { cause: e });
    });
    const body = got.Body as Readable;
    const version = createHash('sha256')
      .update(JSON.stringify([uri, got.ETag, got.VersionId, got.ContentLength]))
      .digest('hex');
    // The end of the name tells an archive from a model.
    const name =
      (at.Key.split('/').at(-1) ?? '')
        .replace(/[^A-Za-z0-9._-]/g, '_')
        .replace(/^\.+/, '')
        .slice(-100) || 'model';
    const folder = join(o.cache, version.slice(0, 32));
    const path = join(folder, name);
    if (
      await stat(path).then(
        s => s.isFile(),
        () => false,
      )
    ) {
      body.destroy();
      return path;
    }
    await mkdir(folder, { recursive: true });
    const partial = join(folder, `.${randomUUID()}`);
    let bytes = 0;
    const bounded = new Transform({
      transform(chunk: Buffer, _, done) {
        bytes += chunk.length;
        if (bytes > maxBytes) done(new Error(`${uri} has more than ${maxBytes} bytes`));
        else done(null, chunk);
      },
    });
    try {
      await pipeline(body, bounded, createWriteStream(partial, { flags: 'wx' }));
      await rename(partial, path);
    } catch (e) {
      await rm(partial, { force: true });
      throw e;
    }
    return path;
  }
  return {
    fetch: uri => {
      let one = running.get(uri);
      if (one === undefined) {
        one = download(uri).finally(() => running.delete(uri));
        running.set(uri, one);
      }
      return one;
    },
    put: async (uri, Body) => {
      await client.send(new PutObjectCommand({ ...location(uri), Body }));
    },
  };
}
