/**
 * Target tracking carried out: it gives each scalable target's metrics to the pure decision of autoscaler.ts, and asks for the counts that
 * come out of it. A target that is registered clamps the count at once.
 */
import { randomUUID } from 'node:crypto';
import type { PutScalingPolicyRequest } from '@aws-sdk/client-application-auto-scaling';
import type { Checked } from '../protocols/aws/check.ts';
import { decide, COOLDOWN, LOW_POINTS, PERIOD, type Change, type Point, type Policy, type ScalerState } from './autoscaler.ts';
import type { Alarm } from './alarms.ts';
import type { Endpoints } from './api/endpoints.ts';
import type { Clock } from './clock.ts';
import { isStatistic, statistic, type Metrics } from './metrics.ts';
import { NAMESPACE } from './meter.ts';
import type { ActivityRecord, Registry, TargetRecord } from './registry.ts';
import { parseResource } from './targets.ts';

export interface Scaler {
  look(now: number): void;
}
export interface ScalerOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly endpoints: Endpoints;
}
const MAX_ACTIVITIES = 100;

/** The metric that a policy holds at its target; undefined where endpointd does not measure it so. */
export function metricOf(
  i: Checked<PutScalingPolicyRequest>,
): Pick<Alarm, 'namespace' | 'metric' | 'dimensions' | 'statistic'> | undefined {
  const at = parseResource(i.ResourceId);
  const t = i.TargetTrackingScalingPolicyConfiguration;
  if (at === undefined || t === undefined) return undefined;
  const dimensions = { EndpointName: at.endpoint, VariantName: at.variant };
  if (t.PredefinedMetricSpecification?.PredefinedMetricType === 'SageMakerVariantInvocationsPerInstance')
    return { namespace: NAMESPACE, metric: 'InvocationsPerInstance', dimensions, statistic: 'Sum' };
  const c = t.CustomizedMetricSpecification;
  if (c?.MetricName === undefined || c.Namespace === undefined || c.Statistic === undefined || !isStatistic(c.Statistic))
    return undefined;
  return {
    namespace: c.Namespace,
    metric: c.MetricName,
    dimensions: Object.fromEntries((c.Dimensions ?? []).map(d => [d.Name, d.Value])),
    statistic: c.Statistic,
  };
}

export function createScaler({ registry: r, metrics, endpoints }: ScalerOptions): Scaler {
  /** When counts were last changed, for the cooldowns. */
  const changes = new Map<string, { readonly lastOut?: Change; readonly lastIn?: Change }>();
  /** The counts of minutes, as they were seen. */
  const counts = new Map<string, Map<number, { sum: number; n: number }>>();

  function look(now: number): void {
    for (const resource of changes.keys()) if (!r.targets.has(resource)) changes.delete(resource);
    for (const resource of counts.keys()) if (!r.targets.has(resource)) counts.delete(resource);
    for (const [resource, t] of [...r.targets.entries()]) scale(resource, t, now);
  }
  function scale(resource: string, t: TargetRecord, now: number): void {
    const at = parseResource(resource);
    const e = at && r.endpoints.get(at.endpoint);
    const variant = e?.state.live.variants.find(v => v.name === at?.variant);
    if (at === undefined || e === undefined || variant === undefined) return;
    const seen = count(resource, now, e.state.ready[e.state.live.id]?.[at.variant] ?? 0);
    const records = [...r.policies.values()].filter(p => p.input.ResourceId === resource);
    const points = new Map<string, readonly Point[]>();
    for (const { input } of records) {
      const m = metricOf(input);
      if (m === undefined) continue;
      const from = now - (LOW_POINTS + 3) * PERIOD;
      const all = metrics.find(m.namespace, m.metric, m.dimensions)?.points(from, now) ?? [];
      points.set(
        input.PolicyName,
        all.flatMap(p => {
          const value = p.count > 0 ? statistic(p, m.statistic) : undefined;
          const c = seen.get(p.at);
          return value === undefined ? [] : [{ at: p.at, value, instances: c === undefined ? variant.count : c.sum / c.n }];
        }),
      );
    }
    const suspended = t.input.SuspendedState;
    const state: ScalerState = {
      min: t.input.MinCapacity ?? 1,
      max: t.input.MaxCapacity ?? variant.count,
      policies: records.map(p => policyOf(p.input, suspended?.DynamicScalingInSuspended === true)),
      instances: variant.count,
      updating: e.state.phase.k !== 'inService',
      ...changes.get(resource),
    };
    const { state: next, action } = decide(state, points, now);
    if (
      action === undefined ||
      (action.k === 'out' && suspended?.DynamicScalingOutSuspended === true && action.policy !== undefined)
    )
      return;
    changes.set(resource, { ...(next.lastOut && { lastOut: next.lastOut }), ...(next.lastIn && { lastIn: next.lastIn }) });
    endpoints.send(at.endpoint, {
      k: 'resize',
      live: {
        ...e.state.live,
        variants: e.state.live.variants.map(v => (v.name === at.variant ? { ...v, count: action.to } : v)),
      },
    });
    const cause = action.policy === undefined ? 'the capacity of the scalable target' : `policy ${action.policy}`;
    const activity: ActivityRecord = {
      ActivityId: randomUUID(),
      ServiceNamespace: 'sagemaker',
      ResourceId: resource,
      ScalableDimension: 'sagemaker:variant:DesiredInstanceCount',
      Description: `Setting desired instance count to ${action.to}.`,
      Cause: `${cause} changed the desired instance count from ${action.from} to ${action.to}.`,
      start: now,
      end: now,
      StatusCode: 'Successful',
      StatusMessage: `Successfully set desired instance count to ${action.to}. Change successfully fulfilled by sagemaker.`,
    };
    r.activities.put(resource, [activity, ...(r.activities.get(resource) ?? [])].slice(0, MAX_ACTIVITIES));
  }
  function count(
    resource: string,
    now: number,
    ready: number,
  ): ReadonlyMap<number, { readonly sum: number; readonly n: number }> {
    let minutes = counts.get(resource);
    if (minutes === undefined) counts.set(resource, (minutes = new Map<number, { sum: number; n: number }>()));
    const at = Math.floor(now / PERIOD) * PERIOD;
    const one = minutes.get(at) ?? { sum: 0, n: 0 };
    minutes.set(at, { sum: one.sum + ready, n: one.n + 1 });
    for (const old of minutes.keys()) if (old < now - (LOW_POINTS + 5) * PERIOD) minutes.delete(old);
    return minutes;
  }
  return { look };
}
function policyOf(i: Checked<PutScalingPolicyRequest>, inSuspended: boolean): Policy {
  const t = i.TargetTrackingScalingPolicyConfiguration;
  return {
    name: i.PolicyName,
    target: t?.TargetValue ?? 1,
    scaleOutCooldown: t?.ScaleOutCooldown ?? COOLDOWN,
    scaleInCooldown: t?.ScaleInCooldown ?? COOLDOWN,
    disableScaleIn: inSuspended || t?.DisableScaleIn === true,
  };
}
