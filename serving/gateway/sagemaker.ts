import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { sep } from 'node:path';
import { ServeError } from '../core/errors.ts';
import { MiB } from '../core/limits.ts';
import { json, text } from './answer.ts';
import { inference, managed, member, type Context, type ErrorAnswer, type Handler } from './context.ts';

/** SageMaker's container: one model, a batch job, or many models. */
type Route = readonly [method: 'GET' | 'POST' | 'DELETE', path: string, handler: Handler];
const PAGE = 100;
const plain: ErrorAnswer = (status, message) => text(status, message);
const TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestException',
  404: 'ModelNotFoundException',
  409: 'ConflictStatusException',
  503: 'ServiceUnavailableException',
  507: 'InsufficientStorageException',
};
const coded: ErrorAnswer = (status, message) =>
  json(status, { code: status, type: TYPES[status] ?? 'InternalServerException', message });

export function sagemakerRoutes(c: Context): readonly Route[] {
  const { pool } = c;
  const known = (name: string | undefined): string => {
    if (name !== undefined && pool.has(name)) return name;
    throw new ServeError(404, `Model not found: ${name ?? ''}`);
  };
  const invoke = inference(c, 'invoke', c.limits.invocationBytes, plain, (_, req) => {
    const target = req.headers['x-amzn-sagemaker-target-model'];
    return typeof target === 'string' ? target : undefined;
  });
  const invokeModel = inference(c, 'invoke', Math.max(c.limits.invocationBytes, 20 * MiB), plain, p => p['name']);
  return [
    ['GET', '/ping', managed(c, plain, () => text(pool.ready && c.ending === 'no' ? 200 : 503, ''))],
    ['POST', '/invocations', invoke],
    [
      'GET',
      '/execution-parameters',
      managed(c, plain, () =>
        json(200, {
          MaxConcurrentTransforms: availableParallelism(),
          BatchStrategy: 'MULTI_RECORD',
          MaxPayloadInMB: Math.floor(c.limits.invocationBytes / MiB),
        }),
      ),
    ],
    [
      'POST',
      '/models',
      managed(c, coded, async (_, body) => {
        const given = body();
        const [name, url] = [member(given, 'model_name'), member(given, 'url')];
        if (typeof name !== 'string' || typeof url !== 'string' || name === '' || name.length > 512 || /[\n\r]/.test(name))
          throw new ServeError(400, "give 'model_name' and 'url'");
        await pool.load({ name, path: inside(c.modelRoot, url) });
        return json(200, { status: `Model "${name}" registered` });
      }),
    ],
    [
      'GET',
      '/models',
      managed(c, coded, (_, __, req) => {
        const token = new URL(req.url ?? '/', 'http://localhost').searchParams.get('next_page_token') ?? '0';
        if (!/^\d{1,9}$/.test(token)) throw new ServeError(400, `next_page_token is '${token.slice(0, 32)}'`);
        const all = pool.models();
        const from = Number(token);
        const models = all.slice(from, from + PAGE).map(m => ({ modelName: m.name, modelUrl: m.url }));
        return json(200, { models, ...(from + PAGE < all.length && { nextPageToken: String(from + PAGE) }) });
      }),
    ],
    [
      'GET',
      '/models/:name',
      managed(c, coded, p => {
        const name = known(p['name']);
        return json(200, { modelName: name, modelUrl: pool.models().find(m => m.name === name)?.url });
      }),
    ],
    [
      'DELETE',
      '/models/:name',
      managed(c, coded, async p => {
        const name = known(p['name']);
        await pool.unload(name);
        return json(200, { status: `Model "${name}" unregistered` });
      }),
    ],
    [
      'POST',
      '/models/:name/invoke',
      (req, res, p) => {
        if (p['name'] !== undefined && pool.has(p['name'])) invokeModel(req, res, p);
        else managed(c, coded, () => coded(404, `Model not found: ${p['name'] ?? ''}`))(req, res, p);
      },
    ],
  ];
}
/** A path that lies in the folder of models, wherever links lead. A request names no other file. */
function inside(root: string | undefined, path: string): string {
  if (root === undefined) throw new ServeError(400, 'models are loaded by path only with --multi-model');
  try {
    const at = realpathSync(path);
    if (at.startsWith(realpathSync(root) + sep)) return at;
  } catch {
    // Whether there is such a file is not told.
  }
  throw new ServeError(400, `'url' is no path of a model in the folder of models`);
}
