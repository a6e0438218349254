import { fail } from '../core/diagnostic.ts';
import { sha256 } from '../core/bytes.ts';
import { AGAINST, openOriginal, reference, type Against } from '../reference/reference.ts';
import { openBundle, type Bundle } from '../run/bundle.ts';
import { certify, checkFiles, readCertificate, worse, type Certificate, type FileCheck, type Loss } from './certificate.ts';
import { findDivergence, type Divergence } from './nodes.ts';
import { parityOf, settled, type Parity } from './parity.ts';
import { allowedBy, planOfBundle, withinRanges } from './quantized.ts';
import { samplesOf } from './samples.ts';

/** What to compare a bundle with, and how. What is left out is as the bundle's certificate says, or as `DEFAULTS`. */
export interface VerifyOptions {
  /** The bundle's folder. */
  readonly bundle: string;
  /** The path of the model that it was made from. Without it, only the files are checked, against the certificate. */
  readonly model?: string;
  /** What runs the model: `auto` is its own framework where that is installed, otherwise Sinter's evaluation in float64. */
  readonly against?: Against;
  /** The command that is Python, for frameworks that are packages of it; default: python3. */
  readonly python?: string;
  /** A file of inputs (.npz, .json, or .csv for rows of features) instead of random ones. */
  readonly inputs?: string;
  /** How many random inputs, whose free sizes differ. */
  readonly samples?: number;
  /** What the random inputs are made from. */
  readonly seed?: number;
  /** Outputs agree where every |got - want| <= atol + rtol * |want|, or as near to the model in float64 as the framework (`settled`). */
  readonly rtol?: number;
  readonly atol?: number;
  /** At most so many threads, of those that the bundle was compiled for. */
  readonly threads?: number;
  /** Find the first value inside the model that diverges. */
  readonly perNode?: boolean;
  /** Put what is found into the bundle's manifest as its certificate, if the outputs agree. */
  readonly certify?: boolean;
}
export const DEFAULTS = { samples: 2, seed: 1, rtol: 1e-3, atol: 1e-5 };

/** What `verify` found. */
export interface Verification {
  /** The files are those that were certified, the outputs agree, and they are as near as certified. */
  readonly ok: boolean;
  /** The certificate that the bundle has now. */
  readonly certificate: Certificate | undefined;
  /** The bundle's files against its certificate; undefined where it had none. */
  readonly files: FileCheck | undefined;
  /** Undefined where no model was given, or where the files are not those that were certified: then nothing of the bundle runs. */
  readonly answers: Answers | undefined;
}
/** The outputs of a bundle beside those of the model. */
export interface Answers {
  readonly parity: Parity;
  /** The name of the file that the bundle was made from, where the model that was given is not that file. */
  readonly madeFrom: string | undefined;
  /** Outputs that are further off than the certificate says; undefined where something else was asked than the certificate answers. */
  readonly lost: readonly Loss[] | undefined;
  /** Where the model and the bundle part, if `perNode` asked for it. */
  readonly divergence: Divergence | undefined;
}

/**
 * Checks a bundle against its certificate and against the model that it was made from. The digests of the files come first, before
 * anything of the bundle runs. Errors: E207 where the folder is no bundle or its certificate is damaged, E403 where an option does not
 * suit it (without a certificate a model is needed), E601 where onnxruntime is asked for and not installed, and those of importing.
 */
export async function verify(o: VerifyOptions): Promise<Verification> {
  const dir = o.bundle;
  const certificate = readCertificate(dir);
  const files = certificate && checkFiles(dir, certificate);
  if (o.model === undefined && !certificate)
    fail('E403', {
      option: 'model',
      why: `${dir} has no certificate to check; the answers are compared where the model is given`,
    });
  const sound = files === undefined || files.wrong.length === 0;
  if (o.model === undefined || (!sound && o.certify !== true))
    return { ok: sound && o.model === undefined, certificate, files, answers: undefined };
  const bundle = await openBundle(dir, o.threads);
  const original = openOriginal(o.model, bundle.manifest.options);
  const from = certificate?.model ?? bundle.manifest.source.sha256;
  const same = (await sha256(original.bytes)) === from;
  const again = certificate && sameQuestion(certificate, o);
  const asked = { ...DEFAULTS, ...(again && askedBy(again)), ...o };
  const ref = await reference(original, asked.against ?? 'auto', asked.python);
  const plan = planOfBundle(dir);
  if (plan && o.perNode === true)
    fail('E403', {
      option: 'per-node',
      why: 'all nodes of a quantized model differ; `sinter quantize --html` tells by how much',
    });
  const made = samplesOf(bundle, asked, original);
  const samples = plan && o.inputs === undefined ? made.map((s, i) => withinRanges(plan, s, asked.seed + 100 * i)) : made;
  const first = await parityOf(bundle, ref, samples, asked, plan && allowedBy(plan));
  const exact = await reference(original, 'evaluate');
  const last = plan || ref.name === exact.name ? first : await settled(first, bundle, ref, exact, samples);
  const parity: Parity = { ...last, ...(o.inputs === undefined && { seed: asked.seed }) };
  const lost = again && worse(parity, again, isExact(again, bundle));
  const divergence = o.perNode === true ? await findDivergence(bundle, original, ref, samples[0] ?? new Map(), asked) : undefined;
  await ref.close();
  const ok = parity.ok && (lost ?? []).length === 0;
  return {
    ok,
    certificate: ok && o.certify === true ? certify(dir, parity) : certificate,
    files,
    answers: { parity, madeFrom: same ? undefined : bundle.manifest.source.file, lost, divergence },
  };
}
/** The certificate, where the options ask what it answers. */
function sameQuestion(c: Certificate, o: VerifyOptions): Certificate | undefined {
  const other =
    o.certify === true || o.inputs !== undefined || [o.against, o.samples, o.seed, o.rtol, o.atol].some(x => x !== undefined);
  return other || c.seed === undefined ? undefined : c;
}
const askedBy = (c: Certificate): Pick<Certificate, 'samples' | 'rtol' | 'atol'> & { seed: number; against: Against } => ({
  samples: c.samples,
  seed: c.seed ?? DEFAULTS.seed,
  rtol: c.rtol,
  atol: c.atol,
  against: AGAINST.find(a => a === c.reference.name) ?? 'evaluate',
});
/** Whether the bundle and its reference give the same bits on every machine. */
const isExact = (c: Certificate, bundle: Bundle): boolean =>
  AGAINST.every(a => a !== c.reference.name) && bundle.manifest.profiles[bundle.profile]?.vector.fma !== 'relaxed';
