import { createServer, type IncomingMessage, type Server } from 'node:http';
import findMyWay from 'find-my-way';
import { json, respond, text } from './answer.ts';
import { managed, type Context, type Handler } from './context.ts';
import { oipRoutes } from './oip.ts';
import { PAGE } from './page.ts';
import { sagemakerRoutes } from './sagemaker.ts';

/** The HTTP server: routes of all protocols, the metrics and the page. */
export function httpServer(c: Context): Server {
  const { limits } = c;
  const nothing = (status: number, message: string): Handler =>
    managed(
      c,
      (s, m) => json(s, { error: m }),
      () => json(status, { error: message }),
    );
  const router = findMyWay({
    maxParamLength: 1024,
    defaultRoute: (req, res) => nothing(404, 'there is no such path')(req, res as never, {}),
    onBadUrl: (_, req, res) => nothing(400, 'the path is not encoded as it must be')(req, res as never, {}),
  });
  const add = (method: 'GET' | 'POST' | 'DELETE', path: string, handler: Handler): void => {
    router.on(method, path, handler);
  };
  for (const [method, path, handler] of [...sagemakerRoutes(c), ...oipRoutes(c)]) add(method, path, handler);
  const plain = (status: number, message: string) => text(status, message);
  add(
    'GET',
    '/metrics',
    managed(c, plain, async () => text(200, await c.metrics.text(), c.metrics.contentType)),
  );
  add(
    'GET',
    '/',
    managed(c, plain, () => ({ ...text(200, PAGE.html, 'text/html; charset=utf-8'), headers: PAGE.headers })),
  );
  add(
    'GET',
    '/sinter/status',
    managed(c, plain, () =>
      json(200, {
        ...c.stats.window(),
        workers: c.pool.alive,
        inFlight: c.pool.inFlight,
        ready: c.pool.ready && c.ending === 'no',
        models: c.pool.models(),
      }),
    ),
  );
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      keepAliveTimeout: limits.keepAlive,
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.requestTimeout,
      connectionsCheckingInterval: 1000,
      noDelay: true,
    },
    (req, res) => {
      if (req.headers.origin !== undefined && req.method !== 'GET' && isForeign(req))
        respond(res, json(403, { error: 'pages of other origins may not ask' }), true);
      else router.lookup(req, res);
    },
  );
  server.maxConnections = limits.connections;
  server.on('dropRequest', () => undefined);
  return server;
}
/** Whether a browser sends it for a page that came from somewhere else. */
function isForeign(req: IncomingMessage): boolean {
  try {
    return new URL(req.headers.origin ?? '').host !== req.headers.host;
  } catch {
    return true;
  }
}
