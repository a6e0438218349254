import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Text in, what was made of it, text out. A file holds sections, each of them
 * ```
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
  readonly sections: readonly Section[];
}
export function fileTests(folder: string, extension: string): FileTest[] {
  return readdirSync(folder)
    .filter(f => f.endsWith(extension))
    .sort()
    .map(f => ({ name: f, path: join(folder, f), sections: split(readFileSync(join(folder, f), 'utf8'), f) }));
}
function split(text: string, file: string): Section[] {
  const [before = '', ...parts] = text.split(/^; RUN:/m);
  if (before.trim() !== '' || parts.length === 0) throw new Error(`${file} does not begin with '; RUN:'`);
  return parts.map(part => {
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
  });
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
  writeFileSync(f.path, parts.join('\n'));
}
