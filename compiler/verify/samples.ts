import type { Tensor } from '../core/tensor.ts';
import { probing } from '../data/probe.ts';
import { random } from '../data/random.ts';
import { sharpened, withinTables } from '../data/sharp.ts';
import type { Original } from '../reference/reference.ts';
import type { Bundle } from '../run/bundle.ts';
import { inputsOfFile, makeInputs } from '../run/inputs.ts';

/** The sizes of later samples are spread over the ranges up to this many times the first try. */
const SPREAD = 256;
/**
 * Samples with the inputs of a file, and random ones for the rest, whose sizes differ from sample to sample. All but the first hold numbers
 * at which the model changes its ways (`sharpened`); rows of features are such that they try the splits of the model's trees.
 */
export function samplesOf(
  bundle: Bundle,
  o: { readonly inputs?: string; readonly samples: number; readonly seed: number },
  original: Original,
): Map<string, Tensor>[] {
  const given = o.inputs === undefined ? new Map<string, Tensor>() : inputsOfFile(bundle.manifest, o.inputs);
  const table = bundle.manifest.rows?.input ?? '';
  const trees = probing(original.graph, table);
  const complete = bundle.manifest.inputs.every(p => given.has(p.name));
  return Array.from({ length: complete ? 1 : o.samples }, (_, i) => {
    const next = random(o.seed - 1 + i);
    const seed = o.seed + 100 * i;
    const size = (_name: string, lo: number, hi: number): number => {
      const top = Math.min(hi, Math.max(lo, SPREAD));
      return lo + Math.floor(next() * (top - lo + 1));
    };
    const made = makeInputs(bundle.manifest, [], { given, seed, ...((i > 0 || trees) && { size }) });
    const rows = made.get(table);
    if (trees && rows && !given.has(table)) made.set(table, trees(rows, seed));
    else
      for (const [name, t] of made)
        if (!given.has(name))
          made.set(name, i === 0 ? withinTables(original.graph, name, t) : sharpened(original.graph, name, t, seed));
    return made;
  });
}
