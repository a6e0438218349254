import { fileURLToPath } from 'node:url';
import { compile as compileBytes } from '../compile.ts';
import type { CompileOptions, CompileResult } from '../options.ts';
import { readModel } from './model.ts';
import { NATIVE, nativeTarget } from './native-target.ts';

export interface NodeCompileOptions extends Omit<CompileOptions, 'model'> {
  /** The model's bytes, or the path of its file or folder; files beside it are found by the path. */
  readonly model: Uint8Array | string | URL;
}

/** Compiles a model to the files of a bundle; the target `native` is this machine, as its C compiler knows it. See `CompileOptions`; errors are `CompileError`s with a code. */
export async function compile(options: NodeCompileOptions): Promise<CompileResult> {
  const { model, ...given } = options;
  const rest = given.target === NATIVE ? { ...given, target: nativeTarget() } : given;
  if (model instanceof Uint8Array) return compileBytes({ ...rest, model });
  const path = typeof model === 'string' ? model : fileURLToPath(model);
  const { model: bytes, ...source } = readModel(path, given.importers);
  return compileBytes({ ...source, ...rest, model: bytes });
}
