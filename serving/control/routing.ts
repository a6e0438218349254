/**
 * Where a request for an endpoint goes: an immutable value, made anew for each change and swapped in one assignment, so that a request sees
 * one state of the endpoint.
 */
import type { Share } from './endpoint.ts';
import type { Variant } from './fleet.ts';
import type { Meter } from './meter.ts';
import type { Pool } from './pool.ts';
import type { Capture } from './capture.ts';

export interface Route {
  readonly endpoint: string;
  readonly arn: string;
  readonly fleets: readonly FleetRoute[];
}
export interface FleetRoute {
  readonly share: number;
  readonly config: string;
  readonly variants: readonly VariantRoute[];
  readonly shadow: VariantRoute | undefined;
  readonly capture: Capture | undefined;
}
export interface VariantRoute {
  readonly variant: Variant;
  readonly pool: Pool;
  readonly meter: Meter;
  /** Whether requests name one container; else they pass through all. */
  readonly direct: boolean;
  /** Whether models stay loaded between requests. */
  readonly cached: boolean;
}
export interface Chosen {
  readonly fleet: FleetRoute;
  readonly variant: VariantRoute;
}

/** Chooses a fleet by its share, then a variant by its weight, or the one that is named. Undefined where no fleet has it. */
export function choose(route: Route, target: string | undefined, random: () => number): Chosen | undefined {
  const able = target === undefined ? route.fleets : route.fleets.filter(f => f.variants.some(v => v.variant.name === target));
  const fleet = draw(able, f => f.share, random);
  if (fleet === undefined) return undefined;
  const variant =
    target === undefined
      ? draw(fleet.variants, v => v.variant.weight, random)
      : fleet.variants.find(v => v.variant.name === target);
  return variant && { fleet, variant };
}
/** One of all, each as often as its weight says; of weights that are all 0, any. */
function draw<T>(all: readonly T[], weight: (x: T) => number, random: () => number): T | undefined {
  if (all.length < 2) return all[0];
  const total = all.reduce((sum, x) => sum + weight(x), 0);
  if (total <= 0) return all[Math.floor(random() * all.length)];
  let left = random() * total;
  for (const x of all) {
    left -= weight(x);
    if (left < 0) return x;
  }
  return all.findLast(x => weight(x) > 0);
}

/** The fleets of a route; variants whose pool is gone are left out. */
export function fleetRoutes(
  shares: readonly Share[],
  route: (fleet: Share['fleet'], variant: Variant) => VariantRoute | undefined,
  capture: (fleet: Share['fleet']) => Capture | undefined,
): readonly FleetRoute[] {
  return shares.map(({ fleet, share }) => {
    const all = fleet.variants.flatMap(v => route(fleet, v) ?? []);
    return {
      share,
      config: fleet.config,
      variants: all.filter(v => !v.variant.shadow),
      shadow: all.find(v => v.variant.shadow),
      capture: capture(fleet),
    };
  });
}
