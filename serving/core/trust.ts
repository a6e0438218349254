/**
 * Which bundles a worker loads. A bundle's index.js is a program, and native code may do whatever its user may.
 * - `webassembly`: those without native code; the worker has no right but to read files.
 * - `signed`: those that the owner of one of these public keys (PEM, Ed25519) signed, and what was compiled here; native code too.
 * - `all`: any.
 */
export type Trust =
  | { readonly k: 'webassembly' }
  | { readonly k: 'signed'; readonly keys: readonly string[] }
  | { readonly k: 'all' };
