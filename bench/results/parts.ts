import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../../fixtures/paths.ts';
import { withPart } from './markdown.ts';

/** Puts the tables of a benchmark into README.md and bench/RESULTS.md, where these have a part of its name. */
export function writeParts(name: string, readme: string, results: string): void {
  for (const [file, part] of [
    ['README.md', readme],
    ['bench/RESULTS.md', results],
  ] as const) {
    const path = join(projectDir, file);
    writeFileSync(path, withPart(readFileSync(path, 'utf8'), name, part));
  }
}
