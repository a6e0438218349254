// Carries out what endpoints want: a pool for each variant of each fleet, made and scaled as the state machine says.
import type { Trust } from '../core/trust.ts';
import type { Contract } from '../gateway/instance.ts';
import { containersOf, modelUrl } from './api/models.ts';
import type { Clock } from './clock.ts';
import type { Wanted } from './fleet.ts';
import type { Container } from './host.ts';
import { createPool, type Pool } from './pool.ts';
import type { ModelRecord, Registry } from './registry.ts';

export interface Fleets {
  /** Runs exactly what is wanted for an endpoint. */
  scale(endpoint: string, wanted: readonly Wanted[]): void;
  pool(fleet: string, variant: string): Pool | undefined;
  zoneLost(zone: string): void;
  kill(): void;
}
export interface FleetsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly cache: string;
  readonly trust: Trust;
  fetch(uri: string): Promise<string>;
  zones(): readonly string[];
  /** What is ready of a fleet has changed. */
  ready(endpoint: string, fleet: string, counts: Readonly<Record<string, number>>): void;
  failed(endpoint: string, fleet: string, variant: string, reason: string): void;
  /** Nothing of an endpoint that wants nothing runs any more. */
  stopped(endpoint: string): void;
  log(endpoint: string, variant: string, line: string): void;
}
interface Known {
  readonly endpoint: string;
  readonly fleet: string;
  readonly variant: string;
  readonly pool: Pool;
  ready: number;
  running: number;
}
export function createFleets(o: FleetsOptions): Fleets {
  const pools = new Map<string, Known>();
  const key = (fleet: string, variant: string): string => `${fleet}/${variant}`;
  const of = (endpoint: string): readonly Known[] => [...pools.values()].filter(p => p.endpoint === endpoint);

  function make(endpoint: string, w: Wanted): Known {
    const fleet = w.fleet.id;
    const model = o.registry.fleets.get(fleet)?.models[w.fleet.variants.find(v => v.name === w.variant)?.model ?? ''];
    const pool = createPool({
      name: `${endpoint}/${w.variant}`,
      containers: model === undefined ? [] : containers(model),
      clock: o.clock,
      cache: o.cache,
      trust: o.trust,
      fetch: uri => o.fetch(uri),
      zones: () => o.zones(),
      log: line => o.log(endpoint, w.variant, line),
      failed: reason => o.failed(endpoint, fleet, w.variant, reason),
      changed: (ready, running) => {
        if (pools.get(key(fleet, w.variant)) !== known) return;
        const grew = known.ready !== ready;
        known.ready = ready;
        known.running = running;
        if (running === 0 && pool.wanted === 0) pools.delete(key(fleet, w.variant));
        if (grew)
          o.ready(
            endpoint,
            fleet,
            Object.fromEntries(
              of(endpoint)
                .filter(p => p.fleet === fleet)
                .map(p => [p.variant, p.ready]),
            ),
          );
        if (of(endpoint).every(p => p.running === 0 && p.pool.wanted === 0)) o.stopped(endpoint);
      },
    });
    const known: Known = { endpoint, fleet, variant: w.variant, pool, ready: 0, running: 0 };
    return known;
  }
  return {
    scale: (endpoint, wanted) => {
      const counts = new Map(wanted.map(w => [key(w.fleet.id, w.variant), w]));
      for (const w of wanted) {
        const k = key(w.fleet.id, w.variant);
        let known = pools.get(k);
        if (known === undefined && w.count === 0) continue;
        if (known === undefined) pools.set(k, (known = make(endpoint, w)));
        known.pool.scale(w.count);
      }
      const left = of(endpoint).filter(p => !counts.has(key(p.fleet, p.variant)));
      for (const p of left) p.pool.scale(0);
      if (of(endpoint).length === 0 && wanted.length === 0) o.stopped(endpoint);
    },
    pool: (fleet, variant) => pools.get(key(fleet, variant))?.pool,
    zoneLost: zone => {
      for (const p of pools.values()) p.pool.zoneLost(zone);
    },
    kill: () => {
      for (const p of pools.values()) p.pool.kill();
    },
  };
}

/** The containers that an instance of a model runs. */
function containers(m: ModelRecord): readonly Container[] {
  const all = containersOf(m.input);
  return all.map((c, i) => {
    const multi = c.Mode === 'MultiModel';
    return {
      name: c.ContainerHostname ?? (all.length === 1 ? 'primary' : `container-${i + 1}`),
      contract: contract(c.Image ?? ''),
      env: { ...c.Environment, ...(multi ? { SAGEMAKER_MULTI_MODEL: 'true' } : {}) },
      multi,
      uri: modelUrl(c),
    };
  });
}
/** An image whose name says xgboost answers as AWS's container of its tag, such as `1.2-2` of `1.2-2-cpu-py3`. */
function contract(image: string): Contract {
  const [, tag] = /xgboost[^/]*:([0-9]+\.[0-9]+-[0-9]+)/.exec(image) ?? [];
  return tag === undefined ? { k: 'sinter' } : { k: 'xgboost', tag };
}
