import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestServer {
  readonly url: URL;
  /** What was posted. */
  readonly bodies: string[];
  readonly types: (string | undefined)[];
  close(): Promise<void>;
}
/** What a server does with a POST; the rest it answers itself. */
export type Handle = (body: string, res: ServerResponse, n: number) => void;

/** A server on loopback; `get` are the JSON answers to GET, by their paths. */
export async function startServer(handle: Handle, get: Readonly<Record<string, unknown>> = {}): Promise<TestServer> {
  const bodies: string[] = [];
  const types: (string | undefined)[] = [];
  const read = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const c of req as AsyncIterable<Buffer>) chunks.push(c);
    if (req.method === 'GET') {
      const answer = get[req.url ?? ''];
      res.statusCode = answer === undefined ? 404 : 200;
      res.end(answer === undefined ? 'not here' : JSON.stringify(answer));
      return;
    }
    bodies.push(Buffer.concat(chunks).toString());
    types.push(req.headers['content-type']);
    handle(bodies.at(-1) ?? '', res, bodies.length);
  };
  // A client that goes away in the middle of a request is none of its business.
  const server = createServer((req, res) => void read(req, res).catch(() => res.destroy()));
  await new Promise<void>(r => server.listen(0, '127.0.0.1', r));
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/invocations`),
    bodies,
    types,
    close: () =>
      new Promise(r => {
        server.close(() => r());
        server.closeAllConnections();
      }),
  };
}
/** Answers `at once` requests at a time, each after `ms`; the others wait for their turn. */
export function queued(atOnce: number, ms: number): Handle {
  const waiting: ServerResponse[] = [];
  let busy = 0;
  const next = (): void => {
    if (busy === atOnce) return;
    const res = waiting.shift();
    if (!res) return;
    busy++;
    setTimeout(() => {
      busy--;
      res.end('ok');
      next();
    }, ms);
  };
  return (_body, res) => {
    waiting.push(res);
    next();
  };
}
