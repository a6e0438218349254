/**
 * The instances of one variant of one fleet: as many as are wanted are kept running, spread over the zones. Who routes reads `ready`, an
 * immutable list that is replaced whole.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import { startHost, type Container, type Host, type HostOptions } from './host.ts';
import { messageOf } from '../core/errors.ts';
import { InstanceLost } from '../gateway/instance.ts';

export interface Pool {
  readonly containers: readonly Container[];
  /** Instances that take requests. */
  readonly ready: readonly Host[];
  readonly wanted: number;
  scale(count: number): void;
  /** Resolves when an instance is ready, or after so many milliseconds. */
  whenReady(ms: number): Promise<void>;
  /** Runs one after the other what was lost with an instance, so that only what ends instances is blamed for it. */
  retry<T>(run: () => Promise<T>): Promise<T>;
  zoneLost(zone: string): void;
  /** Ends all at once. */
  kill(): void;
}
export interface PoolOptions extends Omit<HostOptions, 'id' | 'zone' | 'killed'> {
  readonly name: string;
  readonly clock: Clock;
  /** Names of zones that live. */
  zones(): readonly string[];
  /** The number of instances that are ready, or that run at all, has changed. */
  changed(ready: number, running: number): void;
  /** No instance could be started so far; the reason is for people. */
  failed(reason: string): void;
}
interface Slot {
  host: Host | undefined;
  zone: string;
  /** Starts that failed in a row. */
  failures: number;
}
const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 5000;
/** A process that ended while it was starting gets this many more tries. */
const TRIES = 3;

export function createPool(o: PoolOptions): Pool {
  const slots = new Set<Slot>();
  /** Instances that have left their slot and finish what they have begun. */
  const closing = new Set<Host>();
  let ready: readonly Host[] = [];
  let everReady = false;
  let waiting: (() => void)[] = [];
  let lane: Promise<unknown> = Promise.resolve();
  let killed = false;

  const report = (): void => o.changed(ready.length, [...slots].filter(s => s.host !== undefined).length + closing.size);
  const setReady = (hosts: readonly Host[]): void => {
    ready = hosts;
    if (hosts.length > 0) {
      everReady = true;
      const woken = waiting;
      waiting = [];
      woken.forEach(w => w());
    }
    report();
  };
  const nextZone = (): string => {
    const zones = o.zones();
    const load = (z: string): number => [...slots].filter(s => s.zone === z).length;
    return [...zones].sort((a, b) => load(a) - load(b))[0] ?? 'zone-a';
  };
  const again = (slot: Slot): void => {
    const ms = Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(slot.failures, 10));
    setTimeout(() => void start(slot), slot.failures === 0 ? 0 : ms).unref();
  };
  async function start(slot: Slot): Promise<void> {
    if (killed || !slots.has(slot) || slot.host !== undefined) return;
    slot.zone = '';
    slot.zone = nextZone();
    let host: Host;
    try {
      const id = `${o.name}/${randomUUID().slice(0, 8)}`;
      const killed = (): void => setReady(ready.filter(h => h.id !== id));
      host = await startHost({ ...o, id, zone: slot.zone, killed });
    } catch (e) {
      startFailed(slot, messageOf(e), true);
      return;
    }
    if (!slots.has(slot)) {
      host.kill();
      return;
    }
    slot.host = host;
    let started = false;
    report();
    void host.exited.then(({ why }) => {
      if (slot.host !== host) return;
      slot.host = undefined;
      o.log(why);
      setReady(ready.filter(h => h !== host));
      if (!slots.has(slot)) return;
      if (started) {
        slot.failures = 0;
        again(slot);
      }
    });
    try {
      await host.ready;
    } catch (e) {
      slot.host = undefined;
      host.kill();
      report();
      startFailed(slot, messageOf(e), !(e instanceof InstanceLost));
      return;
    }
    if (slot.host !== host || !slots.has(slot)) return;
    slot.failures = 0;
    started = true;
    setReady([...ready, host]);
  }
  /** A model that cannot be loaded fails the first time; a process that died may have been unlucky. */
  const startFailed = (slot: Slot, reason: string, final: boolean): void => {
    if (!slots.has(slot)) return;
    slot.failures++;
    o.log(`an instance did not start: ${reason}`);
    if (!everReady && (final || slot.failures >= TRIES)) o.failed(reason);
    else if (everReady && slot.failures === TRIES) o.failed(reason);
    again(slot);
  };
  const stop = (slot: Slot): void => {
    slots.delete(slot);
    const { host } = slot;
    if (host === undefined) return;
    slot.host = undefined;
    closing.add(host);
    setReady(ready.filter(h => h !== host));
    void host.close().finally(() => {
      closing.delete(host);
      report();
    });
  };
  return {
    containers: o.containers,
    get ready() {
      return ready;
    },
    get wanted() {
      return slots.size;
    },
    scale: count => {
      while (slots.size < count) {
        const slot: Slot = { host: undefined, zone: '', failures: 0 };
        slots.add(slot);
        slot.zone = nextZone();
        void start(slot);
      }
      // Those that are not ready go first, then the newest.
      const order = [...slots]
        .reverse()
        .sort(
          (a, b) =>
            Number(a.host !== undefined && ready.includes(a.host)) - Number(b.host !== undefined && ready.includes(b.host)),
        );
      for (const slot of order.slice(0, Math.max(0, slots.size - count))) stop(slot);
      if (count === 0) report();
    },
    whenReady: ms =>
      ready.length > 0
        ? Promise.resolve()
        : new Promise(resolve => {
            const timer = setTimeout(() => {
              waiting = waiting.filter(w => w !== done);
              resolve();
            }, ms);
            const done = (): void => {
              clearTimeout(timer);
              resolve();
            };
            waiting.push(done);
          }),
    retry: run => {
      const mine = lane.then(run, run);
      lane = mine.catch(() => undefined);
      return mine;
    },
    zoneLost: zone => {
      for (const h of [...ready, ...closing]) if (h.zone === zone) h.kill();
      for (const s of slots) if (s.host?.zone === zone) s.host.kill();
    },
    kill: () => {
      killed = true;
      for (const s of slots) s.host?.kill();
      for (const h of closing) h.kill();
      slots.clear();
    },
  };
}
