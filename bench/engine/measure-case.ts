import { join } from 'node:path';
import { sha256 } from '../../compiler/core/bytes.ts';
import { DTYPES } from '../../compiler/core/dtype.ts';
import { VERSION } from '../../compiler/core/version.data.ts';
import { writeFile } from '../../compiler/host/files.ts';
import type { Target } from '../../compiler/target/resolve.ts';
import { readManifest, type Manifest } from '../../compiler/run/manifest.ts';
import { openOriginal, type Original } from '../../compiler/reference/reference.ts';
import { PEER_NAMES, PEERS } from '../peers/index.ts';
import { coldStartOfOurs } from '../peers/sinter-js.ts';
import type { BenchOptions } from './bench.ts';
import type { BenchBrowser } from './browser.ts';
import { randomRuns, type BenchCase, type RunInputs } from './case.ts';
import { compileApart } from './children.ts';
import { measureColdStarts } from './cold-start.ts';
import { measureInProcesses, runOf } from './processes.ts';
import { writeFeeds } from '../../compiler/run/feeds.ts';
import type { MeasureRequest } from './request.ts';
import type { Footprint, Outcome, PeerName, Runtime, RuntimeName } from './result.ts';
import type { ColdStart, Found } from './runner.ts';
import { aboutBundle, sizeOf, sizeOfBundle } from './size.ts';

/** Milliseconds that a sample should last. */
const SAMPLE_MS = 4;
/** Milliseconds of warm-up: at least, unless all is to be over sooner, and at most. */
const WARM_MS = [600, 10_000] as const;

/** Compiles and measures one case; `work` is a folder for its files. `doing` is told what is done now. */
export async function measureCase(
  c: BenchCase,
  target: Target | undefined,
  o: BenchOptions,
  work: string,
  doing: (what: string) => void,
  browser: BenchBrowser | undefined,
): Promise<Outcome> {
  const { source } = c;
  const bundle = source.k === 'model' ? join(work, 'bundle') : source.dir;
  let compileMs: number | undefined;
  if (source.k === 'model') {
    doing('compiling');
    const mayShare = target?.backEnd.threads === true;
    const options = { ...source.options, ...(mayShare && o.threads > 1 && { threads: o.threads }) };
    const made = await compileApart({ path: source.path, options, out: bundle }, join(work, 'compile.json'));
    if ('message' in made) return { k: 'failed', message: made.message };
    compileMs = made.report.phases.reduce((s, p) => s + p.ms, 0);
  }
  const manifest = readManifest(bundle);
  if (browser && manifest.native) return { k: 'failed', message: 'it is native code, which browsers do not run' };
  const path = source.k === 'model' ? source.path : source.model;
  const original = path === undefined ? undefined : openOriginal(path, manifest.options);
  const runs = c.runs ?? ((m, x) => randomRuns(m, x, { seed: o.seed }));
  const inputs = runs(manifest, original);
  const peers = await findPeers(c, manifest, original, o);
  const measured = await measureInProcesses(
    {
      bundle,
      ...(original && { model: original.file }),
      ...aboutModel(manifest, original),
      peers: [...peers].flatMap(([name, f]) => (f.k === 'found' ? [name] : [])),
      runs: inputs.map((r, i) => writeFeeds(join(work, `run${i}`), r.label, r.feeds)),
      rounds: o.rounds,
      seconds: o.seconds,
      sampleMs: SAMPLE_MS,
      warmMs: [Math.min(1000 * o.seconds, WARM_MS[0]), Math.min(1000 * o.seconds, WARM_MS[1])],
      threads: o.threads,
      python: o.python,
      operators: o.operators && original !== undefined && !browser,
    },
    o.processes,
    work,
    doing,
    browser,
  );
  if (measured.broken !== undefined) return { k: 'failed', message: measured.broken };
  const { profile, failed } = measured;
  doing('cold starts');
  const started = await coldStarts(bundle, new Map([...peers].filter(([name]) => !failed.has(name))), inputs[0], work, o);
  doing('sizes');
  const runtimes: Runtime[] = [
    { k: 'ran', name: 'sinter', version: VERSION, ...started.get('sinter'), ...sized(await sizeOfBundle(bundle, profile)) },
  ];
  for (const [name, f] of peers)
    runtimes.push(
      f.k !== 'found'
        ? { ...f, name }
        : failed.has(name)
          ? { k: 'failed', name, version: f.version, message: failed.get(name) ?? '' }
          : { k: 'ran', name, version: f.version, ...started.get(name), ...sized(await sizeOfPeer(f, path)) },
    );
  const { arena, macs } = aboutBundle(bundle, profile);
  return {
    k: 'done',
    ...(original && { sha256: await sha256(original.bytes) }),
    profile,
    ...(compileMs !== undefined && { compileMs }),
    arena,
    ...(macs !== undefined && { macs }),
    runtimes,
    runs: inputs.map((r, i) => runOf(r, measured.runs[i] ?? [], measured.failures[i] ?? [])),
    ...(measured.operatorTimes.length > 0 && { operatorTimes: measured.operatorTimes }),
  };
}
const sized = (size: Footprint['size']): Pick<Footprint, 'size'> => (size ? { size } : {});
const sizeOfPeer = async (f: Extract<Found, { k: 'found' }>, model: string | undefined): Promise<Footprint['size']> =>
  f.code.length === 0 || model === undefined ? undefined : { code: await sizeOf(f.code), weights: await sizeOf([model]) };

/** What peers must know of the model besides its file. */
const aboutModel = (
  m: Manifest,
  original: Original | undefined,
): Pick<MeasureRequest, 'format' | 'choices' | 'inputs' | 'outputs'> => ({
  format: original?.format ?? '',
  choices: m.options,
  inputs: m.inputs.map(p => p.name),
  outputs: m.outputs.map(p => p.name),
});
async function findPeers(
  c: BenchCase,
  m: Manifest,
  original: Original | undefined,
  o: BenchOptions,
): Promise<Map<PeerName, Found>> {
  const out = new Map<PeerName, Found>();
  for (const name of c.against ?? PEER_NAMES) {
    let found: Found = original
      ? await PEERS[name].find({ ...o, model: original.file, ...aboutModel(m, original) })
      : { k: 'unsuited', why: 'it needs the model that the bundle was made from' };
    if (o.browser && name !== 'onnxruntime-web') found = { k: 'unsuited', why: 'it does not run in a browser' };
    if (c.against || found.k !== 'unsuited') out.set(name, found);
  }
  return out;
}

/** The cold starts of fresh processes, on the first inputs of the first run. */
async function coldStarts(
  bundle: string,
  peers: ReadonlyMap<PeerName, Found>,
  inputs: RunInputs | undefined,
  work: string,
  o: BenchOptions,
): Promise<Map<RuntimeName, Pick<Footprint, 'coldStart' | 'idle' | 'memory'>>> {
  const feed = inputs?.feeds[0];
  // In a browser they would be of another engine than the rest.
  if (o.coldStarts === 0 || o.browser || !feed) return new Map();
  const list = join(work, 'cold-start.json');
  const { inputs: files } = writeFeeds(join(work, 'cold-start'), '', [feed]);
  const listed = files.map(({ name, dtype, dims, file }) => {
    const { ort, array } = DTYPES[dtype];
    return { name, type: ort, array: array.name, dims, file };
  });
  writeFile(list, JSON.stringify(listed));
  const who: [RuntimeName, ColdStart | undefined][] = [
    ['sinter', coldStartOfOurs(bundle, readManifest(bundle), list, work)],
    ...[...peers].map(([name, f]): [RuntimeName, ColdStart | undefined] => [
      name,
      f.k === 'found' ? f.coldStart?.(list, work) : undefined,
    ]),
  ];
  const found = await measureColdStarts(
    who.map(([, f]) => f),
    o.coldStarts,
  );
  return new Map(who.map(([name], i) => [name, found[i] ?? {}]));
}
