// Models and endpoint configurations: what may be combined, beyond the limits of single members.
import type {
  ContainerDefinition,
  CreateEndpointConfigInput,
  CreateEndpointConfigOutput,
  CreateModelInput,
  CreateModelOutput,
  DeleteEndpointConfigInput,
  DeleteModelInput,
  DescribeEndpointConfigInput,
  DescribeEndpointConfigOutput,
  DescribeModelInput,
  DescribeModelOutput,
  ListEndpointConfigsInput,
  ListEndpointConfigsOutput,
  ListModelsInput,
  ListModelsOutput,
} from '@aws-sdk/client-sagemaker';
import type { Checked } from '../../protocols/aws/check.ts';
import { validation } from '../../protocols/aws/errors.ts';
import type { ConfigRecord, ModelRecord, Registry } from '../registry.ts';
import { list } from './lists.ts';
import { arn, type Caller } from './caller.ts';
import { omit } from '../omit.ts';

type In<T> = Checked<T>;
export const modelArn = (c: Caller, name: string): string => arn(c, `model/${name}`);
export const configArn = (c: Caller, name: string): string => arn(c, `endpoint-config/${name}`);
/** The containers of a model, in their order. */
export const containersOf = (m: In<CreateModelInput>): readonly In<ContainerDefinition>[] =>
  m.PrimaryContainer === undefined ? (m.Containers ?? []) : [m.PrimaryContainer];
/** Where a container's model is: a key, or the prefix of many. */
export const modelUrl = (c: In<ContainerDefinition>): string | undefined =>
  c.ModelDataUrl ?? c.ModelDataSource?.S3DataSource?.S3Uri;

export function createModel(r: Registry, i: In<CreateModelInput>, c: Caller): CreateModelOutput {
  const id = modelArn(c, i.ModelName);
  if (r.models.has(i.ModelName)) throw validation(`Cannot create already existing model "${id}".`);
  if (i.PrimaryContainer !== undefined && (i.Containers?.length ?? 0) > 0)
    throw validation('PrimaryContainer and Containers cannot both be given.');
  const containers = containersOf(i);
  if (containers.length === 0) throw validation('Either PrimaryContainer or Containers must be given.');
  for (const x of containers) {
    if (x.ModelPackageName !== undefined)
      throw validation('endpointd does not know model packages: give Image and ModelDataUrl.');
    if (x.Image === undefined) throw validation('Image must be given for each container.');
    if (x.ModelDataUrl !== undefined && x.ModelDataSource !== undefined)
      throw validation('ModelDataUrl and ModelDataSource cannot both be given.');
    if (x.Mode === 'MultiModel' && modelUrl(x) === undefined)
      throw validation('A container with Mode MultiModel needs ModelDataUrl, the prefix of its models.');
  }
  if (containers.filter(x => x.Mode === 'MultiModel').length > 1)
    throw validation('At most one container can have Mode MultiModel.');
  const names = containers.flatMap(x => x.ContainerHostname ?? []);
  if (new Set(names).size < names.length) throw validation('Each ContainerHostname must be unique.');
  if (i.InferenceExecutionConfig?.Mode === 'Direct' && names.length < containers.length)
    throw validation('ContainerHostname must be given for each container when the inference execution mode is Direct.');
  if (i.Tags !== undefined) r.tags.put(id, i.Tags);
  r.models.put(i.ModelName, { arn: id, created: c.now, input: i });
  return { ModelArn: id };
}
export function findModel(r: Registry, name: string, c: Caller): ModelRecord {
  const m = r.models.get(name);
  if (m === undefined) throw validation(`Could not find model "${modelArn(c, name)}".`);
  return m;
}
export function describeModel(r: Registry, i: In<DescribeModelInput>, c: Caller): DescribeModelOutput {
  const m = findModel(r, i.ModelName, c);
  return {
    EnableNetworkIsolation: false,
    ...omit(m.input, 'Tags'),
    ModelArn: m.arn,
    CreationTime: new Date(m.created),
  } as DescribeModelOutput;
}
export function listModels(r: Registry, i: In<ListModelsInput>): ListModelsOutput {
  const all = [...r.models.entries()].map(([name, m]) => ({ name, created: m.created, modified: m.created, arn: m.arn }));
  const { page, next } = list(all, i);
  return { Models: page.map(m => ({ ModelName: m.name, ModelArn: m.arn, CreationTime: new Date(m.created) })), ...next };
}
export function deleteModel(r: Registry, i: In<DeleteModelInput>, c: Caller): object {
  const m = findModel(r, i.ModelName, c);
  r.models.delete(i.ModelName);
  r.tags.delete(m.arn);
  return {};
}

export function createEndpointConfig(r: Registry, i: In<CreateEndpointConfigInput>, c: Caller): CreateEndpointConfigOutput {
  const id = configArn(c, i.EndpointConfigName);
  if (r.configs.has(i.EndpointConfigName)) throw validation(`Cannot create already existing endpoint configuration "${id}".`);
  const shadows = i.ShadowProductionVariants ?? [];
  const variants = [...i.ProductionVariants, ...shadows];
  const names = variants.map(v => v.VariantName);
  if (new Set(names).size < names.length) throw validation('Each VariantName of an endpoint configuration must be unique.');
  if (shadows.length > 0 && (shadows.length > 1 || i.ProductionVariants.length > 1))
    throw validation('With ShadowProductionVariants there must be exactly one of them and one production variant.');
  for (const v of variants) if (v.ModelName !== undefined) findModel(r, v.ModelName, c);
  if (i.AsyncInferenceConfig !== undefined)
    throw validation('endpointd does not serve asynchronous inference: leave AsyncInferenceConfig out.');
  if (i.ExplainerConfig !== undefined) throw validation('endpointd does not explain predictions: leave ExplainerConfig out.');
  for (const v of variants) {
    if (v.ServerlessConfig !== undefined)
      throw validation(
        `Variant ${v.VariantName}: endpointd does not serve serverless inference: give InstanceType and InitialInstanceCount.`,
      );
    if (v.ModelName === undefined) throw validation(`Variant ${v.VariantName}: ModelName must be given.`);
    if (v.InstanceType === undefined || v.InitialInstanceCount === undefined)
      throw validation(`Variant ${v.VariantName}: InstanceType and InitialInstanceCount must be given.`);
  }
  if (i.ProductionVariants.every(v => v.InitialVariantWeight === 0))
    throw validation('At least one production variant must have a weight above 0.');
  if (i.Tags !== undefined) r.tags.put(id, i.Tags);
  r.configs.put(i.EndpointConfigName, { arn: id, created: c.now, input: i });
  return { EndpointConfigArn: id };
}
export function findConfig(r: Registry, name: string, c: Caller): ConfigRecord {
  const found = r.configs.get(name);
  if (found === undefined) throw validation(`Could not find endpoint configuration "${configArn(c, name)}".`);
  return found;
}
export function describeEndpointConfig(r: Registry, i: In<DescribeEndpointConfigInput>, c: Caller): DescribeEndpointConfigOutput {
  const found = findConfig(r, i.EndpointConfigName, c);
  const input = omit(found.input, 'Tags');
  const weighted = (v: (typeof input.ProductionVariants)[number]): object => ({ InitialVariantWeight: 1, ...v });
  return {
    ...input,
    ProductionVariants: input.ProductionVariants.map(weighted),
    ...(input.ShadowProductionVariants && { ShadowProductionVariants: input.ShadowProductionVariants.map(weighted) }),
    EndpointConfigArn: found.arn,
    CreationTime: new Date(found.created),
  } as DescribeEndpointConfigOutput;
}
export function listEndpointConfigs(r: Registry, i: In<ListEndpointConfigsInput>): ListEndpointConfigsOutput {
  const all = [...r.configs.entries()].map(([name, x]) => ({ name, created: x.created, modified: x.created, arn: x.arn }));
  const { page, next } = list(all, i);
  return {
    EndpointConfigs: page.map(x => ({ EndpointConfigName: x.name, EndpointConfigArn: x.arn, CreationTime: new Date(x.created) })),
    ...next,
  };
}
export function deleteEndpointConfig(r: Registry, i: In<DeleteEndpointConfigInput>, c: Caller): object {
  const found = findConfig(r, i.EndpointConfigName, c);
  r.configs.delete(i.EndpointConfigName);
  r.tags.delete(found.arn);
  return {};
}
