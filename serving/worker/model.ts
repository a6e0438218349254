import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedFrom, WorkerStart } from '../core/call.ts';
import { ServeError } from '../core/errors.ts';
import { differs, madeUp, restored, SIDECAR, type Golden, type Sidecar } from '../core/golden.ts';
import type { ModelInfo, Tensors } from '../core/model.ts';
import type { Tensor } from '../core/tensors.ts';
import { maxBatchOf } from './batch.ts';
import { openBundle, tableOf, type Manifest, type OpenBundle } from './bundle.ts';

/** A model that answered its golden rows. */
export interface Model {
  readonly info: ModelInfo;
  readonly run: (inputs: Tensors) => Record<string, Tensor>;
}
/**
 * Loads a model and checks its answers: golden rows where its bundle has them, which bundles have that were compiled here; of others the
 * digests of their files, and that rows made up give the same twice. ServeError 400 where it cannot be loaded or answers wrongly.
 */
export async function openModel(from: LoadedFrom, start: WorkerStart): Promise<Model> {
  const bundle = await openBundle(from, start.trust);
  const { manifest } = bundle;
  const sidecar = readSidecar(from.bundle);
  const table = tableOf(manifest);
  const sample = (rows: number): Tensors => sampleOf(manifest, rows, table !== undefined);
  const golden = sidecar.golden ? checkGolden(bundle, sidecar.golden, from.bundle) : checkTwice(bundle, sample, from.bundle);
  const info: ModelInfo = {
    name: from.name,
    url: from.url,
    inputs: manifest.inputs.map(({ name, type, shape }) => ({ name, type, shape })),
    outputs: manifest.outputs.map(({ name, type, shape }) => ({ name, type, shape })),
    sample: Object.fromEntries(Object.entries(sample(1)).map(([name, t]) => [name, t.dims])),
    table,
    objective: sidecar.objective,
    classes: sidecar.classes ?? 1,
    profile: bundle.profile,
    maxBatch: maxBatchOf(bundle, sample, start.maxBatch),
    checked: `${bundle.checked}, ${golden}`,
  };
  return { info, run: bundle.run };
}
function readSidecar(dir: string): Sidecar {
  const file = join(dir, SIDECAR);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Sidecar) : {};
}
function checkGolden(b: OpenBundle, g: Golden, dir: string): string {
  const inputs = Object.fromEntries(Object.entries(g.inputs).map(([name, s]) => [name, restored(s)]));
  const outputs = b.run(inputs);
  for (const [name, s] of Object.entries(g.outputs)) {
    const wrong = differs(outputs[name], restored(s), g.rtol, g.atol);
    if (wrong !== undefined) throw new ServeError(400, `${dir}: of the golden rows, ${name} ${wrong}`);
  }
  return `golden rows of the ${g.by}`;
}
/** Rows that are made up: a model may refuse them, but may not give two answers. */
function checkTwice(b: OpenBundle, sample: (rows: number) => Tensors, dir: string): string {
  let first: Record<string, Tensor>;
  try {
    first = b.run(sample(1));
  } catch (e) {
    if (e instanceof ServeError) return 'made-up rows do not fit it';
    throw e;
  }
  const second = b.run(sample(1));
  for (const name in first) {
    const want = first[name];
    const wrong = want && differs(second[name], want, 0, 0);
    if (wrong !== undefined) throw new ServeError(400, `${dir}: the same rows give two answers: ${name} ${wrong}`);
  }
  return 'made-up rows give the same twice';
}
/** Inputs that are made up: sizes that vary are the least that they may be, but the first of all inputs. */
function sampleOf(m: Manifest, rows: number, table: boolean): Tensors {
  const batch = m.inputs[0]?.shape[0];
  const size = (d: number | string): number => {
    if (typeof d === 'number') return d;
    if (d === batch) return rows;
    // Multiples are written as 8*NAME.
    const [, times = '1', name] = /^(?:(\d+)\*)?(.+)$/.exec(d) ?? [];
    return Math.max(1, Number(times) * (m.symbols.find(s => s.name === name)?.lo ?? 1));
  };
  return Object.fromEntries(
    m.inputs.map((p, i) => {
      const dims = p.shape.map(size);
      const count = dims.reduce((a, b) => a * b, 1);
      return [p.name, { type: p.type, dims, data: madeUp(p.type, count, i + 1, table) }];
    }),
  );
}
