// Writes what the compiler carries as text (profiles, the loader and the demo page of a bundle) into TypeScript modules, so that it is
// there in a browser too: JSON modules warn in Node 20 and need newer browsers, and a page has no file system. `npm run inline` after
// a change; a test compares.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { transform } from 'esbuild';
import { format, resolveConfig } from 'prettier';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const HEAD = '// Written by `npm run inline`. Do not edit.\n';

/** The TypeScript modules by path, as they should be. */
export async function inlined(): Promise<ReadonlyMap<string, string>> {
  const out = new Map<string, string>();
  const names = readdirSync(new URL('targets/', root))
    .filter(f => f.endsWith('.json'))
    .sort();
  const targets = names.map(f => [f.replace(/\.json$/, ''), JSON.parse(read(`targets/${f}`)) as unknown]);
  out.set(
    'compiler/targets.data.ts',
    `${HEAD}export const TARGETS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = ${JSON.stringify(Object.fromEntries(targets))};\n`,
  );
  const { version } = JSON.parse(read('package.json')) as { version: string };
  out.set('compiler/core/version.data.ts', `${HEAD}export const VERSION = ${JSON.stringify(version)};\n`);
  const files = new Map(
    readdirSync(new URL('runtimes/js/', root))
      .sort()
      .map(f => [f, read(`runtimes/js/${f}`)]),
  );
  // What becomes a part of index.js is carried without comments and long names.
  for (const part of ['loader', 'rows']) {
    const { code } = await transform(files.get(`${part}.js`) ?? '', { minify: true, target: 'es2022', legalComments: 'none' });
    files.delete(`${part}.js`);
    files.set(`${part}.min.js`, code);
  }
  out.set(
    'compiler/emit/bundle/runtime.data.ts',
    `${HEAD}/** The files of runtimes/js by name. */\nexport const RUNTIME = {\n${[...files].map(([f, text]) => `${JSON.stringify(f)}: ${JSON.stringify(text)},`).join('\n')}\n} as const;\n`,
  );
  out.set(
    'compiler/emit/c/runner.data.ts',
    `${HEAD}/** runtimes/c/runner.c. */\nexport const RUNNER = ${JSON.stringify(read('runtimes/c/runner.c'))};\n`,
  );
  for (const [path, text] of out)
    out.set(path, await format(text, { ...(await resolveConfig(new URL(path, root))), parser: 'typescript' }));
  return out;
}

if (process.argv[1]?.endsWith('inline.ts') === true)
  for (const [path, text] of await inlined()) writeFileSync(new URL(path, root), text);
