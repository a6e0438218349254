import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compile, writeBundle } from '../../../compiler/node.ts';
import { serve, type ServeOptions, type Serving } from '../../../serving/gateway/serve.ts';

const bike = resolve(import.meta.dirname, '../../../fixtures/bike');
export const BIKE_MODEL = join(bike, 'model.json');
const lines = (file: string): string[] => readFileSync(join(bike, file), 'utf8').trim().split('\n').slice(1);
/** Rows of features as CSV, and what XGBoost predicts for them. */
export const ROWS: readonly string[] = lines('rows.csv');
export const PREDICTED: readonly number[] = lines('predictions.csv').map(Number);

const folders: string[] = [];
export function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-serving-'));
  folders.push(dir);
  return dir;
}
/** The bundle of the bike model, compiled once for a file of tests. */
export async function bikeBundle(): Promise<string> {
  const out = join(temporary(), 'bike');
  writeBundle(out, (await compile({ model: BIKE_MODEL })).files);
  return out;
}
const running: Serving[] = [];
/** A server on a free port whose models are loaded. */
export async function started(o: ServeOptions): Promise<Serving> {
  const server = await serve({ port: 0, ...o });
  running.push(server);
  await server.ready;
  return server;
}
/** For afterAll. */
export async function cleanUp(): Promise<void> {
  await Promise.all(running.splice(0).map(s => s.close()));
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true });
}
/** Posts a body, and gives the status, the content type and the text of the answer. */
export async function post(
  url: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly type: string | null; readonly text: string }> {
  const r = await fetch(url, { method: 'POST', body: typeof body === 'string' ? body : new Uint8Array(body), headers });
  return { status: r.status, type: r.headers.get('content-type'), text: await r.text() };
}
