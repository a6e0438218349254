import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as playwright from 'playwright-core';
import type { BrowserContext, Page } from 'playwright-core';
import type { Need } from '../needs.ts';

const PLACES = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executable = PLACES.find(p => p !== undefined && existsSync(p));
export const chromium: Need = { name: 'chromium', here: executable !== undefined, how: 'at $CHROMIUM or /usr/bin/chromium' };

export interface Browser {
  /** A page with what went wrong in it: errors, refusals by the policy, files that were not there. */
  page(): Promise<{ readonly page: Page; readonly complaints: readonly string[] }>;
  close(): Promise<void>;
}
/** Starts a browser that has never run before and talks to nobody. */
export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'sinter-chromium-'));
  const context: BrowserContext = await playwright.chromium.launchPersistentContext(profile, {
    ...(executable !== undefined && { executablePath: executable }),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    page: async () => {
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', m => {
        if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text());
      });
      page.on('pageerror', e => complaints.push(e.message));
      page.on('response', r => {
        if (!r.ok()) complaints.push(`${r.status()} ${r.url()}`);
      });
      return { page, complaints };
    },
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** What the issue asks a bundle to run under. */
export const POLICY = "script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'";
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  wasm: 'application/wasm',
  json: 'application/json',
};
/** What makes a page one that may share memory among threads. */
export const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
/** Serves files by path, each with the policy and more headers; others are not found. */
export async function serve(
  files: ReadonlyMap<string, Uint8Array | string>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname.slice(1);
    const body = files.get(path);
    if (path === 'favicon.ico') {
      response.writeHead(204).end();
      return;
    }
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY, ...headers }).end(body);
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}
