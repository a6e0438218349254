// Loads a model whose code is an addon of Node. Without an import, which takes longer than the rest.
import { error, isFolder, isPath, isUrl, near, tag } from './model.js';
import { open } from './open.js';

const windows = () => globalThis.process.platform === 'win32';
/** The path of a file's URL, which names a drive or a machine on Windows. */
function pathOf(url) {
  const { host, pathname } = new URL(url);
  const path = decodeURIComponent(pathname);
  return windows() ? (host ? `//${host}${path}` : path.slice(1)) : path;
}
/** What was loaded from a path stays: Node would make another environment for it each time. */
const addons = new Map();
function addonAt(path) {
  if (!addons.has(path)) {
    const module = { exports: {} };
    globalThis.process.dlopen(module, windows() ? path.replaceAll('/', '\\') : path);
    addons.set(path, module.exports);
  }
  return addons.get(path);
}

/** Makes the model ready to run. Without an argument the file beside this one is read; else the path or URL of model.node, or of its folder. */
export async function load(source) {
  const [m] = MODEL.modules;
  const at = await source;
  if (at !== undefined && !isUrl(at)) throw error('E502', `load takes the path or the URL of ${m.file}, not ${tag(at)}`);
  const place = at === undefined || isFolder(at) ? near(at, m.file, m.own) : at;
  let addon;
  try {
    // A name alone would be looked for where libraries are.
    addon = addonAt(isPath(place) ? place.replace(/^(?!.*[/\\])/, './') : pathOf(place));
  } catch (e) {
    if (e.code === 'E401') throw error('E401', `${e.message}, which the model was compiled for (${m.profile})`, e);
    throw error('E205', `cannot load ${place}: ${e.message}; 'make ${m.file}' beside index.js builds it for this machine`, e);
  }
  return open(m, addon);
}
