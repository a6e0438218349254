import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Answer, Call, ModelSpec } from '../core/call.ts';
import { InstanceLost, ServeError, messageOf } from '../core/errors.ts';
import type { ModelInfo } from '../core/model.ts';
import { startInstance, type Instance, type InstanceOptions } from './instance.ts';

export interface PoolOptions extends Omit<InstanceOptions, 'id' | 'models'> {
  readonly workers: number;
  /** Calls that may wait for each worker; more are refused at once. */
  readonly maxQueue: number;
  /** A call that takes longer, in milliseconds, is given up; a worker that answers nothing for so long is replaced. */
  readonly timeout: number;
  /** The most models that are loaded at once; 507 beyond. */
  readonly maxModels: number;
  readonly tell: (event: PoolEvent) => void;
}
export type PoolEvent =
  | { readonly k: 'started'; readonly id: string; readonly pid: number; readonly ms: number }
  | { readonly k: 'lost'; readonly id: string; readonly why: string; readonly calls: number }
  | { readonly k: 'failed'; readonly id: string; readonly why: string; readonly again: number }
  | { readonly k: 'poison'; readonly model: string | undefined; readonly bytes: number }
  | { readonly k: 'loaded' | 'unloaded'; readonly model: string }
  | { readonly k: 'said'; readonly id: string; readonly line: string };
/** Workers that hold the same models; a call goes to the one with the fewest. */
export interface Pool {
  /** The models that can be called. */
  models(): readonly ModelInfo[];
  has(name: string): boolean;
  /** The name of the only model. */
  readonly only: string | undefined;
  /** Workers that answer. */
  readonly alive: number;
  readonly inFlight: number;
  /** All models are loaded on a worker, and it is not closing. */
  readonly ready: boolean;
  /** Rejects with a ServeError: 503 where too many wait, 424 where the body killed workers, 504 where it takes too long. */
  call(c: Call): Promise<Answer>;
  load(spec: ModelSpec): Promise<ModelInfo>;
  unload(name: string): Promise<void>;
  close(): Promise<void>;
}
const BACK_OFF = [100, 5000] as const;
/** A body that killed workers is refused for so long, in milliseconds. */
const REFUSED = 600_000;
const PING = 1000;

interface Slot {
  readonly id: string;
  instance: Instance | undefined;
  ready: boolean;
  /** A call that lost a worker before is the only such one here. */
  suspect: boolean;
  failures: number;
  pinged: number | undefined;
}
interface Job {
  readonly call: Call;
  /** Workers that were lost while they had it, and whether each was killed from outside. */
  losses: number;
  killed: number;
  done: boolean;
  readonly resolve: (a: Answer) => void;
  readonly reject: (e: Error) => void;
}

/** Starts workers. `first` rejects where the models cannot be loaded: nothing is tried again then. */
export function startPool(models: readonly ModelSpec[], o: PoolOptions): { readonly pool: Pool; readonly first: Promise<void> } {
  const specs = new Map(models.map(m => [m.name, m]));
  const infos = new Map<string, ModelInfo>();
  const slots: Slot[] = Array.from({ length: o.workers }, (_, i) => ({
    id: `worker-${i}`,
    instance: undefined,
    ready: false,
    suspect: false,
    failures: 0,
    pinged: undefined,
  }));
  const poison = new LRUCache<string, true>({ max: 10_000, ttl: REFUSED });
  let closing = false;
  let inFlight = 0;
  /** Calls that wait for a worker to come back, and those that lost one. */
  let held: Job[] = [];
  let suspects: Job[] = [];

  const start = async (slot: Slot): Promise<void> => {
    const began = performance.now();
    const instance = startInstance({
      ...o,
      id: slot.id,
      models: [...specs.values()],
      log: line => o.tell({ k: 'said', id: slot.id, line }),
    });
    slot.instance = instance;
    slot.pinged = undefined;
    void instance.exited.then(({ code, signal }) => {
      const was = slot.ready;
      slot.ready = false;
      slot.instance = undefined;
      if (closing || !was) return;
      o.tell({ k: 'lost', id: slot.id, why: signal ?? `exit code ${code ?? 0}`, calls: 0 });
      again(slot);
    });
    await instance.ready;
    const list = await instance.call({ op: 'list', headers: {}, body: NOTHING });
    for (const info of JSON.parse(Buffer.from(list.body).toString('utf8')) as ModelInfo[]) infos.set(info.name, info);
    slot.ready = true;
    slot.failures = 0;
    o.tell({ k: 'started', id: slot.id, pid: instance.pid, ms: performance.now() - began });
    release();
  };
  const again = (slot: Slot): void => {
    const wait = slot.failures === 0 ? 0 : Math.min(BACK_OFF[1], BACK_OFF[0] * 2 ** (slot.failures - 1));
    setTimeout(() => {
      if (closing) return;
      start(slot).catch((e: unknown) => {
        slot.failures++;
        slot.instance?.kill();
        o.tell({ k: 'failed', id: slot.id, why: messageOf(e), again: slot.failures });
        again(slot);
      });
    }, wait).unref();
  };
  const release = (): void => {
    const waiting = held;
    held = [];
    for (const job of waiting) send(job);
    next();
  };
  /** The worker with the fewest calls. */
  const pick = (free: (s: Slot) => boolean = () => true): Slot | undefined => {
    let best: Slot | undefined;
    for (const s of slots)
      if (s.ready && s.instance && free(s) && (!best?.instance || s.instance.inFlight < best.instance.inFlight)) best = s;
    return best;
  };
  const send = (job: Job): void => {
    if (job.done) return;
    const slot = pick();
    if (slot?.instance) dispatch(job, slot.instance);
    else held.push(job);
  };
  /** Calls that lost a worker go on one by one for each worker, so that the one which is at fault is found. */
  const next = (): void => {
    while (suspects.length > 0) {
      const slot = pick(s => !s.suspect);
      const job = slot && suspects.shift();
      if (!job || !slot.instance) return;
      if (job.done) continue;
      slot.suspect = true;
      dispatch(job, slot.instance, () => {
        slot.suspect = false;
        next();
      });
    }
  };
  const dispatch = (job: Job, instance: Instance, after?: () => void): void => {
    instance.call(job.call).then(
      a => {
        job.done = true;
        job.resolve(a);
        after?.();
      },
      (e: unknown) => {
        if (e instanceof InstanceLost && !closing) lost(job, e);
        else job.reject(e instanceof Error ? e : new Error(String(e)));
        after?.();
      },
    );
  };
  const lost = (job: Job, e: InstanceLost): void => {
    if (!e.sent) {
      setImmediate(send, job);
      return;
    }
    job.losses++;
    if (e.signal === 'SIGKILL') job.killed++;
    // Who kills a process from outside means no call; the system does it where memory ends, so not for ever.
    if (job.losses < (job.killed === job.losses ? 3 : 2)) {
      suspects.push(job);
      setImmediate(next);
      return;
    }
    poison.set(digest(job.call), true);
    o.tell({ k: 'poison', model: job.call.model, bytes: job.call.body.length });
    job.reject(refused());
  };
  const health = setInterval(() => {
    for (const slot of slots) {
      const { instance } = slot;
      if (!slot.ready || !instance) continue;
      if (slot.pinged === undefined) {
        slot.pinged = performance.now();
        instance.call({ op: 'ping', headers: {}, body: NOTHING }).then(
          () => (slot.pinged = undefined),
          () => undefined,
        );
      } else if (performance.now() - slot.pinged > o.timeout) instance.kill();
    }
  }, PING);
  health.unref();

  const everywhere = async (op: 'load' | 'unload', model: string, body: Uint8Array): Promise<Answer[]> =>
    Promise.all(
      slots.flatMap(({ ready, instance }) => (ready && instance ? [instance.call({ op, model, headers: {}, body })] : [])),
    );
  const pool: Pool = {
    models: () => [...infos.values()],
    has: name => infos.has(name),
    get only() {
      return infos.size === 1 ? infos.keys().next().value : undefined;
    },
    get alive() {
      return slots.filter(s => s.ready).length;
    },
    get inFlight() {
      return inFlight;
    },
    get ready() {
      return !closing && slots.some(s => s.ready);
    },
    call: c => {
      if (inFlight >= o.maxQueue * o.workers) return Promise.reject(full());
      if (poison.size > 0 && poison.has(digest(c))) return Promise.reject(refused());
      inFlight++;
      return new Promise<Answer>((resolve, reject) => {
        const end = (): void => {
          inFlight--;
          clearTimeout(timer);
        };
        const job: Job = {
          call: c,
          losses: 0,
          killed: 0,
          done: false,
          resolve: a => {
            end();
            resolve(a);
          },
          reject: e => {
            if (job.done) return;
            job.done = true;
            end();
            reject(e);
          },
        };
        const timer = setTimeout(() => job.reject(new ServeError(504, `no answer within ${o.timeout} ms`)), o.timeout);
        send(job);
      });
    },
    load: async spec => {
      if (infos.has(spec.name)) throw new ServeError(409, `Model ${spec.name} is already registered.`);
      if (infos.size >= o.maxModels) throw new ServeError(507, `there is no room for another model: ${infos.size} are loaded`);
      const answers = await everywhere('load', spec.name, Buffer.from(JSON.stringify(spec)));
      const bad = answers.find(a => a.status !== 200);
      if (bad || answers.length === 0) {
        await everywhere('unload', spec.name, NOTHING);
        throw new ServeError(bad?.status ?? 503, bad ? Buffer.from(bad.body).toString('utf8') : 'there is no worker');
      }
      const [first] = answers;
      const info = JSON.parse(Buffer.from(first?.body ?? NOTHING).toString('utf8')) as ModelInfo;
      specs.set(spec.name, spec);
      infos.set(spec.name, info);
      o.tell({ k: 'loaded', model: spec.name });
      return info;
    },
    unload: async name => {
      if (!infos.delete(name)) throw new ServeError(404, `Model not found: ${name}`);
      specs.delete(name);
      await everywhere('unload', name, NOTHING);
      o.tell({ k: 'unloaded', model: name });
    },
    close: async () => {
      closing = true;
      clearInterval(health);
      for (const job of [...held, ...suspects]) job.reject(new ServeError(503, 'the server is closing'));
      held = suspects = [];
      await Promise.all(slots.flatMap(s => (s.instance ? [s.instance.close()] : [])));
    },
  };
  const first = Promise.all(slots.map(start)).then(() => undefined);
  first.catch(() => undefined);
  return { pool, first };
}
const NOTHING = new Uint8Array(0);
const digest = (c: Call): string =>
  createHash('sha1')
    .update(c.op)
    .update(c.model ?? '')
    .update(c.body)
    .digest('base64');
const full = (): ServeError => new ServeError(503, 'too many requests wait; try again later');
const refused = (): ServeError => new ServeError(424, 'workers ended while they had this request: it is refused for ten minutes');
