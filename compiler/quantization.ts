import { sha256 } from './core/bytes.ts';
import { fail } from './core/diagnostic.ts';
import type { Tensor } from './core/tensor.ts';
import { importFor } from './compile.ts';
import type { Graph } from './graph/graph.ts';
import type { ImportedModel } from './import/index.ts';
import type { CompileOptions, ModelChoices } from './options.ts';
import { nameCollector } from './quantize/names.ts';
import { quantizedOnnx } from './quantize/onnx.ts';
import { writePlan, type QuantizationPlan } from './quantize/plan.ts';
import { quantizeGraph, type QuantizeChoices, type Quantized } from './quantize/quantize.ts';
import { reportOf, type QuantizationReport } from './quantize/report.ts';
import { evaluator, type Engine, type QuantizeProgress, type Sample, type Samples } from './quantize/samples.ts';
import { fromRun, type RunTensor } from './tensors.ts';

/** Inputs of one run by name, as a bundle takes them. */
export type CalibrationSample = Readonly<Record<string, RunTensor>>;
/** Inputs to find ranges with: a list, or a function that gives them anew each time it is called. */
export type CalibrationData =
  | Iterable<CalibrationSample>
  | (() => Iterable<CalibrationSample> | AsyncIterable<CalibrationSample>);

/** A model, and how it is quantized. */
export interface ModelToQuantizeOptions
  extends ModelChoices, QuantizeChoices, Pick<CompileOptions, 'model' | 'file' | 'external' | 'importers' | 'name'> {
  /** Is told what goes on; must not throw. */
  readonly onProgress?: (p: QuantizeProgress) => void;
}
export interface QuantizeOptions extends ModelToQuantizeOptions {
  /** Needed for `int8`; for `int8-dynamic` they are what the result is compared on. */
  readonly calibrate?: CalibrationData;
}
export interface QuantizeResult {
  /** What `compile` takes as `quantization`. */
  readonly plan: QuantizationPlan;
  /** The same as the text of a file. */
  readonly text: string;
  /** What the user should know. */
  readonly warnings: readonly string[];
  /** What it did to the model, node by node. */
  readonly report: QuantizationReport;
}
/** A model that was quantized, with all that was found on the way. */
export interface QuantizedModel extends Quantized {
  readonly report: QuantizationReport;
  /** The model's file with QuantizeLinear and DequantizeLinear, for onnxruntime. E403 where it is no ONNX, or cannot be written. */
  onnx(): Uint8Array;
}

/**
 * Finds out how to quantize a model: `compile({ model, quantization: plan })` makes it so. It runs the model by the evaluator, which is
 * slow; from Node, `quantize` of the package runs it compiled. Errors: those of importing; E205, E501 and E502 of the data; E403.
 */
export async function quantize({ calibrate, ...options }: QuantizeOptions): Promise<QuantizeResult> {
  return resultOf(await quantizeWith(options, evaluator, ({ graph }) => calibrate && samplesOf(graph, calibrate)));
}
/** What the API gives of it. */
export const resultOf = ({ plan, warnings, report }: QuantizedModel): QuantizeResult => ({
  plan,
  warnings,
  report,
  text: writePlan(plan),
});
/** The same with another engine, and with samples that are made when the inputs are known. */
export async function quantizeWith(
  o: ModelToQuantizeOptions,
  engine: Engine,
  samples: (imported: ImportedModel) => Samples | undefined,
): Promise<QuantizedModel> {
  const { onValue, names } = nameCollector();
  const { onProgress = () => undefined, ...model } = o;
  const imported = importFor(model, onValue);
  const { graph } = imported;
  const source = { graph, names, file: o.file ?? 'model', sha256: await sha256(o.model) };
  const q = await quantizeGraph(source, o, samples(imported), engine, onProgress);
  const onnx = (): Uint8Array =>
    imported.format === 'onnx'
      ? quantizedOnnx(o.model, graph, names, q.plan)
      : fail('E403', { option: 'emit', why: 'the model is not of ONNX' });
  return { ...q, report: reportOf(graph, names, q), onnx };
}

/** Samples of the API as tensors. E501 where one is not as `RunTensor` says. */
export function samplesOf(g: Graph, data: CalibrationData): Samples {
  const types = new Map(g.inputs.map(v => [v.def.k === 'input' ? v.def.name : '', v.type.dtype]));
  const sample = (s: CalibrationSample): Sample =>
    new Map(Object.entries(s).map(([name, t]): [string, Tensor] => [name, fromRun(name, types.get(name) ?? 'f32', t)]));
  return {
    name: 'calibration data',
    ...(Array.isArray(data) && { count: data.length }),
    async *read() {
      for await (const s of typeof data === 'function' ? data() : data) yield sample(s);
    },
  };
}
