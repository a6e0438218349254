import { existsSync } from 'node:fs';
import { CompileError } from '../core/diagnostic.ts';
import { newFile, readBytes } from '../host/files.ts';
import { openModel } from '../import/index.ts';
import { UsageError, type Terminal } from './terminal.ts';

/** `--json [FILE]`; `true` where it names no file. */
export type JsonFlag = string | true;
/** Where a command's result goes as JSON. */
interface JsonOutput {
  /** It goes to standard output, so nothing else may. */
  readonly alone: boolean;
  write(value: unknown): void;
}
/**
 * Begins the output of `--json`; undefined where it is not given. E206 where the file cannot be written, before any work is done. A file that
 * holds a model is not written over: `--json model.onnx` means the model, which must come first.
 */
export function beginJson(flag: JsonFlag | undefined, t: Terminal): JsonOutput | undefined {
  if (flag === undefined) return undefined;
  const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  if (flag === true) return { alone: true, write: value => t.out(text(value)) };
  if (existsSync(flag) && isModel(flag))
    throw new UsageError(`--json ${flag}: this is a model; put --json after it, or name another file`);
  const file = newFile(flag);
  return { alone: false, write: value => file.commit(text(value)) };
}
function isModel(path: string): boolean {
  try {
    openModel(readBytes(path), { file: path });
    return true;
  } catch (e) {
    if (e instanceof CompileError) return false;
    throw e;
  }
}
