import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { projectDir } from '../../fixtures/paths.ts';

const MAIN = `
import { run } from './cli/index.ts';
const t = { out: s => process.stdout.write(s), err: s => process.stderr.write(s) };
process.exit(await run(process.argv.slice(2), t));`;
let file: Promise<string> | undefined;
/** The commands of serving as a program, bundled of the sources: it starts at once, where a loader would read hundreds of modules. */
export const servingProgram = (): Promise<string> => (file ??= make());

async function make(): Promise<string> {
  const folder = join(projectDir, 'serving');
  const outdir = join(folder, 'out/sinter');
  const { outputFiles } = await build({
    stdin: { contents: MAIN, resolveDir: folder, loader: 'ts' },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
    plugins: [
      {
        // Modules find their files and other programs beside themselves.
        name: 'urls',
        setup: b =>
          b.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
            contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
            loader: 'ts',
          })),
      },
    ],
  });
  // Other files of tests may write the same: each file appears when it is whole.
  const hash = createHash('sha256');
  for (const f of outputFiles) hash.update(f.contents);
  const out = `${outdir}-${hash.digest('hex').slice(0, 16)}`;
  mkdirSync(out, { recursive: true });
  for (const f of outputFiles) {
    const name = join(out, basename(f.path));
    const half = `${name}.${process.pid}`;
    writeFileSync(half, f.contents);
    renameSync(half, name);
  }
  return join(out, 'stdin.mjs');
}
