import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { Service as KnativeService } from '@kubernetes-models/knative/serving.knative.dev/v1';
import { parse } from 'yaml';
import { openBundle } from '../../../compiler/node.ts';
import { TARGETS } from '../../../serving/export/export.ts';
import { targetValue } from '../../../serving/control/autoscaler.ts';
import { compileBike, sinterExport, workFolder } from './bundles.ts';

const { dir, remove } = workFolder();
const bundle = join(dir, 'bike');
afterAll(remove);
beforeAll(async () => {
  await compileBike(bundle);
});
const all = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(f => statSync(join(folder, f)).isFile());
async function exported(target: string, ...more: readonly string[]): Promise<string> {
  const out = join(dir, `${target}-${Math.random().toString(36).slice(2)}`);
  expect(await sinterExport(target, bundle, '--out', out, ...more)).toMatchObject({ code: 0, err: '' });
  return out;
}
const yamlOf = (folder: string, file: string): unknown => parse(readFileSync(join(folder, file), 'utf8'));
const jsonOf = (folder: string, file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'));

/** The schemas of Kubernetes, KEDA and Knative as npm's packages hold them; their types have checked the templates for unknown members. */
interface Checked {
  validate(): void;
}
const KINDS: Readonly<Record<string, new (x: never) => Checked>> = {
  'apps/v1 Deployment': Deployment,
  'autoscaling/v2 HorizontalPodAutoscaler': HorizontalPodAutoscaler,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'v1 Service': Service,
  'keda.sh/v1alpha1 ScaledObject': ScaledObject,
  'serving.knative.dev/v1 Service': KnativeService,
};
function check(document: unknown): string {
  const d = document as { readonly apiVersion: string; readonly kind: string };
  const kind = `${d.apiVersion} ${d.kind}`;
  const Kind = KINDS[kind];
  if (!Kind) throw new Error(`there is no schema of ${kind}`);
  new Kind(d as never).validate();
  return kind;
}

describe('the documents', () => {
  it.each(['kubernetes', 'keda'])('of %s fit the schemas', async target => {
    const out = await exported(target, '--rps', '200', '--min', '2', '--max', '7');
    const { resources } = yamlOf(out, 'kustomization.yaml') as { readonly resources: string[] };
    const kinds = resources.map(f => check(yamlOf(out, f)));
    expect(kinds).toEqual([
      'apps/v1 Deployment',
      'v1 Service',
      'policy/v1 PodDisruptionBudget',
      target === 'keda' ? 'keda.sh/v1alpha1 ScaledObject' : 'autoscaling/v2 HorizontalPodAutoscaler',
    ]);
    const scaler = yamlOf(out, resources.at(-1) ?? '') as { readonly spec: object };
    expect(scaler.spec).toMatchObject(
      target === 'keda'
        ? {
            scaleTargetRef: { name: 'bike' },
            minReplicaCount: 2,
            maxReplicaCount: 7,
            triggers: [{ type: 'prometheus', metadata: { threshold: '200' } }],
          }
        : { scaleTargetRef: { name: 'bike' }, minReplicas: 2, maxReplicas: 7 },
    );
  });
  it('are refused by the schemas where they are damaged', async () => {
    const out = await exported('keda', '--rps', '200');
    const deployment = yamlOf(out, 'deployment.yaml') as { spec: { template: { spec: { containers: object[] } } } };
    deployment.spec.template.spec.containers = [{ name: 3 }];
    expect(() => check(deployment)).toThrow(/name/);
    const scaled = yamlOf(out, 'scaledobject.yaml') as { spec: { triggers: object[] } };
    scaled.spec.triggers = [{ type: 'prometheus' }];
    expect(() => check(scaled)).toThrow(/metadata/);
  });
  it('of Knative fit its schema', async () => {
    const out = await exported('knative', '--rps', '150.5', '--min', '0');
    const service = yamlOf(out, 'service.yaml');
    expect(check(service)).toBe('serving.knative.dev/v1 Service');
    expect(service).toMatchObject({
      spec: {
        template: {
          metadata: {
            annotations: {
              'autoscaling.knative.dev/metric': 'rps',
              'autoscaling.knative.dev/target': '150.5',
              'autoscaling.knative.dev/min-scale': '0',
            },
          },
        },
      },
    });
  });
  it('of KServe name each other', async () => {
    const out = await exported('kserve', '--rps', '80', '--model-uri', 's3://models/bike/');
    const runtime = yamlOf(out, 'runtime.yaml') as {
      metadata: { name: string };
      spec: { supportedModelFormats: { name: string }[]; protocolVersions: string[] };
    };
    expect(yamlOf(out, 'service.yaml')).toEqual({
      apiVersion: 'serving.kserve.io/v1beta1',
      kind: 'InferenceService',
      metadata: { name: 'bike' },
      spec: {
        predictor: {
          minReplicas: 1,
          maxReplicas: 4,
          scaleMetric: 'rps',
          scaleTarget: 80,
          model: {
            modelFormat: { name: runtime.spec.supportedModelFormats[0]?.name },
            protocolVersion: runtime.spec.protocolVersions[0],
            runtime: runtime.metadata.name,
            storageUri: 's3://models/bike/',
          },
        },
      },
    });
    expect(yamlOf(out, 'graph.yaml')).toMatchObject({ spec: { nodes: { root: { steps: [{ serviceName: 'bike' }] } } } });
    expect(all(join(out, 'model')).sort()).toEqual(all(bundle).sort());
  });
});

describe('sagemaker', () => {
  it('starts the server as SageMaker, and others, ask for it', async () => {
    const serve = join(await exported('sagemaker'), 'image/serve');
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'sinter'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    const started = (...argv: string[]): string =>
      execFileSync('sh', [serve, ...argv], { env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } }).toString();
    expect(started('serve')).toBe('serve --host 0.0.0.0\n');
    expect(started()).toBe('serve --host 0.0.0.0\n');
    expect(started('serve', 'a=/mnt/models', '--port', '8080')).toBe('serve a=/mnt/models --port 8080 --host 0.0.0.0\n');
  });
  it('has an archive that holds the bundle at its root, the same bytes each time', async () => {
    const [a, b] = [await exported('sagemaker'), await exported('sagemaker')];
    expect(readFileSync(join(a, 'model.tar.gz'))).toEqual(readFileSync(join(b, 'model.tar.gz')));
    const to = join(dir, 'unpacked');
    mkdirSync(to);
    execFileSync('tar', ['-xzf', join(a, 'model.tar.gz'), '-C', to]);
    expect(all(to).sort()).toEqual(all(bundle).sort());
    for (const f of all(bundle)) expect(readFileSync(join(to, f))).toEqual(readFileSync(join(bundle, f)));
    const { manifest } = await openBundle(to);
    expect(manifest.name).toBe('bike');
  });
  it('has the requests that make an endpoint which scales', async () => {
    const out = await exported('sagemaker', '--rps', '40', '--max', '3', '--name', 'Bike-1');
    expect(jsonOf(out, 'create-endpoint-config.json')).toMatchObject({
      EndpointConfigName: 'Bike-1',
      ProductionVariants: [{ ModelName: 'Bike-1', InitialInstanceCount: 1 }],
    });
    expect(jsonOf(out, 'put-scaling-policy.json')).toMatchObject({
      ResourceId: 'endpoint/Bike-1/variant/AllTraffic',
      TargetTrackingScalingPolicyConfiguration: { TargetValue: targetValue(80, 0.5) },
    });
    const none = await exported('sagemaker');
    expect(existsSync(join(none, 'put-scaling-policy.json'))).toBe(false);
  });
});

describe('every folder', () => {
  it.each(Object.keys(TARGETS).filter(t => t !== 'triton'))('of %s has a README whose files are there', async target => {
    const out = await exported(target, '--rps', '10');
    const text = readFileSync(join(out, 'README.md'), 'utf8');
    const named = [...text.matchAll(/(?:file:\/\/|--filename |serve )([\w-]+\.(?:json|yaml|capnp))/g)].map(m => m[1] ?? '');
    for (const f of named) expect(all(out)).toContain(f);
    expect(text).not.toMatch(/undefined|NaN|\[object/);
    if (TARGETS[target]?.image === true) {
      const docker = readFileSync(join(out, 'image/Dockerfile'), 'utf8');
      const copied = [...docker.matchAll(/^COPY (?:--\S+ )?(\S+)/gm)].map(m => m[1]);
      // The packages of Sinter are left out in these tests.
      for (const f of copied) expect(f === 'packages' || existsSync(join(out, 'image', f ?? ''))).toBe(true);
      execFileSync('sh', ['-n', join(out, 'image/serve')]);
    }
  });
});

describe('what cannot be exported', () => {
  const refused = async (message: RegExp | string, ...argv: readonly string[]): Promise<void> => {
    const out = join(dir, 'refused');
    const r = await sinterExport(...argv, ...(argv.includes('--out') ? [] : ['--out', out]));
    expect(r.err).toMatch(message);
    expect(r).toMatchObject({ code: 1, out: '' });
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(dir).filter(f => f.startsWith('.'))).toEqual([]);
  };
  const damaged = (name: string, change: (folder: string) => void): string => {
    const folder = join(dir, name);
    cpSync(bundle, folder, { recursive: true });
    change(folder);
    return folder;
  };
  it('is what is no bundle', async () => {
    await refused(/none is not a folder/, 'lambda', join(dir, 'none'));
    await refused(/manifest.json is not a folder/, 'lambda', join(bundle, 'manifest.json'));
    mkdirSync(join(dir, 'empty'));
    await refused(/is not a bundle: make one with `sinter compile/, 'lambda', join(dir, 'empty'));
    await refused(/is not a bundle; it holds .*bike/, 'lambda', dir);
    const cut = (f: string) => (folder: string) => writeFileSync(join(folder, f), readFileSync(join(folder, f)).subarray(0, 100));
    await refused(/manifest\.json is damaged/, 'lambda', damaged('cut', cut('manifest.json')));
    const other = damaged('other', f => writeFileSync(join(f, 'manifest.json'), '{"name":"x"}'));
    await refused(/manifest\.json is not of Sinter/, 'lambda', other);
    await refused(
      /lacks model\.wasm; compile/,
      'workers',
      damaged('less', f => rmSync(join(f, 'model.wasm'))),
    );
  });
  it('is a bundle that the target cannot run', async () => {
    const native = damaged('native', f => {
      const m = jsonOf(f, 'manifest.json') as Record<string, unknown>;
      const build = { prefix: 'bike', cc: 'cc', arena: 64, sources: [], system: 'unix', flags: ['-march=x86-64-v3'] };
      writeFileSync(
        join(f, 'manifest.json'),
        JSON.stringify({ ...m, target: 'linux-x64-v3', native: build, modules: undefined }),
      );
    });
    await refused(/linux-x64-v3 is code of a machine, which a worker does not run; .*--target wasm-simd/, 'workers', native);
    await refused(/linux-x64-v3 is code of a machine/, 'lambda', native);
    await refused(/the bundle lacks libmodel\.so: run `make libmodel\.so`/, 'triton', native);
    await refused(/runs libraries of Linux, and wasm-simd is none; .*linux-x64/, 'triton', bundle);
    await refused(/give what a pod should get with --rps/, 'keda', bundle);
    const half = damaged('half', f => {
      const file = join(f, 'manifest.json');
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"float32"', '"float16"'));
    });
    await refused(/features is of type FP16, which JSON does not carry/, 'workers', half);
  });
  it('has a name that the target does not allow', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['kubernetes', 'Bike'],
      ['kserve', '1bike'],
      ['keda', '-a'],
      ['knative', 'a'.repeat(64)],
      ['sagemaker', 'a_b'],
      ['sagemaker', '$(touch x)'],
      ['triton', '../x'],
      ['lambda', 'a b'],
      ['workers', 'a"b'],
    ];
    for (const [target, name] of cases)
      await refused(`${target} does not allow the name '${name}': `, target, bundle, '--rps', '1', `--name=${name}`);
  });
  it('has a place that is taken', async () => {
    const out = await exported('lambda');
    const before = all(out);
    await refused(/is there already; remove it/, 'lambda', bundle, '--out', out);
    await refused(/is there already/, 'lambda', bundle, '--out', join(bundle, 'index.js'));
    await refused(
      /cannot write .*: ENOTDIR|cannot write .*not a directory|cannot write/,
      'lambda',
      bundle,
      '--out',
      join(bundle, 'index.js', 'x'),
    );
    expect(all(out)).toEqual(before);
    mkdirSync(join(dir, 'vacant'));
    expect(await sinterExport('lambda', bundle, '--out', join(dir, 'vacant'))).toMatchObject({ code: 0 });
  });
  it('is asked for wrongly', async () => {
    for (const argv of [
      [],
      ['nowhere', bundle, '--out', 'x'],
      ['lambda', bundle],
      ['lambda', bundle, '--out', 'x', '--image', 'a;b'],
      ['lambda', bundle, '--out', 'x', '--min', '-1'],
    ])
      expect(await sinterExport(...argv)).toMatchObject({ code: 2, out: '' });
    expect(await sinterExport('lambda', bundle, '--out', join(dir, 'refused'), '--min', '5', '--max', '2')).toMatchObject({
      code: 1,
    });
    expect((await sinterExport('--help')).out).toContain('a function of AWS Lambda with a URL');
  });
});
