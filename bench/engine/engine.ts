import { rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { DTYPES } from '../../compiler/core/dtype.ts';
import { VERSION } from '../../compiler/core/version.data.ts';
import { sha256 } from '../../compiler/bundle/js/index.ts';
import { readManifest } from '../../compiler/run/manifest.ts';
import { temporaryFolder, writeFile } from '../../compiler/host/files.ts';
import { openOriginal, type Original } from '../../compiler/reference/reference.ts';
import type { BenchCase, RunInputs } from './case.ts';
import { openBrowser, type BenchBrowser } from './browser.ts';
import { compileApart, measureApart } from './children.ts';
import { measureFirst } from './cold-start.ts';
import { writeFeeds, type Job, type Measured, type Message } from './job.ts';
import { firstOfOurs } from '../peers/sinter-js.ts';
import { PEER_NAMES, PEERS } from '../peers/index.ts';
import {
  RESULT_VERSION,
  type BenchResult,
  type CaseResult,
  type Contender,
  type ContenderName,
  type Footprint,
  type Machine,
  type Outcome,
  type PeerName,
  type Profile,
  type Ratio,
  type Run,
} from './result.ts';
import type { FirstAnswer, Found } from './runner.ts';
import { aboutBundle, sizeOf, sizeOfBundle } from './size.ts';
import { ratioOf, spreadOf } from './statistics.ts';
import type { Samples } from './turns.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** No further round of a run begins after so many seconds, in each process; and warm-up takes no longer. */
  readonly seconds: number;
  readonly processes: number;
  readonly threads: number;
  readonly seed: number;
  /** The command that is Python. */
  readonly python: string;
  /** Fresh processes of each contender for the time to the first answer; 0: none. */
  readonly first: number;
  /** Whether to tell where our time goes, step by step. */
  readonly profile: boolean;
  /** Whether to measure in Chromium instead of Node. */
  readonly browser?: boolean;
  /** The command line, for the result. */
  readonly command: string;
}
export const DEFAULTS = { rounds: 25, seconds: 20, processes: 3, threads: 1, seed: 1, python: 'python3', first: 5 } as const;
const SAMPLE_MS = 4;
/** Milliseconds of warm-up: at least, unless all is to be over sooner, and at most. */
const WARM_MS = [600, 10_000] as const;

/** What is told while it runs. */
export interface Watch {
  /** What is done now, in a few words. */
  doing(name: string, target: string, what: string): void;
  /** A case is over. */
  done(c: CaseResult): void;
}

/**
 * Measures cases one after the other. Each is compiled in a process of its own and measured in others, ours and the peers' together, so that
 * whoever ends its process costs a line of the result and no more.
 */
export async function bench(cases: readonly BenchCase[], o: BenchOptions, watch: Watch): Promise<BenchResult> {
  const browser = o.browser === true ? await openBrowser() : undefined;
  try {
    return await benchAll(cases, o, watch, browser);
  } finally {
    await browser?.close();
  }
}
async function benchAll(
  cases: readonly BenchCase[],
  o: BenchOptions,
  watch: Watch,
  browser: BenchBrowser | undefined,
): Promise<BenchResult> {
  const results: CaseResult[] = [];
  for (const c of cases) {
    const { source, name } = c;
    const target = source.k === 'model' ? source.target : '';
    const work = temporaryFolder();
    const doing = (what: string): void => watch.doing(name, target, what);
    const outcome = await benchCase(c, o, work, doing, browser).catch((e: unknown): Outcome => {
      // What is wrong with a model or its data is a line of the result; anything else is wrong with us.
      if (e instanceof CompileError) return { k: 'failed', message: e.message };
      throw e;
    });
    const shown = target === '' && outcome.k === 'done' ? outcome.profile : target;
    const about = { ...(c.doc !== undefined && { doc: c.doc }), ...(c.group !== undefined && { group: c.group }) };
    const result = { name, ...about, source: source.k === 'model' ? source.path : source.dir, target: shown, outcome };
    results.push(result);
    watch.done(result);
    rmSync(work, { recursive: true, force: true });
  }
  const { rounds, processes, threads, seed } = o;
  return {
    version: RESULT_VERSION,
    sinter: VERSION,
    command: o.command,
    machine: { ...machine(), ...(browser && { engine: browser.version }) },
    settings: { rounds, processes, threads, seed },
    cases: results,
  };
}
export function machine(): Machine {
  const all = cpus();
  return {
    cpu: (all[0]?.model ?? 'unknown').trim(),
    cores: all.length,
    memory: totalmem(),
    system: `${process.platform} ${process.arch}`,
    engine: `Node ${process.version} (V8 ${process.versions.v8})`,
  };
}
async function benchCase(
  c: BenchCase,
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
    const threads = source.native && o.threads > 1 ? ['--threads', String(o.threads)] : [];
    const made = await compileApart({ ...source, options: [...source.options, ...threads] }, bundle);
    if ('message' in made) return { k: 'failed', message: made.message };
    compileMs = made.report.phases.reduce((s, p) => s + p.ms, 0);
  }
  const manifest = readManifest(bundle);
  if (browser && manifest.native) return { k: 'failed', message: 'it is native code, which browsers do not run' };
  const path = source.k === 'model' ? source.path : source.model;
  const original = path === undefined ? undefined : openOriginal(path, manifest.options);
  const inputs = c.runs(manifest, original);
  const peers = await findPeers(c, original, o);
  const measured = await measureAll(
    {
      bundle,
      ...(original && { model: original.path }),
      format: original?.format ?? '',
      labels: original?.labels ?? [],
      peers: [...peers].flatMap(([name, f]) => (f.k === 'found' ? [name] : [])),
      runs: inputs.map((r, i) => writeFeeds(join(work, `run${i}`), r.label, r.feeds)),
      rounds: o.rounds,
      seconds: o.seconds,
      sampleMs: SAMPLE_MS,
      warmMs: [Math.min(1000 * o.seconds, WARM_MS[0]), Math.min(1000 * o.seconds, WARM_MS[1])],
      threads: o.threads,
      python: o.python,
      profile: o.profile && original !== undefined && !browser,
    },
    o.processes,
    work,
    doing,
    browser,
  );
  if (measured.broken !== undefined) return { k: 'failed', message: measured.broken };
  const { profile, failed } = measured;
  doing('first answers');
  const firsts = await firstAnswers(bundle, new Map([...peers].filter(([name]) => !failed.has(name))), inputs[0], work, o);
  doing('sizes');
  const contenders: Contender[] = [
    { k: 'ran', name: 'sinter', version: VERSION, ...firsts.get('sinter'), ...sized(await sizeOfBundle(bundle, profile)) },
  ];
  for (const [name, f] of peers)
    contenders.push(
      f.k !== 'found'
        ? { ...f, name }
        : failed.has(name)
          ? { k: 'failed', name, version: f.version, message: failed.get(name) ?? '' }
          : { k: 'ran', name, version: f.version, ...firsts.get(name), ...sized(await sizeOfPeer(f, path)) },
    );
  const { arena, macs } = aboutBundle(bundle, profile);
  return {
    k: 'done',
    ...(original && { sha256: await sha256(original.bytes) }),
    profile,
    ...(compileMs !== undefined && { compileMs }),
    arena,
    ...(macs !== undefined && { macs }),
    contenders,
    runs: inputs.map((r, i) => merge(r, measured.runs[i] ?? [], measured.failures[i] ?? [])),
    ...(measured.profiles.length > 0 && { profiles: measured.profiles }),
  };
}
const sized = (size: Footprint['size']): Pick<Footprint, 'size'> => (size ? { size } : {});
const sizeOfPeer = async (f: Extract<Found, { k: 'found' }>, model: string | undefined): Promise<Footprint['size']> =>
  f.code.length === 0 || model === undefined ? undefined : { code: await sizeOf(f.code), weights: await sizeOf([model]) };

async function findPeers(c: BenchCase, original: Original | undefined, o: BenchOptions): Promise<Map<PeerName, Found>> {
  const out = new Map<PeerName, Found>();
  for (const name of c.against ?? PEER_NAMES) {
    let found: Found = original
      ? await PEERS[name].find({ ...o, model: original.path, format: original.format, labels: original.labels })
      : { k: 'unsuited', why: 'it needs the model that the bundle was made from: --model' };
    if (o.browser === true && name !== 'onnxruntime-web') found = { k: 'unsuited', why: 'it does not run in a browser' };
    if (c.against || found.k !== 'unsuited') out.set(name, found);
  }
  return out;
}

interface All {
  /** Why ours cannot be measured. */
  readonly broken?: string;
  readonly profile: string;
  readonly profiles: readonly Profile[];
  readonly failed: ReadonlyMap<PeerName, string>;
  /** By run, then by process. */
  readonly runs: readonly (readonly Measured[])[];
  readonly failures: readonly (readonly { readonly name: PeerName; readonly message: string }[])[];
}
/** Runs a job in several processes. Where a peer ends its process, that process is begun again without it. */
async function measureAll(
  job: Job,
  processes: number,
  work: string,
  doing: (what: string) => void,
  browser: BenchBrowser | undefined,
): Promise<All> {
  const failed = new Map<PeerName, string>();
  const runs: Measured[][] = job.runs.map(() => []);
  const failures = job.runs.map(() => new Map<PeerName, string>());
  const profiles: Profile[] = [];
  let profile = '';
  const all = (broken?: string): All => ({
    ...(broken !== undefined && { broken }),
    profile,
    profiles,
    failed,
    runs,
    failures: failures.map(f => [...f].map(([name, message]) => ({ name, message }))),
  });
  const file = join(work, 'job.json');
  for (let p = 0; p < processes;) {
    const peers = job.peers.filter(n => !failed.has(n));
    const part: Job = { ...job, peers, profile: job.profile && p === 0 };
    const now = new Map<number, Measured>();
    const hear = (m: Message): void => {
      switch (m.k) {
        case 'at':
          if (m.doing !== 'running') doing(`${m.who}: ${m.doing}`);
          break;
        case 'round':
          doing(`${job.runs[m.run]?.label ?? ''}, round ${p * job.rounds + m.round + 1} of ${processes * job.rounds}`);
          break;
        case 'opened':
          ({ profile } = m);
          break;
        case 'failed':
          if (m.run === undefined) failed.set(m.who, m.message);
          else failures[m.run]?.set(m.who, m.message);
          break;
        case 'measured':
          now.set(m.run, m);
          break;
        case 'profiled':
          profiles.push(m.profile);
          break;
        case 'done':
        case 'broken':
          break;
      }
    };
    writeFile(file, JSON.stringify(part));
    const ended = await (browser ? browser.measure(part, hear) : measureApart(file, hear));
    if (ended.k === 'died' && ended.who !== 'sinter') {
      failed.set(ended.who, ended.message);
      continue;
    }
    if (ended.k !== 'done') return all(ended.k === 'died' ? `the bundle ${ended.message}` : ended.message);
    for (const [i, m] of now) runs[i]?.push(m);
    p++;
  }
  return all();
}

/** The first answers of fresh processes, on the first inputs of the first run. */
async function firstAnswers(
  bundle: string,
  peers: ReadonlyMap<PeerName, Found>,
  inputs: RunInputs | undefined,
  work: string,
  o: BenchOptions,
): Promise<Map<ContenderName, Pick<Footprint, 'first' | 'memory'>>> {
  const feed = inputs?.feeds[0];
  // In a browser they would be of another engine than the rest.
  if (o.first === 0 || o.browser === true || !feed) return new Map();
  const list = join(work, 'first.json');
  const { inputs: files } = writeFeeds(join(work, 'first'), '', [feed]);
  writeFile(list, JSON.stringify(files.map(({ name, dtype, dims, file }) => ({ name, type: DTYPES[dtype].ort, dims, file }))));
  const who: [ContenderName, FirstAnswer | undefined][] = [
    ['sinter', firstOfOurs(bundle, readManifest(bundle), list, work)],
    ...[...peers].map(([name, f]): [ContenderName, FirstAnswer | undefined] => [
      name,
      f.k === 'found' ? f.first?.(list, work) : undefined,
    ]),
  ];
  const found = await measureFirst(
    who.map(([, f]) => f),
    o.first,
  );
  return new Map(who.map(([name], i) => [name, found[i] ?? {}]));
}

/** One run from its samples in several processes. Who did not come through all of them is left out. */
function merge(r: RunInputs, processes: readonly Measured[], failures: Run['failures']): Run {
  const of = (name: ContenderName): Samples[] =>
    processes.flatMap(p => p.times.flatMap(t => (t.name === name ? [t.samples] : [])));
  const names = (processes[0]?.times ?? []).map(t => t.name).filter(n => of(n).length === processes.length);
  const ours = of('sinter');
  const ratio = (to: Ratio['to'], theirs: readonly Samples[]): Ratio =>
    ratioOf(
      to,
      ours.map((s, i) => ({ ours: s.ms, theirs: theirs[i]?.ms ?? [] })),
    );
  const calibrations = processes.map(p => p.calibration);
  return {
    label: r.label,
    inputs: Object.fromEntries([...must(r.feeds[0], 'feed')].map(([name, t]) => [name, t.dims])),
    times: names.map(name => ({
      name,
      calls: of(name)[0]?.calls ?? 1,
      ...spreadOf(of(name).flatMap(s => s.ms)),
    })),
    calibration: spreadOf(calibrations.flatMap(s => s.ms)),
    ratios: [...names.flatMap(n => (n === 'sinter' ? [] : [ratio(n, of(n))])), ratio('calibration', calibrations)],
    differences: processes[0]?.differences.filter(d => names.includes(d.to)) ?? [],
    failures,
  };
}
