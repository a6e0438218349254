import { createWriteStream } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { ModelSpec } from '../core/call.ts';
import { ServeError, messageOf } from '../core/errors.ts';
import { cached } from './cache.ts';

/** More archives below one prefix are no repository of models. */
const MOST = 1000;
/**
 * Fetches models from S3: an archive, or all archives below a prefix that ends with '/'. Each is kept by its ETag. The endpoint is
 * AWS's, or that of `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`. ServeError 400 where there is none, or S3 cannot be reached.
 */
export async function fetchModels(argument: string, cache: string): Promise<readonly ModelSpec[]> {
  const [, given, bucket = '', key = ''] = /^(?:([\w.-]+)=)?s3:\/\/([^/]+)\/?(.*)$/s.exec(argument) ?? [];
  const { S3Client, GetObjectCommand, ListObjectsV2Command, HeadObjectCommand } = await import('@aws-sdk/client-s3');
  const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  const s3 = new S3Client({
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
  });
  const fetchOne = async (Key: string): Promise<string> => {
    const { ETag } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key }));
    const digest = createHash('sha256')
      .update(`${bucket}\0${Key}\0${ETag ?? ''}`)
      .digest('hex')
      .slice(0, 40);
    const dir = await cached(cache, `fetched-${digest}`, async into => {
      mkdirSync(into, { recursive: true });
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
      if (!(Body instanceof Readable)) throw new ServeError(400, `s3://${bucket}/${Key} has no content`);
      await pipeline(Body, createWriteStream(join(into, basename(Key))));
    });
    return join(dir, basename(Key));
  };
  const nameOf = (path: string): string => path.replace(/\.(?:tar\.gz|tgz)$/i, '');
  try {
    if (key !== '' && !key.endsWith('/')) return [{ name: given ?? nameOf(basename(key)), path: await fetchOne(key) }];
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: MOST }));
    const keys = Contents.flatMap(x => (x.Key !== undefined && /\.(?:tar\.gz|tgz)$/i.test(x.Key) ? [x.Key] : []));
    if (keys.length === 0) throw new ServeError(400, `there is no .tar.gz below ${argument}`);
    const specs: ModelSpec[] = [];
    for (const k of keys) specs.push({ name: nameOf(k.slice(key.length)), path: await fetchOne(k) });
    return specs;
  } catch (e) {
    throw e instanceof ServeError ? e : new ServeError(400, `${argument} cannot be fetched: ${messageOf(e)}`, e);
  } finally {
    s3.destroy();
  }
}
