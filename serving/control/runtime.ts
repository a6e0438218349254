// InvokeEndpoint: chooses a variant and an instance, asks the container, tries again where an instance was lost, and measures.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { InstanceLost, type Answer } from '../gateway/instance.ts';
import { AwsError, runtimeValidation } from '../protocols/aws/errors.ts';
import type { Reply } from '../protocols/aws/wire.ts';
import type { Clock } from './clock.ts';
import type { Host } from './host.ts';
import { answerOfModel, hostOf, type Models } from './multi-model.ts';
import { choose, type Chosen, type Route, type VariantRoute } from './routing.ts';
import { TimedOut, withTimeout } from './wait.ts';

export interface Invocation {
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly attributes: string | undefined;
  readonly targetModel: string | undefined;
  readonly targetVariant: string | undefined;
  readonly targetContainer: string | undefined;
  readonly inferenceId: string | undefined;
  readonly body: Uint8Array;
}
export interface Runtime {
  invoke(i: Invocation): Promise<Reply>;
}
export interface RuntimeOptions {
  readonly clock: Clock;
  readonly models: Models;
  route(endpoint: string): Route | undefined;
}
/** Requests that an instance holds; more are refused. */
const MAX_IN_FLIGHT = 100;
/** How long a request waits for the first instance, as when the only one is being started again. */
const WAIT_READY_MS = 15_000;
/** How long it waits before it looks at the route again. */
const REROUTE_MS = 100;
const ANSWER_MS = 60_000;
/** A body is refused for this long once this many instances ended with it. */
const REFUSED_MS = 600_000;
const FATAL = 2;
/** How much of that a process counts that was killed: by hand, or because memory ran out. */
const BLAME_KILLED = 1 / 3;
/** Instances that were lost for other reasons, as with their zone. */
const MAX_TRIES = 10;
const MAX_SHADOWS = 64;

export function createRuntime(o: RuntimeOptions): Runtime {
  /** Bodies with which instances ended. */
  const poison = new LRUCache<string, true>({ max: 1000, ttl: REFUSED_MS });
  let shadows = 0;

  async function invoke(i: Invocation): Promise<Reply> {
    const started = performance.now();
    const route = o.route(i.endpoint);
    const chosen = route && choose(route, i.targetVariant, Math.random);
    if (route === undefined || chosen === undefined) {
      if (route !== undefined && i.targetVariant !== undefined && route.fleets.length > 0)
        throw runtimeValidation(`Variant ${i.targetVariant} was not found for endpoint ${i.endpoint} of account ${i.account}.`);
      throw runtimeValidation(`Endpoint ${i.endpoint} of account ${i.account} not found.`);
    }
    checkTargets(chosen.variant, i);
    const trip: Trip = { at: chosen };
    let model = 0;
    let status = 200;
    let modelError = false;
    try {
      const answer = await attempt(i, trip, ms => (model += ms));
      if (answer.status >= 400) {
        modelError = true;
        throw modelFailed(i, answer.status, answer.from, Buffer.from(answer.body).toString('utf8'));
      }
      afterwards(i, trip.at, answer);
      return reply(answer, trip.at.variant);
    } catch (e) {
      status = e instanceof AwsError ? e.status : 500;
      modelError = e instanceof AwsError && e.code === 'ModelError';
      throw e;
    } finally {
      const total = (performance.now() - started) * 1000;
      const { meter, pool } = trip.at.variant;
      meter.request(o.clock.now(), status, modelError, pool.ready.length, model * 1000, Math.max(0, total - model * 1000));
    }
  }

  /** Asks instances until one answers. What was lost goes through the pool's retries, one at a time. */
  async function attempt(i: Invocation, trip: Trip, timed: (ms: number) => void): Promise<Answered> {
    let ended = 0;
    let key: string | undefined;
    if (poison.size > 0) {
      key = hash(i);
      if (poison.has(key)) throw poisoned(i);
    }
    for (let tries = 0; ; tries++) {
      let host: Host | undefined;
      const once = async (): Promise<Answered> => {
        host = await acquire(trip, i);
        return ask(host, trip.at.variant, i, timed);
      };
      try {
        return await (tries === 0 ? once() : trip.at.variant.pool.retry(once));
      } catch (e) {
        if (!(e instanceof InstanceLost)) throw e;
        if (host?.doomed === false && (ended += (await host.exited).killed ? BLAME_KILLED : 1) >= FATAL) {
          poison.set(key ?? hash(i), true);
          throw poisoned(i);
        }
        if (tries >= MAX_TRIES) throw unavailable(`No instance of variant ${trip.at.variant.variant.name} could answer.`);
        reroute(trip, i);
      }
    }
  }
  /** An instance that takes the request. Where none is ready it waits for one, of whatever the route has become. */
  async function acquire(trip: Trip, i: Invocation): Promise<Host> {
    const until = performance.now() + WAIT_READY_MS;
    while (trip.at.variant.pool.ready.length === 0) {
      if (performance.now() > until) throw unavailable(`No instance of variant ${trip.at.variant.variant.name} is ready.`);
      await trip.at.variant.pool.whenReady(REROUTE_MS);
      reroute(trip, i);
    }
    const { pool, variant } = trip.at.variant;
    const able = pool.ready.filter(h => h.inFlight < MAX_IN_FLIGHT * h.containers.length);
    if (able.length === 0) throw unavailable(`All instances of variant ${variant.name} are busy.`);
    if (i.targetModel !== undefined) return hostOf(able, i.targetModel);
    if (variant.routing === 'RANDOM') return able[Math.floor(Math.random() * able.length)] as Host;
    return leastBusy(able);
  }
  /** Follows a route that has changed since the request was bound for a variant: to the same one, where it is still there. */
  function reroute(trip: Trip, i: Invocation): void {
    const route = o.route(i.endpoint);
    if (route === undefined) return;
    const { name } = trip.at.variant.variant;
    const at =
      choose(route, name, Math.random) ?? (i.targetVariant === undefined ? choose(route, undefined, Math.random) : undefined);
    if (at === undefined || at.variant.pool === trip.at.variant.pool) return;
    checkTargets(at.variant, i);
    trip.at = at;
  }
  /** All containers of an instance in their order, or the one that is named. */
  async function ask(host: Host, v: VariantRoute, i: Invocation, timed: (ms: number) => void): Promise<Answered> {
    const chain = v.direct ? host.containers.filter(c => c.container.name === i.targetContainer) : host.containers;
    let body = i.body;
    let contentType = i.contentType;
    let answer: Answered | undefined;
    for (const [n, c] of chain.entries()) {
      const last = n === chain.length - 1;
      const headers = {
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(last && i.accept !== undefined ? { accept: i.accept } : {}),
        ...(i.attributes === undefined ? {} : { 'x-amzn-sagemaker-custom-attributes': i.attributes }),
        ...(i.inferenceId === undefined ? {} : { 'x-amzn-sagemaker-inference-id': i.inferenceId }),
      };
      const started = performance.now();
      try {
        const got = await withTimeout(
          c.container.multi
            ? answerOfModel(o.models, v, c, i.targetModel ?? '', { op: 'invoke', headers, body })
            : c.call({ op: 'invoke', headers, body }),
          ANSWER_MS + (c.container.multi ? 300_000 : 0),
        );
        answer = { ...got, from: c.container.name };
      } catch (e) {
        if (e instanceof TimedOut)
          throw modelFailed(
            i,
            0,
            c.container.name,
            `Your invocation timed out while waiting for a response from container ${c.container.name}.`,
          );
        throw e;
      } finally {
        timed(performance.now() - started);
      }
      if (answer.status >= 400) break;
      body = answer.body;
      contentType = answer.headers['content-type'];
    }
    if (answer === undefined) throw new Error('an instance without containers');
    return answer;
  }
  /** What follows an answer without delaying it: data capture, and a copy for the shadow variant. */
  function afterwards(i: Invocation, { fleet, variant }: Chosen, answer: Answer): void {
    fleet.capture?.add({
      variant: variant.variant.name,
      time: o.clock.now(),
      inferenceId: i.inferenceId,
      input: { type: i.contentType ?? '', data: i.body },
      output: { type: answer.headers['content-type'] ?? '', data: answer.body },
    });
    const { shadow } = fleet;
    if (shadow === undefined || shadows >= MAX_SHADOWS || shadow.pool.ready.length === 0) return;
    if (Math.random() >= Math.min(1, shadow.variant.weight / variant.variant.weight)) return;
    shadows++;
    const started = performance.now();
    let model = 0;
    const copy = async (): Promise<number> => (await ask(leastBusy(shadow.pool.ready), shadow, i, ms => (model += ms))).status;
    setImmediate(() => {
      void copy()
        .catch(() => 500)
        .then(status => {
          shadows--;
          const total = (performance.now() - started) * 1000;
          shadow.meter.request(
            o.clock.now(),
            status,
            status >= 400,
            shadow.pool.ready.length,
            model * 1000,
            Math.max(0, total - model * 1000),
          );
        });
    });
  }
  return { invoke };
}
/** Where a request is bound for. */
interface Trip {
  at: Chosen;
}
interface Answered extends Answer {
  /** The name of the container. */
  readonly from: string;
}
export const leastBusy = (hosts: readonly Host[]): Host => hosts.reduce((a, b) => (b.inFlight < a.inFlight ? b : a));
const hash = (i: Invocation): string =>
  createHash('sha256')
    .update(`${i.endpoint}\n${i.targetModel ?? ''}\n`)
    .update(i.body)
    .digest('base64');
const unavailable = (why: string): AwsError => new AwsError('ServiceUnavailable', why, 503);

function checkTargets(v: VariantRoute, i: Invocation): void {
  const multi = v.pool.containers.some(c => c.multi);
  if (multi && i.targetModel === undefined)
    throw runtimeValidation(`Endpoint ${i.endpoint} has a multi-model container: the request must name a target model.`);
  if (!multi && i.targetModel !== undefined)
    throw runtimeValidation(`Endpoint ${i.endpoint} is not a multi-model endpoint: it does not take a target model.`);
  if (!v.direct && i.targetContainer !== undefined)
    throw runtimeValidation(
      `Endpoint ${i.endpoint} does not take a target container hostname: its inference execution mode is not Direct.`,
    );
  if (v.direct && i.targetContainer === undefined)
    throw runtimeValidation(
      `Endpoint ${i.endpoint} has the inference execution mode Direct: the request must name a target container hostname.`,
    );
  if (v.direct && !v.pool.containers.some(c => c.name === i.targetContainer))
    throw runtimeValidation(`Endpoint ${i.endpoint} has no container with the hostname ${i.targetContainer ?? ''}.`);
}
function reply(a: Answer, v: VariantRoute): Reply {
  const attributes = a.headers['x-amzn-sagemaker-custom-attributes'];
  return {
    status: 200,
    headers: {
      ...(a.headers['content-type'] === undefined ? {} : { 'content-type': a.headers['content-type'] }),
      'x-amzn-invoked-production-variant': v.variant.name,
      ...(attributes === undefined ? {} : { 'x-amzn-sagemaker-custom-attributes': attributes }),
    },
    body: a.body,
  };
}
function modelFailed(i: Invocation, status: number, container: string, message: string): AwsError {
  const group = `/aws/sagemaker/Endpoints/${i.endpoint}`;
  const party = status >= 400 && status < 500 ? 'client' : 'server';
  const shown = message.length > 1024 ? `${message.slice(0, 1024)}...` : message;
  const text = `Received ${party} error (${status}) from ${container} with message "${shown}". See the log of endpoint ${i.endpoint} for more information.`;
  return new AwsError('ModelError', text, 424, {
    OriginalStatusCode: status,
    OriginalMessage: shown,
    LogStreamArn: `arn:aws:logs:${i.region}:${i.account}:log-group:${group}`,
  });
}
const poisoned = (i: Invocation): AwsError =>
  modelFailed(
    i,
    500,
    'primary',
    `The process of the model ended ${FATAL} times with this request; it is refused for ${REFUSED_MS / 60_000} minutes.`,
  );
