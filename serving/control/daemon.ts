/**
 * The local control plane: SageMaker's API, its runtime, application auto-scaling and CloudWatch on one port, over instances on this
 * machine.
 */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mkdirSync, rmSync } from 'node:fs';
import type { Trust } from '../core/trust.ts';
import { evaluateAlarms } from './alarm-loop.ts';
import { operations } from './api/index.ts';
import { createCaptures } from './capture.ts';
import { createClock } from './clock.ts';
import { createController } from './controller.ts';
import { createJobs } from './jobs.ts';
import { openJournal } from './journal.ts';
import { lockFolder } from './lock.ts';
import { createMetrics, MINUTE_MS } from './metrics.ts';
import { createRegistry } from './registry.ts';
import { createRuntime } from './runtime.ts';
import { createObjectStore } from './s3.ts';
import { createScaler } from './scaler.ts';
import { createServer } from './server.ts';
import { startZones, type Zone } from './zones.ts';

export interface DaemonOptions {
  /** Default: loopback. */
  readonly host?: string;
  /** 0: any that is free. */
  readonly port: number;
  /** The folder of the journal, of copies of models and of compiled models. */
  readonly state: string;
  /** Of an S3 other than Amazon's. */
  readonly s3Endpoint?: string;
  /** The number in names of resources; default 000000000000. */
  readonly account?: string;
  /** How many times faster than the wall clock alarms, cooldowns and waits pass; default 1. */
  readonly clockRate?: number;
  /** How many zones instances are spread over; default 2. */
  readonly zones?: number;
  /** The most models that an instance of a multi-model endpoint holds; default 100. */
  readonly modelRoom?: number;
  /** Which bundles are loaded; default: those without native code. */
  readonly trust?: Trust;
  /** Whether POST /moto-api/reset forgets everything. */
  readonly allowReset?: boolean;
  readonly log?: (entry: LogEntry) => void;
}
export interface LogEntry {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly endpoint?: string;
  readonly variant?: string;
}
export interface Daemon {
  readonly url: string;
  zones(): readonly Zone[];
  /** The processes of an endpoint's instances that are ready. */
  pids(endpoint: string): readonly number[];
  /** Takes no more requests, finishes those it has, ends all processes. The journal keeps what it knows. */
  close(): Promise<void>;
}
/** How often alarms and policies are looked at, in the control plane's time. */
const LOOK_MS = 10_000;
/** How long requests may take to finish when the daemon is closed. */
const CLOSE_MS = 25_000;

/** Errors: where the folder is in use by another daemon, the journal is damaged, or the port is taken. */
export async function startDaemon(o: DaemonOptions): Promise<Daemon> {
  const log = o.log ?? (() => undefined);
  const clock = createClock(o.clockRate);
  mkdirSync(o.state, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(o.state);
  const journal = openJournal(join(o.state, 'journal.jsonl'));
  const registry = createRegistry(journal);
  const metrics = createMetrics();
  const store = createObjectStore({
    cache: join(o.state, 'objects'),
    ...(o.s3Endpoint === undefined ? {} : { endpoint: o.s3Endpoint }),
  });
  const captures = createCaptures(store, message => log({ level: 'warn', message }));
  const fetch = (uri: string): Promise<string> => store.fetch(uri);
  const cache = join(o.state, 'models');
  const zones = startZones(o.zones ?? 2, {
    lost: zone => {
      log({ level: 'warn', message: `${zone} is lost` });
      controller.fleets.zoneLost(zone);
    },
    back: zone => log({ level: 'info', message: `${zone} is back` }),
  });
  const controller = createController({
    registry,
    clock,
    metrics,
    captures,
    cache,
    trust: o.trust ?? { k: 'webassembly' },
    fetch,
    zones: () => zones.all().flatMap(z => (z.pid === undefined ? [] : z.name)),
    log: (endpoint, variant, message) => log({ level: 'info', endpoint, variant, message }),
  });
  const runtime = createRuntime({
    clock,
    models: { clock, fetch, room: o.modelRoom ?? 100 },
    route: endpoint => controller.route(endpoint),
  });
  const jobs = createJobs({
    registry,
    clock,
    store,
    work: join(o.state, 'jobs'),
    log: message => log({ level: 'info', message }),
  });
  const scaler = createScaler({ registry, clock, metrics, endpoints: controller });

  let minute = Math.floor(clock.now() / MINUTE_MS);
  let looking = clock.after(LOOK_MS, look);
  function look(): void {
    const now = clock.now();
    for (const current = Math.floor(now / MINUTE_MS); minute < current; minute++) controller.idle(minute * MINUTE_MS);
    try {
      for (const alarm of evaluateAlarms(registry, metrics, now)) controller.alarm(alarm);
      scaler.look(now);
    } catch (e) {
      fault(e);
    }
    looking = clock.after(LOOK_MS, look);
  }
  const fault = (e: unknown): void => log({ level: 'error', message: e instanceof Error ? (e.stack ?? e.message) : String(e) });
  const server = createServer({
    clock,
    account: o.account ?? '000000000000',
    operations: operations({ registry, endpoints: controller, metrics, jobs, alarm: name => controller.alarm(name) }),
    runtime,
    reset:
      o.allowReset === true
        ? () => {
            controller.clear();
            registry.clear();
            metrics.drop(() => true);
            return Promise.resolve();
          }
        : undefined,
    fault,
  });
  const end = async (): Promise<void> => {
    looking.cancel();
    jobs.close();
    controller.fleets.kill();
    zones.close();
    await captures.close();
    journal.close();
    rmSync(join(o.state, 'jobs'), { recursive: true, force: true });
    unlock();
  };
  const host = o.host ?? '127.0.0.1';
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(o.port, host, resolve);
    });
  } catch (e) {
    await end();
    throw e;
  }
  controller.restore();
  jobs.restore();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    zones: () => zones.all(),
    pids: endpoint =>
      (controller.route(endpoint)?.fleets ?? []).flatMap(f =>
        f.variants.flatMap(v => v.pool.ready.flatMap(h => h.containers.map(c => c.pid))),
      ),
    close: async () => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
      await closed;
      clearTimeout(timer);
      await end();
    },
  };
}
