import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LoadedFrom } from '../core/call.ts';

export interface Model {
  readonly name: string;
  run(rows: Float32Array, count: number): ArrayLike<number>;
}
export async function openModel(from: LoadedFrom): Promise<Model> {
  const [dir = ''] = from.bundles;
  const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as {
    inputs: { name: string }[];
    outputs: { name: string }[];
  };
  const index = (await import(pathToFileURL(join(dir, 'index.js')).href)) as {
    load(): Promise<{ run(x: unknown): Record<string, { data: ArrayLike<number> }> }>;
  };
  const model = await index.load();
  const input = manifest.inputs[0]?.name ?? '';
  const output = manifest.outputs[0]?.name ?? '';
  return {
    name: from.name,
    run: (rows, count) => model.run({ [input]: { data: rows, dims: [count, rows.length / count] } })[output]?.data ?? [],
  };
}
