/**
 * Ten minutes of `sinter endpointd` under load while endpoints are swapped, resized and their instances killed in a loop. Nothing may be lost,
 * and memory, open files and processes stay as they are. Retries are off.
 *   npm run soak [-- MINUTES [CONNECTIONS]]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  SageMakerClient,
  UpdateEndpointCommand,
  UpdateEndpointWeightsAndCapacitiesCommand,
  waitUntilEndpointInService,
  type DeploymentConfig,
} from '@aws-sdk/client-sagemaker';
import { projectDir } from '../../fixtures/paths.ts';
import { startLoad } from './endpointd/load.ts';
import { bikeArchive, credentials, image, MODEL_URL, ROLE, rows } from './endpointd/plane.ts';
import { startS3 } from './endpointd/s3.ts';

const minutes = Number(process.argv[2] ?? 10);
const connections = Number(process.argv[3] ?? 4);
if (!(minutes > 0) || !(connections > 0)) throw new Error('npm run soak -- MINUTES CONNECTIONS');
/** How much larger the last fifth of the time may be than the second. */
const GROWTH = 1.15;
const NAME = 'soak';

/** A process and those that it has started, as /proc tells them. */
function tree(root: number): { readonly pid: number; readonly leaf: boolean; readonly rss: number; readonly files: number }[] {
  const parents = new Map<number, number>();
  for (const d of readdirSync('/proc'))
    try {
      if (/^\d+$/.test(d)) parents.set(Number(d), Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${d}/stat`, 'utf8'))?.[1]));
    } catch {
      // It has ended meanwhile.
    }
  const all = [root];
  for (const pid of all) for (const [child, parent] of parents) if (parent === pid) all.push(child);
  return all.flatMap(pid => {
    try {
      // One that has ended and is not yet waited for has no memory.
      const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
      const files = readdirSync(`/proc/${pid}/fd`).length;
      return rss > 0 ? [{ pid, rss, files, leaf: ![...parents.values()].includes(pid) }] : [];
    } catch {
      return [];
    }
  });
}
const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)] ?? NaN;

const s3 = await startS3();
s3.objects.set('models/bike/model.tar.gz', await bikeArchive());
const state = mkdtempSync(join(tmpdir(), 'sinter-soak-'));
const daemon = spawn(
  process.execPath,
  [
    ...[join(projectDir, 'dist/bundled/sinter.js'), 'endpointd', '--port', '0', '--state', state],
    ...['--s3-endpoint', s3.url, '--clock-rate', '20', '--log', 'error'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const pid = daemon.pid ?? 0;
try {
  const url = await new Promise<string>((found, lost) => {
    createInterface(daemon.stdout).on('line', line => {
      const at = /listening on (\S+)/.exec(line)?.[1];
      if (at !== undefined) found(at);
    });
    daemon.once('exit', code => lost(new Error(`endpointd ended with ${code}`)));
  });
  const client = new SageMakerClient({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1 });
  const EndpointName = NAME;
  const inService = (): Promise<unknown> =>
    waitUntilEndpointInService({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 120 }, { EndpointName });
  for (const [name, tag] of [
    ['blue', '0.90-2'],
    ['green', '1.2-1'],
  ] as const) {
    const PrimaryContainer = { Image: image(tag), ModelDataUrl: MODEL_URL };
    await client.send(new CreateModelCommand({ ModelName: name, ExecutionRoleArn: ROLE, PrimaryContainer }));
    const variant = { VariantName: 'v', ModelName: name, InstanceType: 'ml.m5.large', InitialInstanceCount: 2 } as const;
    await client.send(new CreateEndpointConfigCommand({ EndpointConfigName: name, ProductionVariants: [variant] }));
  }
  await client.send(new CreateEndpointCommand({ EndpointName, EndpointConfigName: 'blue' }));
  await inService();

  const update = async (EndpointConfigName: string, DeploymentConfig?: DeploymentConfig): Promise<void> => {
    await client.send(new UpdateEndpointCommand({ EndpointName, EndpointConfigName, DeploymentConfig }));
    await inService();
  };
  const resize = async (DesiredInstanceCount: number): Promise<void> => {
    const DesiredWeightsAndCapacities = [{ VariantName: 'v', DesiredInstanceCount }];
    await client.send(new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities }));
    await inService();
  };
  const kill = async (n: number): Promise<void> => {
    const leaves = tree(pid).filter(p => p.leaf && p.pid !== pid);
    const victim = leaves[n % leaves.length];
    if (victim) process.kill(victim.pid, 'SIGKILL');
    await pause(2000);
  };
  const canary: DeploymentConfig = {
    BlueGreenUpdatePolicy: {
      TrafficRoutingConfiguration: {
        Type: 'CANARY',
        CanarySize: { Type: 'CAPACITY_PERCENT', Value: 50 },
        WaitIntervalInSeconds: 20,
      },
    },
  };
  /** One round: a swap, a death, a canary, a resize up and down, a death. */
  const steps: readonly ((n: number) => Promise<void>)[] = [
    () => update('green'),
    kill,
    () => update('blue', canary),
    () => resize(3),
    kill,
    () => resize(2),
  ];

  const load = startLoad(`${url}/endpoints/${EndpointName}/invocations`, rows[0] ?? '', connections);
  const samples: { readonly daemon: number; readonly all: number; readonly files: number; readonly processes: number }[] = [];
  const start = Date.now();
  let rounds = 0;
  for (; Date.now() < start + minutes * 60_000; rounds++) {
    for (const step of steps) await step(rounds);
    // Old instances end a moment after the endpoint is in service.
    await pause(1500);
    const now = tree(pid);
    const [own] = now;
    if (!own) throw new Error('endpointd is gone');
    samples.push({ daemon: own.rss, all: now.reduce((n, p) => n + p.rss, 0), files: own.files, processes: now.length });
    const seconds = Math.round((Date.now() - start) / 1000);
    const s = samples.at(-1);
    process.stdout.write(
      `${seconds} s, round ${rounds + 1}: ${load.answered} answers; daemon ${s?.daemon.toFixed(0)} MiB, ${own.files} files; ${now.length} processes, ${s?.all.toFixed(0)} MiB\n`,
    );
  }
  const { total, failed } = await load.stop();
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const growth = (of: (s: (typeof samples)[number]) => number): number =>
    median(samples.slice(-fifth).map(of)) / median(samples.slice(fifth, 2 * fifth).map(of));
  const grown = {
    daemon: growth(s => s.daemon),
    all: growth(s => s.all),
    files: growth(s => s.files),
    processes: growth(s => s.processes),
  };
  const wrong = failed.length > 0 || (samples.length >= 5 && Object.values(grown).some(g => g > GROWTH));
  const ratios = Object.entries(grown).map(([k, g]) => `${k} ${g.toFixed(2)}`);
  process.stdout.write(
    `${rounds} rounds, ${total} requests, ${failed.length} lost\nlast fifth / second fifth: ${ratios.join(', ')}\n`,
  );
  for (const f of new Set(failed)) process.stdout.write(`lost: ${f}\n`);
  process.exitCode = wrong ? 1 : 0;
} finally {
  if (daemon.exitCode === null && daemon.signalCode === null) {
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  }
  await s3.close();
  rmSync(state, { recursive: true, force: true });
}
