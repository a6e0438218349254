import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, extname, join } from 'node:path';
import { fail } from '../../compiler/core/diagnostic.ts';
import { dtypeOf, readManifest } from '../../compiler/run/manifest.ts';
import { findPackage } from '../../compiler/host/packages.ts';
import type { Ended } from './children.ts';
import type { MeasureRequest, Message } from './request.ts';
import type { measureInPage, PageRequest } from './page.ts';
import { ownModule } from './self.ts';

/** A browser that pages are measured in. */
export interface BenchBrowser {
  /** Such as `Chromium 131.0.6778.33`. */
  readonly version: string;
  /** Measures a request in a new page; the counterpart of `measureApart`. */
  measure(request: MeasureRequest, hear: (m: Message) => void): Promise<Ended>;
  close(): Promise<void>;
}
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const executable = (): string | undefined =>
  [process.env['CHROMIUM'], ...(process.env['PATH'] ?? '').split(delimiter).flatMap(dir => NAMES.map(n => join(dir, n)))].find(
    p => p !== undefined && p !== '' && existsSync(p),
  );

/** Starts Chromium without a window. E601 where it or playwright-core is missing. */
export async function openBrowser(): Promise<BenchBrowser> {
  const how = 'npm install playwright-core, and Chromium in the PATH or at $CHROMIUM';
  const playwright = await import('playwright-core').catch(() => fail('E601', { what: 'playwright-core', how }));
  const path = executable();
  if (path === undefined) return fail('E601', { what: 'Chromium', how });
  const browser = await playwright.chromium.launch({
    executablePath: path,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  return {
    version: `Chromium ${browser.version()}`,
    close: () => browser.close(),
    measure: async (request, hear) => {
      const server = await serve(request);
      const page = await browser.newPage();
      try {
        const died = new Promise<Ended>(done =>
          page.on('crash', () => done({ k: 'died', who: at, message: `ended the page while ${doing}` })),
        );
        let [at, doing]: [Extract<Message, { k: 'at' }>['who'], string] = ['sinter', 'starting'];
        await page.exposeFunction('tell', (m: Message) => {
          if (m.k === 'at') [at, doing] = [m.who, m.doing];
          else hear(m);
        });
        await page.goto(server.url);
        const done = page
          .evaluate(
            async ([module, given]) => {
              const page = (await import(module)) as { readonly measureInPage: typeof measureInPage };
              const { tell } = globalThis as unknown as { readonly tell: (m: Message) => void };
              await page.measureInPage(given, tell);
            },
            [server.module, server.request] as const,
          )
          .then((): Ended => ({ k: 'done' }))
          .catch((e: unknown): Ended => ({ k: 'broken', message: e instanceof Error ? e.message : String(e) }));
        return await Promise.race([done, died]);
      } finally {
        await page.close().catch(() => undefined);
        server.close();
      }
    },
  };
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.ts': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
/** Pages that share nothing with others have clocks that are twenty times finer. */
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
/** Serves the bundle, the peer, the inputs and the measuring code to a page. */
async function serve(request: MeasureRequest): Promise<{ url: string; module: string; request: PageRequest; close(): void }> {
  const ort = request.peers.includes('onnxruntime-web') ? findPackage('onnxruntime-web') : undefined;
  const code = ownModule('page');
  const files = request.runs.flatMap(r => r.inputs.map(i => i.file));
  const read = async (path: string): Promise<Uint8Array | string | undefined> => {
    const [, top = '', rest = ''] = /^\/(\w+)\/(.+)$/.exec(path) ?? [];
    // Nothing outside of these folders is given.
    if (rest.split('/').includes('..')) return undefined;
    const file =
      top === 'bundle'
        ? join(request.bundle, rest)
        : top === 'ort' && ort
          ? join(ort.dir, 'dist', rest)
          : top === 'input'
            ? files[Number(rest)]
            : top === 'model'
              ? request.model
              : undefined;
    if (top === 'code') return code.read(rest);
    return file !== undefined && existsSync(file) ? readFileSync(file) : undefined;
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    const answer = (status: number, body: Uint8Array | string, type: string): void =>
      void response.writeHead(status, { 'content-type': type, ...ISOLATED }).end(body);
    if (path === '/') {
      answer(200, '<!doctype html><title>sinter bench</title>', 'text/html');
      return;
    }
    read(decodeURIComponent(path)).then(
      body =>
        body === undefined
          ? answer(404, '', 'text/plain')
          : answer(200, body, TYPES[extname(path)] ?? 'application/octet-stream'),
      () => answer(500, '', 'text/plain'),
    );
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { rounds, seconds, sampleMs, warmMs, threads } = request;
  let next = 0;
  return {
    url: `${url}/`,
    module: `${url}/code/${code.entry}`,
    request: {
      rounds,
      seconds,
      sampleMs,
      warmMs,
      threads,
      bundle: `${url}/bundle/index.js`,
      outputs: readManifest(request.bundle).outputs.map(p => ({ name: p.name, dtype: dtypeOf(p.type) })),
      ort: ort && { module: `${url}/ort/ort.wasm.bundle.min.mjs`, folder: `${url}/ort/`, model: `${url}/model/model.onnx` },
      runs: request.runs.map(r => ({ ...r, inputs: r.inputs.map(i => ({ ...i, file: `${url}/input/${next++}` })) })),
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
