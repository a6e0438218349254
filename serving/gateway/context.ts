import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Answer, Call, ModelSpec, Op } from '../core/call.ts';
import { ServeError, messageOf } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import { respond } from './answer.ts';
import { readBody } from './body.ts';
import type { Metrics } from './metrics.ts';
import type { Pool } from './pool.ts';
import type { Stats } from './stats.ts';

/** What all routes share. */
export interface Context {
  readonly pool: Pool;
  readonly metrics: Metrics;
  readonly stats: Stats;
  readonly log: Logger;
  readonly limits: Limits;
  /** Models that may be loaded and unloaded by name. */
  readonly repository: ReadonlyMap<string, ModelSpec>;
  /** The folder that models may be loaded from by path; undefined: none may be. */
  readonly modelRoot: string | undefined;
  /** Set when the server ends: `ready` says no, then connections are closed. */
  ending: 'no' | 'draining' | 'closing';
}
/** How a protocol says what went wrong. */
export type ErrorAnswer = (status: number, message: string) => Answer;
type Params = Readonly<Record<string, string | undefined>>;
export type Handler = (req: IncomingMessage, res: ServerResponse, params: Params) => void;

/** Headers that workers read; no other leaves the gateway. */
const FORWARDED = ['content-type', 'accept', 'content-encoding', 'accept-encoding', 'inference-header-content-length'] as const;
function forwarded(req: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = req.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return headers;
}
/** What is thrown becomes an answer; what is no ServeError is logged, and the client learns nothing of it. */
export function failed(c: Context, e: unknown, as: ErrorAnswer): Answer {
  if (e instanceof ServeError) return as(e.status, e.message);
  c.log.error({ error: e instanceof Error ? (e.stack ?? e.message) : String(e) }, 'a request failed');
  return as(500, 'internal error');
}
/** Sends the body of a request to a model, and its answer back. */
export function inference(
  c: Context,
  op: Op,
  most: number,
  as: ErrorAnswer,
  modelOf: (p: Params, req: IncomingMessage) => string | undefined,
): Handler {
  return (req, res, params) => {
    const begun = performance.now();
    const model = modelOf(params, req);
    const name = model ?? c.pool.only;
    const done = (a: Answer): void => {
      respond(res, a, c.ending === 'closing' || a.status === 413);
      const ms = performance.now() - begun;
      c.stats.add(ms, a.status >= 400);
      if (a.status === 503) c.metrics.refused();
      // Names that are not of models would be a metric each.
      else if (name !== undefined && c.pool.has(name)) c.metrics.count(name, a, Math.round(ms * 1000));
      if (c.log.isLevelEnabled('debug'))
        c.log.debug({ op, model: name, status: a.status, ms: Math.round(ms * 1000) / 1000 }, 'request');
    };
    readBody(req, most, body => {
      if (body === undefined) return;
      if (body instanceof ServeError) {
        done(failed(c, body, as));
        return;
      }
      const call: Call = { op, model: name, headers: forwarded(req), body };
      c.pool.call(call).then(done, (e: unknown) => done(failed(c, e, as)));
    });
  };
}
/** A route of management: its body, if any, is small and JSON. */
export function managed(
  c: Context,
  as: ErrorAnswer,
  run: (params: Params, body: () => unknown, req: IncomingMessage) => Promise<Answer> | Answer,
): Handler {
  return (req, res, params) => {
    const done = (a: Answer): void => respond(res, a, c.ending === 'closing' || a.status === 413);
    readBody(req, MANAGED, body => {
      if (body === undefined) return;
      if (body instanceof ServeError) {
        done(failed(c, body, as));
        return;
      }
      Promise.resolve()
        .then(() => run(params, () => parsed(body), req))
        .then(done, (e: unknown) => done(failed(c, e, as)));
    });
  };
}
const MANAGED = 1 << 16;
function parsed(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(Buffer.from(body).toString('utf8')) as unknown;
  } catch (e) {
    throw new ServeError(400, `the body is no JSON: ${messageOf(e)}`);
  }
}
export const member = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null && Object.hasOwn(body, name)
    ? (body as Readonly<Record<string, unknown>>)[name]
    : undefined;
