// What is measured of a variant, under the names and dimensions of CloudWatch.
import type { Dimensions, Metrics, Series } from './metrics.ts';

export const NAMESPACE = 'AWS/SageMaker';
const COUNTED = [
  'Invocations',
  'Invocation4XXErrors',
  'Invocation5XXErrors',
  'InvocationModelErrors',
  'InvocationsPerInstance',
] as const;
type Timed =
  | 'ModelLatency'
  | 'OverheadLatency'
  | 'ModelLoadingWaitTime'
  | 'ModelDownloadingTime'
  | 'ModelLoadingTime'
  | 'ModelUnloadingTime';
export type MetricName = (typeof COUNTED)[number] | Timed | 'ModelCacheHit';

export interface Meter {
  /** One request that has been answered with a status; times in microseconds. */
  request(now: number, status: number, modelError: boolean, instances: number, model: number, overhead: number): void;
  add(now: number, name: MetricName, value: number): void;
  /** An idle minute: what counts is 0. */
  idle(now: number): void;
}
/** The dimensions under which a metric of a variant of a fleet is found. */
const dimensions = (EndpointName: string, VariantName: string, EndpointConfigName: string): readonly Dimensions[] => [
  { EndpointName, VariantName },
  { EndpointName, VariantName, EndpointConfigName },
  { EndpointName, VariantName: 'AllTraffic' },
];

export function createMeter(metrics: Metrics, endpoint: string, variant: string, config: string): Meter {
  const of = new Map<MetricName, readonly Series[]>();
  const series = (name: MetricName): readonly Series[] => {
    let all = of.get(name);
    if (all === undefined) {
      // A variant may be called AllTraffic itself.
      const sets =
        variant === 'AllTraffic' ? dimensions(endpoint, variant, config).slice(0, 2) : dimensions(endpoint, variant, config);
      of.set(name, (all = sets.map(d => metrics.series(NAMESPACE, name, d))));
    }
    return all;
  };
  const add = (now: number, name: MetricName, value: number): void => {
    for (const s of series(name)) s.add(now, value);
  };
  return {
    add,
    request: (now, status, modelError, instances, model, overhead) => {
      add(now, 'Invocations', 1);
      add(now, 'InvocationsPerInstance', 1 / Math.max(1, instances));
      add(now, 'Invocation4XXErrors', status >= 400 && status < 500 && !modelError ? 1 : 0);
      add(now, 'Invocation5XXErrors', status >= 500 ? 1 : 0);
      add(now, 'InvocationModelErrors', modelError ? 1 : 0);
      add(now, 'ModelLatency', model);
      add(now, 'OverheadLatency', overhead);
    },
    idle: now => {
      for (const name of COUNTED) for (const s of series(name)) s.zero(now);
    },
  };
}
