/**
 * Carries out the decisions about endpoints: every event goes through the state machine, its new state into the journal, its actions to
 * fleets and routes.
 */
import type { Capture, Captures } from './capture.ts';
import type { Clock } from './clock.ts';
import type { Endpoints } from './api/endpoints.ts';
import { create, decide, shares, type Action, type Decision, type EndpointEvent, type Share } from './endpoint.ts';
import { createFleets, type Fleets, type FleetsOptions } from './fleets.ts';
import { createMeter, type Meter } from './meter.ts';
import type { Metrics } from './metrics.ts';
import { fleetRoutes, type Route, type VariantRoute } from './routing.ts';
import { dropTargets } from './targets.ts';

export interface Controller extends Endpoints {
  route(endpoint: string): Route | undefined;
  /** Starts what the journal says. */
  restore(): void;
  /** An alarm is in ALARM: what it guards goes back. */
  alarm(name: string): void;
  /** A minute has passed: metrics of idle variants are 0. */
  idle(now: number): void;
  readonly fleets: Fleets;
  /** Ends all endpoints at once and forgets them. */
  clear(): void;
}
export interface ControllerOptions extends Pick<
  FleetsOptions,
  'registry' | 'clock' | 'cache' | 'trust' | 'fetch' | 'zones' | 'log'
> {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly captures: Captures;
}
export function createController(o: ControllerOptions): Controller {
  const { registry: r, clock } = o;
  let routes: ReadonlyMap<string, Route> = new Map();
  const timers = new Map<string, { at: number; cancel(): void }>();
  const meters = new Map<string, Meter>();
  const queue: (() => void)[] = [];
  let draining = false;

  const fleets = createFleets({
    ...o,
    ready: (endpoint, fleet, ready) => send(endpoint, { k: 'fleet', fleet, ready }),
    failed: (endpoint, fleet, variant, reason) => {
      o.log(endpoint, variant, reason);
      const ping = `The primary container for production variant ${variant} did not pass the ping health check. Please check CloudWatch logs for this endpoint.`;
      send(endpoint, { k: 'fleetFailed', fleet, reason: `${ping} ${reason}`.slice(0, 1024) });
    },
    stopped: endpoint => send(endpoint, { k: 'stopped' }),
  });
  /** Events that actions bring about are handled after them, in their order. */
  function enqueue(run: () => void): void {
    queue.push(run);
    if (draining) return;
    draining = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) next();
    } finally {
      draining = false;
    }
  }
  const send = (name: string, event: EndpointEvent): void =>
    enqueue(() => {
      const e = r.endpoints.get(name);
      if (e !== undefined) apply(name, e.arn, decide(e.state, event, clock.now()));
    });
  function apply(name: string, arn: string, { state, actions }: Decision): void {
    const e = r.endpoints.get(name);
    if (e?.state !== state) r.endpoints.put(name, { ...e, arn, state });
    for (const a of actions) perform(name, arn, a);
    const routed = routes.get(name);
    // Weights and counts do not change shares; the route has them all the same.
    if (routed !== undefined && !actions.some(a => a.k === 'route')) swap(name, arn, shares(state));
    if (actions.some(a => a.k === 'route' || a.k === 'end')) dropFleets();
  }
  function perform(name: string, arn: string, a: Action): void {
    switch (a.k) {
      case 'scale':
        fleets.scale(name, a.wanted);
        return;
      case 'route':
        swap(name, arn, a.shares);
        return;
      case 'wake': {
        if (timers.get(name)?.at === a.at) return;
        timers.get(name)?.cancel();
        const timer = clock.after(a.at - clock.now(), () => {
          timers.delete(name);
          send(name, { k: 'tick' });
        });
        timers.set(name, { at: a.at, cancel: () => timer.cancel() });
        return;
      }
      case 'end':
        timers.get(name)?.cancel();
        timers.delete(name);
        swap(name, arn, []);
        dropTargets(r, name);
        r.tags.delete(arn);
        r.endpoints.delete(name);
        return;
    }
  }
  function swap(name: string, arn: string, to: readonly Share[]): void {
    const next = new Map(routes);
    if (to.length === 0) next.delete(name);
    else
      next.set(name, {
        endpoint: name,
        arn,
        fleets: fleetRoutes(
          to,
          (f, v) => variantRoute(name, f, v),
          f => capture(name, f),
        ),
      });
    routes = next;
  }
  function variantRoute(endpoint: string, fleet: Share['fleet'], variant: VariantRoute['variant']): VariantRoute | undefined {
    const pool = fleets.pool(fleet.id, variant.name);
    const model = r.fleets.get(fleet.id)?.models[variant.model]?.input;
    if (pool === undefined || model === undefined) return undefined;
    return {
      variant,
      pool,
      meter: meter(endpoint, variant.name, fleet.config),
      direct: model.InferenceExecutionConfig?.Mode === 'Direct',
      cached: !(model.PrimaryContainer === undefined ? (model.Containers ?? []) : [model.PrimaryContainer]).some(
        c => c.MultiModelConfig?.ModelCacheSetting === 'Disabled',
      ),
    };
  }
  function meter(endpoint: string, variant: string, config: string): Meter {
    const key = JSON.stringify([endpoint, variant, config]);
    let m = meters.get(key);
    if (m === undefined) meters.set(key, (m = createMeter(o.metrics, endpoint, variant, config)));
    return m;
  }
  const captured = new Map<string, Capture>();
  function capture(endpoint: string, fleet: Share['fleet']): Capture | undefined {
    const c = r.fleets.get(fleet.id)?.config.input.DataCaptureConfig;
    if (c?.EnableCapture !== true) return undefined;
    let one = captured.get(fleet.id);
    const modes = c.CaptureOptions.map(x => x.CaptureMode);
    if (one === undefined)
      captured.set(
        fleet.id,
        (one = o.captures.of({
          endpoint,
          destination: c.DestinationS3Uri,
          percentage: c.InitialSamplingPercentage,
          input: modes.some(m => m !== 'Output'),
          output: modes.some(m => m !== 'Input'),
          csv: c.CaptureContentTypeHeader?.CsvContentTypes ?? [],
          json: c.CaptureContentTypeHeader?.JsonContentTypes ?? [],
        })),
      );
    return one;
  }
  /** Records of fleets that no endpoint needs any more. */
  function dropFleets(): void {
    const needed = new Set<string>();
    for (const { state } of r.endpoints.values()) {
      needed.add(state.live.id);
      if (state.phase.k === 'updating' || state.phase.k === 'rollingBack') needed.add(state.phase.deployment.green.id);
    }
    for (const [id] of [...r.fleets.entries()])
      if (!needed.has(id)) {
        r.fleets.delete(id);
        captured.delete(id);
      }
  }
  return {
    fleets,
    create: (name, record, fleet) =>
      enqueue(() => {
        const made = create(name, fleet, clock.now());
        r.endpoints.put(name, { ...record, state: made.state });
        for (const a of made.actions) perform(name, record.arn, a);
      }),
    send,
    route: endpoint => routes.get(endpoint),
    restore: () => {
      dropFleets();
      for (const name of [...r.endpoints.entries()].map(([n]) => n)) send(name, { k: 'restart' });
    },
    alarm: alarm => {
      for (const [name, e] of [...r.endpoints.entries()]) if (e.state.phase.k === 'updating') send(name, { k: 'alarm', alarm });
    },
    idle: now => {
      for (const route of routes.values())
        for (const f of route.fleets)
          for (const v of [...f.variants, ...(f.shadow === undefined ? [] : [f.shadow])]) v.meter.idle(now);
    },
    clear: () => {
      fleets.kill();
      for (const t of timers.values()) t.cancel();
      timers.clear();
      meters.clear();
      captured.clear();
      routes = new Map();
    },
  };
}
