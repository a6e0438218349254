import { basename } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { importFor } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { DTYPES, isDType } from '../../compiler/core/dtype.ts';
import { fromNumbers, fromTyped, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import type { LowerSettings } from '../../compiler/ops/lowering.ts';
import type { CompileOptions } from '../../compiler/options.ts';
import { compiled } from '../conformance/compiled.ts';
import { loadBundle } from '../models/bundle.ts';
import { outputsOf, type TreeCase } from './cases.ts';

type Outputs = ReadonlyMap<string, Tensor>;
export const optionsOf = (c: TreeCase): CompileOptions => ({
  model: c.bytes,
  file: basename(c.file),
  outputs: outputsOf(c),
  ...(c.iterations && { iterations: c.iterations }),
});
export function byEvaluator(c: TreeCase): Outputs {
  const { graph } = importFor(optionsOf(c));
  return evaluate(graph, new Map([['features', suited(graph, c.rows)]]));
}
/** Rows as the model takes them: some take doubles, of which floats are some. */
function suited(g: Graph, rows: Tensor): Tensor {
  const dtype = g.inputs[0]?.type.dtype;
  return dtype === 'f64' && rows.dtype === 'f32' ? fromNumbers('f64', rows.dims, toNumbers(rows)) : rows;
}

/** By the whole pipeline, and the bundle's own loader. */
export async function byBundle(c: TreeCase, more: Partial<CompileOptions> = {}): Promise<Outputs> {
  const { files } = await compile({ ...optionsOf(c), ...more });
  const model = await loadBundle(files);
  return alsoAlone(
    c,
    rows =>
      new Map(
        Object.entries(model.run({ features: { data: typed(rows), dims: rows.dims } })).map(([name, t]) => {
          const dtype = Object.keys(DTYPES).find(k => isDType(k) && DTYPES[k].ort === t.type);
          return [name, fromTyped(dtype !== undefined && isDType(dtype) ? dtype : 'f32', t.dims, t.data as Float32Array)];
        }),
      ),
  );
}
/** As C, for C_TARGET with C_FLAGS of the environment, as the conformance suite has it. */
export async function byC(c: TreeCase, settings: LowerSettings = {}): Promise<Outputs> {
  const { graph } = importFor(optionsOf(c));
  const run = await compiled('c', graph, undefined, settings);
  return alsoAlone(c, rows => run(new Map([['features', suited(graph, rows)]])));
}

type TreeRun = (c: TreeCase) => Outputs | Promise<Outputs>;
/** Ways to run a case, by the names of the conformance suite. */
const WAYS: Readonly<Record<string, TreeRun>> = { evaluate: byEvaluator, wasm: c => byBundle(c), c: c => byC(c) };
/** The ways of a list such as `evaluate,c`. */
export const waysNamed = (list: string): readonly (readonly [name: string, run: TreeRun])[] =>
  list.split(',').map(name => [name, must(WAYS[name], `a way '${name}'; there are ${Object.keys(WAYS).join(', ')}`)]);

/** Rows that are also run on their own. */
const SINGLE = 12;
/** What a model gives for all rows. The first are run one by one too, which may be other code: throws where they give other bits. */
function alsoAlone(c: TreeCase, run: (rows: Tensor) => Outputs): Outputs {
  const all = run(c.rows);
  const [count = 0, columns = 0] = c.rows.dims;
  const features = typed(c.rows);
  for (let row = 0; row < Math.min(SINGLE, count); row++)
    for (const [name, one] of run(fromTyped(c.rows.dtype, [1, columns], features.slice(row * columns, (row + 1) * columns)))) {
      const [got, among] = [typed(one), typed(must(all.get(name)))];
      for (let i = 0; i < got.length; i++) {
        const other = among[row * got.length + i];
        if (!Object.is(got[i], other)) throw new Error(`row ${row} on its own: ${name} ${i} is ${got[i]}, among others ${other}`);
      }
    }
  return all;
}
