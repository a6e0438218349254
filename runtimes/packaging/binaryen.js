/**
 * binaryen as a script and a module: the package has its WebAssembly as text of 15 MB inside the script, which each process that compiles
 * would read, parse and decode anew.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runInThisContext } from 'node:vm';

/** Writes binaryen.js, binaryen.wasm and the licence of both into a folder. `main`: the package's script. */
export function splitBinaryen(folder, main = createRequire(import.meta.url).resolve('binaryen')) {
  const script = readFileSync(main, 'utf8');
  const { from, to, bytes } = embedded(script);
  if (!WebAssembly.validate(bytes)) throw new Error(`${main}: what looks like WebAssembly inside of it is none`);
  const read = "readWebAssembly(new URL('./binaryen.wasm', import.meta.url))";
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'binaryen.wasm'), bytes);
  writeFileSync(
    join(folder, 'binaryen.js'),
    `import { readFileSync as readWebAssembly } from 'node:fs';\n${script.slice(0, from)}${read}${script.slice(to)}`,
  );
  copyFileSync(join(dirname(main), 'LICENSE'), join(folder, 'binaryen.LICENSE'));
}
/** The call that decodes a template without holes, whose characters are bytes: where it begins and ends, and the bytes. */
function embedded(script) {
  const head = /\w+\((?=`\\0asm)/.exec(script);
  if (!head) throw new Error('binaryen has its WebAssembly in another way than runtimes/packaging/binaryen.js knows');
  const start = head.index + head[0].length;
  let end = start + 1;
  while (script[end] !== '`') end += script[end] === '\\' ? 2 : 1;
  if (script[end + 1] !== ')')
    throw new Error('binaryen decodes its WebAssembly in another way than runtimes/packaging/binaryen.js knows');
  const text = runInThisContext(script.slice(start, end + 1));
  return { from: head.index, to: end + 2, bytes: Buffer.from(text, 'latin1') };
}
/** For esbuild: a program for Node of modules that are read at once; packages stay what they are. */
export const PROGRAM = {
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
};
/** For esbuild: what is bundled takes the binaryen that lies beside it. */
export const besideBinaryen = {
  name: 'binaryen',
  setup: b => b.onResolve({ filter: /^binaryen$/ }, () => ({ path: './binaryen.js', external: true })),
};
