/**
 * Data capture: requests and answers as lines of JSON, in objects by hour. What waits is bounded; what S3 does not take is dropped and told,
 * never in the way of an answer.
 */
import { randomUUID } from 'node:crypto';
import type { ObjectStore } from './s3.ts';

export interface CaptureOptions {
  readonly endpoint: string;
  /** `s3://BUCKET/PREFIX`. */
  readonly destination: string;
  /** 0 to 100. */
  readonly percentage: number;
  readonly input: boolean;
  readonly output: boolean;
  readonly csv: readonly string[];
  readonly json: readonly string[];
}
export interface Captured {
  readonly variant: string;
  readonly time: number;
  readonly inferenceId: string | undefined;
  readonly input: Body;
  readonly output: Body;
}
interface Body {
  readonly type: string;
  readonly data: Uint8Array;
}
export interface Capture {
  add(c: Captured): void;
}
const FLUSH_MS = 2000;
const MAX_WAITING = 16 << 20;
/** An object of this size is written at once. */
const OBJECT_BYTES = 1 << 20;

export interface Captures {
  of(o: CaptureOptions): Capture;
  /** Writes what waits. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
export function createCaptures(store: ObjectStore, log: (line: string) => void): Captures {
  let waiting = new Map<string, string[]>();
  let bytes = 0;
  let dropped = 0;
  let writing: Promise<void> = Promise.resolve();
  async function write(objects: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const [folder, lines] of objects) {
      const text = `${lines.join('\n')}\n`;
      try {
        await store.put(`${folder}/${randomUUID()}.jsonl`, Buffer.from(text));
      } catch (e) {
        log(
          `captured data of ${lines.length} requests could not be written to ${folder}: ${e instanceof Error ? e.message : String(e)}`,
        );
      }
      bytes -= text.length;
    }
  }
  const flush = (): Promise<void> => {
    if (dropped > 0) log(`captured data of ${dropped} requests were dropped: more than ${MAX_WAITING >> 20} MiB wait for S3`);
    dropped = 0;
    const objects = waiting;
    waiting = new Map();
    writing = writing.then(() => write(objects));
    return writing;
  };
  const timer = setInterval(() => void (waiting.size > 0 && flush()), FLUSH_MS);
  timer.unref();
  return {
    of: o => ({
      add: c => {
        if (Math.random() * 100 >= o.percentage) return;
        if (bytes > MAX_WAITING) {
          dropped++;
          return;
        }
        const time = new Date(c.time).toISOString();
        const folder = `${o.destination.replace(/\/+$/, '')}/${o.endpoint}/${c.variant}/${time.slice(0, 13).replace(/[-T]/g, '/')}`;
        const line = JSON.stringify({
          captureData: {
            ...(o.input && { endpointInput: { observedContentType: c.input.type, mode: 'INPUT', ...encode(o, c.input) } }),
            ...(o.output && { endpointOutput: { observedContentType: c.output.type, mode: 'OUTPUT', ...encode(o, c.output) } }),
          },
          eventMetadata: {
            eventId: randomUUID(),
            ...(c.inferenceId === undefined ? {} : { inferenceId: c.inferenceId }),
            inferenceTime: `${time.slice(0, 19)}Z`,
          },
          eventVersion: '0',
        });
        const lines = waiting.get(folder);
        if (lines === undefined) waiting.set(folder, [line]);
        else lines.push(line);
        bytes += line.length + 1;
        if (bytes > OBJECT_BYTES && waiting.size > 0) void flush();
      },
    }),
    flush,
    close: () => {
      clearInterval(timer);
      return flush();
    },
  };
}
function encode(o: CaptureOptions, b: Body): { readonly data: string; readonly encoding: 'CSV' | 'JSON' | 'BASE64' } {
  const type = b.type.split(';')[0]?.trim().toLowerCase() ?? '';
  const encoding = o.csv.includes(type) ? 'CSV' : o.json.includes(type) ? 'JSON' : 'BASE64';
  return { data: Buffer.from(b.data).toString(encoding === 'BASE64' ? 'base64' : 'utf8'), encoding };
}
