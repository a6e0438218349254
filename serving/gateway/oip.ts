import { ServeError } from '../core/errors.ts';
import { metadataOf, SERVER, VERSION } from '../protocols/oip/metadata.ts';
import { json, text } from './answer.ts';
import { inference, managed, member, type Context, type ErrorAnswer, type Handler } from './context.ts';

/** The Open Inference Protocol over HTTP, and its extension for repositories of models. */
type Route = readonly [method: 'GET' | 'POST', path: string, handler: Handler];
const error: ErrorAnswer = (status, message) => json(status, { error: message });

/** 404 where there is no such model, or not in this version. */
export function checkModel(c: Context, name: string | undefined, version: string | undefined): string {
  if (name === undefined || !c.pool.has(name))
    throw new ServeError(404, `Request for unknown model: '${name ?? ''}' is not found`);
  if (version !== undefined && version !== '' && version !== VERSION)
    throw new ServeError(404, `Request for unknown model: '${name}' version ${version} is not found`);
  return name;
}
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'UNAVAILABLE';
  readonly reason: string;
}
export function repositoryIndex(c: Context, onlyReady: boolean): readonly IndexEntry[] {
  const ready = c.pool.models().map((m): IndexEntry => ({ name: m.name, version: VERSION, state: 'READY', reason: '' }));
  const rest = [...c.repository.keys()].filter(name => !c.pool.has(name));
  const unloaded = rest.map((name): IndexEntry => ({ name, version: VERSION, state: 'UNAVAILABLE', reason: 'unloaded' }));
  return onlyReady ? ready : [...ready, ...unloaded];
}
/** Loads a model of the repository; one that is loaded stays as it is. */
export async function repositoryLoad(c: Context, name: string): Promise<void> {
  const spec = c.repository.get(name);
  if (!spec) throw new ServeError(400, `failed to load '${name}': there is no such model in the repository`);
  if (!c.pool.has(name)) await c.pool.load(spec);
}
export async function repositoryUnload(c: Context, name: string): Promise<void> {
  if (!c.repository.has(name) && !c.pool.has(name))
    throw new ServeError(400, `failed to unload '${name}': there is no such model`);
  if (c.pool.has(name)) await c.pool.unload(name);
}

export function oipRoutes(c: Context): readonly Route[] {
  const infer = inference(c, 'infer', c.limits.bodyBytes, error, p => p['name']);
  const checked: Handler = (req, res, p) => {
    try {
      checkModel(c, p['name'], p['version']);
      infer(req, res, p);
    } catch (e) {
      managed(c, error, () => {
        throw e;
      })(req, res, p);
    }
  };
  const metadata = managed(c, error, p => {
    const name = checkModel(c, p['name'], p['version']);
    const info = c.pool.models().find(m => m.name === name);
    return json(200, info ? metadataOf(info) : {});
  });
  // KServe's client reads the bodies, Triton's the status alone.
  const ready = (): boolean => c.pool.ready && c.ending === 'no';
  const modelReady = managed(c, error, p => {
    const name = checkModel(c, p['name'], p['version']);
    return json(ready() ? 200 : 503, { name, ready: ready() });
  });
  const models = ['/v2/models/:name', '/v2/models/:name/versions/:version'];
  return [
    ['GET', '/v2', managed(c, error, () => json(200, SERVER))],
    ['GET', '/v2/health/live', managed(c, error, () => json(200, { live: true }))],
    ['GET', '/v2/health/ready', managed(c, error, () => json(ready() ? 200 : 503, { ready: ready() }))],
    ['GET', '/v2/models', managed(c, error, () => json(200, { models: c.pool.models().map(m => m.name) }))],
    ...models.flatMap((path): Route[] => [
      ['GET', path, metadata],
      ['GET', `${path}/ready`, modelReady],
      ['POST', `${path}/infer`, checked],
    ]),
    [
      'POST',
      '/v2/repository/index',
      managed(c, error, (_, body) => json(200, repositoryIndex(c, member(body(), 'ready') === true))),
    ],
    [
      'POST',
      '/v2/repository/models/:name/load',
      managed(c, error, async (p, body) => {
        const parameters = member(body(), 'parameters');
        if (typeof parameters === 'object' && parameters !== null && Object.keys(parameters).length > 0)
          throw new ServeError(400, 'models are loaded from the repository as they are: without parameters');
        await repositoryLoad(c, p['name'] ?? '');
        return text(200, '');
      }),
    ],
    [
      'POST',
      '/v2/repository/models/:name/unload',
      managed(c, error, async p => {
        await repositoryUnload(c, p['name'] ?? '');
        return text(200, '');
      }),
    ],
  ];
}
