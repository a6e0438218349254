import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { dtypeOf, type Manifest } from '../../compiler/run/manifest.ts';
import { nodeColdStart } from '../engine/cold-start.ts';
import { jsRunner, type JsModel } from '../engine/js-model.ts';
import type { ColdStart, Runner } from '../engine/runner.ts';

/** The bundle's index.js; undefined where there is none, or where the addon that it needs was not built. */
function indexOf(dir: string, manifest: Manifest): string | undefined {
  const index = join(resolve(dir), 'index.js');
  const built = !manifest.native || existsSync(join(dir, 'model.node')) || existsSync(join(dir, 'model.wasm'));
  return built && existsSync(index) ? index : undefined;
}
/** A bundle by its own index.js, as an application uses it. */
export async function openOurs(dir: string, manifest: Manifest): Promise<(Runner & { readonly profile: string }) | undefined> {
  const index = indexOf(dir, manifest);
  if (index === undefined) return undefined;
  const loader = (await import(pathToFileURL(index).href)) as { load(): Promise<JsModel> };
  const model = await loader.load();
  const types = new Map(manifest.outputs.map(p => [p.name, dtypeOf(p.type)]));
  return jsRunner(model, types);
}
/** A fresh process that loads the bundle and answers once. */
export function coldStartOfOurs(dir: string, manifest: Manifest, inputs: string, work: string): ColdStart | undefined {
  const index = indexOf(dir, manifest);
  if (index === undefined) return undefined;
  return nodeColdStart(work, { k: 'bundle', module: pathToFileURL(index).href, inputs });
}
