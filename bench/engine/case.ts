import { fail } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import type { CompileOptions } from '../../compiler/options.ts';
import type { Manifest } from '../../compiler/run/manifest.ts';
import { makeInputs } from '../../compiler/run/inputs.ts';
import { probing } from '../../compiler/data/probe.ts';
import type { Original } from '../../compiler/reference/reference.ts';
import type { Feed } from '../../compiler/run/feeds.ts';
import type { PeerName } from './result.ts';

/** A model for one target, or a bundle that is there already, with its peers and inputs. */
export interface BenchCase {
  readonly name: string;
  /** What the model is, and the heading under which a report shows it. */
  readonly doc?: string;
  readonly group?: string;
  readonly source: Source;
  /** Peers that must be asked; left out: all that run models of this kind. */
  readonly against?: readonly PeerName[] | undefined;
  /**
   * The inputs of each run, made when the bundle is there: what its manifest says of the inputs, and the model itself where it is known.
   * Left out: one run on random inputs of the smallest sizes.
   */
  readonly runs?: (m: Manifest, original: Original | undefined) => readonly RunInputs[];
}
export type Source =
  /** A model's file. It is compiled first, in a process of its own. `target` in the options may be `native`, this machine. */
  | { readonly k: 'model'; readonly path: string; readonly options: ModelOptions }
  /** A bundle's folder. Peers run the model that it was made from: without its file there are none. */
  | { readonly k: 'bundle'; readonly dir: string; readonly model?: string | undefined };
/** How a model is compiled; it goes to the compiling process as JSON. */
export type ModelOptions = Omit<CompileOptions, 'model' | 'file' | 'external' | 'onProgress' | 'onText' | 'stopAfter'>;
/** One run: inputs of the same sizes, of which calls take one after the other and begin again at the first. */
export interface RunInputs {
  readonly label: string;
  readonly feeds: readonly Feed[];
}

/**
 * How many different inputs a run has: as many as this many bytes hold, and at most so many. Processors and caches learn inputs that come
 * again and again, which no application profits from.
 */
const FEED_BYTES = 1 << 20;
const FEEDS = 512;

/**
 * Runs on random inputs, one for each choice of sizes (symbol to size; symbols that a choice leaves out have their smallest size). Rows of
 * features try the splits of the model's trees. The inputs in `given` stay as they are.
 */
export function randomRuns(
  m: Manifest,
  original: Original | undefined,
  o: { readonly sizes?: readonly ReadonlyMap<string, number>[]; readonly given?: Feed; readonly seed: number },
): RunInputs[] {
  const table = m.rows?.input ?? '';
  const trees = original && probing(original.graph, table);
  const { sizes = [], given = new Map<string, Tensor>() } = o;
  const choices = sizes.length === 0 ? [new Map<string, number>()] : sizes;
  return choices.map(chosen => {
    for (const [name, n] of chosen) checkSize(m, name, n);
    const size = (name: string): number | undefined => chosen.get(name);
    const one = (i: number): Feed => {
      const seed = o.seed + 100 * i;
      const made = makeInputs(m, [], { given, seed, size });
      const rows = made.get(table);
      if (trees && rows && !given.has(table)) made.set(table, trees(rows, seed));
      return made;
    };
    const fixed = m.inputs.every(p => given.has(p.name));
    const feeds = feedsThatFit(one, fixed);
    return { label: labelOf(feeds[0]), feeds };
  });
}
/** Different inputs, as many as fit; one where all would be the same. */
export function feedsThatFit(make: (i: number) => Feed, same: boolean): readonly [Feed, ...Feed[]] {
  const first = make(0);
  const bytes = [...first.values()].reduce((n, t) => n + t.bytes.length, 0);
  const some = same ? 1 : Math.max(1, Math.min(FEEDS, Math.floor(FEED_BYTES / bytes)));
  return [first, ...Array.from({ length: some - 1 }, (_, i) => make(i + 1))];
}
/** The sizes of the first input that has some. */
const labelOf = (f: Feed): string => {
  const shaped = [...f.values()].find((t: Tensor) => t.dims.length > 0);
  return shaped ? shaped.dims.join('x') : 'scalar';
};
function checkSize(m: Manifest, name: string, n: number): void {
  const s = m.symbols.find(x => x.name === name && x.from === 'input');
  const free = m.symbols.flatMap(x => (x.from === 'input' ? [`${x.name} (${x.lo} to ${x.hi})`] : []));
  if (!s || n < s.lo || n > s.hi)
    fail('E403', {
      option: 'size',
      why: `${name}=${n}: ${free.length === 0 ? `${m.name} has no free dimensions` : `the free dimensions of ${m.name} are ${free.join(', ')}`}`,
    });
}
