import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Answer, Call, Contract, ModelSpec, WorkerStart } from '../core/call.ts';
import { InstanceLost, ServeError, messageOf } from '../core/errors.ts';
import { FrameReader, FrameWriter, KIND, headLines, readHeadLines, type Frame } from '../core/frames.ts';
import { MiB } from '../core/limits.ts';
import { prepareModel, type PrepareOptions } from '../store/prepare.ts';
import { spawnWorker } from '../core/process.ts';
import type { Trust } from '../core/trust.ts';

export type { Answer, Call, Contract, ModelSpec } from '../core/call.ts';
export { InstanceLost } from '../core/errors.ts';

export interface InstanceOptions {
  readonly id: string;
  /** Loaded before it is ready; more come by the call `load`. */
  readonly models: readonly ModelSpec[];
  /** The environment of the container, of which `SAGEMAKER_…` is read. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whose answers it gives; default: Sinter's own, which are those of the newest XGBoost container. */
  readonly contract?: Contract;
  /** Which bundles are loaded; default: those without native code. */
  readonly trust?: Trust;
  /** Where compiled models are kept; default: `sinter` in the user's cache folder. */
  readonly cache?: string;
  /** Sizes of trained models that vary, as `sinter compile --dim` takes them. */
  readonly dims?: NonNullable<PrepareOptions['dims']>;
  /** The most bytes that a compressed body may unfold to; default: 64 MiB. */
  readonly maxBody?: number;
  /** The most rows of one run; default: 4096. */
  readonly maxBatch?: number;
  /** Is told what the worker writes, line by line. */
  readonly log?: (line: string) => void;
}
/** A process that holds models and answers calls. */
export interface Instance {
  readonly id: string;
  readonly pid: number;
  /** Models are loaded, golden rows gave the right answers; rejects with the reason. */
  readonly ready: Promise<void>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Calls that wait for their answers. */
  readonly inFlight: number;
  /** Rejects with InstanceLost where the process ends before the answer. */
  call(c: Call): Promise<Answer>;
  /** Takes no more calls, finishes those that it has within `graceMs` (25 s), then SIGTERM, and SIGKILL a second later. */
  close(graceMs?: number): Promise<void>;
  /** Ends the process at once. */
  kill(): void;
}
interface Waiting {
  readonly resolve: (a: Answer) => void;
  readonly reject: (e: Error) => void;
}
const DEFAULT_TRUST: Trust = { k: 'webassembly' };
const GRACE = 25_000;
const LAST = 1000;

/** Starts the process of an instance. Rejections of `ready` and `exited` need no handler. */
export function startInstance(o: InstanceOptions): Instance {
  const child = spawnWorker(o.trust ?? DEFAULT_TRUST);
  const socket = child.stdio[3];
  if (!(socket instanceof Socket)) throw new Error('the worker has no socket');
  const writer = new FrameWriter(socket);
  const waiting = new Map<number, Waiting>();
  let next = 1;
  let closing = false;
  let gone: string | undefined;
  let idle: (() => void) | undefined;
  const settled = (): void => {
    if (waiting.size === 0) idle?.();
  };

  let started: { resolve: () => void; reject: (e: Error) => void } | undefined;
  const ready = new Promise<void>((resolve, reject) => (started = { resolve, reject }));
  ready.catch(() => undefined);
  const lost = (why: string, signal?: string): void => {
    gone ??= why;
    started?.reject(new InstanceLost(o.id, why));
    for (const w of waiting.values()) w.reject(new InstanceLost(o.id, why, signal));
    waiting.clear();
    settled();
  };
  const take = (f: Frame): void => {
    if (f.kind === KIND.answer) {
      const w = waiting.get(f.id);
      waiting.delete(f.id);
      w?.resolve(readAnswer(f.payload));
      settled();
    } else if (f.kind === KIND.ready) started?.resolve();
    else if (f.kind === KIND.failed) started?.reject(new ServeError(500, f.payload.toString('utf8', 4)));
  };
  const reader = new FrameReader(take);
  socket.on('data', chunk => {
    try {
      reader.push(chunk);
    } catch (e) {
      lost(`sent ${messageOf(e)}`);
      child.kill('SIGKILL');
    }
  });
  // The exit of the process says more.
  socket.on('error', () => undefined);
  listen(child, o.log);
  const exited = new Promise<{ code: number | null; signal: string | null }>(resolve => {
    child.on('exit', (code, signal) => {
      lost(`ended with ${signal ?? String(code)}`, signal ?? undefined);
      resolve({ code, signal });
    });
    child.on('error', e => {
      lost(`did not start: ${e.message}`);
      resolve({ code: null, signal: null });
    });
  });

  const prepare: PrepareOptions = {
    ...(o.cache !== undefined && { cache: o.cache }),
    ...(o.dims && { dims: o.dims }),
    first: o.env?.['SAGEMAKER_INFERENCE_ENSEMBLE'] !== undefined && o.env['SAGEMAKER_INFERENCE_ENSEMBLE'] !== 'true',
  };
  void Promise.all(o.models.map(m => prepareModel(m, prepare)))
    .then(models => {
      const start: WorkerStart = {
        models,
        env: o.env ?? {},
        contract: o.contract ?? { k: 'sinter' },
        trust: o.trust ?? DEFAULT_TRUST,
        maxBody: o.maxBody ?? 64 * MiB,
        maxBatch: o.maxBatch ?? 4096,
      };
      writer.write(KIND.start, 0, JSON.stringify(start), NOTHING);
    })
    .catch((e: unknown) => {
      started?.reject(e instanceof Error ? e : new Error(String(e)));
      child.kill('SIGKILL');
    });

  const send = (c: Call): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const id = next;
      next = next === 0xffffffff ? 1 : next + 1;
      waiting.set(id, { resolve, reject });
      writer.write(KIND.call, id, `${c.op}\n${c.model ?? ''}\n${headLines(c.headers)}`, c.body);
    });
  return {
    id: o.id,
    pid: child.pid ?? -1,
    ready,
    exited,
    get inFlight() {
      return waiting.size;
    },
    call: c => {
      if (gone !== undefined || closing) return Promise.reject(new InstanceLost(o.id, gone ?? 'is closing', undefined, false));
      return c.op === 'load' ? loading(c, prepare).then(send) : send(c);
    },
    close: async (graceMs = GRACE) => {
      closing = true;
      if (waiting.size > 0 && gone === undefined)
        await new Promise<void>(done => {
          const timer = setTimeout(done, graceMs);
          idle = () => {
            clearTimeout(timer);
            done();
          };
        });
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), LAST);
      await exited;
      clearTimeout(timer);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
const NOTHING = new Uint8Array(0);

/** A call to load a model, whose body names the path, becomes one that names folders of bundles. */
async function loading(c: Call, o: Parameters<typeof prepareModel>[1]): Promise<Call> {
  const spec = JSON.parse(Buffer.from(c.body).toString('utf8')) as ModelSpec;
  return { ...c, body: Buffer.from(JSON.stringify(await prepareModel(spec, o))) };
}
function readAnswer(p: Buffer): Answer {
  const head = p.readUInt32LE(10);
  return {
    status: p.readUInt16LE(0),
    microseconds: p.readUInt32LE(2),
    rows: p.readUInt32LE(6),
    headers: readHeadLines(p.toString('utf8', 14, 14 + head).split('\n'), 0),
    body: p.subarray(14 + head),
  };
}
function listen(child: ChildProcess, log: ((line: string) => void) | undefined): void {
  for (const stream of [child.stdout, child.stderr])
    if (stream) createInterface({ input: stream, crlfDelay: Infinity }).on('line', line => log?.(line));
}
