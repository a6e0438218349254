// Loads a model whose code is a WebAssembly module for several threads; where these are not to be had, one for a single thread.
import { error, get, put, stopped } from './model.js';
import { join, mayShare } from './pool.js';
import { start } from './start.js';

// Whether memory may be shared is for the page to allow, too.
if (!mayShare) for (const m of MODEL.modules) if (m.pages) m.needs.threads = '';

/** The run by the caller alone, where the worker that led it has ended. */
const here = ({ code, args, m }) => {
  code.init();
  code.threads(1);
  try {
    code.run(...args);
    return { late: m.late.map(i => code.symbol(i)) };
  } catch (e) {
    return { trap: code.trap?.(), why: e.message };
  }
};
/** One run in a worker, which leads the others. Runs of one model wait for each other. */
async function later(x, job, inputs, into) {
  const last = x.last;
  let over;
  x.last = new Promise(resolve => (over = resolve));
  await last;
  const inner = x.running;
  try {
    put(x, inputs, into);
    const { late, trap, why } = (await job.run(x.args, x.m.late)) ?? here(x);
    if (why) throw stopped({ trap: () => trap }, new Error(why));
    for (let i = 0; i < late.length; i++) x.s[x.m.late[i]] = late[i];
    return get(x, into);
  } finally {
    x.running = inner;
    over();
  }
}

/** See `start`. `threads`: how many share the work of a run at most, the caller among them; otherwise as many as the processor has. */
export async function load(source, { threads = globalThis.navigator?.hardwareConcurrency ?? 1 } = {}) {
  let begin;
  const model = await start(source, async (module, m) => {
    if (!m.pages) return (await WebAssembly.instantiate(module)).exports;
    if (!mayShare)
      throw error(
        'E401',
        'threads need a page with COOP and COEP; compile with --target wasm-threads, which has other modules too',
      );
    const memory = new WebAssembly.Memory({ initial: m.pages, maximum: m.pages, shared: true });
    const job = join();
    const { exports } = await WebAssembly.instantiate(module, { sinter: { memory, wake: job.wake } });
    exports.init();
    // A window may not sleep, so it turns round while the last worker ends.
    if (!globalThis.document) exports.naps();
    const ready = x => {
      begin = async () => {
        const n = await job.begin(model, module, memory, Math.max(1, Math.min(threads, m.threads)));
        exports.threads(n);
        if (n > 0) model.runAsync = (inputs, options) => later(x, job, inputs, options?.into);
      };
    };
    return { ...exports, memory, ready };
  });
  await begin?.();
  model.runAsync ??= async (inputs, options) => model.run(inputs, options);
  return model;
}
