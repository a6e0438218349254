import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { resolveTarget, withThreads } from '../../compiler/target/resolve.ts';

/**
 * Text in, what was made of it, text out. A file begins with the target that its passes work for (`linux-x64-v3 with 4 threads`), and holds
 * sections:
 * ```
 * ; target: wasm-simd
 * ; RUN: constant-fold cse
 * ; what is to be seen here
 * …text…
 * ; EXPECT
 * …text…
 * ```
 * `BLESS=1` writes what comes out now into the files. Lines of the head may carry more words (`; INPUT x: 0..3`).
 */
export interface Section {
  /** What follows `RUN:`. */
  readonly run: readonly string[];
  /** The comments of the head, without `;`. */
  readonly notes: readonly string[];
  readonly text: string;
  readonly expect: string;
}
export interface FileTest {
  readonly name: string;
  readonly path: string;
  /** The profile that the passes work for, by its target's name. */
  readonly profile: Profile;
  readonly head: string;
  readonly sections: readonly Section[];
}
export function fileTests(folder: string, extension: string): FileTest[] {
  return readdirSync(folder)
    .filter(f => f.endsWith(extension))
    .sort()
    .map(f => ({ name: f, path: join(folder, f), ...split(readFileSync(join(folder, f), 'utf8'), f) }));
}
function split(text: string, file: string): Pick<FileTest, 'profile' | 'head' | 'sections'> {
  const [head = '', ...parts] = text.split(/^; RUN:/m);
  const [, target, threads] = /^; target: (\S+)(?: with (\d+) threads)?\s*$/.exec(head) ?? [];
  if (target === undefined || parts.length === 0) throw new Error(`${file} does not begin with '; target: NAME' and '; RUN:'`);
  const named = resolveTarget(target);
  const { profiles } = threads === undefined ? named : withThreads(named, Number(threads));
  return { profile: must(profiles[0]), head: head.trim(), sections: parts.map(section) };
}
function section(part: string): Section {
  const [source = '', expect = ''] = part.split(/^; EXPECT\n/m);
  const [run = '', ...lines] = source.split('\n');
  const notes = lines.filter(l => l.startsWith(';')).map(l => l.slice(1).trim());
  return {
    run: run
      .trim()
      .split(/\s+/)
      .filter(s => s !== ''),
    notes,
    text: lines
      .filter(l => !l.startsWith(';'))
      .join('\n')
      .trim(),
    expect: expect.trim(),
  };
}
export const blessing = process.env['BLESS'] === '1';
/** Writes a file with new expectations. */
export function bless(f: FileTest, results: readonly string[]): void {
  const parts = f.sections.map((s, i) =>
    [
      `; RUN: ${s.run.join(' ')}`,
      ...s.notes.map(n => `; ${n}`.trimEnd()),
      s.text,
      '; EXPECT',
      (results[i] ?? '').trim(),
      '',
    ].join('\n'),
  );
  writeFileSync(f.path, [f.head, ...parts].join('\n'));
}
