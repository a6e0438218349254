/** The process that measures one case: `Job` as JSON is the file of its argument, `Message`s go to its parent. */
import { must } from '../../compiler/core/diagnostic.ts';
import { readManifest, type Manifest } from '../../compiler/run/manifest.ts';
import { readText } from '../../compiler/host/files.ts';
import { openOriginal } from '../../compiler/reference/reference.ts';
import { readFeeds, type Job, type Message } from './job.ts';
import { measureRun, reason, reportTo } from './measure.ts';
import { openNativeOurs, profileHere } from '../peers/sinter-c.ts';
import { openOurs } from '../peers/sinter-js.ts';
import { PEERS } from '../peers/index.ts';
import { openProfiler } from '../profile/profile.ts';
import type { PeerName } from './result.ts';
import type { Runner } from './runner.ts';

const { say, at } = reportTo(m => void process.send?.(m));

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
  for (const [i, files] of job.runs.entries()) await measureRun({ say, at }, job, i, readFeeds(files), ours, peers);
  if (job.profile) await profile(job, manifest, ours);
  at('sinter', 'ending');
  await ours.close();
  for (const [name, p] of peers) {
    at(name, 'ending');
    await p.close().catch(() => undefined);
  }
}

/** Where our time goes. What is profiled is compiled again from the model, for the module that ran. */
async function profile(job: Job, manifest: Manifest, ours: Runner & { readonly profile: string }): Promise<void> {
  at('sinter', 'compiling for the profile');
  const { graph } = openOriginal(must(job.model), manifest.options);
  const target = manifest.profiles[ours.profile] ?? profileHere(manifest);
  const p = await openProfiler(graph, target, manifest.options, job);
  for (const files of job.runs) {
    at('sinter', `profiling ${files.label}`);
    const [feed] = readFeeds(files);
    if (feed) say({ k: 'profiled', profile: await p.profile(files.label, feed, await ours.turn([feed])) });
  }
  p.close();
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
