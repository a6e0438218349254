// Writes what the package carries as text (profiles, the loader and the demo page of a bundle, programs that benchmarks start) into TypeScript modules, so that it is
// there in a browser too: JSON modules warn in Node 20 and need newer browsers, and a page has no file system. `npm run inline` after
// a change; a test compares (`--check`).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { build, transform, type Plugin } from 'esbuild';
import { format, type FormatConfig } from 'oxfmt';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const SHORT = { minify: true, target: 'es2022', legalComments: 'none' } as const;
/**
 * Functions in parentheses are compiled with the script. V8 skips over others and parses them once more when they are called, which takes a
 * fifth of the time to a first answer. So function declarations are for what each run needs, and what only errors need is a constant.
 */
const EAGER: Plugin = {
  name: 'eager',
  setup: build =>
    build.onLoad({ filter: /runtimes\/js\// }, ({ path }) => ({
      contents: read(path).replace(/^(export )?(async )?function (\w+)([^]*?^\})/gm, '$1const $3 = ($2function $4);'),
    })),
};
/** A module of runtimes and what it imports, as one; what a bundle has as files of its own stays outside. */
async function bundled(path: string): Promise<string> {
  const entryPoints = [new URL(path, root).pathname];
  const external = ['node:*', './emnapi-runtime.js'];
  const { outputFiles } = await build({
    ...SHORT,
    entryPoints,
    bundle: true,
    format: 'esm',
    external,
    plugins: [EAGER],
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}
/** The terms of what EMNAPI_RUNTIME holds. */
const LICENCES = ['node_modules/@emnapi/core/LICENSE', 'node_modules/@emnapi/runtime/LICENSE'];
const comment = (text: string): string => `/*\n${text.trim()}\n*/\n`;
const style = JSON.parse(read('.oxfmtrc.json')) as FormatConfig;
const HEAD = '// Written by `npm run inline`. Do not edit.\n';

/** The TypeScript modules by path, as they should be. */
async function inlined(): Promise<ReadonlyMap<string, string>> {
  const out = new Map<string, string>();
  const names = readdirSync(new URL('targets/', root))
    .filter(f => f.endsWith('.json'))
    .sort();
  const targets = names.map(f => [f.replace(/\.json$/, ''), JSON.parse(read(`targets/${f}`)) as unknown]);
  out.set(
    'compiler/target/profiles.data.ts',
    `${HEAD}export const TARGETS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = ${JSON.stringify(Object.fromEntries(targets))};\n`,
  );
  const { version } = JSON.parse(read('package.json')) as { version: string };
  out.set('compiler/core/version.data.ts', `${HEAD}export const VERSION = ${JSON.stringify(version)};\n`);
  const runtime = new Map([
    // Parts of index.js: without comments and long names. Each way to load a model is a module with what it imports.
    ...(await Promise.all(
      ['wasm', 'threads', 'addon', 'emnapi', 'worker'].map(
        async f => [`${f}.min.js`, await bundled(`runtimes/js/${f}.js`)] as const,
      ),
    )),
    ...(await Promise.all(
      ['rows', 'texts', 'spelt'].map(
        async f => [`${f}.min.js`, (await transform(read(`runtimes/js/${f}.js`), SHORT)).code] as const,
      ),
    )),
    ...['demo.html', 'demo.js'].map(f => [f, read(`runtimes/js/${f}`)] as const),
  ]);
  out.set(
    'compiler/bundle/js/runtime.data.ts',
    `${HEAD}/** The files of runtimes/js by name, those of index.js minified. */\nexport const RUNTIME = {\n${[...runtime].map(([f, text]) => `${JSON.stringify(f)}: ${JSON.stringify(text)},`).join('\n')}\n} as const;\n`,
  );
  out.set(
    'compiler/bundle/native/binding.data.ts',
    `${HEAD}/** runtimes/node-api/binding.c. */\nexport const BINDING = ${JSON.stringify(read('runtimes/node-api/binding.c'))};\n` +
      `/** runtimes/node-api/emnapi-runtime.js with what it imports. */\nexport const EMNAPI_RUNTIME = ${JSON.stringify(LICENCES.map(f => comment(read(f))).join('') + (await bundled('runtimes/node-api/emnapi-runtime.js')))};\n`,
  );
  out.set(
    'compiler/bundle/native/wheel.data.ts',
    `${HEAD}/** runtimes/python/build_wheel.py. */\nexport const WHEEL = ${JSON.stringify(read('runtimes/python/build_wheel.py'))};\n`,
  );
  out.set(
    'compiler/bundle/native/runner.data.ts',
    `${HEAD}/** runtimes/c/runner.c. */\nexport const RUNNER = ${JSON.stringify(read('runtimes/c/runner.c'))};\n`,
  );
  out.set(
    'compiler/bundle/native/pool.data.ts',
    `${HEAD}/** The files of runtimes/c that threads need, by name. */\nexport const POOL = {\n${['pool.h', 'pool.c'].map(f => `${JSON.stringify(f)}: ${JSON.stringify(read(`runtimes/c/${f}`))},`).join('\n')}\n} as const;\n`,
  );
  out.set(
    'compiler/bundle/native/beside.data.ts',
    `${HEAD}/** runtimes/c/beside.c. */\nexport const BESIDE = ${JSON.stringify(read('runtimes/c/beside.c'))};\n`,
  );
  out.set(
    'bench/peers/programs.data.ts',
    `${HEAD}/** bench/peers/driver.c. */\nexport const DRIVER_C = ${JSON.stringify(read('bench/peers/driver.c'))};\n` +
      `/** bench/peers/xgboost.py. */\nexport const XGBOOST_PY = ${JSON.stringify(read('bench/peers/xgboost.py'))};\n` +
      `/** bench/peers/cold-start.js. */\nexport const COLD_START_JS = ${JSON.stringify(read('bench/peers/cold-start.js'))};\n`,
  );
  out.set(
    'compiler/reference/frameworks.data.ts',
    `${HEAD}/** compiler/reference/frameworks.py. */\nexport const FRAMEWORKS_PY = ${JSON.stringify(read('compiler/reference/frameworks.py'))};\n`,
  );
  for (const [path, text] of out) out.set(path, (await format(path, text, style)).code);
  return out;
}

const check = process.argv.includes('--check');
for (const [path, text] of await inlined())
  if (!check) writeFileSync(new URL(path, root), text);
  else if (read(path) !== text) {
    console.error(`${path} is not what its sources make of it; run: npm run inline`);
    process.exitCode = 1;
  }
