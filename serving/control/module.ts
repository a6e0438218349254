import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The arguments by which Node runs a module beside another as a process; one that is not built is run by tsx. */
export function moduleArguments(name: string, beside: string): readonly string[] {
  const source = beside.endsWith('.ts');
  const file = fileURLToPath(new URL(`./${name}${source ? '.ts' : '.js'}`, beside));
  if (!source) return [file];
  const tsx = dirname(createRequire(import.meta.url).resolve('tsx/package.json'));
  return ['--import', pathToFileURL(join(tsx, 'dist/loader.mjs')).href, file];
}
