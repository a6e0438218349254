// What a model whose code is behind Node-API has for all of them: runtimes/node-api/binding.c says what an addon is.
import { error, ready } from './model.js';

/** The model of an addon, with memory of its own. */
export function open(m, addon) {
  if (addon.id !== m.id) throw error('E502', `${m.file} is not of this index.js; are all files from one compilation?`);
  const { memory, run } = addon.open();
  const state = new Int32Array(memory.buffer, memory.byteOffset + m.state, 1 + m.late.length);
  return ready(m, memory, { run, trap: () => state[0] - m.trap, symbol: i => state[1 + m.late.indexOf(i)] });
}
