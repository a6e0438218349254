import { showLoc } from '../core/diagnostic.ts';
import { many, showNumber, table } from '../core/format.ts';
import { showType } from '../core/shape.ts';
import type { Certificate, FileCheck } from '../verify/certificate.ts';
import type { Divergence, DivergentValue } from '../verify/nodes.ts';
import type { OutputParity, Parity } from '../verify/parity.ts';
import { verify, type Answers, type VerifyOptions } from '../verify/verify.ts';
import type { ExitCode, Terminal } from './terminal.ts';

type VerifyFlags = Omit<VerifyOptions, 'bundle'>;

/** `sinter verify BUNDLE [--model MODEL]`. Exit code 3 where the files or the answers are not those of the model. */
export async function verifyCommand(bundle: string, o: VerifyFlags, t: Terminal): Promise<ExitCode> {
  const v = await verify({ ...o, bundle });
  if (v.files) t.out(showFileCheck(v.files));
  if (v.answers) showAnswers(v.answers, v.certificate, t);
  else if (v.ok && v.certificate)
    t.out(`${showCertificate(v.certificate)}not checked now: the answers, for which --model MODEL is needed\n`);
  if (v.ok && o.certify === true) t.out('the certificate is in manifest.json\n');
  return v.ok ? 0 : 3;
}
function showAnswers({ parity, madeFrom, lost, divergence }: Answers, certificate: Certificate | undefined, t: Terminal): void {
  if (madeFrom !== undefined)
    t.err(`warning: the bundle was made from another file (${madeFrom}) than the model that is given\n`);
  t.out(showParity(parity));
  if (lost && certificate) {
    const same = parity.reference.version === certificate.reference.version;
    const other = same ? '' : ` (certified with ${showReference(certificate)})`;
    if (lost.length === 0) t.out(`they are as near as certified${other}\n`);
    else t.out(`worse than certified${other}\n${table(lost.map(l => [l.name, l.what]))}`);
  }
  if (divergence) t.out(showDivergence(divergence));
}
function showFileCheck(f: FileCheck): string {
  const all = f.same + f.wrong.length;
  const head =
    f.wrong.length === 0
      ? `files: all ${all} have the digests of the certificate\n`
      : `files: ${f.wrong.length} of ${all} are not those that were certified\n${table(f.wrong.map(w => [w.file, w.what]))}`;
  return f.unknown.length === 0 ? head : `${head}not certified, for they came later: ${f.unknown.join(', ')}\n`;
}

const showReference = (p: Parity): string => `${p.reference.name} ${p.reference.version}`;
function verdict(o: OutputParity): string {
  if (!o.ok) return `differs: ${o.why ?? ''}`;
  if (!o.float64) return 'ok';
  const { ours, theirs } = o.float64;
  return `ok: ${ours.toExponential(2)} from the model in float64, the framework ${theirs.toExponential(2)}`;
}
/** A table: the worst differences of each output. */
export function showParity(p: Parity): string {
  const rows = p.outputs.map(o => [
    o.name,
    o.abs.toExponential(2),
    o.rel.toExponential(2),
    `${verdict(o)}${o.classes ? `, arg-max agrees ${o.classes.same} of ${o.classes.rows} times` : ''}`,
  ]);
  const quantized = p.outputs.filter(o => o.error !== undefined);
  const by = quantized.map(o => `${o.name} ${showNumber(o.error ?? 0)} of ${showNumber(o.allowed ?? 0)}`).join(', ');
  const tolerance = by === '' ? `rtol ${p.rtol}, atol ${p.atol}` : `quantized, relative error by its plan: ${by}`;
  const head = `compared with ${showReference(p)} on ${many(p.samples, 'sample')} (${tolerance}): `;
  return `${head}${p.ok ? 'the outputs agree' : 'the outputs differ'}\n${table([['output', 'absolute', 'relative', ''], ...rows], [1, 2])}`;
}
/** What a certificate says, as what was found when it was made. */
const showCertificate = (c: Certificate): string => `certified when it was made: ${showParity(c)}`;

/** Where a bundle and its model part, in a line or two. */
export function showDivergence({ seen, cause: c }: Divergence): string {
  if (c.k === 'value') {
    const { by, type } = c.value;
    const { why, got, want, at } = c.difference;
    return (
      `the first value that diverges is ${where(c.value)}, ${showType(type)}: by ${by.toExponential(2)} of its largest, ` +
      `${why ?? `${got} instead of ${want} at element ${at ?? 0}`}. All before it agree.\n`
    );
  }
  const most = c.furthest ? `; the furthest is ${where(c.furthest)} by ${c.furthest.by.toExponential(2)}` : '';
  const calm = `each of ${seen} values inside the model agrees on its own${most}\n`;
  switch (c.k) {
    case 'none':
      return calm;
    case 'lowering':
      return `${calm}they differ without any pass too: lowering or fusion is at fault\n`;
    case 'other version':
      return `${calm}compiled anew they agree: was the bundle made by another version?\n`;
    case 'pass':
      return `${calm}they differ from the pass '${c.pass}' on, the ${c.index}th of ${c.of}\n`;
  }
}
const where = (v: DivergentValue): string => `'${v.name}'${v.loc.k === 'none' ? '' : ` of ${showLoc(v.loc)}`}`;
