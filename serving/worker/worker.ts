import type { Answer, Call, LoadedFrom, WorkerStart } from '../core/call.ts';
import { ServeError, messageOf } from '../core/errors.ts';
import { openModel, type Model } from './model.ts';

/** What answers calls. `done` is called once for each. */
export interface Worker {
  call(c: Call, done: (a: Answer) => void): void;
}
const text = (status: number, body: string): Answer => ({
  status,
  headers: { 'content-type': 'text/plain' },
  body: Buffer.from(body),
});

export async function openWorker(start: WorkerStart): Promise<Worker> {
  const models = new Map<string, Model>();
  const load = async (from: LoadedFrom): Promise<void> => {
    models.set(from.name, await openModel(from));
  };
  for (const m of start.models) await load(m);
  const one = (name: string | undefined): Model => {
    const [first] = models.values();
    const m = name === undefined ? first : models.get(name);
    if (!m) throw new ServeError(404, `Model not found: ${name ?? ''}`);
    return m;
  };
  const run = async (c: Call): Promise<Answer> => {
    switch (c.op) {
      case 'ping':
        return text(200, '');
      case 'load':
        await load(JSON.parse(Buffer.from(c.body).toString('utf8')) as LoadedFrom);
        return text(200, '');
      case 'unload':
        models.delete(one(c.model).name);
        return text(200, '');
      case 'list':
        return text(200, JSON.stringify([...models.keys()]));
      case 'invoke': {
        const rows = Buffer.from(c.body).toString('utf8').trim().split('\n');
        const numbers = Float32Array.from(rows.flatMap(r => r.split(',').map(Number)));
        const out = one(c.model).run(numbers, rows.length);
        return text(200, Array.from(out).join(','));
      }
      case 'metadata':
      case 'infer':
      case 'infer-grpc':
        throw new ServeError(501, `${c.op} is not there yet`);
    }
  };
  return {
    call: (c, done) => {
      run(c).then(done, (e: unknown) => done(text(e instanceof ServeError ? e.status : 500, messageOf(e))));
    },
  };
}
