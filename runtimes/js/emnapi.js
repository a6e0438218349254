// Loads a model whose code is an addon of Node, built as a WebAssembly module: emnapi is its Node-API.
import { instantiate } from './emnapi-runtime.js';
import { compile } from './files.js';
import { error, isFolder, isUrl, near } from './model.js';
import { open } from './open.js';

/**
 * Makes the model ready to run. Without an argument the file beside this one is read. Bytes, a Response, a WebAssembly.Module or a URL: the
 * module; a URL that ends with '/': its folder.
 */
export async function load(source) {
  const [m] = MODEL.modules;
  const given = await source;
  const folder = isUrl(given) && isFolder(given);
  const module = await compile(given === undefined || folder ? near(given, m.file, m.own) : given).catch(e => {
    if (e.code === 'E205') e.message += `; 'make ${m.file}' beside index.js builds it`;
    if (e.code) throw e;
    throw error('E203', `the module does not compile: ${e.message}`, e);
  });
  return open(m, await instantiate(module));
}
