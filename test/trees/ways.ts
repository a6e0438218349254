import { basename } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { importFor } from '../../compiler/compile.ts';
import { DTYPES, isDType } from '../../compiler/core/dtype.ts';
import { fromTyped, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { CompileOptions } from '../../compiler/options.ts';
import { loadBundle, type LoadedModel } from '../models/bundle.ts';
import { outputsOf, type TreeCase } from './cases.ts';

export const optionsOf = (c: TreeCase): CompileOptions => ({
  model: c.bytes,
  file: basename(c.file),
  outputs: outputsOf(c),
  ...(c.iterations && { iterations: c.iterations }),
});
export const byEvaluator = (c: TreeCase): Map<string, Tensor> =>
  evaluate(importFor(optionsOf(c)).graph, new Map([['features', c.rows]]));

type Outputs = ReturnType<LoadedModel['run']>;
/** Rows that are also run on their own. */
const SINGLE = 12;
/**
 * By the whole pipeline, and the bundle's own loader. The first rows are run one by one too, which may be other code: throws where they
 * give other bits than among all.
 */
export async function byBundle(c: TreeCase, more: Partial<CompileOptions> = {}): Promise<Map<string, Tensor>> {
  const { files } = await compile({ ...optionsOf(c), ...more });
  const model = await loadBundle(files);
  const rows = typed(c.rows) as Float32Array;
  const [count = 0, columns = 0] = c.rows.dims;
  const all = model.run({ features: { data: rows, dims: c.rows.dims } });
  for (let r = 0; r < Math.min(SINGLE, count); r++)
    sameRow(all, model.run({ features: rows.slice(r * columns, (r + 1) * columns) }), r, count);
  return new Map(
    Object.entries(all).map(([name, t]) => {
      const dtype = Object.keys(DTYPES).find(k => isDType(k) && DTYPES[k].ort === t.type);
      return [name, fromTyped(dtype !== undefined && isDType(dtype) ? dtype : 'f32', t.dims, t.data as Float32Array)];
    }),
  );
}
function sameRow(all: Outputs, one: Outputs, row: number, count: number): void {
  for (const [name, t] of Object.entries(one)) {
    const among = all[name]?.data ?? [];
    const size = among.length / count;
    for (let i = 0; i < size; i++)
      if (!Object.is(t.data[i], among[row * size + i]))
        throw new Error(`row ${row} on its own: ${name} is ${t.data[i]}, among others ${among[row * size + i]}`);
  }
}
