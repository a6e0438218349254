/**
 * Signatures of bundles: signature.json in the folder of a bundle lists the SHA-256 of every other file, and holds an Ed25519 signature of
 * that list, so that whoever has the public key knows that no file was changed, added or taken away.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServeError, messageOf } from './errors.ts';

export const SIGNATURE = 'signature.json';
type Digests = readonly (readonly [path: string, sha256: string])[];
interface Signature {
  readonly algorithm: 'Ed25519';
  readonly files: Digests;
  /** Base64, of `signedBytes`. */
  readonly signature: string;
}
const signedBytes = (files: Digests): Buffer => Buffer.from(`sinter bundle 1\n${JSON.stringify(files)}`);

/** Signs all that is in the folder of a bundle. Errors: no bundle, links in it, a key that is not the private one of Ed25519. */
export function signBundle(dir: string, privateKey: string): number {
  if (!existsSync(join(dir, 'manifest.json'))) throw new Error(`${dir} is not the folder of a bundle: it has no manifest.json`);
  const key = keyOf(() => createPrivateKey(privateKey), 'a private key in PEM');
  const files = digests(dir);
  const s: Signature = { algorithm: 'Ed25519', files, signature: sign(null, signedBytes(files), key).toString('base64') };
  writeFileSync(join(dir, SIGNATURE), `${JSON.stringify(s, undefined, 1)}\n`);
  return files.length;
}
/** Throws where a text is not the public key of a pair of Ed25519. */
export const checkKey = (pem: string): void => void publicKey(pem);
const publicKey = (pem: string): KeyObject => keyOf(() => createPublicKey(pem), 'a public key in PEM');
function keyOf(read: () => KeyObject, what: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (e) {
    throw new Error(`not ${what}: ${messageOf(e)}`, { cause: e });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`not a key of Ed25519, but of ${key.asymmetricKeyType ?? 'another kind'}`);
  return key;
}
/** ServeError 400 where a bundle is not signed by one of the public keys, or is not what was signed. */
export function checkSignature(dir: string, keys: readonly string[]): void {
  const refuse = (why: string): never => {
    throw new ServeError(400, `${dir} ${why}; only signed bundles are loaded here (\`sinter sign\`)`);
  };
  const file = join(dir, SIGNATURE);
  if (!existsSync(file)) refuse(`is not signed: it has no ${SIGNATURE}`);
  let s: Signature | undefined;
  try {
    s = signatureOf(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    s = undefined;
  }
  if (s === undefined) return refuse(`has a damaged ${SIGNATURE}`);
  const { files, signature } = s;
  const bytes = signedBytes(files);
  if (!keys.some(k => verify(null, bytes, publicKey(k), Buffer.from(signature, 'base64'))))
    refuse('is signed by a key that is not trusted, or its list of files was changed');
  const there = new Map(digests(dir));
  for (const [path, sha256] of files) {
    if (!there.has(path)) refuse(`lacks ${path}, which was signed`);
    if (there.get(path) !== sha256) refuse(`has another ${path} than was signed`);
    there.delete(path);
  }
  for (const path of there.keys()) refuse(`has ${path}, which was not signed`);
}
function signatureOf(json: unknown): Signature | undefined {
  const s = json as Partial<Signature> | null;
  const pairs =
    Array.isArray(s?.files) && s.files.every(f => Array.isArray(f) && f.length === 2 && f.every(t => typeof t === 'string'));
  return pairs && typeof s.signature === 'string' ? (s as Signature) : undefined;
}
/** The SHA-256 of every file in a folder but the signature itself, by paths with slashes, in their order. */
function digests(dir: string): Digests {
  const found: [string, string][] = [];
  const walk = (path: string): void => {
    for (const name of readdirSync(join(dir, path))) {
      const at = path === '' ? name : `${path}/${name}`;
      const info = lstatSync(join(dir, at));
      if (info.isDirectory()) walk(at);
      else if (!info.isFile()) throw new ServeError(400, `${dir}: ${at} is neither a file nor a folder; a signature is of files`);
      else if (at !== SIGNATURE)
        found.push([
          at,
          createHash('sha256')
            .update(readFileSync(join(dir, at)))
            .digest('hex'),
        ]);
    }
  };
  walk('');
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}
