import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, transform, type Plugin } from 'esbuild';
import { PROGRAM, splitBinaryen } from '../runtimes/packaging/binaryen.js';
import { projectDir } from '../fixtures/paths.ts';

const { version } = JSON.parse(readFileSync(join(projectDir, 'node_modules/binaryen/package.json'), 'utf8')) as {
  readonly version: string;
};
/** Modules find their files and other programs beside themselves. */
const urls: Plugin = {
  name: 'urls',
  setup: b =>
    b.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return { contents: text, loader: 'ts' };
      const define = { 'import.meta.url': JSON.stringify(pathToFileURL(path).href) };
      return { contents: (await transform(text, { loader: 'ts', target: 'node20', define })).code, loader: 'js' };
    }),
};
/** What compiles takes a binaryen that is read at once; it is made by the first that needs it. */
const binaryen: Plugin = {
  name: 'binaryen',
  setup: b =>
    b.onResolve({ filter: /^binaryen$/ }, () => {
      const folder = join(projectDir, `out/binaryen-${version}`);
      const half = `${folder}.${process.pid}`;
      if (!existsSync(folder)) {
        splitBinaryen(half, join(projectDir, 'node_modules/binaryen/index.js'));
        // Another may have been first.
        if (existsSync(folder)) rmSync(half, { recursive: true });
        else renameSync(half, folder);
      }
      return { path: pathToFileURL(join(folder, 'binaryen.js')).href, external: true };
    }),
};
const made = new Map<string, Promise<string>>();
/**
 * A program of the sources, bundled: it starts at once, where a loader would translate hundreds of modules. `entry` is a file's path in the
 * project, or `code` that imports from the project's folder. What serves is bundled beside its packages.
 */
export function bundled(entry: string, code?: string): Promise<string> {
  const key = `${entry}\n${code ?? ''}`;
  const had = made.get(key) ?? make(entry, code);
  made.set(key, had);
  return had;
}

async function make(entry: string, code: string | undefined): Promise<string> {
  const home = join(projectDir, /(?:^|\/)serving\//.test(entry) ? 'serving/out' : 'out');
  const { outputFiles } = await build({
    ...(code === undefined
      ? { entryPoints: [join(projectDir, entry)] }
      : { stdin: { contents: code, resolveDir: projectDir, loader: 'ts', sourcefile: entry } }),
    outdir: home,
    outExtension: { '.js': '.mjs' },
    ...PROGRAM,
    write: false,
    logLevel: 'error',
    plugins: [urls, binaryen],
  });
  // Other files of tests may write the same: each file appears when it is whole.
  const hash = createHash('sha256');
  for (const f of outputFiles) hash.update(f.contents);
  const folder = join(home, `programs-${hash.digest('hex').slice(0, 16)}`);
  for (const f of outputFiles) {
    const name = join(folder, relative(home, f.path));
    mkdirSync(dirname(name), { recursive: true });
    const half = `${name}.${process.pid}`;
    writeFileSync(half, f.contents);
    renameSync(half, name);
  }
  return join(folder, code === undefined ? basename(entry).replace(/\.ts$/, '.mjs') : 'stdin.mjs');
}
