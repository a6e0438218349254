import type { Manifest } from '../../compiler/run/manifest.ts';
import { makeInputs } from '../../compiler/run/inputs.ts';
import { probing } from '../../compiler/data/probe.ts';
import type { Original } from '../../compiler/reference/reference.ts';
import { UsageError } from '../../compiler/core/diagnostic.ts';
import type { Feed } from './job.ts';
import type { PeerName } from './result.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';

/** A model for one target, or a bundle as it is, with its peers and inputs. */
export interface BenchCase {
  readonly name: string;
  /** What it is, and among what a report shows it. */
  readonly doc?: string;
  readonly group?: string;
  readonly source: Source;
  /** Peers that are asked for; undefined: all that run such models. */
  readonly against: readonly PeerName[] | undefined;
  /** The inputs of each run, once the bundle is there. The feeds of a run have the same sizes; calls take them in turn. */
  readonly runs: (m: Manifest, original: Original | undefined) => readonly RunInputs[];
}
export type Source =
  /** `options`: further arguments of `sinter compile`. */
  | {
      readonly k: 'model';
      readonly path: string;
      readonly target: string;
      /** Whether the target is C, which can have threads. */
      readonly native: boolean;
      readonly options: readonly string[];
    }
  /** Without the model there is nothing that peers could run. */
  | { readonly k: 'bundle'; readonly dir: string; readonly model: string | undefined };
export interface RunInputs {
  readonly label: string;
  readonly feeds: readonly Feed[];
}

/** As many different inputs as this many bytes hold, and not more than so many: what is seen again and again is predicted too well. */
const FEED_BYTES = 1 << 20;
const FEEDS = 512;

/**
 * Inputs made at random, a run for each choice of sizes (symbol to size; those that are not chosen are small). Rows of features are such that
 * they try the splits of the model's trees. `given` are inputs that stay as they are.
 */
export function randomRuns(
  m: Manifest,
  original: Original | undefined,
  o: { readonly sizes: readonly ReadonlyMap<string, number>[]; readonly given: Feed; readonly seed: number },
): RunInputs[] {
  const table = m.rows?.input ?? '';
  const trees = original && probing(original.graph, table);
  const choices = o.sizes.length === 0 ? [new Map<string, number>()] : o.sizes;
  return choices.map(chosen => {
    for (const [name, n] of chosen) checkSize(m, name, n);
    const size = (name: string): number | undefined => chosen.get(name);
    const one = (i: number): Feed => {
      const seed = o.seed + 100 * i;
      const made = makeInputs(m, [], { given: o.given, seed, size });
      const rows = made.get(table);
      if (trees && rows && !o.given.has(table)) made.set(table, trees(rows, seed));
      return made;
    };
    const feeds = feedsThatFit(
      one,
      m.inputs.every(p => o.given.has(p.name)),
    );
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
    throw new UsageError(
      `--size ${name}=${n}: ${free.length === 0 ? `${m.name} has no free dimensions` : `the free dimensions of ${m.name} are ${free.join(', ')}`}`,
    );
}
