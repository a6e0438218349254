// A worker of the pool of index.js: it holds an instance of each model over the model's memory, and helps with the jobs that are open.
import { ASLEEP, MAIL, MODEL, ROUND, waker } from './control.js';

/** Turns of waiting before a worker sleeps: some tens of microseconds. */
const TURNS = 20_000;

const port = globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort ?? globalThis;
const models = new Map();
let seen = 0;
/** Helps until there is a message. */
function serve(index, control, mail) {
  while (Atomics.load(control, MAIL) === mail) {
    let round = seen;
    for (let turn = 0; turn < TURNS && round === seen; turn++) round = Atomics.load(control, ROUND);
    if (round === seen) {
      Atomics.add(control, ASLEEP, 1);
      Atomics.wait(control, ROUND, seen);
      Atomics.sub(control, ASLEEP, 1);
      continue;
    }
    seen = round;
    const code = models.get(Atomics.load(control, MODEL));
    try {
      code?.help(index);
    } catch {
      // Nobody waits for what stopped; the run tells.
      code.lost();
    }
  }
}
/** The instance of a model. */
async function instance({ id, module, memory }, control) {
  const { exports } = await WebAssembly.instantiate(module, { sinter: { memory, wake: waker(control, id) } });
  exports.naps();
  models.set(id, exports);
  return {};
}
/** Leads a run: what came of it. */
function lead({ id, args, late, threads }) {
  const code = models.get(id);
  try {
    code.threads(threads);
    code.run(...args);
    return { late: late.map(i => code.symbol(i)) };
  } catch (e) {
    code.abandon();
    return { trap: code.trap?.(), why: e.message };
  } finally {
    code.threads(1);
  }
}
async function hears({ letter, mail, index, control, ...what }) {
  let answer = {};
  try {
    if (what.module) answer = await instance(what, control);
    else if (what.run) answer = lead(what.run);
    else if (what.forget) models.delete(what.forget);
  } catch (e) {
    answer = { why: e.message };
  }
  port.postMessage({ ...answer, letter });
  serve(index, control, mail);
}
if (port === globalThis) globalThis.onmessage = e => hears(e.data);
else port.on('message', hears);
