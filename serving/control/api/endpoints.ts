// Endpoints: from what is asked to events of the state machine, and from its state to what is described.
import type {
  CreateEndpointInput,
  CreateEndpointOutput,
  DeleteEndpointInput,
  DeploymentConfig,
  DescribeEndpointInput,
  DescribeEndpointOutput,
  ListEndpointsInput,
  ListEndpointsOutput,
  ProductionVariantSummary,
  UpdateEndpointInput,
  UpdateEndpointOutput,
  UpdateEndpointWeightsAndCapacitiesInput,
  UpdateEndpointWeightsAndCapacitiesOutput,
} from '@aws-sdk/client-sagemaker';
import type { Checked } from '../../protocols/aws/check.ts';
import { validation } from '../../protocols/aws/errors.ts';
import { ALL_AT_ONCE, canary, linear, rolling, type Policy } from '../deployment.ts';
import { shares, status, wanted, type EndpointEvent, type EndpointState } from '../endpoint.ts';
import type { Fleet, Variant } from '../fleet.ts';
import type { ConfigRecord, EndpointRecord, FleetRecord, Registry } from '../registry.ts';
import { arn, type Caller } from './caller.ts';
import { list } from './lists.ts';
import { containersOf, findConfig, findModel } from './models.ts';
import { omit } from '../omit.ts';

type In<T> = Checked<T>;
/** What carries out decisions about endpoints. */
export interface Endpoints {
  create(name: string, record: Omit<EndpointRecord, 'state'>, fleet: Fleet): void;
  send(name: string, event: EndpointEvent): void;
}
const endpointArn = (c: Caller, name: string): string => arn(c, `endpoint/${name}`);

export function findEndpoint(r: Registry, name: string, c: Caller): EndpointRecord {
  const e = r.endpoints.get(name);
  if (e === undefined) throw validation(`Could not find endpoint "${endpointArn(c, name)}".`);
  return e;
}
function inService(r: Registry, name: string, c: Caller): EndpointRecord {
  const e = findEndpoint(r, name, c);
  if (status(e.state) === 'Failed') throw validation(`Cannot update failed endpoint "${e.arn}": it can only be deleted.`);
  if (status(e.state) !== 'InService') throw validation(`Cannot update in-progress endpoint "${e.arn}".`);
  return e;
}
/** A fleet of a configuration as it is now, with its models. */
function newFleet(r: Registry, config: ConfigRecord, c: Caller, keep: (v: Variant) => Variant): Fleet {
  const id = `f${r.next('fleet')}`;
  const { input } = config;
  const variant = (v: (typeof input.ProductionVariants)[number], shadow: boolean): Variant => ({
    name: v.VariantName,
    model: v.ModelName ?? '',
    instanceType: v.InstanceType ?? '',
    count: v.InitialInstanceCount ?? 1,
    weight: v.InitialVariantWeight ?? 1,
    shadow,
    routing: v.RoutingConfig?.RoutingStrategy === 'RANDOM' ? 'RANDOM' : 'LEAST_OUTSTANDING_REQUESTS',
  });
  const variants = [
    ...input.ProductionVariants.map(v => keep(variant(v, false))),
    ...(input.ShadowProductionVariants ?? []).map(v => keep(variant(v, true))),
  ];
  const models = Object.fromEntries(variants.map(v => [v.model, findModel(r, v.model, c)]));
  r.fleets.put(id, { config, models });
  return { id, config: input.EndpointConfigName, variants };
}

export function createEndpoint(r: Registry, to: Endpoints, i: In<CreateEndpointInput>, c: Caller): CreateEndpointOutput {
  const id = endpointArn(c, i.EndpointName);
  if (r.endpoints.has(i.EndpointName)) throw validation(`Cannot create already existing endpoint "${id}".`);
  const config = findConfig(r, i.EndpointConfigName, c);
  const deployment = i.DeploymentConfig;
  const fleet = newFleet(r, config, c, v => v);
  if (deployment !== undefined) policyOf(deployment, fleet);
  if (i.Tags !== undefined) r.tags.put(id, i.Tags);
  to.create(i.EndpointName, { arn: id, ...(deployment === undefined ? {} : { deploymentConfig: deployment }) }, fleet);
  return { EndpointArn: id };
}
export function updateEndpoint(r: Registry, to: Endpoints, i: In<UpdateEndpointInput>, c: Caller): UpdateEndpointOutput {
  const e = inService(r, i.EndpointName, c);
  const config = findConfig(r, i.EndpointConfigName, c);
  const deployment = i.RetainDeploymentConfig === true ? (e.deploymentConfig ?? i.DeploymentConfig) : i.DeploymentConfig;
  const excluded = new Set((i.ExcludeRetainedVariantProperties ?? []).map(x => x.VariantPropertyType));
  const live = e.state.live.variants;
  const keep = (v: Variant): Variant => {
    const before = i.RetainAllVariantProperties === true ? live.find(l => l.name === v.name) : undefined;
    if (before === undefined) return v;
    return {
      ...v,
      ...(excluded.has('DesiredInstanceCount') ? {} : { count: before.count }),
      ...(excluded.has('DesiredWeight') ? {} : { weight: before.weight }),
    };
  };
  for (const target of r.targets.values()) {
    const [, endpoint, , name] = target.input.ResourceId.split('/');
    if (endpoint !== i.EndpointName) continue;
    const now = config.input.ProductionVariants.find(v => v.VariantName === name);
    const why = `variant ${name ?? ''} has a scalable target; deregister it first`;
    if (now === undefined) throw validation(`The endpoint configuration drops a variant: ${why}.`);
    if (now.InstanceType !== live.find(v => v.name === name)?.instanceType)
      throw validation(`The instance type changes: ${why}.`);
  }
  const green = newFleet(r, config, c, keep);
  const policy = policyOf(deployment, green);
  r.endpoints.put(i.EndpointName, {
    ...omit(e, 'deploymentConfig'),
    ...(deployment === undefined ? {} : { deploymentConfig: deployment }),
  });
  to.send(i.EndpointName, { k: 'update', green, policy });
  return { EndpointArn: e.arn };
}
/** The steps of a deployment configuration; default: all at once. ValidationException for sizes that AWS refuses. */
export function policyOf(d: In<DeploymentConfig> | undefined, green: Fleet): Policy {
  const total = green.variants.reduce((n, v) => n + v.count, 0);
  const alarms = (d?.AutoRollbackConfiguration?.Alarms ?? []).flatMap(a => a.AlarmName ?? []);
  const base = { alarms, bakeMs: 0, terminationMs: 0, timeoutMs: 28_800_000 };
  if (d?.BlueGreenUpdatePolicy !== undefined && d.RollingUpdatePolicy !== undefined)
    throw validation('BlueGreenUpdatePolicy and RollingUpdatePolicy cannot both be given.');
  const roll = d?.RollingUpdatePolicy;
  if (roll !== undefined) {
    const share = fraction(roll.MaximumBatchSize, 'MaximumBatchSize', 5, 50, total);
    return {
      ...base,
      steps: rolling(share),
      bakeMs: roll.WaitIntervalInSeconds * 1000,
      timeoutMs: (roll.MaximumExecutionTimeoutInSeconds ?? 28_800) * 1000,
    };
  }
  const blueGreen = d?.BlueGreenUpdatePolicy;
  if (blueGreen === undefined) return { ...base, steps: ALL_AT_ONCE };
  const routing = blueGreen.TrafficRoutingConfiguration;
  const common = {
    ...base,
    bakeMs: routing.WaitIntervalInSeconds * 1000,
    terminationMs: (blueGreen.TerminationWaitInSeconds ?? 0) * 1000,
    timeoutMs: (blueGreen.MaximumExecutionTimeoutInSeconds ?? 28_800) * 1000,
  };
  switch (routing.Type) {
    case 'CANARY':
      return { ...common, steps: canary(fraction(routing.CanarySize, 'CanarySize', 1, 50, total)) };
    case 'LINEAR':
      return { ...common, steps: linear(fraction(routing.LinearStepSize, 'LinearStepSize', 10, 50, total)) };
    case 'ALL_AT_ONCE':
      return { ...common, steps: ALL_AT_ONCE };
  }
}
function fraction(
  size: { readonly Type: string; readonly Value: number } | undefined,
  name: string,
  min: number,
  max: number,
  total: number,
): number {
  if (size === undefined) throw validation(`${name} must be given.`);
  const percent = size.Type === 'CAPACITY_PERCENT' ? size.Value : (100 * size.Value) / total;
  if (percent < min || percent > max)
    throw validation(`${name} must be between ${min} and ${max} percent of the capacity, which is ${total} instances.`);
  return percent / 100;
}

export function updateWeightsAndCapacities(
  r: Registry,
  to: Endpoints,
  i: In<UpdateEndpointWeightsAndCapacitiesInput>,
  c: Caller,
): UpdateEndpointWeightsAndCapacitiesOutput {
  const { live } = findEndpoint(r, i.EndpointName, c).state;
  const names = i.DesiredWeightsAndCapacities.map(w => w.VariantName);
  const twice = names.find((n, at) => names.indexOf(n) < at);
  if (twice !== undefined) throw validation(`The variant name "${twice}" was non-unique within the request.`);
  const unknown = names.filter(n => !live.variants.some(v => v.name === n));
  if (unknown.length > 0)
    throw validation(
      `The variant name(s) "${unknown.join(', ')}" is/are not present within endpoint configuration "${live.config}".`,
    );
  for (const w of i.DesiredWeightsAndCapacities)
    if (w.ServerlessUpdateConfig !== undefined) throw validation('endpointd does not serve serverless inference.');
  const e = inService(r, i.EndpointName, c);
  const variants = live.variants.map(v => {
    const w = i.DesiredWeightsAndCapacities.find(x => x.VariantName === v.name);
    return { ...v, count: w?.DesiredInstanceCount ?? v.count, weight: w?.DesiredWeight ?? v.weight };
  });
  if (variants.filter(v => !v.shadow).every(v => v.weight === 0))
    throw validation('At least one variant must have a weight above 0.');
  const empty = variants.find(v => v.count < 1);
  if (empty !== undefined) throw validation(`Variant ${empty.name}: DesiredInstanceCount must be at least 1.`);
  to.send(i.EndpointName, { k: 'resize', live: { ...live, variants } });
  return { EndpointArn: e.arn };
}
export function deleteEndpoint(r: Registry, to: Endpoints, i: In<DeleteEndpointInput>, c: Caller): object {
  findEndpoint(r, i.EndpointName, c);
  to.send(i.EndpointName, { k: 'delete' });
  return {};
}

export function describeEndpoint(r: Registry, i: In<DescribeEndpointInput>, c: Caller): DescribeEndpointOutput {
  const e = findEndpoint(r, i.EndpointName, c);
  const { state } = e;
  const fleet = r.fleets.get(state.live.id);
  const capture = fleet?.config.input.DataCaptureConfig;
  const green = state.phase.k === 'updating' || state.phase.k === 'rollingBack' ? state.phase.deployment : undefined;
  const shadows = summaries(r, state, state.live, true);
  return {
    EndpointName: i.EndpointName,
    EndpointArn: e.arn,
    EndpointConfigName: state.live.config,
    EndpointStatus: status(state),
    CreationTime: new Date(state.created),
    LastModifiedTime: new Date(state.modified),
    ProductionVariants: summaries(r, state, state.live, false),
    ...(shadows.length > 0 && { ShadowProductionVariants: shadows }),
    ...(state.failure !== undefined && { FailureReason: state.failure }),
    ...(capture !== undefined && {
      DataCaptureConfig: {
        EnableCapture: capture.EnableCapture ?? false,
        CaptureStatus: capture.EnableCapture === true ? 'Started' : 'Stopped',
        CurrentSamplingPercentage: capture.InitialSamplingPercentage,
        DestinationS3Uri: capture.DestinationS3Uri,
        KmsKeyId: capture.KmsKeyId ?? '',
      },
    }),
    ...(e.deploymentConfig !== undefined && { LastDeploymentConfig: e.deploymentConfig as DeploymentConfig }),
    ...(green !== undefined && {
      PendingDeploymentSummary: {
        EndpointConfigName: green.green.config,
        ProductionVariants: summaries(r, state, green.green, false),
        StartTime: new Date(green.startedAt),
      },
    }),
  };
}
function summaries(r: Registry, s: EndpointState, fleet: Fleet, shadow: boolean): ProductionVariantSummary[] {
  const record = r.fleets.get(fleet.id);
  const share = shares(s).find(x => x.fleet.id === fleet.id)?.share ?? 0;
  return fleet.variants
    .filter(v => v.shadow === shadow)
    .map(v => {
      const current = s.ready[fleet.id]?.[v.name] ?? 0;
      const resizing = s.phase.k === 'resizing' ? s.phase.before.variants.find(b => b.name === v.name) : undefined;
      return {
        VariantName: v.name,
        DeployedImages: images(record, v),
        CurrentWeight: s.phase.k === 'updating' ? v.weight * share : v.weight,
        DesiredWeight: v.weight,
        CurrentInstanceCount: current,
        DesiredInstanceCount: wanted(s).find(w => w.fleet.id === fleet.id && w.variant === v.name)?.count ?? v.count,
        ...variantStatus(s, fleet, current < v.count, resizing !== undefined),
      };
    });
}
function variantStatus(
  s: EndpointState,
  fleet: Fleet,
  starting: boolean,
  resizing: boolean,
): Pick<ProductionVariantSummary, 'VariantStatus'> {
  const one = (
    Status: 'Creating' | 'Updating' | 'Deleting' | 'ActivatingTraffic' | 'Baking',
    at: number,
  ): Pick<ProductionVariantSummary, 'VariantStatus'> => ({
    VariantStatus: [{ Status, StartTime: new Date(at) }],
  });
  if (s.phase.k === 'creating') return one('Creating', s.created);
  if (s.phase.k === 'deleting') return one('Deleting', s.modified);
  if (s.phase.k === 'updating' && fleet.id === s.phase.deployment.green.id) {
    const { phase, startedAt } = s.phase.deployment;
    return phase.k === 'starting' ? one('Creating', startedAt) : one('Baking', phase.since);
  }
  return resizing && starting ? one('Updating', s.modified) : {};
}
function images(record: FleetRecord | undefined, v: Variant): ProductionVariantSummary['DeployedImages'] {
  const model = record?.models[v.model];
  return (model === undefined ? [] : containersOf(model.input)).map(x => ({
    SpecifiedImage: x.Image,
    ResolvedImage: x.Image,
    ResolutionTime: new Date(record?.config.created ?? 0),
  }));
}
export function listEndpoints(r: Registry, i: In<ListEndpointsInput>): ListEndpointsOutput {
  const all = [...r.endpoints.entries()].map(([name, e]) => ({
    name,
    created: e.state.created,
    modified: e.state.modified,
    status: status(e.state),
    arn: e.arn,
  }));
  const { page, next } = list(
    all.filter(e => i.StatusEquals === undefined || e.status === i.StatusEquals),
    { ...i, SortBy: i.SortBy ?? 'CreationTime' },
  );
  return {
    Endpoints: page.map(e => ({
      EndpointName: e.name,
      EndpointArn: e.arn,
      CreationTime: new Date(e.created),
      LastModifiedTime: new Date(e.modified),
      EndpointStatus: e.status,
    })),
    ...next,
  };
}
