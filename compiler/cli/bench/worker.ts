/** The process that measures one case: `Job` as JSON is the file of its argument, `Message`s go to its parent. */
import { must } from '../../core/diagnostic.ts';
import { type Tensor } from '../../core/tensor.ts';
import { readManifest, type Manifest } from '../bundle.ts';
import { compare, departure } from '../compare.ts';
import { readText } from '../files.ts';
import { openOriginal } from '../reference.ts';
import { readFeeds, type Feed, type Job, type Message } from './job.ts';
import { openNativeOurs } from './native.ts';
import { openOurs } from './ours.ts';
import { PEERS } from './peers.ts';
import { openProfiler } from './profile.ts';
import type { AccuracyDifference, ContenderName, PeerName } from './result.ts';
import type { Runner } from './runner.ts';
import { calibration, takeTurns, type Turn } from './turns.ts';

/** Answers are compared on as many of the inputs of a run. */
const COMPARED = 4;

const say = (m: Message): void => void process.send?.(m);
let before = '';
const at = (who: ContenderName, doing: string): void => {
  if (before !== `${who} ${doing}`) say({ k: 'at', who, doing });
  before = `${who} ${doing}`;
};
const reason = (e: unknown): string => (e instanceof Error ? e.message : String(e));
class PeerStops extends Error {
  readonly who: PeerName;
  constructor(who: PeerName, cause: unknown) {
    super(reason(cause));
    this.who = who;
  }
}

async function measure(job: Job): Promise<void> {
  at('sinter', 'loading the bundle');
  const manifest = readManifest(job.bundle);
  const ours = (await openOurs(job.bundle, manifest)) ?? openNativeOurs(job.bundle, manifest);
  say({ k: 'opened', profile: ours.profile });
  const peers = new Map<PeerName, Runner>();
  for (const name of job.peers) {
    at(name, 'loading the model');
    try {
      const found = await PEERS[name].find({ ...job, model: must(job.model) });
      if (found.k === 'found') peers.set(name, await found.open());
    } catch (e) {
      say({ k: 'failed', who: name, message: reason(e) });
    }
  }
  for (const [i, files] of job.runs.entries()) await measureRun(job, i, readFeeds(files), ours, peers);
  if (job.profile) await profile(job, manifest, ours);
  at('sinter', 'ending');
  await ours.close();
  for (const [name, p] of peers) {
    at(name, 'ending');
    await p.close().catch(() => undefined);
  }
}

async function measureRun(
  job: Job,
  run: number,
  feeds: readonly Feed[],
  ours: Runner,
  peers: ReadonlyMap<PeerName, Runner>,
): Promise<void> {
  const compared = feeds.slice(0, COMPARED);
  at('sinter', 'answering');
  const mine = await answers(ours, compared);
  const differences: AccuracyDifference[] = [];
  const able = new Map<PeerName, Runner>();
  for (const [name, peer] of peers) {
    at(name, 'answering');
    try {
      differences.push(difference(name, mine, await answers(peer, compared)));
      able.set(name, peer);
    } catch (e) {
      say({ k: 'failed', who: name, message: reason(e), run });
    }
  }
  // Who stops in the middle is left out, and the others begin again.
  for (;;)
    try {
      const names = [...able.keys()];
      const turns = [blamed('sinter', await ours.turn(feeds))];
      for (const [name, peer] of able) turns.push(blamed(name, await peer.turn(feeds)));
      const samples = await takeTurns([...turns, calibration()], { ...job, onRound: round => say({ k: 'round', run, round }) });
      const times = (['sinter', ...names] as const).map((name, i) => ({ name, samples: must(samples[i]) }));
      say({
        k: 'measured',
        run,
        times,
        calibration: must(samples.at(-1)),
        differences: differences.filter(d => able.has(d.to)),
      });
      return;
    } catch (e) {
      if (!(e instanceof PeerStops) || !able.delete(e.who)) throw e;
      say({ k: 'failed', who: e.who, message: e.message, run });
    }
}
async function answers(r: Runner, feeds: readonly Feed[]): Promise<ReadonlyMap<string, Tensor>[]> {
  const out: ReadonlyMap<string, Tensor>[] = [];
  for (const f of feeds) out.push(await r.answer(f));
  return out;
}
/** Where our time goes. What is profiled is compiled again from the model, for the module that ran. */
async function profile(job: Job, manifest: Manifest, ours: Runner & { readonly profile: string }): Promise<void> {
  at('sinter', 'compiling for the profile');
  const { graph } = openOriginal(must(job.model), manifest.options);
  const target = must(manifest.profiles[ours.profile] ?? Object.values(manifest.profiles)[0], 'profile');
  const p = await openProfiler(graph, target, manifest.options, job);
  for (const files of job.runs) {
    at('sinter', `profiling ${files.label}`);
    const [feed] = readFeeds(files);
    if (feed) say({ k: 'profiled', profile: await p.profile(files.label, feed, await ours.turn([feed])) });
  }
  p.close();
}
/** A turn that is told of before it is taken, so that a process that ends is known by who ended it. */
function blamed(who: ContenderName, t: Turn): Turn {
  return {
    sample: async calls => {
      at(who, 'running');
      try {
        return await t.sample(calls);
      } catch (e) {
        throw who === 'sinter' ? e : new PeerStops(who, e);
      }
    },
  };
}

/** The worst differences of each output; those that only one side has are left out. */
function difference(
  to: PeerName,
  mine: readonly ReadonlyMap<string, Tensor>[],
  theirs: readonly ReadonlyMap<string, Tensor>[],
): AccuracyDifference {
  const worst = new Map<string, { abs: number; relative: number }>();
  theirs.forEach((answer, i) => {
    for (const [name, given] of answer) {
      const got = mine[i]?.get(name);
      if (!got) continue;
      // XGBoost leaves out an axis of 1.
      const want = given.bytes.length === got.bytes.length && given.dtype === got.dtype ? { ...given, dims: got.dims } : given;
      const { abs } = compare(got, want, { rtol: 0, atol: 0 });
      const had = worst.get(name);
      worst.set(name, {
        abs: Math.max(abs, had?.abs ?? 0),
        relative: Math.max(abs === Infinity ? Infinity : departure(got, want), had?.relative ?? 0),
      });
    }
  });
  const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
  return { to, outputs: [...worst].map(([name, d]) => ({ name, abs: finite(d.abs), relative: finite(d.relative) })) };
}

const [, , file = ''] = process.argv;
const last = (m: Message): void => void process.send?.(m, () => process.exit(0));
process.on('disconnect', () => process.exit(1));
try {
  await measure(JSON.parse(readText(file)) as Job);
  last({ k: 'done' });
} catch (e) {
  const known = e instanceof Error && 'code' in e && /^E\d{3}$/.test(String(e.code));
  last({ k: 'broken', message: known ? e.message : e instanceof Error ? (e.stack ?? e.message) : String(e) });
}
