import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, writeBundle } from '../../../compiler/node.ts';
import { projectDir } from '../../../fixtures/paths.ts';
import { run } from '../../../serving/cli/export.ts';

const bike = join(projectDir, 'fixtures/bike');
/** Rows of the bike model as CSV without its head, and what XGBoost predicts for them. */
export const rows = readFileSync(join(bike, 'rows.csv'), 'utf8').trim().split('\n').slice(1);
export const predictions = readFileSync(join(bike, 'predictions.csv'), 'utf8').trim().split('\n').slice(1).map(Number);

/** A folder for a test file, and how to remove it. */
export function workFolder(): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-export-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
/** Compiles the bike model. `embedBelow` 0: weights in a file of their own. */
export async function compileBike(out: string, target = 'wasm-simd', embedBelow?: number): Promise<void> {
  const { files } = await compile({
    model: join(bike, 'model.json'),
    target,
    name: 'bike',
    ...(embedBelow !== undefined && { embedBelow }),
  });
  writeBundle(out, files);
}
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
/** `sinter export`, without the packages of Sinter, which need a build. */
export async function sinterExport(...argv: readonly string[]): Promise<Said> {
  let out = '';
  let err = '';
  const code = await run([...argv, '--no-packages'], { out: t => void (out += t), err: t => void (err += t) });
  return { code, out, err };
}
