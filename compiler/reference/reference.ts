import { basename, join } from 'node:path';
import { isCoded } from '../core/codes.ts';
import { fail } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { VERSION } from '../core/version.data.ts';
import { importFor } from '../compile.ts';
import { evaluate } from '../graph/evaluate.ts';
import { nodesOf, type Graph, type Value } from '../graph/graph.ts';
import { modelChoices, type ModelChoices } from '../options.ts';
import { readModel } from '../host/model.ts';
import { EXACT_SUMS, findOnnxruntime, needOnnxruntime, openOrt, withOutputs } from './onnxruntime.ts';
import { frameworksFor, openFramework, TF_REFERENCES, type TfReference } from './tensorflow.ts';

/** What runs the original: `auto` is its own framework where that is installed, otherwise `evaluate`, Sinter in float64. */
export type Against = (typeof AGAINST)[number];
export const AGAINST = ['auto', 'evaluate', 'onnxruntime-node', ...TF_REFERENCES] as const;
const EVALUATOR = "Sinter's reference evaluator";
/** The original model as something to compare with. */
export interface Reference {
  readonly name: Exclude<Against, 'auto' | 'evaluate'> | typeof EVALUATOR;
  readonly version: string;
  run(inputs: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  /** Values inside the model by the names of the file; some may be missing. Those of TensorFlow's family are the evaluator's. */
  values(names: readonly string[], inputs: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  /** Ends what it started. */
  close(): Promise<void>;
}
/** A model as imported, with what the file's names became. */
export interface Original {
  readonly path: string;
  /** The file that it begins with: of a folder, the one in it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** What was chosen of it. */
  readonly choices: ModelChoices;
  /** The name of the importer. */
  readonly format: string;
  readonly graph: Graph;
  /** Whether it is a part of the model, which only Sinter runs. */
  readonly part: boolean;
  /** The values that nodes make, in the order of evaluation. */
  readonly named: readonly { readonly name: string; readonly value: Value }[];
}

/** Imports a model as the compilation of a bundle did. */
export function openOriginal(path: string, options: ModelChoices): Original {
  const source = readModel(path);
  const byValue = new Map<Value, string>();
  const imported = importFor({ ...source, ...modelChoices(options) }, (name, value) => {
    if (!byValue.has(value)) byValue.set(value, name);
  });
  const { graph } = imported;
  // Where the file does not name the values inside, the graph does.
  if (byValue.size === 0) {
    nodesOf(graph).forEach((n, i) => n.outputs.forEach(v => byValue.set(v, `${n.op.name} ${i}`)));
    for (const o of graph.outputs) byValue.set(o.value, o.name);
  }
  const named = nodesOf(graph).flatMap(n =>
    n.outputs.flatMap(value => {
      const name = byValue.get(value);
      return name === undefined ? [] : [{ name, value }];
    }),
  );
  const part = (options.outputsAt ?? options.inputsAt) !== undefined;
  const file = basename(path) === source.file ? path : join(path, source.file);
  return { path, file, bytes: source.model, choices: options, format: imported.format, graph, part, named };
}

/**
 * What to compare with: the model's own framework where it is installed and nothing else is asked for. `python` is the command for those
 * that are packages of Python. E601 where one is asked for and missing, E403 where it is asked for and does not take such a model.
 */
export async function reference(o: Original, against: Against, python = 'python3'): Promise<Reference> {
  if (against === 'evaluate') return evaluator(o);
  if (against !== 'auto') {
    if (o.part) fail('E403', { option: 'against', why: `the bundle is a part of the model, and ${against} runs all of it` });
    if (against === 'onnxruntime-node') return byOnnxruntime(o, await needOnnxruntime());
    return byFramework(o, against, python);
  }
  if (o.part) return evaluator(o);
  if (o.format === 'onnx') {
    const ort = await findOnnxruntime();
    return ort && isKnownToOrt(o.graph) ? byOnnxruntime(o, ort) : evaluator(o);
  }
  // What it does not take, or what is not installed, is no error where nobody asked for it.
  for (const name of frameworksFor(o)) {
    const found = await byFramework(o, name, python).catch(() => undefined);
    if (found) return found;
  }
  return evaluator(o);
}
async function byFramework(o: Original, name: TfReference, python: string): Promise<Reference> {
  return { ...evaluator(o), name, ...(await openFramework(o, name, python)) };
}
async function byOnnxruntime(o: Original, ort: Awaited<ReturnType<typeof needOnnxruntime>>): Promise<Reference> {
  if (o.format !== 'onnx') fail('E403', { option: 'against', why: `${o.path} is no ONNX model, which onnxruntime takes` });
  const outputs = new Set(o.graph.outputs.map(x => x.name));
  const open = (bytes: Uint8Array): ReturnType<typeof openOrt> => openOrt(ort, bytes, o.path, {}, EXACT_SUMS);
  const plain = await open(o.bytes);
  // Of a map from labels to scores, the scores have a name of their own.
  const named = new Map(o.named.map(n => [n.value, n.name]));
  const inner = o.graph.outputs.flatMap(x => {
    const name = named.get(x.value);
    return name === undefined || outputs.has(name) || !plain.others.includes(x.name) ? [] : [{ output: x.name, name }];
  });
  if (inner.length > 0) await plain.release();
  const added = inner.map(x => x.name);
  const whole = inner.length === 0 ? plain : await open(withOutputs(o.bytes, added));
  return {
    name: 'onnxruntime-node',
    version: ort.env.versions.node ?? 'of an unknown version',
    run: async inputs => {
      const got = await whole.run(inputs);
      for (const { output, name } of inner) {
        const t = got.get(name);
        if (t && !got.has(output)) got.set(output, t);
      }
      return got;
    },
    values: async (names, inputs) => {
      const opened = await open(
        withOutputs(
          o.bytes,
          names.filter(n => !outputs.has(n)),
        ),
      );
      try {
        return await opened.run(inputs);
      } finally {
        await opened.release();
      }
    },
    close: () => whole.release(),
  };
}
/** Whether onnxruntime for JavaScript has arrays for all inputs and outputs. */
const isKnownToOrt = (g: Graph): boolean =>
  [...g.inputs, ...g.outputs.map(x => x.value)].every(v => v.type.dtype === 'f16' || !isCoded(v.type.dtype));
function evaluator(o: Original): Reference {
  return {
    name: EVALUATOR,
    version: VERSION,
    close: () => Promise.resolve(),
    run: inputs => Promise.resolve(evaluate(o.graph, inputs)),
    values: (names, inputs) => {
      const wanted = new Map(o.named.filter(n => names.includes(n.name)).map(n => [n.value, n.name]));
      const out = new Map<string, Tensor>();
      evaluate(o.graph, inputs, {
        onNode: (node, tensors) =>
          node.outputs.forEach((v, i) => {
            const name = wanted.get(v);
            const t = tensors[i];
            if (name !== undefined && t) out.set(name, t);
          }),
      });
      return Promise.resolve(out);
    },
  };
}
