import type { ServerResponse } from 'node:http';
import type { Answer } from '../core/call.ts';

/** Writes an answer. `close`: the connection ends with it. */
export function respond(res: ServerResponse, a: Answer, close: boolean): void {
  if (res.headersSent || res.destroyed) return;
  const headers: string[] = [];
  for (const name in a.headers) headers.push(name, a.headers[name] ?? '');
  // 204 has no body, and says so by having no length.
  if (a.status !== 204) headers.push('content-length', String(a.body.length));
  if (close) headers.push('connection', 'close');
  res.writeHead(a.status, headers);
  res.end(a.body.length > 0 ? a.body : undefined);
}
export const text = (status: number, body: string, type = 'text/plain; charset=utf-8'): Answer => ({
  status,
  headers: body === '' ? {} : { 'content-type': type },
  body: Buffer.from(body),
});
export const json = (status: number, value: unknown): Answer => text(status, JSON.stringify(value), 'application/json');
