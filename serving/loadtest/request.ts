/** What is sent: a body from a file, or random inputs for a model that says by the Open Inference Protocol what it takes. */
import { readFileSync } from 'node:fs';
import { request } from 'undici';
import { MiB } from '../core/limits.ts';

/** What a person can mend: a wrong URL, a body that the server refuses, a server that is not there. */
export class LoadtestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LoadtestError';
  }
}
/** The requests of a test: they take turns. */
export interface Requests {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly Uint8Array[];
}
export interface BodyOptions {
  /** A file; random inputs where none is given. */
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** The size of axes that may vary, of random inputs. */
  readonly rows: number;
  readonly seed: number;
}
/** How many different random inputs there are. */
const BODIES = 16;
/** In bytes. */
const LONGEST_ANSWER = 64 * MiB;
/** In milliseconds. */
const GET_TIMEOUT = 10_000;
/** The most elements of a random input. */
const LARGEST = 2 ** 24;
const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  json: 'application/json',
  jsonl: 'application/jsonlines',
  libsvm: 'text/libsvm',
  npy: 'application/x-npy',
  pbr: 'application/x-recordio-protobuf',
};

export async function requestsFor(url: URL, o: BodyOptions): Promise<Requests> {
  if (o.body !== undefined) return { url, ...fromFile(o.body, o) };
  const { infer, inputs } = await metadata(url);
  const next = randomStream(o.seed);
  const bodies = Array.from({ length: BODIES }, () =>
    Buffer.from(JSON.stringify({ inputs: inputs.map(i => randomInput(i, o.rows, next)) })),
  );
  return { url: infer, headers: { 'content-type': 'application/json', ...o.headers }, bodies };
}
function fromFile(file: string, o: BodyOptions): Pick<Requests, 'headers' | 'bodies'> {
  const type = o.contentType ?? TYPES[/\.(\w+)$/.exec(file)?.[1] ?? ''];
  if (type === undefined)
    throw new LoadtestError(`the content type of ${file} is not known by its name; give it with --content-type`);
  try {
    return { headers: { 'content-type': type, ...o.headers }, bodies: [readFileSync(file)] };
  } catch (e) {
    throw new LoadtestError(`cannot read ${file}: ${reasonOf(e)}`);
  }
}

/** An input as the metadata of a model describes it; -1 is a size that varies. */
interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}
/** Where a model is asked, and what for: of a URL of the model, of its `infer`, or of a server that has only one. */
async function metadata(url: URL): Promise<{ readonly infer: URL; readonly inputs: readonly Input[] }> {
  const path = url.pathname.replace(/\/+$/, '').replace(/\/infer$/, '');
  const model = /\/v2\/models\/[^/]+(\/versions\/[^/]+)?$/.test(path) ? path : await onlyModel(url);
  const at = new URL(model, url);
  const about = await getJson(at);
  const inputs = field(about, 'inputs');
  if (!Array.isArray(inputs) || !inputs.every(isInput))
    throw new LoadtestError(`${at.href} does not say what inputs the model takes; give a request with --body`);
  return { infer: new URL(`${model}/infer`, url), inputs };
}
async function onlyModel(url: URL): Promise<string> {
  if (!/^(\/v2(\/models)?)?\/?$/.test(url.pathname))
    throw new LoadtestError(
      `${url.href} says nothing of its inputs: give a request with --body, or the URL of a model of the Open Inference Protocol (…/v2/models/NAME)`,
    );
  const list = await getJson(new URL('/v2/models', url));
  const all = Array.isArray(list) ? list : field(list, 'models');
  const names = Array.isArray(all) ? all.map(m => (typeof m === 'string' ? m : field(m, 'name'))) : [];
  const [only] = names;
  if (names.length !== 1 || typeof only !== 'string')
    throw new LoadtestError(
      names.length === 0
        ? `${url.href} names no model; give its URL (…/v2/models/NAME) or a request with --body`
        : `${url.href} has several models: choose one of ${names.map(n => `/v2/models/${String(n)}`).join(', ')}`,
    );
  return `/v2/models/${encodeURIComponent(only)}`;
}
const field = (x: unknown, name: string): unknown =>
  typeof x === 'object' && x !== null ? (Reflect.get(x, name) as unknown) : undefined;
function isInput(x: unknown): x is Input {
  const shape = field(x, 'shape');
  return (
    typeof field(x, 'name') === 'string' &&
    typeof field(x, 'datatype') === 'string' &&
    Array.isArray(shape) &&
    shape.every(n => Number.isInteger(n) && Number(n) >= -1)
  );
}
async function getJson(url: URL): Promise<unknown> {
  try {
    const { status, text } = await ask(url, { method: 'GET' }, GET_TIMEOUT);
    if (status !== 200) throw new LoadtestError(`GET ${url.href} answers ${status}: ${text.slice(0, 200)}`);
    return JSON.parse(text) as unknown;
  } catch (e) {
    if (e instanceof LoadtestError) throw e;
    throw new LoadtestError(`GET ${url.href} fails: ${reasonOf(e)}`);
  }
}
/** One request and the text of its answer. It fails where that is not there, as a whole and of a sane size, after `timeout` milliseconds. */
export async function ask(
  url: URL,
  options: { readonly method: 'GET' | 'POST'; readonly headers?: Readonly<Record<string, string>>; readonly body?: Uint8Array },
  timeout: number,
): Promise<{ readonly status: number; readonly text: string }> {
  const { statusCode, body } = await request(url, { ...options, signal: AbortSignal.timeout(timeout) });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > LONGEST_ANSWER) throw new Error(`the answer is longer than ${LONGEST_ANSWER / MiB} MiB`);
    chunks.push(chunk);
  }
  return { status: statusCode, text: Buffer.concat(chunks).toString() };
}
/** Why something failed; errors of connections to several addresses have no message of their own. */
export function reasonOf(e: unknown): string {
  const message = field(e, 'message');
  const code = field(e, 'code');
  return typeof message === 'string' && message !== '' ? message : typeof code === 'string' ? code : String(e);
}

/** An input of the protocol's JSON: floats from -1 to 1, integers from 0 to 9. */
function randomInput(i: Input, rows: number, next: () => number): unknown {
  const shape = i.shape.map(n => (n === -1 ? rows : n));
  const n = shape.reduce((a, b) => a * b, 1);
  if (n > LARGEST) throw new LoadtestError(`input ${i.name} would have ${n} elements; give a request with --body`);
  const draw = drawOf(i.datatype);
  if (!draw)
    throw new LoadtestError(
      `input ${i.name} is of type ${i.datatype}, of which there are no random values; give a request with --body`,
    );
  return { name: i.name, datatype: i.datatype, shape, data: Array.from({ length: n }, () => draw(next())) };
}
function drawOf(datatype: string): ((x: number) => number | boolean | string) | undefined {
  if (/^(FP(16|32|64)|BF16)$/.test(datatype)) return x => Math.fround(2 * x - 1);
  if (/^U?INT(8|16|32|64)$/.test(datatype)) return x => Math.floor(10 * x);
  if (datatype === 'BOOL') return x => x < 0.5;
  if (datatype === 'BYTES') return x => `text ${Math.floor(10 * x)}`;
  return undefined;
}
/** Numbers in [0, 1), the same for a seed everywhere: Lehmer's generator with Park and Miller's constants. */
export function randomStream(seed: number): () => number {
  let state = (Math.abs(Math.trunc(seed)) % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return (state - 1) / 2147483646;
  };
}
