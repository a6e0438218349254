/**
 * An instance of a variant: a process for each container of its model. It is started in a zone, watched, and started again when it dies.
 */
import { startInstance, type Answer, type Call, type Contract, type Instance } from '../gateway/instance.ts';
import type { Trust } from '../core/trust.ts';
import { withTimeout } from './wait.ts';

export interface Container {
  /** Its hostname, or `primary`. */
  readonly name: string;
  readonly contract: Contract;
  readonly env: Readonly<Record<string, string>>;
  /** Whether its models come by prefix and name, loaded when they are asked for. */
  readonly multi: boolean;
  /** Where its model is; of a multi-model container, their prefix. */
  readonly uri: string | undefined;
}
export interface Host {
  readonly id: string;
  readonly zone: string;
  readonly containers: readonly Running[];
  /** Calls of all containers that wait for answers. */
  readonly inFlight: number;
  /** Whether its end is known not to be the fault of what it was asked. */
  readonly doomed: boolean;
  /** All containers are ready. */
  readonly ready: Promise<void>;
  /** One container has ended. */
  readonly exited: Promise<Ended>;
  close(graceMs?: number): Promise<void>;
  kill(): void;
}
export interface Ended {
  readonly why: string;
  /** It ended by SIGKILL, which comes from outside of it. */
  readonly killed: boolean;
}
export interface Running {
  readonly container: Container;
  readonly pid: number;
  call(c: Call): Promise<Answer>;
  /** Models of a multi-model container that are loaded or being loaded; the least recently used come first. */
  readonly models: Map<string, LoadedModel>;
  /** Models are loaded one after the other. */
  lane: Promise<unknown>;
}
export interface LoadedModel {
  readonly loading: Promise<void>;
  loaded: boolean;
  /** Requests that need it. */
  users: number;
}
export interface HostOptions {
  readonly id: string;
  readonly zone: string;
  readonly containers: readonly Container[];
  readonly cache: string;
  readonly trust: Trust;
  /** The local copy of an object. */
  fetch(uri: string): Promise<string>;
  log(line: string): void;
  /** It is about to be killed, and takes no more calls. */
  killed(): void;
}
const PING_MS = 1000;
const MISSES = 3;
/** A worker that computes does not answer; a request may take this long. */
const BUSY_MISSES = 65;

/** Starts the processes once the models are here. Rejections of `ready` need no handler. */
export async function startHost(o: HostOptions): Promise<Host> {
  const paths = await Promise.all(
    o.containers.map(c => (c.multi || c.uri === undefined ? Promise.resolve(undefined) : o.fetch(c.uri))),
  );
  const instances = o.containers.map((c, i) => {
    const path = paths[i];
    return startInstance({
      id: o.containers.length === 1 ? o.id : `${o.id}/${c.name}`,
      models: path === undefined ? [] : [{ name: 'model', path }],
      env: c.env,
      contract: c.contract,
      trust: o.trust,
      cache: o.cache,
      log: line => o.log(`${c.name}: ${line}`),
    });
  });
  let doomed = false;
  let ended = false;
  const exited = Promise.race(
    instances.map(async i => {
      const { code, signal } = await i.exited;
      return { why: `${i.id} ended with ${signal ?? code ?? 'an error'}`, killed: signal === 'SIGKILL' };
    }),
  ).then(end => {
    ended = true;
    return end;
  });
  const ready = Promise.all(instances.map(i => i.ready)).then(() => undefined);
  ready.catch(() => undefined);
  const kill = (): void => {
    if (!doomed) o.killed();
    doomed = true;
    for (const i of instances) i.kill();
  };
  // When one container ends, the others are of no use.
  void exited.then(() => instances.forEach(i => i.kill()));
  void ready.then(
    () => instances.forEach(i => watch(i, () => ended, kill)),
    () => undefined,
  );
  return {
    id: o.id,
    zone: o.zone,
    containers: o.containers.map((container, i) => {
      const instance = instances[i] as Instance;
      return { container, pid: instance.pid, call: c => instance.call(c), models: new Map(), lane: Promise.resolve() };
    }),
    get inFlight() {
      return instances.reduce((n, i) => n + i.inFlight, 0);
    },
    get doomed() {
      return doomed;
    },
    ready,
    exited,
    close: async graceMs => {
      doomed = true;
      await Promise.all(instances.map(i => i.close(graceMs)));
    },
    kill,
  };
}
/** Pings once a second; kills what does not answer. */
function watch(i: Instance, ended: () => boolean, kill: () => void): void {
  let misses = 0;
  let asked = false;
  const timer = setInterval(() => {
    if (ended()) {
      clearInterval(timer);
      return;
    }
    if (asked) {
      // The ping itself is in flight.
      if (++misses >= (i.inFlight > 1 ? BUSY_MISSES : MISSES)) {
        clearInterval(timer);
        kill();
      }
      return;
    }
    asked = true;
    void withTimeout(i.call({ op: 'ping', headers: {}, body: new Uint8Array(0) }), BUSY_MISSES * PING_MS).then(
      () => {
        asked = false;
        misses = 0;
      },
      () => undefined,
    );
  }, PING_MS);
  timer.unref();
}
