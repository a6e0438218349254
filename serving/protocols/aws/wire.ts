// AWS JSON 1.0 and 1.1: which operation a request asks for, and its answer or error as bytes.
import { gunzipSync } from 'node:zlib';
import type { Json } from './check.ts';
import { AwsError, serialization } from './errors.ts';
import { SHAPES, type Service } from './shapes.ts';

export interface Request {
  readonly service: Service;
  readonly operation: string;
  readonly input: Json;
}
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;
/** The most that a request of the control plane may hold, unpacked; AWS's own limit for PutMetricData, the largest, is 1 MB. */
export const MAX_INPUT = 4 << 20;

const services = Object.entries(SHAPES) as readonly (readonly [Service, (typeof SHAPES)[Service]])[];
const one = (v: string | readonly string[] | undefined): string | undefined => (typeof v === 'string' ? v : v?.[0]);

/** What an operation that is asked for by X-Amz-Target is. Errors: UnknownOperationException, SerializationException. */
export function decodeRequest(headers: Headers, body: Uint8Array): Request {
  const [prefix = '', operation = ''] = (one(headers['x-amz-target']) ?? '').split('.');
  const service = services.find(([, s]) => s.target === prefix)?.[0];
  if (service === undefined || operation === '') throw new AwsError('UnknownOperationException', unknownProtocol(headers));
  let text: string;
  try {
    const plain = one(headers['content-encoding']) === 'gzip' ? gunzipSync(body, { maxOutputLength: MAX_INPUT }) : body;
    text = new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (e) {
    throw serialization(`The body cannot be decoded: ${e instanceof Error ? e.message : String(e)}`);
  }
  try {
    return { service, operation, input: text.trim() === '' ? {} : (JSON.parse(text) as Json) };
  } catch {
    throw serialization('The body is not JSON.');
  }
}
function unknownProtocol(headers: Headers): string {
  const known = services.map(([, s]) => `${s.target}.*`).join(', ');
  const hint =
    one(headers['smithy-protocol']) !== undefined || (one(headers['content-type']) ?? '').includes('urlencoded')
      ? ' Requests in CBOR, Query or XML are not understood: use an SDK that sends JSON.'
      : '';
  return `The request's X-Amz-Target names no service that endpointd serves (${known}).${hint}`;
}

/** JSON with times in seconds; members that are undefined are absent. */
export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(
    JSON.stringify(value, function (this: Record<string, unknown>, key, v: unknown) {
      const raw = this[key];
      return raw instanceof Date ? raw.getTime() / 1000 : v;
    }),
  );
}
const contentType = (service: Service | undefined): string =>
  `application/x-amz-json-${service === undefined ? '1.1' : SHAPES[service].version}`;

export const encodeAnswer = (service: Service, output: object): Reply => ({
  status: 200,
  headers: { 'content-type': contentType(service) },
  body: encodeJson(output),
});
/** An error of the control plane; SDKs that once spoke Query to CloudWatch read its code from a header. */
export function encodeError(service: Service | undefined, error: AwsError): Reply {
  const query =
    service === 'cloudwatch' ? { 'x-amzn-query-error': `${error.code};${error.status < 500 ? 'Sender' : 'Receiver'}` } : {};
  return {
    status: error.status,
    headers: { 'content-type': contentType(service), 'x-amzn-errortype': error.code, ...query },
    body: encodeJson({ __type: error.code, message: error.message, ...error.details }),
  };
}
/** An error of the runtime, which is REST: the code is a header, the members are capitalized. */
export const encodeRuntimeError = (error: AwsError): Reply => ({
  status: error.status,
  headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.code },
  body: encodeJson({ Message: error.message, ...error.details }),
});
/** The region that a request is signed for, of its credential's scope; the default where it is not signed. */
export function regionOf(headers: Headers): string {
  const scope = /Credential=[^/,\s]+\/\d{8}\/([a-z0-9-]{1,32})\//.exec(one(headers['authorization']) ?? '');
  return scope?.[1] ?? 'us-east-1';
}
