/**
 * The programs and the API for Node as few modules in dist/bundled: Node reads these in half the time that it takes for the hundreds that they
 * are made of. Modules of dist that are named by their paths, and what pages import, stay as they are.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { besideBinaryen, PROGRAM, splitBinaryen } from './binaryen.js';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const outdir = `${dist}bundled`;
rmSync(outdir, { recursive: true, force: true });
splitBinaryen(outdir);
await build({
  entryPoints: {
    sinter: `${dist}compiler/cli/main.js`,
    node: `${dist}compiler/node.js`,
    'compile-worker': `${dist}bench/engine/compile-worker.js`,
    'measure-worker': `${dist}bench/engine/measure-worker.js`,
  },
  outdir,
  ...PROGRAM,
  logLevel: 'warning',
  plugins: [besideBinaryen],
});
