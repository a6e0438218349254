import { gunzipSync, inflateSync, gzipSync, deflateSync } from 'node:zlib';
import type { Answer, Call, LoadedFrom, WorkerStart } from '../core/call.ts';
import { ServeError, messageOf } from '../core/errors.ts';
import type { Inference, ModelInfo } from '../core/model.ts';
import { bad } from '../core/tensors.ts';
import { grpcInference } from '../protocols/oip/grpc.ts';
import { restInference } from '../protocols/oip/rest.ts';
import { containerSettings, invocation } from '../protocols/sagemaker/invoke.ts';
import { openModel, type Model } from './model.ts';
import { runAll, type Task } from './run.ts';

/** What answers calls. `done` is called once for each; calls of one turn of the event loop are run together. */
export interface Worker {
  call(c: Call, done: (a: Answer) => void): void;
  /** What is known of its models. */
  models(): readonly ModelInfo[];
}
const EMPTY = new Uint8Array(0);
const plain = (status: number, text: string): Answer => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: Buffer.from(text),
});
const json = (status: number, value: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
});
/** An error as the protocol of the call says it. */
function failure(c: Call, e: unknown): Answer {
  const status = e instanceof ServeError ? e.status : 500;
  const text = messageOf(e);
  switch (c.op) {
    case 'infer':
      return json(status, { error: text });
    case 'invoke':
    case 'infer-grpc':
    case 'load':
    case 'unload':
    case 'list':
    case 'ping':
      return plain(status, status === 400 && c.op === 'invoke' ? evaluating(text) : text);
  }
}
/** How the container of XGBoost begins what it says of data that a model does not take. */
const UNABLE = 'Unable to evaluate payload provided: ';
const evaluating = (text: string): string => (text.startsWith(UNABLE) ? text : UNABLE + text);

/** Opens the models of an instance. ServeError where one cannot be loaded, or answers its golden rows wrongly. */
export async function openWorker(start: WorkerStart): Promise<Worker> {
  const models = new Map<string, Model>();
  const load = async (from: LoadedFrom): Promise<void> => {
    models.set(from.name, await openModel(from, start));
  };
  for (const m of start.models) await load(m);
  const settings = containerSettings(start.env, start.contract);
  const one = (name: string | undefined): Model => {
    const found = name === undefined ? (models.size === 1 ? models.values().next().value : undefined) : models.get(name);
    if (found) return found;
    throw new ServeError(404, name === undefined ? 'name a model: there are several' : `Model not found: ${name}`);
  };
  const inferenceOf = (c: Call, m: ModelInfo): Inference | undefined => {
    if (c.op === 'infer') return restInference(c, m);
    return c.op === 'infer-grpc' ? grpcInference(c, m) : invocation(c, m, settings);
  };
  let pending: Task[] = [];
  const drain = (): void => {
    const tasks = pending;
    pending = [];
    runAll(tasks, failure);
  };
  const infer = (given: Call, done: (a: Answer) => void): void => {
    try {
      const c = decoded(given, start.maxBody);
      const model = one(c.model);
      const inference = inferenceOf(c, model.info);
      if (!inference) {
        done({ status: 204, headers: {}, body: EMPTY });
        return;
      }
      if (pending.length === 0) setImmediate(drain);
      pending.push({ call: c, model, inference, done: c.op === 'infer' ? a => done(encoded(c, a)) : done });
    } catch (e) {
      done(failure(given, e));
    }
  };
  const manage = async (c: Call): Promise<Answer> => {
    if (c.op === 'load') {
      await load(JSON.parse(Buffer.from(c.body).toString('utf8')) as LoadedFrom);
      return json(200, one(c.model).info);
    }
    if (c.op === 'unload') models.delete(one(c.model).info.name);
    return c.op === 'list' ? json(200, infos()) : plain(200, '');
  };
  const infos = (): readonly ModelInfo[] => [...models.values()].map(m => m.info);
  return {
    call: (c, done) => {
      if (c.op === 'invoke' || c.op === 'infer' || c.op === 'infer-grpc') infer(c, done);
      else manage(c).then(done, (e: unknown) => done(failure(c, e)));
    },
    models: infos,
  };
}
/** A body without its compression. 400 where it is damaged, 413 where it unfolds to more than it may, 415 for other encodings. */
function decoded(c: Call, maxOutputLength: number): Call {
  const encoding = c.headers['content-encoding']?.trim().toLowerCase();
  if (encoding === undefined || encoding === '' || encoding === 'identity' || c.op === 'infer-grpc') return c;
  if (encoding !== 'gzip' && encoding !== 'deflate')
    throw new ServeError(415, `content-encoding '${encoding.slice(0, 32)}' is not supported: gzip and deflate are`);
  try {
    return { ...c, body: (encoding === 'gzip' ? gunzipSync : inflateSync)(c.body, { maxOutputLength }) };
  } catch (e) {
    const large = e instanceof RangeError || (e instanceof Error && 'code' in e && e.code === 'ERR_BUFFER_TOO_LARGE');
    if (large) throw new ServeError(413, `the body unfolds to more than ${maxOutputLength} bytes`);
    return bad(`the body is no ${encoding}: ${messageOf(e)}`);
  }
}
/** Smaller bodies gain nothing from compression. */
const WORTH = 1024;
function encoded(c: Call, a: Answer): Answer {
  const accept = c.headers['accept-encoding'];
  if (accept === undefined || a.body.length < WORTH) return a;
  const encoding = /\bgzip\b/.test(accept) ? 'gzip' : /\bdeflate\b/.test(accept) ? 'deflate' : undefined;
  if (encoding === undefined) return a;
  const body = (encoding === 'gzip' ? gzipSync : deflateSync)(a.body, { level: 1 });
  return { ...a, headers: { ...a.headers, 'content-encoding': encoding }, body };
}
