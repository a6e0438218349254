// Compilation jobs, as Neo has them: an archive of S3 is compiled for a device, and the packed bundle written back.
import { createHash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Format } from 'sinter';
import { messageOf } from '../core/errors.ts';
import type { Clock } from './clock.ts';
import type { CompileTask } from './compile-process.ts';
import { program } from '../core/process.ts';
import { readShapes } from './input-shapes.ts';
import type { JobRecord, Registry } from './registry.ts';
import type { ObjectStore } from './s3.ts';

export interface Jobs {
  /** Runs a job that the registry has. */
  start(name: string): void;
  stop(name: string): void;
  /** Starts jobs again that the daemon's end has cut off. */
  restore(): void;
  close(): void;
}
export interface JobsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly store: ObjectStore;
  /** A folder for files of jobs. */
  readonly work: string;
  log(message: string): void;
}
type Input = JobRecord['input'];
/** Profiles by Neo's devices and platforms; what is not here cannot be compiled for. */
const DEVICES: Readonly<Record<string, string>> = {
  lambda: 'lambda',
  ml_m5: 'ml_m5',
  ml_c5: 'ml_c5',
  ml_c6g: 'ml_c6g',
  rasp3b: 'rasp3b',
  rasp4b: 'rasp4b',
  jetson_tx1: 'linux-arm64',
  jetson_tx2: 'linux-arm64',
  jetson_nano: 'linux-arm64',
  jetson_xavier: 'linux-arm64',
  rk3399: 'linux-arm64',
  imx8qm: 'linux-arm64',
  imx8mplus: 'linux-arm64',
  x86_win64: 'windows-x64',
};
const PLATFORMS: Readonly<Record<string, string>> = {
  'LINUX X86_64': 'linux-x64',
  'LINUX ARM64': 'linux-arm64',
  'LINUX ARM_EABIHF': 'linux-armv7',
};
const FORMATS: Readonly<Record<string, Format>> = {
  ONNX: 'onnx',
  XGBOOST: 'xgboost',
  TFLITE: 'tflite',
  TENSORFLOW: 'tensorflow',
  KERAS: 'keras',
};
const DEFAULT_SECONDS = 900;

/** The profile of a job's output; throws with what there is. */
export function targetOf(o: Input['OutputConfig']): string {
  const platform =
    o.TargetPlatform &&
    `${o.TargetPlatform.Os} ${o.TargetPlatform.Arch}${o.TargetPlatform.Accelerator === undefined ? '' : ` with ${o.TargetPlatform.Accelerator}`}`;
  const target = platform === undefined ? DEVICES[o.TargetDevice ?? ''] : PLATFORMS[platform];
  if (target === undefined)
    throw new Error(
      `There is no compiler for ${platform ?? o.TargetDevice ?? ''}. TargetDevice may be ${Object.keys(DEVICES).join(', ')}; TargetPlatform ${Object.keys(PLATFORMS).join(', ')}.`,
    );
  return target;
}

export function createJobs(o: JobsOptions): Jobs {
  const running = new Map<string, ChildProcess>();
  let closed = false;
  const change = (name: string, to: Partial<JobRecord>): boolean => {
    const job = o.registry.jobs.get(name);
    if (job === undefined || closed) return false;
    o.registry.jobs.put(name, { ...job, ...to, modified: o.clock.now() });
    return true;
  };
  const stopping = (name: string): boolean => o.registry.jobs.get(name)?.status !== 'INPROGRESS';

  async function run(name: string): Promise<void> {
    const job = o.registry.jobs.get(name);
    if (job === undefined) return;
    const { input } = job;
    const work = join(o.work, createHash('sha256').update(name).digest('hex').slice(0, 16));
    change(name, { status: 'INPROGRESS', started: o.clock.now() });
    try {
      const framework = input.InputConfig?.Framework ?? '';
      const format = FORMATS[framework];
      if (format === undefined)
        throw new Error(
          `Framework ${framework} cannot be compiled: export the model to ONNX first. There is ${Object.keys(FORMATS).join(', ')}.`,
        );
      const target = targetOf(input.OutputConfig);
      const shapes = input.InputConfig?.DataInputConfig;
      const archive = await o.store.fetch(input.InputConfig?.S3Uri ?? '');
      rmSync(work, { recursive: true, force: true });
      mkdirSync(work, { recursive: true });
      if (stopping(name)) return;
      const file = `${basename(archive).replace(/(\.tar)?\.gz$|\.tgz$/, '')}-${input.OutputConfig.TargetDevice ?? target}.tar.gz`;
      const task: CompileTask = {
        archive,
        work,
        target,
        format,
        shapes: shapes === undefined || framework === 'XGBOOST' ? undefined : readShapes(shapes),
        out: join(work, file),
      };
      await compileIn(name, task, input.StoppingCondition.MaxRuntimeInSeconds ?? DEFAULT_SECONDS);
      if (stopping(name)) return;
      const bytes = readFileSync(task.out);
      const artifact = `${input.OutputConfig.S3OutputLocation.replace(/\/+$/, '')}/${file}`;
      await o.store.put(artifact, bytes);
      if (stopping(name)) return;
      const digest = createHash('blake2b512').update(bytes).digest('hex');
      change(name, { status: 'COMPLETED', ended: o.clock.now(), artifact, digest });
    } catch (e) {
      if (stopping(name)) return;
      o.log(`compilation job ${name} failed: ${messageOf(e)}`);
      change(name, { status: 'FAILED', ended: o.clock.now(), failure: `ClientError: ${messageOf(e)}`.slice(0, 1024) });
    } finally {
      rmSync(work, { recursive: true, force: true });
      if (o.registry.jobs.get(name)?.status === 'STOPPING') change(name, { status: 'STOPPED', ended: o.clock.now() });
    }
  }
  function compileIn(name: string, task: CompileTask, seconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [program('./compile-process', import.meta.url)], {
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      running.set(name, child);
      let text = '';
      let late = false;
      const timer = o.clock.after(seconds * 1000, () => {
        late = true;
        child.kill('SIGKILL');
      });
      child.stderr.on('data', (d: Buffer) => (text = (text + d.toString()).slice(-4096)));
      child.stdin.on('error', () => undefined);
      child.stdin.end(JSON.stringify(task));
      child.on('error', reject);
      child.on('close', (code, signal) => {
        timer.cancel();
        running.delete(name);
        if (code === 0) resolve();
        else
          reject(
            new Error(
              late
                ? `The compilation took longer than ${seconds} seconds.`
                : text.trim() || `The compiler ended with ${signal ?? String(code)}.`,
            ),
          );
      });
    });
  }
  return {
    start: name => void run(name),
    stop: name => {
      change(name, { status: 'STOPPING' });
      const child = running.get(name);
      if (child === undefined) return;
      child.kill('SIGKILL');
    },
    restore: () => {
      for (const [name, job] of [...o.registry.jobs.entries()])
        if (job.status === 'STARTING' || job.status === 'INPROGRESS') void run(name);
        else if (job.status === 'STOPPING') change(name, { status: 'STOPPED', ended: o.clock.now() });
    },
    close: () => {
      closed = true;
      for (const child of running.values()) child.kill('SIGKILL');
    },
  };
}
