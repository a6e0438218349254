// What the control plane knows, as tables of the journal.
import type {
  CreateCompilationJobRequest,
  CreateEndpointConfigInput,
  CreateModelInput,
  DeploymentConfig,
  Tag,
} from '@aws-sdk/client-sagemaker';
import type {
  RegisterScalableTargetRequest,
  PutScalingPolicyRequest,
  ScalingActivity,
} from '@aws-sdk/client-application-auto-scaling';
import type { Checked } from '../protocols/aws/check.ts';
import type { Alarm } from './alarms.ts';
import type { EndpointState } from './endpoint.ts';
import type { Journal } from './journal.ts';

/** What was asked for, as it was checked. Times are milliseconds since 1970. */
interface Asked<Input> {
  readonly arn: string;
  readonly created: number;
  readonly input: Checked<Input>;
}
export type ModelRecord = Asked<CreateModelInput>;
export type ConfigRecord = Asked<CreateEndpointConfigInput>;
export interface EndpointRecord {
  readonly arn: string;
  readonly state: EndpointState;
  readonly deploymentConfig?: Checked<DeploymentConfig>;
}
/** What a fleet is made of: configuration and models may be deleted while it runs. */
export interface FleetRecord {
  readonly config: ConfigRecord;
  readonly models: Readonly<Record<string, ModelRecord>>;
}
export interface JobRecord extends Asked<CreateCompilationJobRequest> {
  readonly modified: number;
  readonly started?: number;
  readonly ended?: number;
  readonly status: 'STARTING' | 'INPROGRESS' | 'COMPLETED' | 'FAILED' | 'STOPPING' | 'STOPPED';
  readonly failure?: string;
  readonly artifact?: string;
  readonly digest?: string;
}
/** A scalable target; its key is the resource's id. */
export type TargetRecord = Asked<RegisterScalableTargetRequest>;
/** A policy of a target; its key is the resource's id and the policy's name. */
export interface PolicyRecord extends Asked<PutScalingPolicyRequest> {
  readonly alarms: readonly string[];
}
export interface ActivityRecord extends Omit<ScalingActivity, 'StartTime' | 'EndTime'> {
  readonly start: number;
  readonly end?: number;
}

export interface Table<T> {
  get(key: string): T | undefined;
  has(key: string): boolean;
  put(key: string, value: T): void;
  delete(key: string): void;
  entries(): IterableIterator<[string, T]>;
  values(): IterableIterator<T>;
}
export interface Registry {
  readonly models: Table<ModelRecord>;
  readonly configs: Table<ConfigRecord>;
  readonly endpoints: Table<EndpointRecord>;
  readonly fleets: Table<FleetRecord>;
  readonly jobs: Table<JobRecord>;
  /** By the resource's ARN. */
  readonly tags: Table<readonly Checked<Tag>[]>;
  readonly targets: Table<TargetRecord>;
  readonly policies: Table<PolicyRecord>;
  readonly activities: Table<readonly ActivityRecord[]>;
  readonly alarms: Table<Alarm>;
  /** Numbers that must not come twice. */
  next(counter: string): number;
  /** Forgets everything. */
  clear(): void;
}
const KINDS = [
  'models',
  'configs',
  'endpoints',
  'fleets',
  'jobs',
  'tags',
  'targets',
  'policies',
  'activities',
  'alarms',
] as const;

export function createRegistry(journal: Journal): Registry {
  const table = <T>(kind: string): Table<T> => ({
    get: key => journal.get(kind, key) as T | undefined,
    has: key => journal.all(kind).has(key),
    put: (key, value) => journal.put(kind, key, value),
    delete: key => journal.delete(kind, key),
    entries: () => (journal.all(kind) as ReadonlyMap<string, T>).entries() as IterableIterator<[string, T]>,
    values: () => (journal.all(kind) as ReadonlyMap<string, T>).values() as IterableIterator<T>,
  });
  return {
    models: table('models'),
    configs: table('configs'),
    endpoints: table('endpoints'),
    fleets: table('fleets'),
    jobs: table('jobs'),
    tags: table('tags'),
    targets: table('targets'),
    policies: table('policies'),
    activities: table('activities'),
    alarms: table('alarms'),
    next: counter => {
      const n = ((journal.get('counters', counter) as number | undefined) ?? 0) + 1;
      journal.put('counters', counter, n);
      return n;
    },
    clear: () => {
      for (const kind of KINDS) for (const key of [...journal.all(kind).keys()]) journal.delete(kind, key);
    },
  };
}
