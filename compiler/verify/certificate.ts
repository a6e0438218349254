import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import { isBundle, readBytes, readText, writeFile } from '../host/files.ts';
import type { Parity } from './parity.ts';

/**
 * What a bundle was proved to compute, in its manifest.json as `parity`: `sinter compile --verify` writes it, `sinter verify` checks it
 * again. It holds no date and no path, so the same compilation on the same machine gives the same bytes. It is no signature: who changes
 * a bundle on purpose can write another one, and only a run against the model tells.
 */
export interface Certificate extends Parity {
  /** SHA-256 of the model's file. */
  readonly model: string;
  /** SHA-256 of every file beside manifest.json. */
  readonly files: Readonly<Record<string, string>>;
  /** SHA-256 of manifest.json without this certificate, as JSON without spaces. */
  readonly manifest: string;
}
type Json = Readonly<Record<string, unknown>>;
const isJson = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v);
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const MANIFEST = 'manifest.json';

function readManifest(dir: string): Json {
  if (!isBundle(dir)) return fail('E207', { dir, why: 'it has no manifest.json of Sinter' });
  const json: unknown = JSON.parse(readText(join(dir, MANIFEST)));
  return isJson(json) ? json : fail('E207', { dir, why: 'its manifest.json is damaged' });
}
/** A manifest without its certificate. */
const bare = (manifest: Json): Json => Object.fromEntries(Object.entries(manifest).filter(([key]) => key !== 'parity'));
const digestOf = (manifest: Json): string => sha256(JSON.stringify(bare(manifest)));
function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map(f => f.replaceAll('\\', '/'))
    .filter(f => f !== MANIFEST && statSync(join(dir, f)).isFile())
    .sort();
}

/** Writes the certificate of a bundle into its manifest; what agrees on all files that are there now is what was proved. */
export function certify(dir: string, parity: Parity): Certificate {
  const manifest = bare(readManifest(dir));
  const source = manifest['source'];
  const certificate: Certificate = {
    ...parity,
    model: isJson(source) && typeof source['sha256'] === 'string' ? source['sha256'] : '',
    files: Object.fromEntries(filesIn(dir).map(f => [f, sha256(readBytes(join(dir, f)))])),
    manifest: digestOf(manifest),
  };
  writeFile(join(dir, MANIFEST), `${JSON.stringify({ ...manifest, parity: certificate }, null, 2)}\n`);
  return certificate;
}

/** A bundle's certificate; undefined where it has none. E207 where it is damaged. */
export function readCertificate(dir: string): Certificate | undefined {
  const { parity } = readManifest(dir);
  if (parity === undefined) return undefined;
  return isCertificate(parity) ? parity : fail('E207', { dir, why: 'the certificate in its manifest.json is damaged' });
}
function isCertificate(c: unknown): c is Certificate {
  const number = (x: unknown): boolean => typeof x === 'number';
  return (
    isJson(c) &&
    isJson(c['reference']) &&
    [c['samples'], c['rtol'], c['atol']].every(number) &&
    [c['model'], c['manifest']].every(x => typeof x === 'string') &&
    isJson(c['files']) &&
    Object.values(c['files']).every(x => typeof x === 'string') &&
    Array.isArray(c['outputs']) &&
    c['outputs'].every(
      (o: unknown) => isJson(o) && typeof o['name'] === 'string' && [o['abs'], o['rel'], o['largest']].every(number),
    )
  );
}

/** What of a bundle's files is not as it was certified. */
export interface FileCheck {
  /** Files that are as they were. */
  readonly same: number;
  readonly wrong: readonly { readonly file: string; readonly what: string }[];
  /** Files that came later: nothing is known of them. */
  readonly unknown: readonly string[];
}
/** Compares the files of a folder with the digests of its certificate. Runs nothing of the bundle. */
export function checkFiles(dir: string, c: Certificate): FileCheck {
  const wrong: { file: string; what: string }[] = [];
  if (digestOf(readManifest(dir)) !== c.manifest) wrong.push({ file: MANIFEST, what: 'is not what was certified' });
  for (const [file, digest] of Object.entries(c.files)) {
    const path = join(dir, file);
    if (file.split(/[\\/]/).includes('..')) wrong.push({ file, what: 'lies outside of the bundle' });
    else if (!existsSync(path)) wrong.push({ file, what: 'is missing' });
    else {
      const now = sha256(readBytes(path));
      if (now !== digest) wrong.push({ file, what: `has the digest ${now.slice(0, 16)}…, not ${digest.slice(0, 16)}…` });
    }
  }
  const unknown = filesIn(dir).filter(f => !Object.hasOwn(c.files, f));
  return { same: Object.keys(c.files).length + 1 - wrong.length, wrong, unknown };
}

/**
 * Rounding that differs from machine to machine, as a part of the largest value of an output: where the reference is compiled for several
 * processors (onnxruntime) or the bundle may round multiply-adds once or twice.
 */
const MACHINE = 2 ** -19;
/** An output that is further off than a certificate says. */
export interface Loss {
  readonly name: string;
  readonly what: string;
}
/** Outputs that diverge further than a certificate says. `exact`: both sides give the same bits on every machine. */
export function worse(now: Parity, then: Parity, exact: boolean): Loss[] {
  return then.outputs.flatMap(before => {
    const after = now.outputs.find(o => o.name === before.name);
    const bad = (what: string): Loss[] => [{ name: before.name, what }];
    if (!after) return bad('is gone');
    const slack = exact ? 0 : before.abs + MACHINE * before.largest;
    if (!(after.abs <= before.abs + slack))
      return bad(`diverges by ${after.abs.toExponential(2)}, certified were ${before.abs.toExponential(2)}`);
    const lost = (before.classes?.same ?? 0) - (after.classes?.same ?? 0);
    return lost > 0 && exact ? bad(`${lost} arg-max of ${before.classes?.rows ?? 0} no longer agree`) : [];
  });
}
