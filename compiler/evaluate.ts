import { importFor } from './compile.ts';
import { evaluate as evaluateGraph } from './graph/evaluate.ts';
import type { CompileOptions, ModelChoices } from './options.ts';
import { fromRun, toRun, type RunTensor, type TypedTensor } from './tensors.ts';

export interface EvaluateOptions extends ModelChoices, Pick<CompileOptions, 'model' | 'file' | 'external' | 'importers'> {
  /** The inputs by name. */
  readonly inputs: Readonly<Record<string, RunTensor>>;
}

/**
 * Runs a model by the reference evaluator: every operator as its definition says, floats in float64 and rounded to their type at the end
 * of each. It is slow, and the measure of what compiled models compute. Gives the outputs by name. Errors: those of importing the model,
 * E501 where an input is missing or does not fit, E502 where the data break what the model takes for granted.
 */
export function evaluate({ inputs, ...model }: EvaluateOptions): Record<string, TypedTensor> {
  const { graph } = importFor(model);
  const types = new Map(graph.inputs.map(v => [v.def.k === 'input' ? v.def.name : '', v.type.dtype]));
  const given = Object.entries(inputs).map(([name, t]) => [name, fromRun(name, types.get(name) ?? 'f32', t)] as const);
  return Object.fromEntries([...evaluateGraph(graph, new Map(given))].map(([name, t]) => [name, toRun(t)]));
}
