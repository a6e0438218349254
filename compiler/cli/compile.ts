import { basename, join } from 'node:path';
import { showLoc } from '../core/diagnostic.ts';
import { didYouMean } from '../core/suggest.ts';
import { modelName } from '../compile.ts';
import type { Optimize, TreeStrategy } from '../ops/lowering.ts';
import type { CompileOptions, ModuleReport, Phase, Report, Stage, Tuning } from '../options.ts';
import { writePlan } from '../quantize/plan.ts';
import type { Scheme } from '../quantize/scheme.ts';
import { graphPasses } from '../passes/index.ts';
import { parseTarget, resolveTarget, type Target } from '../target/resolve.ts';
import { compile, type NodeCompileOptions } from '../host/compile.ts';
import { downloadOf, type Download } from '../host/download.ts';
import { countedModel } from '../host/model.ts';
import type { Bytes } from '../host/packed.ts';
import type { Manifest } from '../run/manifest.ts';
import { newFolder, readText, writeFile } from '../host/files.ts';
import { NATIVE, nativeTarget } from '../host/native-target.ts';
import { buildLibraries, type Built, type Footprint, type NativeBuild } from '../host/build.ts';
import { many, showBytes, showCount, showMs, showTrees, table } from '../core/format.ts';
import { tune } from '../tune/tune.ts';
import { UsageError, type ExitCode, type Terminal } from './terminal.ts';
import type { Parity } from '../verify/parity.ts';
import { verify } from '../verify/verify.ts';
import { beginJson, type JsonFlag } from './json.ts';
import { showParity } from './verify.ts';
import { modelOf, type ModelFlags } from './model-flags.ts';
import { quantizeFor, type QuantizeFlags } from './quantize.ts';

interface CompileFlags extends ModelFlags, QuantizeFlags {
  readonly target: readonly string[];
  readonly out?: string;
  readonly quantization?: string;
  readonly quantize?: Scheme;
  readonly treeStrategy?: TreeStrategy;
  readonly optimize?: Optimize;
  readonly threads?: number;
  readonly tune?: number | true;
  readonly tuneCache?: string;
  readonly tunedOn?: string;
  readonly name?: string;
  readonly embedBelow?: number;
  readonly labels?: string;
  readonly verify?: boolean;
  readonly dump?: string;
  readonly stopAfter?: Phase;
  readonly printAfter: readonly string[];
  readonly timePasses?: boolean;
  readonly verifyIr?: boolean;
  readonly json?: JsonFlag;
}

/** What `--target` names: a target, `native`, or a profile in a file. E401, E205. */
export function targetOf(flag: string): { readonly target: Target; readonly option: string | object } {
  if (flag === NATIVE) {
    const option = nativeTarget();
    return { target: resolveTarget(option), option };
  }
  if (!/\.json$/i.test(flag) && !flag.includes('/')) return { target: resolveTarget(flag), option: flag };
  const text = readText(flag);
  return { target: parseTarget(text, flag), option: JSON.parse(text) as object };
}

/** `sinter compile MODEL`. */
export async function compileCommand(model: string, o: CompileFlags, t: Terminal): Promise<ExitCode> {
  const targets = (o.target.length === 0 ? ['wasm-simd'] : o.target).map(targetOf);
  const names = targets.map(x => x.target.name);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice !== undefined) throw new UsageError(`--target ${twice} is given twice`);
  for (const p of o.printAfter) checkPass(p, targets);
  const ofModel = modelOf(o);
  if (o.quantize !== undefined && o.quantization !== undefined)
    throw new UsageError('--quantize makes a plan, and --quantization takes one: give one of them');
  const labels =
    o.labels === undefined
      ? undefined
      : readText(o.labels)
          .replace(/\r?\n$/, '')
          .split(/\r?\n/);
  if (o.tune !== undefined && o.tunedOn !== undefined)
    throw new UsageError('--tune measures on this machine, and --tuned-on takes what was measured on another: give one of them');
  if (o.tunedOn !== undefined && o.tuneCache === undefined)
    throw new UsageError('--tuned-on needs --tune-cache, the file with what was measured');
  const json = beginJson(o.json, t);
  const place = o.out ?? modelName(basename(model));
  const stops = o.stopAfter !== undefined && o.stopAfter !== 'bundle';
  const folder = stops ? undefined : newFolder(place);
  try {
    const quantization =
      o.quantization !== undefined
        ? readText(o.quantization)
        : o.quantize !== undefined
          ? writePlan((await quantizeFor(model, o.quantize, o, json?.alone === true, t)).plan)
          : undefined;
    const reports: (Report & { readonly download?: Download })[] = [];
    const verified: Parity[] = [];
    for (const { target, option } of targets) {
      const sub = targets.length > 1 ? target.name : '';
      const options: Omit<CompileOptions, 'model'> = {
        target: option,
        ...ofModel,
        ...(quantization !== undefined && { quantization, quantizationFile: o.quantization ?? 'plan' }),
        ...(o.treeStrategy && { treeStrategy: o.treeStrategy }),
        ...(o.optimize && { optimize: o.optimize }),
        ...(o.threads !== undefined && { threads: o.threads }),
        ...(o.name !== undefined && { name: o.name }),
        ...(o.embedBelow !== undefined && { embedBelow: o.embedBelow }),
        ...(labels && { labels }),
        ...(o.stopAfter && { stopAfter: o.stopAfter }),
        verifyIr: o.verifyIr === true,
        ...(json?.alone !== true && t.live && { onProgress: progress(target.name, t) }),
        ...((o.dump !== undefined || o.printAfter.length > 0) && { onText: texts(o, sub, t) }),
      };
      const { files: modelFiles, ...source } = countedModel(model);
      const tuning = await tuningOf({ ...source, ...options }, o, json?.alone === true, t);
      const { files, report } = await compile({ ...source, ...options, ...(tuning && { tuning }) }).finally(
        () => t.live && t.err('\r\x1b[K'),
      );
      const download = await downloadOf(files, modelFiles());
      reports.push({ ...report, ...(download && { download }) });
      if (folder) for (const [name, bytes] of files) writeFile(join(folder.dir, sub, name), bytes);
      const native = nativeOf(files);
      const built = folder && native && buildLibraries(join(folder.dir, sub), native);
      if (folder && built && 'made' in built && built.footprint) noteFootprint(join(folder.dir, sub), built.footprint);
      const parity =
        folder && o.verify === true
          ? (await verify({ bundle: join(folder.dir, sub), model, certify: true })).answers?.parity
          : undefined;
      if (parity) verified.push(parity);
      if (json?.alone !== true) {
        for (const w of report.warnings) t.err(`warning: ${showLoc(w.loc) === '' ? '' : `${showLoc(w.loc)}: `}${w.message}\n`);
        t.out(summary(report, folder ? join(place, sub) : undefined, files, built, download));
        if (o.timePasses === true) t.out(passTimes(report));
        if (parity) t.out(showParity(parity));
      }
    }
    const all = reports.map((r, i) => (verified[i] ? { ...r, parity: verified[i] } : r));
    json?.write(targets.length > 1 ? all : all[0]);
    if (verified.some(p => !p.ok)) {
      t.err(
        `error: the outputs differ; ${place} is left as it was. \`sinter verify --per-node\` tells where, on a bundle made without --verify.\n`,
      );
      return 3;
    }
    folder?.commit();
    return 0;
  } finally {
    folder?.abort();
  }
}
/** What --tune finds, or what --tune-cache has; undefined where neither is given. */
async function tuningOf(
  options: NodeCompileOptions,
  { tune: seconds, tuneCache, tunedOn }: CompileFlags,
  quiet: boolean,
  t: Terminal,
): Promise<Tuning | undefined> {
  if (seconds === undefined && tuneCache === undefined) return undefined;
  const clear = (): void => (t.live ? t.err('\r\x1b[K') : undefined);
  return tune({
    ...options,
    ...(tuneCache !== undefined && { cache: tuneCache }),
    ...(tunedOn !== undefined && { tunedOn }),
    ...(seconds !== true && { seconds: seconds ?? 0 }),
    ...(!quiet && t.live && { onStep: (step, i, of) => t.err(`\r\x1b[Ktuning ${i + 1} of ${of}: ${step.slice(0, 60)} …`) }),
  }).finally(clear);
}
/** How a bundle is built, where it is C. */
function nativeOf(files: ReadonlyMap<string, Uint8Array>): NativeBuild | undefined {
  const text = files.get('manifest.json');
  return text && (JSON.parse(new TextDecoder().decode(text)) as Pick<Manifest, 'native'>).native;
}
/** Puts what a model takes on its machine into the manifest. */
function noteFootprint(dir: string, footprint: Footprint): void {
  const file = join(dir, 'manifest.json');
  const manifest = JSON.parse(readText(file)) as Manifest;
  writeFile(file, `${JSON.stringify({ ...manifest, native: { ...manifest.native, footprint } }, null, 2)}\n`);
}
function checkPass(name: string, targets: readonly { readonly target: Target }[]): void {
  const known = [
    ...new Set(
      targets.flatMap(x => x.target.profiles.flatMap(p => [...graphPasses, ...p.backEnd.kernelPasses].map(q => q.name))),
    ),
  ];
  if (!known.includes(name))
    throw new UsageError(`--print-after ${name}: there is no such pass${didYouMean(name, known)} (${known.join(', ')})`);
}

/** One line that is written over: the phase at work. */
function progress(target: string, t: Terminal): NonNullable<CompileOptions['onProgress']> {
  return p => {
    if (p.k === 'begin')
      t.err(`\r\x1b[K${target}: ${p.phase}${p.profile === '' || p.profile === target ? '' : ` for ${p.profile}`} …`);
  };
}
/** Writes stages to `--dump`, and prints those of `--print-after`. */
function texts(o: CompileFlags, sub: string, t: Terminal): NonNullable<CompileOptions['onText']> {
  let n = 0;
  return (s: Stage) => {
    if (o.printAfter.includes(s.pass)) t.out(`; after ${s.pass} for ${s.profile}\n${s.text()}`);
    if (o.dump === undefined) return;
    const parts = [String(++n).padStart(2, '0'), s.phase, s.pass, s.profile].filter(x => x !== '');
    writeFile(join(o.dump, sub, `${parts.join('-')}.${s.ending}`), s.text());
  };
}

const showPacked = ({ disk, gzip, brotli }: Bytes): string =>
  `${showBytes(disk)}${gzip === undefined ? '' : `, ${showBytes(gzip)} with gzip`}${brotli === undefined ? '' : `, ${showBytes(brotli)} with brotli`}`;
/** By how much a download is larger than the model, and what makes it so; undefined where it is not. */
function enlarged({ model, bundle, code, weights }: Download, m: ModuleReport | undefined): string | undefined {
  const size = (b: Bytes): number => b.gzip ?? b.disk;
  const more = size(bundle) - size(model);
  if (!(more > 0)) return undefined;
  const extra = size(weights) - size(model);
  const kinds = (m?.stored ?? []).slice(0, 3).map(k => `${k.what} ${showBytes(k.bytes)}`);
  const parts = [
    `code ${showBytes(size(code))}`,
    ...(extra > 0 ? [`weights ${showBytes(extra)} more than the model (${kinds.join(', ')})`] : []),
  ];
  return `${showBytes(more)}${bundle.gzip === undefined ? '' : ' with gzip'}: ${parts.join(', ')}`;
}
function summary(
  r: Report,
  place: string | undefined,
  files: ReadonlyMap<string, Uint8Array>,
  built: Built | undefined,
  download: Download | undefined,
): string {
  const rows: string[][] = [];
  const { before, after } = r.operators;
  const [m] = r.modules;
  rows.push([
    'operators',
    `${before} → ${after}${m ? `, in ${many(m.steps, 'fused group')} of ${many(m.kernels, 'kernel')}` : ''}`,
  ]);
  if (r.trees) rows.push(['trees', showTrees(r.trees)]);
  if (r.macs !== undefined)
    rows.push(['multiply-adds', `${showCount(r.macs)}${r.symbols.some(s => s.from === 'input') ? ' at the largest sizes' : ''}`]);
  if (m) {
    rows.push([
      'weights',
      `${showBytes(m.weights)}${files.has('model.wasm') && !files.has('model.weights') && m.weights > 0 ? ', inside the module' : ''}`,
    ]);
    rows.push(['arena', showBytes(m.arena)]);
  }
  const wanted = [...files].filter(([f]) => /^(?:index\.js$|worker\.js$|emnapi-runtime\.js$|(?:model|weights)[-.])/.test(f));
  if (wanted.length > 0)
    rows.push([
      'bundle',
      `${showBytes(wanted.reduce((n, [, b]) => n + b.length, 0))}: ${wanted.map(([f, b]) => `${f} ${showBytes(b.length)}`).join(', ')}`,
    ]);
  if (download) {
    const larger = enlarged(download, m);
    rows.push(
      ['model', showPacked(download.model)],
      ['download', `${showPacked(download.bundle)}${r.modules.length > 1 ? ', at most' : ''}`],
      ...(larger === undefined ? [] : [['larger by', larger]]),
    );
  }
  if (built)
    rows.push([
      'libraries',
      'why' in built ? `not built: ${built.why}` : built.made.map(([f, n]) => `${f} ${showBytes(n)}`).join(', '),
    ]);
  if (built && 'made' in built && built.footprint) {
    const { flash, ram, stack } = built.footprint;
    rows.push([
      'flash',
      `${showBytes(flash)}: weights ${showBytes(m?.weights ?? 0)}, code and constants ${showBytes(flash - (m?.weights ?? 0))}`,
    ]);
    rows.push([
      'RAM',
      `${showBytes(ram)}: arena ${showBytes(m?.arena ?? 0)}, stack ${showBytes(stack)}, besides inputs and outputs`,
    ]);
  }
  const sum = r.phases.reduce((n, p) => n + p.ms, 0);
  const byPhase = new Map<string, number>();
  for (const p of r.phases) byPhase.set(p.name, (byPhase.get(p.name) ?? 0) + p.ms);
  rows.push(['time', `${showMs(sum)}: ${[...byPhase].map(([p, ms]) => `${p} ${showMs(ms)}`).join(', ')}`]);
  return `${r.name} for ${r.target}${place === undefined ? '' : ` in ${place}`}\n${table(rows)}`;
}
function passTimes(r: Report): string {
  const rows = r.passes.map(p => [p.phase === 'passes' ? p.name : `${p.phase}: ${p.name}`, showMs(p.ms)]);
  return `passes\n${table(rows, [1])}`;
}
