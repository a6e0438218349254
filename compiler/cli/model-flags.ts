import { didYouMean } from '../core/suggest.ts';
import type { TfliteRounding } from '../import/importer.ts';
import type { Format } from '../import/index.ts';
import { TREE_OUTPUTS, type Iterations, type TreeOutput } from '../import/shared/trees.ts';
import type { DimOption, ModelChoices } from '../options.ts';
import { parseDimOption, parseIterations } from '../ranges.ts';
import { UsageError } from './terminal.ts';

/** Flags that choose something of a model. */
export interface ModelFlags {
  readonly dim: readonly string[];
  readonly shape: readonly string[];
  readonly outputsAt: readonly string[];
  readonly inputsAt: readonly string[];
  readonly iterations?: string;
  readonly signature?: string;
  readonly inputNames?: string;
  readonly tfliteRounding?: TfliteRounding;
  readonly outputs?: string;
  readonly format?: Format;
}
/** What they choose. */
export const modelOf = (o: ModelFlags): ModelChoices => ({
  dims: parseDims(o.dim),
  ...(o.shape.length > 0 && { shapes: parseShapes(o.shape) }),
  ...(o.outputsAt.length > 0 && { outputsAt: o.outputsAt }),
  ...(o.inputsAt.length > 0 && { inputsAt: o.inputsAt }),
  ...(o.format && { format: o.format }),
  ...(o.iterations !== undefined && { iterations: iterationsOf(o.iterations) }),
  ...(o.outputs !== undefined && { outputs: parseOutputs(o.outputs) }),
  ...(o.signature !== undefined && { signature: o.signature }),
  ...(o.inputNames !== undefined && { inputNames: o.inputNames.split(',').map(name => name.trim()) }),
  ...(o.tfliteRounding && { tfliteRounding: o.tfliteRounding }),
});

/** `--dim NAME=N`, `NAME=A..B` or `NAME=A..B:STEP`. */
export function parseDims(flags: readonly string[]): Record<string, DimOption> {
  const out: Record<string, DimOption> = {};
  for (const f of flags) {
    const at = f.lastIndexOf('=');
    const size = at < 1 ? undefined : parseDimOption(f.slice(at + 1));
    if (size === undefined) throw new UsageError(`--dim ${f}: write NAME=N, NAME=A..B or NAME=A..B:STEP`);
    const name = f.slice(0, at);
    if (Object.hasOwn(out, name)) throw new UsageError(`--dim ${f}: ${name} is given twice`);
    out[name] = size;
  }
  return out;
}

/** `--shape NAME=AxBxC`, each a size, a range or `?`. */
function parseShapes(flags: readonly string[]): Record<string, readonly (DimOption | null)[]> {
  const out: Record<string, readonly (DimOption | null)[]> = {};
  for (const f of flags) {
    const at = f.lastIndexOf('=');
    const name = f.slice(0, Math.max(0, at));
    const text = f.slice(at + 1);
    const sizes = text === '' ? [] : text.split('x').map(s => (s === '?' ? null : parseDimOption(s)));
    if (at < 1 || !sizes.every(s => s !== undefined))
      throw new UsageError(`--shape ${f}: write NAME=AxBxC, such as x=1x3x48x160..320; each is N, A..B, A..B:STEP or ?`);
    if (Object.hasOwn(out, name)) throw new UsageError(`--shape ${f}: ${name} is given twice`);
    out[name] = sizes;
  }
  return out;
}

/** `--iterations A..B`. */
function iterationsOf(flag: string): Iterations {
  const rounds = parseIterations(flag);
  if (!rounds)
    throw new UsageError(`--iterations ${flag}: write A..B for the rounds from A to B, such as 0..99 for the first hundred`);
  return rounds;
}
/** `--outputs margin,leaf,contributions`, in any order; `prediction` may be named too. */
function parseOutputs(flag: string): TreeOutput[] {
  return flag.split(',').flatMap(word => {
    const name = word.trim();
    if (name === 'prediction') return [];
    const known = TREE_OUTPUTS.find(t => t === name);
    if (known === undefined)
      throw new UsageError(
        `--outputs ${flag}: there is no output '${name}'${didYouMean(name, TREE_OUTPUTS)} (${TREE_OUTPUTS.join(', ')}, besides prediction)`,
      );
    return [known];
  });
}
