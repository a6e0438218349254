// Reads WebAssembly modules and weights: bytes, a Blob, a Response (or the promise of one), a URL; in Node also a path.
import { error, isPath, isUrl, tag } from './model.js';

/** The file system where there is one and `x` is in it. Without an import, so that browsers and bundlers see nothing to resolve. */
const fsFor = x => isUrl(x) && (isPath(x) || /^file:/.test(x)) && globalThis.process?.getBuiltinModule?.('node:fs');
const place = x => (isPath(x) ? x : new URL(x));
const cannot = (x, e) => error('E205', `cannot read ${x}: ${e.message}`, e);
async function get(x) {
  const r = isUrl(x)
    ? await fetch(x).catch(e => {
        throw cannot(x, e);
      })
    : x;
  if (r?.ok === false) throw cannot(r.url || 'the response', { message: `the server answers ${r.status}` });
  return r;
}
async function bytesOf(x) {
  if (ArrayBuffer.isView(x)) return new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
  if (x?.byteLength >= 0) return new Uint8Array(x);
  if (x?.arrayBuffer) return new Uint8Array(await x.arrayBuffer());
  throw error('E502', `load takes bytes, a Response, a URL or { wasm, weights }, not ${tag(x)}`);
}
/** Reads a file into `to` and gives its length, or one more than `to` holds. Without asking for its size, which takes longer than reading. */
function readFile(fs, x, to) {
  let file;
  let at = 0;
  try {
    file = fs.openSync(place(x));
    for (let n = 1; n > 0 && at < to.length; at += n) n = fs.readSync(file, to, at, Math.min(to.length - at, 1 << 30), null);
    return at + (at === to.length ? fs.readSync(file, new Uint8Array(1)) : 0);
  } catch (e) {
    throw cannot(x, e);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}
export async function compile(given) {
  const x = await given;
  const fs = fsFor(x);
  if (fs)
    for (let size = 1 << 17; ; size *= 8) {
      const bytes = new Uint8Array(size);
      const n = readFile(fs, x, bytes);
      if (n <= size) return new WebAssembly.Module(bytes.subarray(0, n));
    }
  const y = await get(x);
  if (tag(y) === 'WebAssembly.Module') return y;
  if (tag(y) === 'Response' && WebAssembly.compileStreaming && /^application\/wasm/.test(y.headers.get('content-type')))
    return WebAssembly.compileStreaming(y);
  return WebAssembly.compile(await bytesOf(y));
}
/** Fills memory with the weights: piece by piece, so that no second copy of them is held. */
export async function fill(to, given) {
  const x = await given;
  const fs = fsFor(x);
  let at = 0;
  if (fs) at = readFile(fs, x, to);
  else {
    const put = part => {
      if (at + part.length <= to.length) to.set(part, at);
      at += part.length;
    };
    const y = await get(x);
    const reader = tag(y) === 'Response' && y.body?.getReader();
    if (!reader) put(await bytesOf(y));
    else for (let r = await reader.read(); !r.done; r = await reader.read()) put(r.value);
  }
  if (at !== to.length)
    throw error(
      'E203',
      `model.weights is truncated or damaged: ${at > to.length ? 'more than' : `${at} bytes instead of`} ${to.length}`,
    );
}
