import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile as compileBytes } from '../compile.ts';
import type { CompileOptions, CompileResult } from '../options.ts';
import { folderResolver } from './external.ts';
import { readBytes } from './files.ts';
import { NATIVE, nativeTarget } from './native-target.ts';

export interface NodeCompileOptions extends Omit<CompileOptions, 'model'> {
  /** The model's bytes or its path; weights in files beside it are found by the path. */
  readonly model: Uint8Array | string | URL;
}

/** Compiles a model to the files of a bundle; the target `native` is this machine, as its C compiler knows it. See `CompileOptions`; errors are `CompileError`s with a code. */
export async function compile(options: NodeCompileOptions): Promise<CompileResult> {
  const { model, ...given } = options;
  const rest = given.target === NATIVE ? { ...given, target: nativeTarget() } : given;
  if (model instanceof Uint8Array) return compileBytes({ ...rest, model });
  const path = typeof model === 'string' ? model : fileURLToPath(model);
  const bytes = readBytes(path);
  return compileBytes({ file: basename(path), external: folderResolver(path), ...rest, model: bytes });
}
