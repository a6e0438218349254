// Builds the page in a folder with one of the bundlers: `node build.mjs NAME FOLDER OUT`. The page is index.html, its script main.js, which imports the
// bundle in the folder model.
import { copyFileSync, cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [name, folder, out] = process.argv.slice(2);
const BUNDLERS = {
  async vite() {
    const { build } = await import('vite');
    await build({ root: folder, base: './', logLevel: 'error', build: { outDir: out } });
  },
  async webpack() {
    const { default: webpack } = await import('webpack');
    const compiler = webpack({
      mode: 'production',
      context: folder,
      entry: './main.js',
      output: { path: out, filename: 'main.js' },
      performance: { hints: false },
    });
    const stats = await new Promise((done, failed) => compiler.run((e, s) => (e ? failed(e) : done(s))));
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    const said = [...errors, ...warnings].map(x => x.message);
    if (said.length > 0) throw new Error(said.join('\n'));
    copyFileSync(join(folder, 'index.html'), join(out, 'index.html'));
  },
  // It leaves the URLs of other files as they are: they go beside what it writes.
  async esbuild() {
    const { build } = await import('esbuild');
    await build({
      absWorkingDir: folder,
      entryPoints: ['main.js'],
      bundle: true,
      minify: true,
      format: 'esm',
      outdir: out,
      logLevel: 'error',
    });
    copyFileSync(join(folder, 'index.html'), join(out, 'index.html'));
    for (const f of readdirSync(join(folder, 'model')))
      if (/^(worker\.js|.*\.wasm|.*\.weights)$/.test(f)) cpSync(join(folder, 'model', f), join(out, f));
  },
};
await BUNDLERS[name]();
