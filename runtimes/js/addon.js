// Loads a model whose code is an addon of Node.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { error, isFolder, isPath, isUrl, near, tag } from './model.js';
import { open } from './open.js';

const require = createRequire(import.meta.url);

/** Makes the model ready to run. Without an argument the file beside this one is read; else the path or URL of model.node, or of its folder. */
export async function load(source) {
  const [m] = MODEL.modules;
  const at = await source;
  if (at !== undefined && !isUrl(at)) throw error('E502', `load takes the path or the URL of ${m.file}, not ${tag(at)}`);
  const place = at === undefined || isFolder(at) ? near(at, m.file, m.own) : at;
  let addon;
  try {
    addon = require(isPath(place) ? resolve(place) : fileURLToPath(place));
  } catch (e) {
    if (e.code === 'E401') throw error('E401', `${e.message}, which the model was compiled for (${m.profile})`, e);
    throw error('E205', `cannot load ${place}: ${e.message}; 'make ${m.file}' beside index.js builds it for this machine`, e);
  }
  return open(m, addon);
}
