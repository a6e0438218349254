// Application Auto Scaling of the instance counts of variants, by target tracking.
import { randomUUID } from 'node:crypto';
import type {
  Alarm as PolicyAlarm,
  DeleteScalingPolicyRequest,
  DeregisterScalableTargetRequest,
  DescribeScalableTargetsRequest,
  DescribeScalableTargetsResponse,
  DescribeScalingActivitiesRequest,
  DescribeScalingActivitiesResponse,
  DescribeScalingPoliciesRequest,
  DescribeScalingPoliciesResponse,
  PutScalingPolicyRequest,
  PutScalingPolicyResponse,
  RegisterScalableTargetRequest,
  RegisterScalableTargetResponse,
  ScalingPolicy,
} from '@aws-sdk/client-application-auto-scaling';
import type { Checked } from '../../protocols/aws/check.ts';
import { AwsError, validation } from '../../protocols/aws/errors.ts';
import type { Alarm } from '../alarms.ts';
import { HIGH_POINTS, LOW_POINTS, LOW_SHARE } from '../autoscaler.ts';
import type { PolicyRecord, Registry, TargetRecord } from '../registry.ts';
import { dropTarget, parseResource, policyKey } from '../targets.ts';
import { metricOf } from '../scaler.ts';
import { arn, type Caller } from './caller.ts';
import { paginate } from './lists.ts';
import { alarmArn } from './cloudwatch.ts';

type In<T> = Checked<T>;
const DIMENSION = 'sagemaker:variant:DesiredInstanceCount';
interface Resource {
  readonly ServiceNamespace: string;
  readonly ResourceId: string;
  readonly ScalableDimension: string;
}
const notFound = (message: string): AwsError => new AwsError('ObjectNotFoundException', message);
function target(r: Registry, i: Resource): TargetRecord {
  const t = r.targets.get(i.ResourceId);
  if (t === undefined || i.ServiceNamespace !== 'sagemaker' || i.ScalableDimension !== DIMENSION)
    throw notFound(
      `No scalable target registered for service namespace: ${i.ServiceNamespace}, resource ID: ${i.ResourceId}, scalable dimension: ${i.ScalableDimension}`,
    );
  return t;
}

export function registerScalableTarget(
  r: Registry,
  i: In<RegisterScalableTargetRequest>,
  c: Caller,
): RegisterScalableTargetResponse {
  if (i.ServiceNamespace !== 'sagemaker' || i.ScalableDimension !== DIMENSION)
    throw validation(`endpointd scales the service namespace sagemaker by the scalable dimension ${DIMENSION} only.`);
  const at = parseResource(i.ResourceId);
  const variant = at && r.endpoints.get(at.endpoint)?.state.live.variants.find(v => v.name === at.variant && !v.shadow);
  if (variant === undefined)
    throw validation(
      `SageMaker variant not found: ${i.ResourceId}. It must be endpoint/ENDPOINT/variant/VARIANT of an endpoint that exists.`,
    );
  const before = r.targets.get(i.ResourceId);
  const input = { ...before?.input, ...i };
  const { MinCapacity: min, MaxCapacity: max } = input;
  if (min === undefined || max === undefined)
    throw validation('MinCapacity and MaxCapacity must be given for a new scalable target.');
  if (min > max) throw validation('MinCapacity cannot be greater than MaxCapacity.');
  if (min < 1) throw validation('MinCapacity must be at least 1: an endpoint is not scaled to nothing.');
  const id = before?.arn ?? arn(c, `scalable-target/${randomUUID().replaceAll('-', '')}`, 'application-autoscaling');
  r.targets.put(i.ResourceId, { arn: id, created: before?.created ?? c.now, input });
  return { ScalableTargetARN: id };
}
export function deregisterScalableTarget(r: Registry, i: In<DeregisterScalableTargetRequest>): object {
  target(r, i);
  dropTarget(r, i.ResourceId);
  return {};
}
export function describeScalableTargets(
  r: Registry,
  i: In<DescribeScalableTargetsRequest>,
  c: Caller,
): DescribeScalableTargetsResponse {
  const all = [...r.targets.values()].filter(
    t =>
      i.ServiceNamespace === 'sagemaker' &&
      (i.ResourceIds === undefined || i.ResourceIds.includes(t.input.ResourceId)) &&
      (i.ScalableDimension === undefined || i.ScalableDimension === t.input.ScalableDimension),
  );
  const { page, next } = paginate(all, i.NextToken, i.MaxResults ?? 50);
  return {
    ScalableTargets: page.map(({ arn: id, created, input: t }) => ({
      ServiceNamespace: t.ServiceNamespace,
      ResourceId: t.ResourceId,
      ScalableDimension: t.ScalableDimension,
      MinCapacity: t.MinCapacity,
      MaxCapacity: t.MaxCapacity,
      RoleARN:
        t.RoleARN ??
        `arn:aws:iam::${c.account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint`,
      CreationTime: new Date(created),
      SuspendedState: {
        DynamicScalingInSuspended: false,
        DynamicScalingOutSuspended: false,
        ScheduledScalingSuspended: false,
        ...t.SuspendedState,
      },
      ScalableTargetARN: id,
    })),
    ...next,
  };
}
export function putScalingPolicy(r: Registry, i: In<PutScalingPolicyRequest>, c: Caller): PutScalingPolicyResponse {
  target(r, i);
  const key = policyKey(i.ResourceId, i.PolicyName);
  const before = r.policies.get(key);
  const type = i.PolicyType ?? before?.input.PolicyType;
  if (type !== 'TargetTrackingScaling')
    throw validation(`endpointd scales by PolicyType TargetTrackingScaling only, not ${type ?? 'StepScaling'}.`);
  const tracking = i.TargetTrackingScalingPolicyConfiguration;
  if (tracking === undefined) throw validation('TargetTrackingScalingPolicyConfiguration must be given.');
  if (!(tracking.TargetValue > 0)) throw validation('TargetValue must be greater than 0.');
  const input = { ...i, PolicyType: type };
  const id =
    before?.arn ??
    arn(c, `scalingPolicy:${randomUUID()}:resource/sagemaker/${i.ResourceId}:policyName/${i.PolicyName}`, 'autoscaling');
  for (const a of before?.alarms ?? []) r.alarms.delete(a);
  const alarms = policyAlarms(input, id, c);
  for (const a of alarms) r.alarms.put(a.name, a);
  r.policies.put(key, { arn: id, created: before?.created ?? c.now, input, alarms: alarms.map(a => a.name) });
  return { PolicyARN: id, Alarms: alarms.map(a => listed(a.name, c)) };
}
const listed = (name: string, c: Pick<Caller, 'region' | 'account'>): PolicyAlarm => ({
  AlarmName: name,
  AlarmARN: alarmArn(c, name),
});
/** The two alarms of a policy, which show when it acts. */
function policyAlarms(i: In<PutScalingPolicyRequest>, policy: string, c: Caller): readonly Alarm[] {
  const at = parseResource(i.ResourceId);
  const metric = metricOf(i);
  const value = i.TargetTrackingScalingPolicyConfiguration?.TargetValue ?? 0;
  if (at === undefined || metric === undefined)
    throw validation(
      'Give a PredefinedMetricSpecification of SageMakerVariantInvocationsPerInstance, or a CustomizedMetricSpecification of one metric with a Statistic.',
    );
  const alarm = (which: 'High' | 'Low'): Alarm => ({
    name: `TargetTracking-${i.ResourceId}-Alarm${which}-${randomUUID()}`,
    description: `DO NOT EDIT OR DELETE. For TargetTrackingScaling policy ${policy}.`,
    ...metric,
    period: 60,
    evaluationPeriods: which === 'High' ? HIGH_POINTS : LOW_POINTS,
    datapointsToAlarm: which === 'High' ? HIGH_POINTS : LOW_POINTS,
    threshold: which === 'High' ? value : value * LOW_SHARE,
    comparison: which === 'High' ? 'GreaterThanThreshold' : 'LessThanThreshold',
    missing: 'missing',
    actionsEnabled: true,
    actions: { ok: [], alarm: [policy], insufficient: [] },
    value: 'INSUFFICIENT_DATA',
    reason: 'Unchecked: Initial alarm creation',
    updated: c.now,
    configured: c.now,
  });
  return [alarm('High'), ...(i.TargetTrackingScalingPolicyConfiguration?.DisableScaleIn === true ? [] : [alarm('Low')])];
}
export function deleteScalingPolicy(r: Registry, i: In<DeleteScalingPolicyRequest>): object {
  const key = policyKey(i.ResourceId, i.PolicyName);
  const p = r.policies.get(key);
  if (p === undefined || i.ServiceNamespace !== 'sagemaker' || i.ScalableDimension !== DIMENSION)
    throw notFound(
      `No scaling policy found for service namespace: ${i.ServiceNamespace}, resource ID: ${i.ResourceId}, scalable dimension: ${i.ScalableDimension}, policy name: ${i.PolicyName}`,
    );
  for (const a of p.alarms) r.alarms.delete(a);
  r.policies.delete(key);
  return {};
}
export function describeScalingPolicies(
  r: Registry,
  i: In<DescribeScalingPoliciesRequest>,
  c: Caller,
): DescribeScalingPoliciesResponse {
  const all = [...r.policies.values()].filter(
    ({ input: p }) =>
      i.ServiceNamespace === 'sagemaker' &&
      (i.PolicyNames === undefined || i.PolicyNames.includes(p.PolicyName)) &&
      (i.ResourceId === undefined || i.ResourceId === p.ResourceId) &&
      (i.ScalableDimension === undefined || i.ScalableDimension === p.ScalableDimension),
  );
  const { page, next } = paginate(all, i.NextToken, i.MaxResults ?? 10);
  return { ScalingPolicies: page.map(p => described(p, c)), ...next };
}
const described = ({ arn: id, created, input: p, alarms }: PolicyRecord, c: Caller): ScalingPolicy =>
  ({
    PolicyARN: id,
    PolicyName: p.PolicyName,
    ServiceNamespace: p.ServiceNamespace,
    ResourceId: p.ResourceId,
    ScalableDimension: p.ScalableDimension,
    PolicyType: p.PolicyType,
    TargetTrackingScalingPolicyConfiguration: p.TargetTrackingScalingPolicyConfiguration,
    Alarms: alarms.map(a => listed(a, c)),
    CreationTime: new Date(created),
  }) as ScalingPolicy;
export function describeScalingActivities(
  r: Registry,
  i: In<DescribeScalingActivitiesRequest>,
): DescribeScalingActivitiesResponse {
  const all = [...r.activities.entries()]
    .filter(([resource]) => i.ServiceNamespace === 'sagemaker' && (i.ResourceId === undefined || resource === i.ResourceId))
    .flatMap(([, list]) => list)
    .sort((a, b) => b.start - a.start);
  const { page, next } = paginate(all, i.NextToken, i.MaxResults ?? 50);
  return {
    ScalingActivities: page.map(({ start, end, ...a }) => ({
      ...a,
      StartTime: new Date(start),
      ...(end === undefined ? {} : { EndTime: new Date(end) }),
    })),
    ...next,
  };
}
