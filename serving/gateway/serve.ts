import type { AddressInfo } from 'node:net';
import { pino, type Logger } from 'pino';
import type { ModelSpec } from '../core/call.ts';
import { LIMITS, type Limits } from '../core/limits.ts';
import type { Context } from './context.ts';
import { grpcServer, listenGrpc } from './grpc.ts';
import { httpServer } from './http.ts';
import { metricsOf, type Metrics } from './metrics.ts';
import { startPool, type PoolEvent, type PoolOptions } from './pool.ts';
import { Stats } from './stats.ts';

export interface ServeOptions extends Partial<Omit<PoolOptions, 'tell' | 'log'>> {
  readonly models: readonly ModelSpec[];
  /** Default: 127.0.0.1, which only this machine reaches. */
  readonly host?: string;
  /** 0: a free one. Default: 8080. */
  readonly port?: number;
  /** Of gRPC; undefined: none. */
  readonly grpcPort?: number | undefined;
  readonly limits?: Partial<Limits>;
  /** The folder that models may be loaded from by path. */
  readonly modelRoot?: string | undefined;
  readonly logger?: Logger;
}
/** A server that listens. */
export interface Serving {
  readonly url: string;
  readonly port: number;
  readonly grpcPort: number | undefined;
  /** All models are loaded on all workers; rejects where one cannot be. */
  readonly ready: Promise<void>;
  /** Is not ready any more, then takes no connections, finishes what it has begun, and ends. */
  close(): Promise<void>;
}
/** Load balancers that ask whether it is ready have so long to see that it is not, in milliseconds. */
const DRAIN = 1000;
/** Within this it ends, whatever is still going on. */
const LAST = 25_000;

/** Starts workers and listens; requests are answered 503 until models are loaded. Rejects where it cannot listen. */
export async function serve(o: ServeOptions): Promise<Serving> {
  const log = o.logger ?? pino({ level: 'silent' });
  const limits: Limits = { ...LIMITS, ...o.limits };
  const hear: { metrics?: Metrics } = {};
  const { pool, first } = startPool(o.models, {
    maxQueue: 256,
    timeout: 60_000,
    maxModels: 10_000,
    maxBody: limits.bodyBytes,
    ...o,
    workers: o.workers ?? 1,
    tell: e => {
      hear.metrics?.event(e);
      logEvent(log, e);
    },
  });
  const metrics = metricsOf(pool);
  hear.metrics = metrics;
  const repository = new Map(o.models.map(m => [m.name, m]));
  const context: Context = { pool, metrics, stats: new Stats(), log, limits, repository, modelRoot: o.modelRoot, ending: 'no' };
  const host = o.host ?? '127.0.0.1';
  const http = httpServer(context);
  const grpc = o.grpcPort === undefined ? undefined : grpcServer(context);
  let grpcPort: number | undefined;
  try {
    await new Promise<void>((done, failed) => {
      http.once('error', failed);
      http.listen(o.port ?? 8080, host, done);
    });
    if (grpc) grpcPort = await listenGrpc(grpc, host, o.grpcPort ?? 0);
  } catch (e) {
    http.close();
    await pool.close();
    throw e;
  }
  const { port } = http.address() as AddressInfo;
  const end = async (): Promise<void> => {
    context.ending = 'draining';
    await pause(pool.ready || pool.inFlight > 0 ? DRAIN : 0);
    context.ending = 'closing';
    const closed = new Promise<void>(done => http.close(() => done()));
    http.closeIdleConnections();
    const grpcClosed = grpc && new Promise<void>(done => grpc.tryShutdown(() => done()));
    await Promise.race([Promise.all([closed, grpcClosed]), pause(LAST - DRAIN, false)]);
    http.closeAllConnections();
    grpc?.forceShutdown();
    await pool.close();
  };
  let ended: Promise<void> | undefined;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    grpcPort,
    ready: first,
    close: () => (ended ??= end()),
  };
}
/** `holds`: the process does not end meanwhile. */
const pause = (ms: number, holds = true): Promise<void> =>
  new Promise(done => {
    const timer = setTimeout(done, ms);
    if (!holds) timer.unref();
  });

function logEvent(log: Logger, e: PoolEvent): void {
  switch (e.k) {
    case 'started':
      log.info({ worker: e.id, pid: e.pid, ms: Math.round(e.ms) }, 'worker ready');
      return;
    case 'lost':
      log.error({ worker: e.id, why: e.why }, 'worker ended');
      return;
    case 'failed':
      log.error({ worker: e.id, why: e.why, attempt: e.again }, 'worker did not start');
      return;
    case 'poison':
      log.error({ model: e.model, bytes: e.bytes }, 'a request ended workers, and is refused for ten minutes');
      return;
    case 'loaded':
      log.info({ model: e.model }, 'model loaded');
      return;
    case 'unloaded':
      log.info({ model: e.model }, 'model unloaded');
      return;
    case 'said':
      log.warn({ worker: e.id, line: e.line.slice(0, 1000) }, 'worker says');
      return;
  }
}
