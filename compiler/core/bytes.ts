/** Whether two files are the same. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);
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
