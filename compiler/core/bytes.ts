import { byContents } from './data.ts';
import { hashBytes } from './random.ts';

/** Whether two files are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
/** Hashes of bytes that nothing writes to, which every pass over a graph asks for again. */
const hashes = new WeakMap<Uint8Array, number>();
/** The hash of bytes that are not written to. */
export function hashOf(bytes: Uint8Array): number {
  let h = hashes.get(bytes);
  if (h === undefined) hashes.set(bytes, (h = hashBytes(bytes)));
  return h;
}
/** A function that gives for bytes the first ones that it saw of the same contents. Linear. */
export function internBytes(): (bytes: Uint8Array) => Uint8Array {
  const first = byContents<Uint8Array, Uint8Array>(hashOf, equalBytes);
  return bytes => first(bytes, () => bytes);
}
/** Bytes one after the other. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
export function base64(bytes: Uint8Array): string {
  let s = '';
  for (let i = 0; i < bytes.length; i += 3072) s += btoa(String.fromCharCode(...bytes.subarray(i, i + 3072)));
  return s;
}
/** The bytes of base64; undefined where the text is none. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), ch => ch.charCodeAt(0));
  } catch {
    return undefined;
  }
}
export const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);

/**
 * SHA-256 in hexadecimal. Where there is Node, its own: that of the Web copies the bytes first, and weights may take gigabytes. Without an
 * import, so that browsers and bundlers see nothing to resolve.
 */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const node = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.('node:crypto');
  if (node) return node.createHash('sha256').update(bytes).digest('hex');
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map(b => b.toString(16).padStart(2, '0')).join('');
}
