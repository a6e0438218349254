import type { Tensor } from '../core/tensor.ts';
import { sha256 } from '../bundle/js/index.ts';
import {
  certify,
  checkFiles,
  readCertificate,
  showFileCheck,
  worse,
  type Certificate,
  type Parity,
} from '../verify/certificate.ts';
import { random } from '../data/inputs.ts';
import { inputsOfFile, makeInputs, openBundle, type Bundle } from '../verify/bundle.ts';
import type { ExitCode } from './command.ts';
import { classesOf, compare, largest, unravel, type Difference, type Tolerance } from '../verify/compare.ts';
import { probing } from '../verify/probe.ts';
import { openOriginal, reference, type Against, type Original, type Reference } from '../verify/reference.ts';
import { many, showNumber, table } from '../core/format.ts';
import { UsageError } from '../core/diagnostic.ts';
import { type Terminal } from './terminal.ts';
import { findDeparture } from '../verify/nodes.ts';

/** What is not given is as the certificate says, or the default. */
export interface VerifyFlags {
  readonly model?: string;
  readonly against?: Against;
  readonly inputs?: string;
  readonly samples?: number;
  readonly seed?: number;
  readonly rtol?: number;
  readonly atol?: number;
  readonly perNode?: boolean;
  readonly certify?: boolean;
  readonly threads?: number;
}
export const DEFAULTS = { samples: 2, seed: 1, rtol: 1e-3, atol: 1e-5 };

/**
 * `sinter verify BUNDLE [--model MODEL]`. A bundle that was certified is checked again: the digests first, before anything of it runs, then
 * the answers on the same samples. Exit code 3 where something departs.
 */
export async function verifyCommand(dir: string, o: VerifyFlags, t: Terminal): Promise<ExitCode> {
  const certificate = readCertificate(dir);
  const files = certificate && checkFiles(dir, certificate);
  if (files) t.out(showFileCheck(files));
  if (files && files.wrong.length > 0 && o.certify !== true) return 3;
  if (o.model === undefined) {
    if (!certificate) throw new UsageError(`${dir} has no certificate to check: give --model MODEL to compare the answers`);
    t.out(`${showCertificate(certificate)}not checked now: the answers, for which --model MODEL is needed\n`);
    return 0;
  }
  const bundle = await openBundle(dir, o.threads);
  const original = openOriginal(o.model, bundle.manifest.options);
  const from = certificate?.model ?? bundle.manifest.source.sha256;
  if ((await sha256(original.bytes)) !== from)
    t.err(`warning: the bundle was made from another file (${bundle.manifest.source.file}) than ${o.model}\n`);
  const again = certificate && sameQuestion(certificate, o);
  const asked = { ...DEFAULTS, ...(again && askedBy(again)), ...o };
  const ref = await reference(original, asked.against ?? 'auto');
  const samples = samplesOf(bundle, asked, original);
  const parity: Parity = {
    ...(await verifyBundle(bundle, ref, samples, asked)),
    ...(o.inputs === undefined && { seed: asked.seed }),
  };
  t.out(showParity(parity));
  const lost = again ? worseThan(again, parity, bundle, t) : [];
  if (o.perNode === true) t.out(await findDeparture(bundle, original, ref, samples[0] ?? new Map<string, Tensor>(), asked));
  if (!parity.ok || lost.length > 0) return 3;
  if (o.certify === true) {
    certify(dir, parity);
    t.out('the certificate is in manifest.json\n');
  }
  return 0;
}
/** The certificate, where the flags ask what it answers. */
function sameQuestion(c: Certificate, o: VerifyFlags): Certificate | undefined {
  const other =
    o.certify === true || o.inputs !== undefined || [o.against, o.samples, o.seed, o.rtol, o.atol].some(x => x !== undefined);
  return other || c.seed === undefined ? undefined : c;
}
const askedBy = (c: Certificate): Pick<Certificate, 'samples' | 'rtol' | 'atol'> & { seed: number; against: Against } => ({
  samples: c.samples,
  seed: c.seed ?? DEFAULTS.seed,
  rtol: c.rtol,
  atol: c.atol,
  against: c.reference.name === 'onnxruntime-node' ? 'onnxruntime' : 'evaluate',
});
/** Tells how the answers stand to those that were certified. */
function worseThan(c: Certificate, now: Parity, bundle: Bundle, t: Terminal): readonly unknown[] {
  const fma = bundle.manifest.profiles[bundle.profile]?.vector.fma;
  const exact = c.reference.name !== 'onnxruntime-node' && fma !== 'relaxed';
  const lost = worse(now, c, exact);
  const other = now.reference.version === c.reference.version ? '' : ` (certified with ${showReference(c)})`;
  if (lost.length === 0) t.out(`they are as near as certified${other}\n`);
  else t.out(`worse than certified${other}\n${table(lost.map(l => [l.name, l.what]))}`);
  return lost;
}

/** The sizes of later samples are spread over the ranges up to this many times the first try. */
const SPREAD = 256;
/**
 * Samples with the inputs of a file, and random ones for the rest, whose sizes differ from sample to sample. Rows of features are such
 * that they try the splits of the model's trees.
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
    return made;
  });
}

/** Runs a bundle and the original on the same inputs. */
export async function verifyBundle(
  bundle: Pick<Bundle, 'run'>,
  ref: Pick<Reference, 'name' | 'version' | 'run'>,
  samples: readonly ReadonlyMap<string, Tensor>[],
  tol: Tolerance,
): Promise<Parity> {
  const worst = new Map<string, Worst>();
  for (const inputs of samples) {
    const want = await ref.run(inputs);
    const got = bundle.run(inputs);
    for (const [name, w] of want) {
      const g = got.get(name);
      if (!g) continue;
      worst.set(name, merged(worst.get(name), g, w, tol));
    }
  }
  const outputs = [...worst].map(([name, { difference: d, ...rest }]) => {
    const why = d.why ?? (d.ok ? undefined : `${showNumber(d.got)} instead of ${showNumber(d.want)} at ${rest.place}`);
    const { abs, rel, largest: most, classes } = rest;
    return { name, abs, rel, largest: most, ...(classes && { classes }), ok: d.ok, ...(why !== undefined && { why }) };
  });
  const { rtol, atol } = tol;
  const { name, version } = ref;
  return { reference: { name, version }, samples: samples.length, rtol, atol, ok: outputs.every(x => x.ok), outputs };
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

const showReference = (p: Parity): string => `${p.reference.name} ${p.reference.version}`;
/** A table: the worst differences of each output. */
export function showParity(p: Parity): string {
  const rows = p.outputs.map(o => [
    o.name,
    o.abs.toExponential(2),
    o.rel.toExponential(2),
    `${o.ok ? 'ok' : `differs: ${o.why ?? ''}`}${o.classes ? `, arg-max agrees ${o.classes.same} of ${o.classes.rows} times` : ''}`,
  ]);
  const head = `compared with ${showReference(p)} on ${many(p.samples, 'sample')} (rtol ${p.rtol}, atol ${p.atol}): `;
  return `${head}${p.ok ? 'the outputs agree' : 'the outputs differ'}\n${table([['output', 'absolute', 'relative', ''], ...rows], [1, 2])}`;
}
/** What a certificate says, as what was found when it was made. */
const showCertificate = (c: Certificate): string => `certified when it was made: ${showParity(c)}`;
