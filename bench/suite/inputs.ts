import { fail } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { inputOf, type Manifest } from '../../compiler/run/manifest.ts';
import { inputsOfFile, makeInputs } from '../../compiler/run/inputs.ts';
import { filled } from '../../compiler/data/fill.ts';
import { randomTensor } from '../../compiler/data/random.ts';
import { probing } from '../../compiler/data/probe.ts';
import type { Original } from '../../compiler/reference/reference.ts';
import type { SuiteModel, SuiteRun } from './suite.ts';

export type Inputs = ReadonlyMap<string, Tensor>;

/** The inputs of a run of a suite, by what it says of them; rows of features try the splits of the model's trees. */
export function inputsOf(m: SuiteModel, run: SuiteRun, manifest: Manifest, original: Pick<Original, 'graph'>, seed = 1): Inputs {
  const given = run.inputs === undefined ? new Map<string, Tensor>() : inputsOfFile(manifest, run.inputs);
  for (const [name, fill] of Object.entries(m.fills)) {
    if (given.has(name)) continue;
    const port = inputOf(manifest, name);
    const dims =
      run.sizes[name] ?? port.dims ?? fail('E501', { input: name, why: `run '${run.label}' of ${m.name} must give its sizes` });
    given.set(name, fromNumbers(port.dtype, dims, filled(fill, dims, seed, 0)));
  }
  for (const [name, dims] of Object.entries(run.sizes)) {
    if (given.has(name)) continue;
    const port = inputOf(manifest, name);
    given.set(name, randomTensor(port.dtype, dims, seed));
  }
  const table = manifest.rows?.input;
  const complete = makeInputs(manifest, [], { given, seed: seed });
  const trees = table === undefined ? undefined : probing(original.graph, table);
  const rows = complete.get(table ?? '');
  if (trees && rows && run.inputs === undefined && m.fills[table ?? ''] === undefined)
    complete.set(table ?? '', trees(rows, seed));
  return complete;
}
