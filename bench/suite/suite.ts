import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  fields,
  isObject,
  listOf,
  oneOf,
  optional,
  recordOf,
  tagged,
  text,
  whole,
  type Check,
} from '../../compiler/core/check.ts';
import { fail } from '../../compiler/core/diagnostic.ts';
import { TREE_OUTPUTS, type Iterations, type TreeOutput } from '../../compiler/import/shared/trees.ts';
import type { DimOption } from '../../compiler/options.ts';
import { parseDimOption, parseIterations } from '../../compiler/ranges.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { PEER_NAMES } from '../peers/index.ts';
import type { PeerName } from '../engine/result.ts';
import { readText } from '../../compiler/host/files.ts';
import { FILL, type Fill } from '../../compiler/data/fill.ts';
import { TASK, type Task } from '../../compiler/verify/task.ts';
import { FORMATS, type Format } from '../../compiler/import/index.ts';

/**
 * A suite: models, the inputs that they are run on, targets and peers. `sinter bench --suite` and `sinter regress --suite` read it from a
 * JSON file of these fields; paths are relative to the file.
 *
 *     { "targets": ["wasm-simd"], "against": ["onnxruntime-web"],
 *       "models": [{ "name": "mine", "model": "mine.onnx", "dims": { "batch": 1 }, "runs": [{ "inputs": "real.npz" }] }] }
 */
export interface Suite {
  readonly file: string;
  readonly doc: string;
  readonly models: readonly SuiteModel[];
  /** What brings the files that are not here: a model without its file is then passed over, and told, instead of an error. */
  readonly missing: string | undefined;
}
export interface SuiteModel {
  /** Reports and baselines know it by its name. */
  readonly name: string;
  readonly doc: string;
  /** The heading under which reports show it. */
  readonly group: string;
  readonly path: string;
  readonly here: boolean;
  readonly targets: readonly SuiteTarget[];
  readonly against: readonly PeerName[];
  /** How it is compiled. */
  readonly options: {
    readonly dims: Readonly<Record<string, DimOption>>;
    readonly format?: Format;
    readonly iterations?: Iterations;
    readonly outputs?: readonly TreeOutput[];
  };
  /** What inputs are made of; the others are random. */
  readonly fills: Readonly<Record<string, Fill>>;
  readonly runs: readonly SuiteRun[];
  readonly task: Task | undefined;
}
export interface SuiteTarget {
  readonly name: string;
  /** As `compile` takes it. */
  readonly option: string | object;
}
/** Inputs to run a model on. */
export interface SuiteRun {
  readonly label: string;
  /** Sizes of inputs by name. */
  readonly sizes: Readonly<Record<string, readonly number[]>>;
  /** A file with inputs (.npz, .npy, .json, .csv) instead of made ones. */
  readonly inputs: string | undefined;
  /** A file with the outputs that are right on these inputs, and whose answers they are. */
  readonly expected: { readonly file: string; readonly by: string } | undefined;
  /** A file of what the task asks for, one a line. */
  readonly labels: string | undefined;
  /** What the run is for. */
  readonly only: 'accuracy' | 'speed' | undefined;
}

const size: Check<DimOption> = (v, bad) =>
  (typeof v === 'number' || typeof v === 'string' ? parseDimOption(String(v)) : undefined) ??
  bad('must be a size, or a range such as "1..64" or "32..640:32"');
const iterations: Check<Iterations> = (v, bad) =>
  (typeof v === 'string' ? parseIterations(v) : undefined) ?? bad('must be rounds such as "0..99"');
const targetOf: Check<SuiteTarget> = (v, bad) =>
  typeof v === 'string' || isObject(v)
    ? { name: resolveTarget(v).name, option: v }
    : bad('must be the name of a target, or a profile');
const NAME: Check<string> = (v, bad) =>
  typeof v === 'string' && /^[\w][\w. -]{0,63}$/.test(v) ? v : bad("must be letters, digits, '-', '_', '.' and spaces");
const RUN = fields({
  label: optional(text),
  sizes: optional(recordOf(listOf(whole(0, 2 ** 31)))),
  inputs: optional(text),
  expected: optional(fields({ file: text, by: text })),
  labels: optional(text),
  only: optional(oneOf('accuracy', 'speed')),
});
const MODEL = fields({
  name: NAME,
  doc: optional(text),
  group: optional(text),
  model: text,
  targets: optional(listOf(targetOf)),
  against: optional(listOf(oneOf(...PEER_NAMES))),
  format: optional(oneOf(...FORMATS)),
  dims: optional(recordOf(size)),
  iterations: optional(iterations),
  outputs: optional(listOf(oneOf(...TREE_OUTPUTS))),
  inputs: optional(recordOf(FILL)),
  runs: optional(listOf(RUN)),
  task: optional(tagged(TASK)),
});
const SUITE = fields({
  doc: optional(text),
  targets: optional(listOf(targetOf)),
  against: optional(listOf(oneOf(...PEER_NAMES))),
  missing: optional(text),
  models: listOf(MODEL),
});

/** Reads a suite. E205: what is wrong with it, and where: `models[2].runs[0].sizes.x[1] must be …`. E401: a target. */
export function readSuite(file: string): Suite {
  const bad = (why: string): never => fail('E205', { file, why: `it is not a suite: ${why.replace(/^\./, '')}` });
  let json: unknown;
  try {
    json = JSON.parse(readText(file));
  } catch (e) {
    if (e instanceof SyntaxError) return bad(`it is no JSON: ${e.message}`);
    throw e;
  }
  const s = SUITE(json, bad);
  const at = (path: string): string => resolve(join(dirname(file), path));
  const targets = s.targets ?? [targetOf('wasm-simd', bad)];
  if (s.models.length === 0) bad('it has no models');
  s.models.forEach((m, i) => {
    const before = s.models.findIndex(x => x.name === m.name);
    if (before < i) bad(`models[${i}] has the name of models[${before}], '${m.name}'`);
  });
  const models = s.models.map((m): SuiteModel => {
    const path = at(m.model);
    const runs = (m.runs ?? [{}]).map((r): SuiteRun => ({
      label: r.label ?? labelOf(r.sizes ?? {}),
      sizes: r.sizes ?? {},
      inputs: r.inputs === undefined ? undefined : at(r.inputs),
      expected: r.expected && { ...r.expected, file: at(r.expected.file) },
      labels: r.labels === undefined ? undefined : at(r.labels),
      only: r.only,
    }));
    return {
      name: m.name,
      doc: m.doc ?? '',
      group: m.group ?? 'Models',
      path,
      here: existsSync(path),
      targets: m.targets ?? targets,
      against: m.against ?? s.against ?? [],
      options: {
        dims: m.dims ?? {},
        ...(m.format && { format: m.format }),
        ...(m.iterations && { iterations: m.iterations }),
        ...(m.outputs && { outputs: m.outputs }),
      },
      fills: m.inputs ?? {},
      runs,
      task: m.task && ('keys' in m.task ? { ...m.task, keys: at(m.task.keys) } : m.task),
    };
  });
  return { file, doc: s.doc ?? '', models, missing: s.missing };
}
const labelOf = (sizes: Readonly<Record<string, readonly number[]>>): string => Object.values(sizes)[0]?.join('x') ?? 'default';
