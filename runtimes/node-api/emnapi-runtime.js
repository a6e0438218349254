// Node-API for WebAssembly modules, from the packages of emnapi; carried by bundles, so that they need nothing else.
import { instantiateNapiModule } from '@emnapi/core';
import { createContext } from '@emnapi/runtime';

/** What an addon exports. Each call gives an instance with memory of its own. */
export async function instantiate(module) {
  const { napiModule } = await instantiateNapiModule(module, { context: createContext() });
  return napiModule.exports;
}
