import { Agent, request } from 'node:http';

export interface Outcome {
  /** `VARIANT` of an answer with status 200; else the status and the body, or the error of the connection. */
  readonly counts: ReadonlyMap<string, number>;
  readonly total: number;
  /** Whatever was not status 200. */
  readonly failed: readonly string[];
  /** Texts of the answers, for each variant. */
  readonly texts: ReadonlyMap<string, ReadonlySet<string>>;
  readonly milliseconds: readonly number[];
}
/** Requests one after the other on each of some connections, without retries, until it is stopped. */
export function startLoad(
  url: string,
  body: string,
  connections = 8,
  headers: Readonly<Record<string, string>> = {},
): { stop(): Promise<Outcome>; readonly answered: number } {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const counts = new Map<string, number>();
  const failed: string[] = [];
  const texts = new Map<string, Set<string>>();
  const milliseconds: number[] = [];
  let running = true;
  let total = 0;
  const one = (): Promise<void> =>
    new Promise(done => {
      const started = performance.now();
      const end = (key: string, ok: boolean): void => {
        total++;
        milliseconds.push(performance.now() - started);
        counts.set(key, (counts.get(key) ?? 0) + 1);
        if (!ok) failed.push(key);
        done();
      };
      const r = request(
        url,
        { agent, method: 'POST', headers: { 'content-type': 'text/csv', 'content-length': body.length, ...headers } },
        answer => {
          const chunks: Buffer[] = [];
          answer.on('data', (c: Buffer) => chunks.push(c));
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if (answer.statusCode !== 200) {
              end(`${answer.statusCode ?? 0} ${text}`, false);
              return;
            }
            const variant = String(answer.headers['x-amzn-invoked-production-variant']);
            const known = texts.get(variant) ?? new Set();
            known.add(text);
            texts.set(variant, known);
            end(variant, true);
          });
          answer.on('error', e => end(`answer: ${e.message}`, false));
        },
      );
      r.on('error', e => end(`request: ${e.message}`, false));
      r.end(body);
    });
  const loop = async (): Promise<void> => {
    while (running) await one();
  };
  const loops = Array.from({ length: connections }, loop);
  return {
    get answered() {
      return total;
    },
    stop: async () => {
      running = false;
      await Promise.all(loops);
      agent.destroy();
      return { counts, total, failed, texts, milliseconds };
    },
  };
}
