// A worker of Cloudflare's runtime, workerd: the module is compiled when the worker is uploaded.
import about from './about.js';
import { load } from './bundle/index.js';
import { responder } from './respond.js';
import { source } from './source.js';

let respond;
export default {
  async fetch(request) {
    try {
      respond ??= load(source).then(model => responder(model, about));
      const { pathname } = new URL(request.url);
      const answer = (await respond)(request.method, pathname, request.headers.get('content-type'), await request.text());
      return new Response(answer.body, { status: answer.status, headers: { 'content-type': answer.type } });
    } catch (e) {
      respond = undefined;
      console.error(e);
      return new Response('{"error":"the model does not load"}', {
        status: 503,
        headers: { 'content-type': 'application/json' },
      });
    }
  },
};
