// HTTP in front of the control plane and the runtime, on one port, as SDKs with one endpoint URL expect.
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { check } from '../protocols/aws/check.ts';
import { AwsError, runtimeValidation } from '../protocols/aws/errors.ts';
import type { Service } from '../protocols/aws/shapes.ts';
import {
  decodeRequest,
  encodeAnswer,
  encodeError,
  encodeRuntimeError,
  MAX_INPUT,
  regionOf,
  type Reply,
} from '../protocols/aws/wire.ts';
import type { Caller } from './api/caller.ts';
import type { Clock } from './clock.ts';
import type { Invocation, Runtime } from './runtime.ts';

/** An operation, given its checked input. */
export type Operation = (input: never, caller: Caller) => object | Promise<object>;
export type Operations = Readonly<Record<Service, Readonly<Record<string, Operation>>>>;
export interface ServerOptions {
  readonly clock: Clock;
  readonly account: string;
  readonly operations: Operations;
  readonly runtime: Runtime;
  /** Forgets everything, for suites of tests; undefined where that is not allowed. */
  readonly reset: (() => Promise<void>) | undefined;
  /** Faults of ours, whose text does not go to callers. */
  fault(e: unknown): void;
}
/** The limit of InvokeEndpoint's body. */
const MAX_BODY = 6_291_456;
/** Longer than the time for which clients keep idle connections, so that none is reset under a request. */
const KEEP_ALIVE_MS = 75_000;

export function createServer(o: ServerOptions): Server {
  const server = createHttpServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 120_000, headersTimeout: 30_000 },
    (request, response) => {
      void answer(o, request)
        .then(reply => send(response, reply))
        .catch((e: unknown) => {
          o.fault(e);
          response.destroy();
        });
    },
  );
  return server;
}
function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, {
    ...reply.headers,
    'content-length': reply.body.length,
    'x-amzn-requestid': randomUUID(),
  });
  response.end(reply.body);
}
const empty = (status: number): Reply => ({ status, headers: {}, body: new Uint8Array(0) });

async function answer(o: ServerOptions, request: IncomingMessage): Promise<Reply> {
  const url = request.url ?? '/';
  const path = url.split('?', 1)[0] ?? '/';
  const [, name] = /^\/endpoints\/([^/]+)\/invocations$/.exec(path) ?? [];
  if (request.method === 'POST' && name !== undefined) return invoke(o, request, name);
  if (request.method === 'POST' && path === '/') return control(o, request);
  if (request.method === 'GET' && path === '/ping') return empty(200);
  if (request.method === 'POST' && path === '/moto-api/reset' && o.reset !== undefined) {
    await o.reset();
    return empty(200);
  }
  const why =
    path.endsWith('/invocations-response-stream') || path.endsWith('/async-invocations')
      ? 'answers are neither streamed nor asynchronous'
      : 'there is nothing here';
  return encodeRuntimeError(new AwsError('UnknownOperationException', `${request.method ?? ''} ${path}: ${why}.`, 404));
}
async function control(o: ServerOptions, request: IncomingMessage): Promise<Reply> {
  let service: Service | undefined;
  try {
    const body = await read(request, MAX_INPUT);
    const asked = decodeRequest(request.headers, body);
    service = asked.service;
    const input = check(asked.service, asked.operation, asked.input);
    const run = o.operations[asked.service][asked.operation];
    if (run === undefined) throw new AwsError('UnknownOperationException', `endpointd does not serve ${asked.operation}.`);
    const output = await run(input as never, { region: regionOf(request.headers), account: o.account, now: o.clock.now() });
    return encodeAnswer(asked.service, output);
  } catch (e) {
    return encodeError(service, known(o, e));
  }
}
async function invoke(o: ServerOptions, request: IncomingMessage, name: string): Promise<Reply> {
  try {
    const body = await read(request, MAX_BODY);
    const header = (h: string): string | undefined => {
      const v = request.headers[h];
      return typeof v === 'string' ? v : undefined;
    };
    const invocation: Invocation = {
      endpoint: decode(name),
      region: regionOf(request.headers),
      account: o.account,
      contentType: header('content-type'),
      accept: header('accept'),
      attributes: header('x-amzn-sagemaker-custom-attributes'),
      targetModel: header('x-amzn-sagemaker-target-model'),
      targetVariant: header('x-amzn-sagemaker-target-variant'),
      targetContainer: header('x-amzn-sagemaker-target-container-hostname'),
      inferenceId: header('x-amzn-sagemaker-inference-id'),
      body,
    };
    return await o.runtime.invoke(invocation);
  } catch (e) {
    return encodeRuntimeError(known(o, e));
  }
}
function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw runtimeValidation(`${name} is not the name of an endpoint.`);
  }
}
function known(o: ServerOptions, e: unknown): AwsError {
  if (e instanceof AwsError) return e;
  o.fault(e);
  return new AwsError('InternalFailure', 'An internal error has occurred; the log of endpointd says more.', 500);
}
/** The body; an error of status 413 as soon as it is too long. */
function read(request: IncomingMessage, max: number): Promise<Buffer> {
  const tooLong = (): AwsError => new AwsError('RequestEntityTooLarge', `The body has more than ${max} bytes.`, 413);
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > max) {
      request.resume();
      reject(tooLong());
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > max) {
        chunks.length = 0;
        reject(tooLong());
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () =>
      reject(new AwsError('RequestTimeout', 'The connection was closed before the body was complete.', 408)),
    );
  });
}
