// Writes table.ts beside this file: of botocore's service models (Apache-2.0, facts only: names, types, limits) the inputs of the
// operations that endpointd serves.
//   npx tsx serving/protocols/aws/make-shapes.ts "$(python3 -c 'import botocore; print(botocore.__path__[0])')"/data
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Service, ServiceShapes, Shape } from './shapes.ts';

const SERVED: Readonly<Record<Service, readonly string[]>> = {
  sagemaker: [
    ...['Model', 'EndpointConfig', 'Endpoint', 'CompilationJob'].flatMap(r => [
      `Create${r}`,
      `Describe${r}`,
      `List${r}s`,
      `Delete${r}`,
    ]),
    ...['UpdateEndpoint', 'UpdateEndpointWeightsAndCapacities', 'StopCompilationJob', 'AddTags', 'ListTags', 'DeleteTags'],
  ],
  'application-autoscaling': [
    ...[
      'RegisterScalableTarget',
      'DeregisterScalableTarget',
      'DescribeScalableTargets',
      'PutScalingPolicy',
      'DeleteScalingPolicy',
    ],
    ...['DescribeScalingPolicies', 'DescribeScalingActivities'],
  ],
  cloudwatch: [
    ...['PutMetricAlarm', 'DescribeAlarms', 'DeleteAlarms', 'SetAlarmState'],
    ...['PutMetricData', 'GetMetricData', 'GetMetricStatistics', 'ListMetrics'],
  ],
};
/** What is read of a service-2.json. */
interface Model {
  readonly metadata: { readonly targetPrefix: string; readonly jsonVersion: string };
  readonly operations: Readonly<Record<string, { readonly input?: { readonly shape: string } }>>;
  readonly shapes: Readonly<Record<string, Raw>>;
}
interface Ref {
  readonly shape: string;
}
interface Raw {
  readonly type: string;
  readonly members?: Readonly<Record<string, Ref>>;
  readonly required?: readonly string[];
  readonly member?: Ref;
  readonly key?: Ref;
  readonly value?: Ref;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

function read(data: string, service: Service): Model {
  const folder = join(data, service);
  const version = readdirSync(folder).sort().at(-1);
  if (version === undefined) throw new Error(`${folder} is empty`);
  return JSON.parse(gunzipSync(readFileSync(join(folder, version, 'service-2.json.gz'))).toString()) as Model;
}
function shapeOf(raw: Raw): Shape {
  const { min, max, pattern } = raw;
  const limits = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  const name = (ref: Ref | undefined): string => {
    if (ref === undefined) throw new Error(`a ${raw.type} without its members' shape`);
    return ref.shape;
  };
  switch (raw.type) {
    case 'structure': {
      const members = Object.fromEntries(Object.entries(raw.members ?? {}).map(([k, v]) => [k, v.shape]));
      return { k: 'structure', members, required: raw.required ?? [] };
    }
    case 'list':
      return { k: 'list', member: name(raw.member), ...limits };
    case 'map':
      return { k: 'map', key: name(raw.key), value: name(raw.value), ...limits };
    case 'string':
      return {
        k: 'string',
        ...limits,
        ...(pattern === undefined ? {} : { pattern }),
        ...(raw.enum === undefined ? {} : { enum: raw.enum }),
      };
    case 'integer':
    case 'long':
      return { k: 'integer', ...limits };
    case 'float':
    case 'double':
      return { k: 'number', ...limits };
    case 'boolean':
    case 'timestamp':
      return { k: raw.type };
    default:
      throw new Error(`no operation that is served has a member of type ${raw.type} so far`);
  }
}
function refs(raw: Raw): readonly string[] {
  return [...Object.values(raw.members ?? {}), raw.member, raw.key, raw.value].flatMap(r => (r === undefined ? [] : [r.shape]));
}

const data = process.argv[2];
if (data === undefined) throw new Error("give the folder of botocore's data");
const table: (readonly [Service, ServiceShapes])[] = [];
for (const service of Object.keys(SERVED) as Service[]) {
  const model = read(data, service);
  const operations: Record<string, string> = {};
  const shapes = new Map<string, Shape>();
  const add = (name: string): void => {
    const raw = model.shapes[name];
    if (shapes.has(name) || raw === undefined) return;
    shapes.set(name, shapeOf(raw));
    refs(raw).forEach(add);
  };
  for (const name of SERVED[service]) {
    const input = model.operations[name]?.input;
    if (input === undefined) throw new Error(`${service} has no operation ${name}`);
    operations[name] = input.shape;
    add(input.shape);
  }
  const { targetPrefix, jsonVersion } = model.metadata;
  const sorted = [...shapes].sort(([a], [b]) => (a < b ? -1 : 1));
  table.push([service, { target: targetPrefix, version: jsonVersion, operations, shapes: Object.fromEntries(sorted) }]);
}
const fields = (o: object, indent: string): string =>
  Object.entries(o)
    .map(([k, v]) => `${indent}${JSON.stringify(k)}: ${JSON.stringify(v)},\n`)
    .join('');
const text = table.map(
  ([service, { shapes, ...rest }]) =>
    `  ${JSON.stringify(service)}: {\n${fields(rest, '    ')}    shapes: {\n${fields(shapes, '      ')}    },\n  },\n`,
);
writeFileSync(
  join(fileURLToPath(new URL('.', import.meta.url)), 'table.ts'),
  `// Written by make-shapes.ts.\nimport type { Table } from './shapes.ts';\n\nexport const SHAPES: Table = {\n${text.join('')}};\n`,
);
