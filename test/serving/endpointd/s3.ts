import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';

/** An S3 of a test: objects in memory, which can be slow or down. */
export interface FakeS3 {
  readonly url: string;
  readonly objects: Map<string, Buffer>;
  /** Reads of each object, by `BUCKET/KEY`. */
  readonly reads: Map<string, number>;
  /** Whether it answers at all. */
  down: boolean;
  close(): Promise<void>;
}
export async function startS3(): Promise<FakeS3> {
  const objects = new Map<string, Buffer>();
  const reads = new Map<string, number>();
  const server = createServer((request, response) => {
    if (s3.down) {
      request.socket.destroy();
      return;
    }
    const key = decodeURIComponent((request.url ?? '/').slice(1).split('?')[0] ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (c: Buffer) => chunks.push(c));
    request.on('end', () => {
      if (request.method === 'PUT') {
        objects.set(key, Buffer.concat(chunks));
        response.end();
        return;
      }
      const body = objects.get(key);
      reads.set(key, (reads.get(key) ?? 0) + 1);
      if (body === undefined) {
        response.writeHead(404, { 'content-type': 'application/xml' });
        response.end('<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>');
        return;
      }
      response.writeHead(200, { 'content-length': body.length, etag: `"${createHash('md5').update(body).digest('hex')}"` });
      response.end(body);
    });
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const s3: FakeS3 = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    reads,
    down: false,
    close: () =>
      new Promise(done => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return s3;
}
