/**
 * Bundles with threads in pages that Vite, webpack and esbuild have built, in Chromium with and without isolation, and in programs of Deno and
 * Bun. `npm run bundlers` installs these first.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/node.ts';
import { locate } from '../../fixtures/models.ts';
import { chromium, ISOLATED, serve, startBrowser, type Browser } from '../browser/chromium.ts';
import { fetched, needs } from '../needs.ts';

jest.setTimeout(180_000);

const here = import.meta.dirname;
const tool = (name: string): string => join(here, 'node_modules/.bin', name);
const installed = (name: string): ReturnType<typeof fetched> => ({
  ...fetched(name, tool(name)),
  how: 'npm run bundlers',
});
/** What a page or program says of the model, as JSON: the same text in all of them. */
const PROGRAM = `import { load } from './model/index.js';
const x = Float32Array.from({ length: 3 * 48 * 192 }, (_, i) => ((i * 37) % 101) / 101);
export async function answer() {
  const model = await load(undefined, { threads: 2 });
  const numbers = y => Object.values(y).flatMap(t => [...t.data]);
  return JSON.stringify({ profile: model.profile, run: numbers(model.run({ x })), later: numbers(await model.runAsync({ x })) });
}
`;
const MAIN = `import { answer } from './answer.js';
answer().then(
  text => (document.title = text),
  e => (document.title = 'failed: ' + e.message),
);
`;
interface Answer {
  readonly profile: string;
  readonly run: readonly number[];
  readonly later: readonly number[];
}

const folders: string[] = [];
afterAll(() => folders.forEach(d => rmSync(d, { recursive: true, force: true })));
let app = '';
let right: readonly number[] = [];
beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'sinter-bundlers-'));
  folders.push(app);
  const options = { 'p2o.DynamicDimension.0': 1, 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 192 };
  const { files } = await compile({ model: must(locate('ppocr-cls')), target: 'wasm-threads', dims: options });
  mkdirSync(join(app, 'model'));
  for (const [name, bytes] of files) writeFileSync(join(app, 'model', name), bytes);
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(app, 'answer.js'), PROGRAM);
  writeFileSync(join(app, 'main.js'), MAIN);
  writeFileSync(join(app, 'index.html'), '<!doctype html><title>waiting</title><script type="module" src="./main.js"></script>');
  writeFileSync(join(app, 'program.js'), "import { answer } from './answer.js';\nconsole.log(await answer());\n");
  right = program(process.execPath, []).run;
}, 180_000);

/** What the program says; it ends by itself, and says nothing else. */
function program(command: string, args: readonly string[]): Answer {
  const r = spawnSync(command, [...args, join(app, 'program.js')], { cwd: app, encoding: 'utf8', timeout: 60_000 });
  expect([r.error, r.signal, r.status, r.stderr]).toEqual([undefined, null, 0, '']);
  return JSON.parse(r.stdout) as Answer;
}

needs(chromium, ...['vite', 'webpack', 'esbuild'].map(installed)).describe('a page with a model for several threads', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => browser.close());
  it.each(['vite', 'webpack', 'esbuild'])('that %s has built runs, isolated and not, under a strict policy', async name => {
    const out = mkdtempSync(join(tmpdir(), `sinter-${name}-`));
    folders.push(out);
    const r = spawnSync(process.execPath, [join(here, 'build.mjs'), name, app, out], { encoding: 'utf8' });
    expect([r.status, r.stderr]).toEqual([0, '']);
    const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter(f => f.isFile());
    const built = new Map(
      files.map(f => [relative(out, join(f.parentPath, f.name)), new Uint8Array(readFileSync(join(f.parentPath, f.name)))]),
    );
    for (const [headers, profile] of [
      [{}, 'wasm-relaxed-simd'],
      [ISOLATED, 'wasm-threads-relaxed-simd'],
    ] as const) {
      const server = await serve(built, headers);
      const { page, complaints } = await browser.page();
      await page.goto(`${server.url}index.html`);
      await page.waitForFunction(() => globalThis.document.title !== 'waiting');
      const title = await page.title();
      expect(title).toMatch(/^\{/);
      const said = JSON.parse(title) as Answer;
      expect(said.profile).toBe(profile);
      expect(said.later).toEqual(said.run);
      said.run.forEach((v, i) => expect(v).toBeCloseTo(must(right[i]), 5));
      expect(complaints).toEqual([]);
      await page.close();
      server.close();
    }
  });
});

needs(installed('deno')).it('a program of Deno runs the model with threads, and ends', () => {
  const said = program(tool('deno'), ['run', '--allow-read', '--quiet']);
  expect(said.profile).toMatch(/^wasm-threads/);
  expect(said.later).toEqual(said.run);
  said.run.forEach((v, i) => expect(v).toBeCloseTo(must(right[i]), 5));
});
needs(installed('bun')).it('a program of Bun runs the model with threads, and ends', () => {
  const said = program(tool('bun'), []);
  expect(said.profile).toMatch(/^wasm-threads/);
  expect(said.later).toEqual(said.run);
  said.run.forEach((v, i) => expect(v).toBeCloseTo(must(right[i]), 5));
});
