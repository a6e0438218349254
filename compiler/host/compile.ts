import { fileURLToPath } from 'node:url';
import { compile as compileBytes } from '../compile.ts';
import { evaluate as evaluateBytes, type EvaluateOptions } from '../evaluate.ts';
import { inspect as inspectBytes, type InspectOptions, type Inspection } from '../inspect.ts';
import type { CompileOptions, CompileResult } from '../options.ts';
import type { TypedTensor } from '../tensors.ts';
import { readModel } from './model.ts';
import { NATIVE, nativeTarget } from './native-target.ts';

/** The model's bytes, or the path of its file or folder; files beside it are found by the path. */
export type ModelSource = Uint8Array | string | URL;
export interface NodeCompileOptions extends Omit<CompileOptions, 'model'> {
  readonly model: ModelSource;
}
export interface NodeEvaluateOptions extends Omit<EvaluateOptions, 'model'> {
  readonly model: ModelSource;
}
export interface NodeInspectOptions extends Omit<InspectOptions, 'model'> {
  readonly model: ModelSource;
}
/** What is read of a model; options that are given as well win. */
export const readSource = (
  model: ModelSource,
  importers: CompileOptions['importers'],
): Pick<CompileOptions, 'model' | 'file' | 'external'> =>
  model instanceof Uint8Array ? { model } : readModel(typeof model === 'string' ? model : fileURLToPath(model), importers);

/**
 * Compiles a model to the files of a bundle, which `writeBundle` puts in place; the target `native` is this machine, as its C compiler
 * knows it. See `CompileOptions`. Errors are `CompileError`s with a code.
 */
export async function compile({ model, ...given }: NodeCompileOptions): Promise<CompileResult> {
  const target = given.target === NATIVE ? { target: nativeTarget() } : {};
  return compileBytes({ ...readSource(model, given.importers), ...given, ...target });
}
/** Tells what a model is made of, also where it cannot be compiled. E2xx where it cannot be read. */
export const inspect = ({ model, ...given }: NodeInspectOptions): Inspection =>
  inspectBytes({ ...readSource(model, given.importers), ...given });
/**
 * Runs a model by the reference evaluator: every operator as its definition says, in float64. It is slow, and the measure of what compiled
 * models compute. Gives the outputs by name. Errors: those of importing, E501 where an input is missing or does not fit, E502 where the
 * data break what the model takes for granted.
 */
export const evaluate = ({ model, ...given }: NodeEvaluateOptions): Record<string, TypedTensor> =>
  evaluateBytes({ ...readSource(model, given.importers), ...given });
