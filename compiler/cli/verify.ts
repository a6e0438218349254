import type { Tensor } from '../core/tensor.ts';
import { random } from './io/inputs.ts';
import { inputsOfFile, makeInputs, openBundle, type Bundle } from './bundle.ts';
import type { ExitCode } from './command.ts';
import { compare, unravel, type Difference, type Tolerance } from './compare.ts';
import { sha256 } from '../emit/bundle/index.ts';
import { probing } from './probe.ts';
import { openOriginal, reference, type Against, type Original, type Reference } from './reference.ts';
import { showNumber, table, type Terminal } from './terminal.ts';
import { findDeparture } from './verify-nodes.ts';

export interface VerifyFlags {
  readonly model: string;
  readonly against: Against;
  readonly inputs?: string;
  readonly samples: number;
  readonly rtol: number;
  readonly atol: number;
  readonly perNode?: boolean;
}
/** What a verification found; the manifest carries it where the compilation was asked to verify. */
export interface Parity {
  readonly against: Reference['name'];
  readonly samples: number;
  readonly rtol: number;
  readonly atol: number;
  readonly ok: boolean;
  /** The worst over all samples. */
  readonly outputs: readonly {
    readonly name: string;
    readonly abs: number;
    readonly rel: number;
    readonly ok: boolean;
    readonly why?: string;
  }[];
}
export const DEFAULT_TOLERANCE: Tolerance = { rtol: 1e-3, atol: 1e-5 };

/** `sinter verify BUNDLE --model MODEL`. */
export async function verifyCommand(dir: string, o: VerifyFlags, t: Terminal): Promise<ExitCode> {
  const bundle = await openBundle(dir);
  const original = openOriginal(o.model, bundle.manifest.options);
  if ((await sha256(original.bytes)) !== bundle.manifest.source.sha256)
    t.err(`warning: the bundle was made from another file (${bundle.manifest.source.file}) than ${o.model}\n`);
  const ref = await reference(original, o.against);
  const samples = samplesOf(bundle, o, original);
  const parity = await verifyBundle(bundle, ref, samples, o);
  t.out(showParity(parity));
  if (o.perNode === true) t.out(await findDeparture(bundle, original, ref, samples[0] ?? new Map<string, Tensor>(), o));
  return parity.ok ? 0 : 3;
}

/** The sizes of later samples are spread over the ranges up to this many times the first try. */
const SPREAD = 256;
/**
 * Samples with the inputs of a file, and random ones for the rest, whose sizes differ from sample to sample. Rows of features are such
 * that they try the splits of the model's trees.
 */
export function samplesOf(
  bundle: Bundle,
  o: { readonly inputs?: string; readonly samples: number },
  original: Original,
): Map<string, Tensor>[] {
  const given = o.inputs === undefined ? new Map<string, Tensor>() : inputsOfFile(bundle.manifest, o.inputs);
  const table = bundle.manifest.rows?.input ?? '';
  const trees = probing(original.graph, table);
  const complete = bundle.manifest.inputs.every(p => given.has(p.name));
  return Array.from({ length: complete ? 1 : o.samples }, (_, i) => {
    const next = random(i);
    const size = (_name: string, lo: number, hi: number): number => {
      const top = Math.min(hi, Math.max(lo, SPREAD));
      return lo + Math.floor(next() * (top - lo + 1));
    };
    const made = makeInputs(bundle.manifest, [], { given, seed: 1 + 100 * i, ...((i > 0 || trees) && { size }) });
    const rows = made.get(table);
    if (trees && rows && !given.has(table)) made.set(table, trees(rows, 1 + 100 * i));
    return made;
  });
}

/** Runs a bundle and the original on the same inputs. */
export async function verifyBundle(
  bundle: Bundle,
  ref: Reference,
  samples: readonly ReadonlyMap<string, Tensor>[],
  tol: Tolerance,
): Promise<Parity> {
  const worst = new Map<string, Difference & { readonly place: string }>();
  for (const inputs of samples) {
    const want = await ref.run(inputs);
    const got = bundle.run(inputs);
    for (const [name, w] of want) {
      const g = got.get(name);
      if (!g) continue;
      const d = compare(g, w, tol);
      const had = worst.get(name);
      if (!had || (had.ok && !d.ok) || (had.ok === d.ok && d.abs > had.abs))
        worst.set(name, { ...d, place: d.at === undefined ? '' : `[${unravel(d.at, w.dims).join(', ')}]` });
    }
  }
  const outputs = [...worst].map(([name, d]) => {
    const why = d.why ?? (d.ok ? undefined : `${showNumber(d.got)} instead of ${showNumber(d.want)} at ${d.place}`);
    return { name, abs: d.abs, rel: d.rel, ok: d.ok, ...(why !== undefined && { why }) };
  });
  const { rtol, atol } = tol;
  return { against: ref.name, samples: samples.length, rtol, atol, ok: outputs.every(x => x.ok), outputs };
}

/** A table: the worst differences of each output. */
export function showParity(p: Parity): string {
  const rows = p.outputs.map(o => [
    o.name,
    o.abs.toExponential(2),
    o.rel.toExponential(2),
    o.ok ? 'ok' : `differs: ${o.why ?? ''}`,
  ]);
  const head = `compared with ${p.against} on ${p.samples} ${p.samples === 1 ? 'sample' : 'samples'} (rtol ${p.rtol}, atol ${p.atol}): `;
  return `${head}${p.ok ? 'the outputs agree' : 'the outputs differ'}\n${table([['output', 'absolute', 'relative', ''], ...rows], [1, 2])}`;
}
