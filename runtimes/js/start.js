// Loads a model whose code is a WebAssembly module, or the best of several; wasm.js and threads.js begin with it.
import { compile, fill } from './files.js';
import { error, isFolder, isUrl, near, ready } from './model.js';

/** What a module needs and this engine has not. With each need comes a small module, which runs only where it is met. */
const lacks = m =>
  Object.keys(m.needs).filter(n => {
    try {
      new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(atob(m.needs[n]), c => c.charCodeAt(0))));
    } catch {
      return true;
    }
  });
const unfit = m => error('E401', `this engine has no ${lacks(m).join(', no ')}; compile with --target wasm-auto`);

/** A checksum over some of the bytes, which tells other weights of the same size. */
function sample(bytes) {
  const step = Math.ceil(bytes.length / 1024);
  let h = 0;
  for (let i = 0; i < bytes.length; i += step) h = (Math.imul(h, 31) + bytes[i]) | 0;
  return h;
}

/**
 * Makes the model ready to run. Without a source the files beside this one are read. Bytes, a Response, a WebAssembly.Module or a URL:
 * the module; a URL that ends with '/': the folder of both files; `{ wasm, weights }`: each on its own. `instantiate(module, m)` gives what
 * `ready` takes, and the memory.
 */
export async function start(source, instantiate) {
  const given = await source;
  const both =
    given && typeof given === 'object' && !isUrl(given) && ('wasm' in given || 'weights' in given) ? given : { wasm: given };
  const at = isUrl(both.wasm) && both.wasm;
  const folder = at && isFolder(at);
  /** The best module that this engine runs. */
  const pick = () => {
    const m = MODEL.modules.find(m => !lacks(m)[0]);
    if (!m) throw unfit(MODEL.modules.at(-1));
    return m;
  };
  // One module is tried without asking first: an engine that lacks a feature says so by failing.
  const wasm = () => {
    const m = MODEL.modules.length > 1 ? pick() : MODEL.modules[0];
    return near(at, m.files[0], m.wasm);
  };
  const module = await compile(both.wasm === undefined || folder ? wasm() : both.wasm).catch(e => {
    if (e.code) throw e;
    pick();
    throw error('E203', `the module does not compile: ${e.message}`, e);
  });
  const [section] = WebAssembly.Module.customSections(module, 'sinter');
  const id = String.fromCharCode(...new Uint8Array(section ?? []));
  const m = MODEL.modules.find(x => x.id === id);
  if (!m) throw error('E502', 'the module is not of this index.js; are all files from one compilation?');
  const code = await instantiate(module, m);
  // An engine may compile what it does otherwise; other features it has if it compiles them, and some must not be asked for more.
  if (m.exact && lacks(m)[0]) throw unfit(m);
  if (m.bytes > 0) {
    const memory = new Uint8Array(code.memory.buffer, m.base, m.bytes);
    await fill(memory, both.weights ?? near(at, m.files[1], m.weights));
    if (sample(memory) !== m.sum)
      throw error('E502', 'the weights are not of this index.js; are all files from one compilation?');
  }
  code.prepare?.();
  return ready(m, new Uint8Array(code.memory.buffer), code);
}
