/**
 * Models of a multi-model container: one load for all who wait, kept where it is loaded, another instance where that one is busy; the least
 * recently used leave memory when there is no room.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../core/errors.ts';
import type { Answer, Call } from '../gateway/instance.ts';
import { AwsError, runtimeValidation } from '../protocols/aws/errors.ts';
import type { Clock } from './clock.ts';
import type { Host, LoadedModel, Running } from './host.ts';
import type { VariantRoute } from './routing.ts';
import { ObjectMissing, parseUri } from './s3.ts';
import { TimedOut, withTimeout } from './wait.ts';

export interface Models {
  readonly clock: Clock;
  /** The most models that one instance holds. */
  readonly room: number;
  fetch(uri: string): Promise<string>;
}
/** Requests that an instance with the model holds, beyond which another loads it too. */
const SPILL = 16;
/** A request waits this long for its model; loading goes on. */
const LOAD_WAIT_MS = 60_000;
/** How long a model waits for room that others in use hold. */
const ROOM_WAIT_MS = 10_000;
const NO_BODY = new Uint8Array(0);

/** The instance for a request to a model: where it is loaded, unless all of these are busy and another is less so. */
export function hostOf(hosts: readonly Host[], model: string): Host {
  const [having] = hosts.filter(h => h.containers.some(c => c.models.has(model))).sort((a, b) => a.inFlight - b.inFlight);
  // Of instances that are equally busy, the one with the fewest models.
  const count = (h: Host): number => h.containers.reduce((n, c) => n + c.models.size, 0);
  const other = [...hosts].sort((a, b) => a.inFlight - b.inFlight || count(a) - count(b))[0] as Host;
  return having === undefined || having.inFlight > SPILL + other.inFlight ? other : having;
}
/** The URI of a model under the prefix of its container; a name cannot lead out of it. */
export function targetUri(prefix: string, model: string): string {
  const name = model.replace(/^\/+/, '');
  if (name === '' || name.split('/').some(p => p === '..' || p === '.'))
    throw runtimeValidation(`The target model ${JSON.stringify(model)} does not name an object under the prefix of the models.`);
  return `${prefix.replace(/\/+$/, '')}/${name}`;
}

/** The answer of a model, which is loaded first where it is not. */
export async function answerOfModel(m: Models, v: VariantRoute, c: Running, name: string, call: Call): Promise<Answer> {
  const known = c.models.get(name);
  v.meter.add(m.clock.now(), 'ModelCacheHit', known === undefined ? 0 : 1);
  const model = known ?? begin(m, v, c, name);
  // The newest in order of use.
  c.models.delete(name);
  c.models.set(name, model);
  model.users++;
  try {
    await withTimeout(model.loading, LOAD_WAIT_MS);
    return await c.call({ ...call, model: name });
  } catch (e) {
    if (e instanceof TimedOut)
      throw new AwsError('ModelNotReadyException', `Model ${name} is not ready for inference yet. Try your request again.`, 429);
    throw e;
  } finally {
    if (--model.users === 0 && !v.cached && model.loaded) await unload(m, v, c, name);
  }
}
function begin(m: Models, v: VariantRoute, c: Running, name: string): LoadedModel {
  const started = performance.now();
  const loading = download(m, v, c, name).then(path => {
    const mine = c.lane.then(() => load(m, v, c, name, path));
    c.lane = mine.catch(() => undefined);
    return mine;
  });
  const model: LoadedModel = {
    loaded: false,
    users: 0,
    loading: loading.then(
      () => {
        model.loaded = true;
        v.meter.add(m.clock.now(), 'ModelLoadingWaitTime', (performance.now() - started) * 1000);
      },
      (e: unknown) => {
        c.models.delete(name);
        throw e;
      },
    ),
  };
  model.loading.catch(() => undefined);
  return model;
}
async function download(m: Models, v: VariantRoute, c: Running, name: string): Promise<string> {
  const uri = targetUri(c.container.uri ?? '', name);
  const started = performance.now();
  const path = await m.fetch(uri).catch((e: unknown) => {
    if (!(e instanceof ObjectMissing)) throw new AwsError('ServiceUnavailable', messageOf(e), 503);
    const at = parseUri(uri);
    throw runtimeValidation(
      `Failed to download model data(bucket: ${at?.Bucket ?? ''}, key: ${at?.Key ?? ''}). Please ensure that there is an object located at the URL and that the role passed to CreateModel has permissions to download the model.`,
    );
  });
  v.meter.add(m.clock.now(), 'ModelDownloadingTime', (performance.now() - started) * 1000);
  return path;
}
async function load(m: Models, v: VariantRoute, c: Running, name: string, path: string): Promise<void> {
  const loaded = (): number => [...c.models.values()].reduce((n, x) => n + (x.loaded ? 1 : 0), 0);
  while (loaded() >= m.room && (await unloadOldest(m, v, c)));
  const started = performance.now();
  for (;;) {
    const answer = await c.call({ op: 'load', model: name, headers: {}, body: Buffer.from(JSON.stringify({ name, path })) });
    if (answer.status < 400 || answer.status === 409) break;
    if (answer.status === 507 && (await unloadOldest(m, v, c))) continue;
    const text = Buffer.from(answer.body).toString('utf8');
    if (answer.status === 507) throw new AwsError('ModelNotReadyException', `There is no room for model ${name}: ${text}`, 429);
    const details = { OriginalStatusCode: answer.status, OriginalMessage: text };
    throw new AwsError('ModelError', `Model ${name} could not be loaded: ${text}`, 424, details);
  }
  v.meter.add(m.clock.now(), 'ModelLoadingTime', (performance.now() - started) * 1000);
}
/** Unloads the least recently used model that no request needs, once there is one; false where there is none for long. */
async function unloadOldest(m: Models, v: VariantRoute, c: Running): Promise<boolean> {
  for (const until = performance.now() + ROOM_WAIT_MS; performance.now() < until;) {
    const [oldest] = [...c.models].find(([, x]) => x.loaded && x.users === 0) ?? [];
    if (oldest !== undefined) {
      await unload(m, v, c, oldest);
      return true;
    }
    if (![...c.models.values()].some(x => x.loaded)) return false;
    await sleep(2);
  }
  return false;
}
async function unload(m: Models, v: VariantRoute, c: Running, name: string): Promise<void> {
  c.models.delete(name);
  const started = performance.now();
  await c.call({ op: 'unload', model: name, headers: {}, body: NO_BODY });
  v.meter.add(m.clock.now(), 'ModelUnloadingTime', (performance.now() - started) * 1000);
}
