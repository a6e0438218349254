// The workers that share the runs of all models of a page or program. compiler/backend/wasm/pool.ts says what a module has for it.
import { MAIL, wake, waker } from './control.js';

/** Milliseconds in which a worker must start. */
const PATIENCE = 10_000;

/** Whether there is memory for several threads: a page must be isolated from other origins (COOP and COEP). */
export const mayShare = typeof SharedArrayBuffer === 'function' && globalThis.crossOriginIsolated !== false;

// index.js of another bundle has the same pool.
const POOL = Symbol.for('sinter.pool.1');
const poolOf = () =>
  (globalThis[POOL] ??= {
    control: new Int32Array(new SharedArrayBuffer(64)),
    workers: [],
    models: 0,
    letters: 0,
    failed: false,
  });

/** Models go on without workers: those that are left end. Says so once. */
function lose(pool, why) {
  if (pool.failed) return;
  console.warn(`Sinter: models run on one thread, since ${why}`);
  pool.failed = true;
  pool.ended = Promise.all(pool.workers.splice(0).map(w => w.end()));
}
/** A worker with `send`, which gives a promise of its answer. */
function worker(index, pool) {
  const { control } = pool;
  // Deno and Bun have workers of both kinds; with those of Node a program ends though they sleep.
  const node = globalThis.document ? undefined : globalThis.process?.getBuiltinModule?.('node:worker_threads');
  const w = node
    ? new node.Worker(new URL('./worker.js', import.meta.url))
    : new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  const waiting = new Map();
  const fails = e => {
    for (const { reject } of waiting.values()) reject(e);
    waiting.clear();
  };
  const hears = answer => {
    const { resolve } = waiting.get(answer.letter) ?? {};
    waiting.delete(answer.letter);
    resolve?.(answer);
  };
  const ends = () => {
    lose(pool, 'a worker has ended');
    fails(new Error('a worker has ended'));
  };
  if (node) w.on('message', hears).on('error', fails).on('exit', ends);
  else {
    w.onmessage = e => hears(e.data);
    w.onerror = e => fails(new Error(e.message || 'worker.js beside index.js does not load'));
  }
  return {
    send: (letter, patience) =>
      new Promise((resolve, reject) => {
        // A program waits for what it asked, and ends though its workers sleep.
        w.ref?.();
        const late = patience && setTimeout(() => fails(new Error('a worker does not start')), patience);
        const done = f => x => {
          clearTimeout(late);
          if (waiting.size === 0) w.unref?.();
          f(x);
        };
        waiting.set(letter.letter, { resolve: done(resolve), reject: done(reject) });
        w.postMessage({ ...letter, index, control });
      }),
    end: () => w.terminate(),
  };
}
/** Sends each worker something; a promise for each answer. While there is mail, workers read it instead of helping. */
function tell(pool, letters, patience) {
  const letter = ++pool.letters;
  const mail = Atomics.add(pool.control, MAIL, 1) + 1;
  const answers = pool.workers.map((w, i) => w.send({ ...letters[i], letter, mail }, patience));
  wake(pool.control);
  // Who does not wait for an answer does not miss it.
  for (const a of answers) a.catch(() => {});
  return answers;
}
const all = (pool, what) => pool.workers.map(() => what);
// What is collected is forgotten by the workers too.
const collected =
  globalThis.FinalizationRegistry && new FinalizationRegistry(id => tell(poolOf(), all(poolOf(), { forget: id })));

/** A place in the pool for one model. */
export function join() {
  const pool = poolOf();
  const { control } = pool;
  const id = ++pool.models;
  let threads = 0;
  return {
    /** Begins a job. */
    wake: waker(control, id),
    /** Tells the workers of the model, and gives the number of threads there are for it; 0 where there are no workers. */
    begin: async (model, module, memory, most) => {
      if (pool.failed) return 0;
      while (pool.workers.length < Math.max(1, most - 1)) pool.workers.push(worker(pool.workers.length + 1, pool));
      try {
        const answers = await Promise.all(tell(pool, all(pool, { id, module, memory }), PATIENCE));
        for (const { why } of answers) if (why) throw new Error(why);
      } catch (e) {
        lose(pool, `workers do not start: ${e.message}`);
        return 0;
      }
      collected?.register(model, id);
      threads = Math.min(most, 1 + pool.workers.length);
      return threads;
    },
    /** A run led by a worker: what came of it; undefined where there are no workers any more. */
    run: async (args, late) => {
      if (pool.failed) return;
      try {
        return await tell(pool, [{ run: { id, args, late, threads } }, ...all(pool, {}).slice(1)])[0];
      } catch {
        // Nobody writes to the model's memory any more.
        lose(pool, 'a worker has ended');
        await pool.ended;
      }
    },
  };
}
