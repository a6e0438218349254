// Node-API for WebAssembly modules, from the packages of emnapi; carried by bundles, so that they need nothing else.
import { instantiateNapiModule } from '@emnapi/core';
import { createContext } from '@emnapi/runtime';

/** What an addon exports. Each call gives an instance with memory of its own, which goes when nothing holds the addon any more. */
export async function instantiate(module) {
  const { napiModule } = await instantiateNapiModule(module, { context: newContext() });
  return napiModule.exports;
}
/** In Node a context waits for the end of the process, and would be kept until then. Nothing that an addon of ours does must wait for it. */
function newContext() {
  const waiting = () => globalThis.process?.rawListeners?.('beforeExit') ?? [];
  const before = waiting();
  const context = createContext();
  for (const f of waiting()) if (!before.includes(f)) globalThis.process.removeListener('beforeExit', f);
  return context;
}
