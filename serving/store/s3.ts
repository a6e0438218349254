import { createWriteStream } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { ModelSpec } from '../core/call.ts';
import { ServeError, messageOf } from '../core/errors.ts';
import { cached } from './cache.ts';

/** More archives below one prefix are no repository of models: S3 lists so many at once. */
const MOST = 1000;

/** How an S3 is reached: Amazon's, or the one at an endpoint, which needs no credentials where there are none. */
export function s3Config(endpoint: string | undefined, region?: string): S3ClientConfig {
  const { AWS_REGION, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env;
  const anonymous = endpoint !== undefined && AWS_ACCESS_KEY_ID === undefined && AWS_PROFILE === undefined;
  return {
    region: region ?? AWS_REGION ?? AWS_DEFAULT_REGION ?? 'us-east-1',
    // An S3 on a machine of one's own knows buckets by their path, and may not know the checksums of newer clients.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(anonymous && { credentials: { accessKeyId: 'none', secretAccessKey: 'none' } }),
  };
}
/**
 * Fetches models from S3: an archive, or all archives below a prefix that ends with '/'. Each is kept by its ETag. The endpoint is
 * AWS's, or that of `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`. ServeError 400 where there is none, or S3 cannot be reached.
 */
export async function fetchModels(argument: string, cache: string): Promise<readonly ModelSpec[]> {
  const [, given, bucket = '', key = ''] = /^(?:([\w.-]+)=)?s3:\/\/([^/]+)\/?(.*)$/s.exec(argument) ?? [];
  const { S3Client, GetObjectCommand, ListObjectsV2Command, HeadObjectCommand } = await import('@aws-sdk/client-s3');
  const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  const s3 = new S3Client(s3Config(endpoint));
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
  // Training jobs of SageMaker leave NAME/output/model.tar.gz.
  const nameOf = (path: string): string => path.replace(/\.(?:tar\.gz|tgz)$/i, '').replace(/(?<=.)\/output\/model$/, '');
  try {
    if (key !== '' && !key.endsWith('/')) return [{ name: given ?? basename(nameOf(key)), path: await fetchOne(key) }];
    const { Contents = [], IsTruncated } = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: MOST }),
    );
    const keys = Contents.flatMap(x => (x.Key !== undefined && /\.(?:tar\.gz|tgz)$/i.test(x.Key) ? [x.Key] : []));
    if (keys.length === 0) throw new ServeError(400, `there is no .tar.gz below ${argument}`);
    if (IsTruncated === true)
      throw new ServeError(400, `there are more than ${MOST} objects below ${argument}: name a longer prefix`);
    const specs: ModelSpec[] = [];
    for (const k of keys) specs.push({ name: nameOf(k.slice(key.length)), path: await fetchOne(k) });
    return specs;
  } catch (e) {
    throw e instanceof ServeError ? e : new ServeError(400, `${argument} cannot be fetched: ${messageOf(e)}`, e);
  } finally {
    s3.destroy();
  }
}
