// Loads a model whose code is a WebAssembly module, or the best of several, for one thread.
import { start } from './start.js';

/** See `start`. */
export const load = source => start(source, async module => (await WebAssembly.instantiate(module)).exports);
