import { must } from '../core/diagnostic.ts';
import { isFloat } from '../core/dtype.ts';
import { showNumber } from '../core/format.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Reference } from '../reference/reference.ts';
import { outputErrors } from '../quantize/outputs.ts';
import type { Bundle } from '../run/bundle.ts';
import { classesOf, compare, largest, unravel, type Difference, type Tolerance } from './compare.ts';

/** Answers of a bundle beside those of a reference, on the same inputs. */
export interface Parity {
  readonly reference: { readonly name: string; readonly version: string };
  readonly samples: number;
  /** What the inputs were made from; absent where they were given. */
  readonly seed?: number;
  readonly rtol: number;
  readonly atol: number;
  /** Whether all outputs agree: every |got - want| <= atol + rtol * |want|, or as `settled` has it. */
  readonly ok: boolean;
  /** The worst over all samples. */
  readonly outputs: readonly OutputParity[];
}
export interface OutputParity {
  readonly name: string;
  /** The largest |got - want|. */
  readonly abs: number;
  /** The largest |got - want| / |want| where |want| > atol. */
  readonly rel: number;
  /** The largest |want|. */
  readonly largest: number;
  /** Where the last axis is a distribution over classes: how many there were, and in how many the likeliest class is the same. */
  readonly classes?: { readonly rows: number; readonly same: number };
  /** Of a quantized model: the root of the mean squared difference over that of the values, and what its plan allows. */
  readonly error?: number;
  readonly allowed?: number;
  /** Where a framework's own rounding is beyond the tolerance: the largest distance from the model in float64, of either. */
  readonly float64?: { readonly ours: number; readonly theirs: number };
  readonly ok: boolean;
  /** The worst place, in words. */
  readonly why?: string;
}

type Inputs = ReadonlyMap<string, Tensor>;
type Ran = Pick<Bundle, 'run'> | Pick<Reference, 'run'>;
type Known = Pick<Reference, 'name' | 'version' | 'run'>;

/**
 * Runs a bundle and a reference on the same inputs, and compares the outputs that both have. `allowed`: how far an output of a quantized
 * model may be off as a whole.
 */
export async function parityOf(
  bundle: Ran,
  ref: Known,
  samples: readonly Inputs[],
  tol: Tolerance,
  allowed?: (output: string) => number,
): Promise<Parity> {
  const worst = new Map<string, Worst>();
  const errors = outputErrors();
  for (const inputs of samples) {
    const want = await ref.run(inputs);
    const got = await bundle.run(inputs);
    if (allowed) errors.add(want, got);
    for (const [name, w] of want) {
      const g = got.get(name);
      if (!g) continue;
      worst.set(name, merged(worst.get(name), g, w, tol));
    }
  }
  const relative = errors.result();
  const outputs = [...worst].map(([name, { difference: d, ...rest }]) => {
    const { abs, rel, largest: most, classes } = rest;
    const of = { name, abs, rel, largest: most, ...(classes && { classes }) };
    if (allowed) return { ...of, ...judged(relative.get(name)?.error ?? Infinity, allowed(name)) };
    const why = d.why ?? (d.ok ? undefined : `${showNumber(d.got)} instead of ${showNumber(d.want)} at ${rest.place}`);
    return { ...of, ok: d.ok, ...(why !== undefined && { why }) };
  });
  const { rtol, atol } = tol;
  const { name, version } = ref;
  return { reference: { name, version }, samples: samples.length, rtol, atol, ok: outputs.every(x => x.ok), outputs };
}
/**
 * Judges outputs that differ from a framework's by the model in float64 (`exact`): who is at most twice as far from it as the framework
 * itself, agrees with it. Sums of float32 in another order differ by a part of what is summed, not of what comes out, so that a small
 * element among large ones may be off by more than a tolerance of its own size. Only for floats: other types are equal or not.
 */
export async function settled(
  p: Parity,
  bundle: Ran,
  ref: Pick<Reference, 'run'>,
  exact: Known,
  samples: readonly Inputs[],
): Promise<Parity> {
  if (p.ok) return p;
  const [ours, theirs] = await Promise.all([bundle, ref].map(async r => (await parityOf(r, exact, samples, p)).outputs));
  const types = await ref.run(must(samples[0]));
  const outputs = p.outputs.map(o => {
    const of = (list: readonly OutputParity[] = []): number => list.find(x => x.name === o.name)?.abs ?? Infinity;
    const float64 = { ours: of(ours), theirs: of(theirs) };
    const near = Number.isFinite(float64.theirs) && float64.ours <= 2 * float64.theirs;
    if (o.ok || !near || !isFloat(types.get(o.name)?.dtype ?? 'bool')) return o;
    const { why: _, ...rest } = o;
    return { ...rest, float64, ok: true };
  });
  return { ...p, outputs, ok: outputs.every(x => x.ok) };
}
/** An output of a quantized model: as a whole, for single elements say little. */
function judged(error: number, allowed: number): Pick<OutputParity, 'error' | 'allowed' | 'ok' | 'why'> {
  const ok = error <= allowed;
  const why = ok ? {} : { why: `it is off by ${showNumber(error)} of its size, and its plan allows ${showNumber(allowed)}` };
  return { error, allowed, ok, ...why };
}
/** Of all samples of an output: the largest differences, and the sample that is furthest from being right. */
interface Worst {
  readonly difference: Difference;
  readonly place: string;
  readonly abs: number;
  readonly rel: number;
  readonly largest: number;
  readonly classes: { readonly rows: number; readonly same: number } | undefined;
}
function merged(had: Worst | undefined, got: Tensor, want: Tensor, tol: Tolerance): Worst {
  const d = compare(got, want, tol);
  const place = d.at === undefined ? '' : `[${unravel(d.at, want.dims).join(', ')}]`;
  const c = classesOf(got, want);
  const first = !had || (had.difference.ok && !d.ok) || (had.difference.ok === d.ok && d.abs > had.difference.abs);
  const classes = had ? had.classes && c && { rows: had.classes.rows + c.rows, same: had.classes.same + c.same } : c;
  return {
    difference: first ? d : had.difference,
    place: first ? place : had.place,
    abs: Math.max(had?.abs ?? 0, d.abs),
    rel: Math.max(had?.rel ?? 0, d.rel),
    largest: Math.max(had?.largest ?? 0, largest(want)),
    classes,
  };
}
