import { strToU8, unzipSync, zipSync } from 'fflate';
import { mutateJson } from './json.ts';
import { mutateProtobuf, pick, SIZES, type Next } from './protobuf.ts';

/** How a file is made of parts. */
export type Kind = 'tflite' | 'graph' | 'tfjs' | 'keras' | 'h5';

/** A few bytes, or aligned words of 16 or 32 bits: what lengths, offsets and numbers of tensors are in. */
function mutateWords(next: Next, whole: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(whole).slice(0, next() < 0.05 ? Math.floor(next() * whole.length) : whole.length);
  const view = new DataView(bytes.buffer);
  do {
    // Tables are at the ends of most files, weights in the middle.
    const span = Math.min(bytes.length, 4096);
    const from = next() < 0.5 ? 0 : Math.max(0, bytes.length - span);
    const at = from + Math.floor(next() * (span - 4));
    if (at < 0 || at + 4 > bytes.length) continue;
    const aligned = at - (at % 4);
    switch (Math.floor(next() * 4)) {
      case 0:
        bytes[at] = Math.floor(next() * 256);
        break;
      case 1:
        view.setUint16(aligned, Math.floor(next() * 64), true);
        break;
      case 2:
        view.setInt32(aligned, (pick(next, SIZES) ?? 0) | 0, true);
        break;
      default:
        view.setInt32(aligned, view.getInt32(aligned, true) + (pick(next, [-4, -1, 1, 4, 8]) ?? 1), true);
    }
  } while (next() < 0.5);
  return bytes;
}
const decoder = new TextDecoder('latin1');
/** The configuration in a file of HDF5, in as many bytes as it had; else words. */
function mutateH5(next: Next, whole: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = decoder.decode(whole);
  const start = text.indexOf('{"');
  if (start < 0 || next() < 0.4) return mutateWords(next, whole);
  const end = text.indexOf('\0', start);
  const config = text.slice(start, end < 0 ? undefined : end);
  const made = mutateJson(next, config);
  if (made.length > config.length) return mutateWords(next, whole);
  const out = new Uint8Array(whole);
  out.set(
    Uint8Array.from(made.padEnd(config.length, ' '), c => c.charCodeAt(0)),
    start,
  );
  return out;
}
function mutateKeras(next: Next, whole: Uint8Array): Uint8Array {
  const files = unzipSync(whole);
  const weights = files['model.weights.h5'];
  const config = files['config.json'];
  if (weights && next() < 0.3) files['model.weights.h5'] = mutateH5(next, weights);
  else if (config) files['config.json'] = strToU8(mutateJson(next, new TextDecoder().decode(config)));
  return zipSync(files, { level: 0 });
}
/** One or a few things changed in a model. */
export function mutate(next: Next, kind: Kind, bytes: Uint8Array): Uint8Array {
  switch (kind) {
    case 'tflite':
      return mutateWords(next, bytes);
    case 'graph':
      return mutateProtobuf(next, bytes);
    case 'tfjs':
      return strToU8(mutateJson(next, new TextDecoder().decode(bytes)));
    case 'keras':
      return mutateKeras(next, bytes);
    case 'h5':
      return mutateH5(next, bytes);
  }
}
