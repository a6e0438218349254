// AWS Lambda: events of function URLs and of HTTP APIs (payload format 2.0).
import { readFile } from 'node:fs/promises';
import { load } from './bundle/index.js';
import { responder } from './respond.js';

const about = JSON.parse(await readFile(new URL('about.json', import.meta.url), 'utf8'));
// Loaded when an instance of the function starts.
const respond = responder(await load(), about);

export async function handler(event) {
  const { http } = event.requestContext;
  const raw = event.body ?? '';
  const text = event.isBase64Encoded ? Buffer.from(raw, 'base64').toString() : raw;
  const { status, type, body } = respond(http.method, event.rawPath, event.headers?.['content-type'], text);
  return { statusCode: status, headers: { 'content-type': type }, body, isBase64Encoded: false };
}
