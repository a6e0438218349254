/** The process that measures one case: a `MeasureRequest` as JSON is the file of its argument, `Message`s go to its parent. */
import { must } from '../../compiler/core/diagnostic.ts';
import { readManifest, type Manifest } from '../../compiler/run/manifest.ts';
import { readText } from '../../compiler/host/files.ts';
import { openOriginal } from '../../compiler/reference/reference.ts';
import { readFeeds } from '../../compiler/run/feeds.ts';
import { type MeasureRequest, type Message } from './request.ts';
import { measureRun, reason, reportTo } from './measure.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { openNativeOurs, profileHere } from '../peers/sinter-c.ts';
import { openOurs } from '../peers/sinter-js.ts';
import { PEERS } from '../peers/index.ts';
import { openOperatorTimer } from '../operators/timer.ts';
import type { PeerName } from './result.ts';
import type { Runner } from './runner.ts';

const { say, at } = reportTo(m => void process.send?.(m));

async function measure(request: MeasureRequest): Promise<void> {
  at('sinter', 'loading the bundle');
  const manifest = readManifest(request.bundle);
  const ours = (await openOurs(request.bundle, manifest)) ?? openNativeOurs(request.bundle, manifest);
  say({ k: 'opened', profile: ours.profile });
  const peers = new Map<PeerName, Runner>();
  for (const name of request.peers) {
    at(name, 'loading the model');
    try {
      const found = await PEERS[name].find({ ...request, model: must(request.model) });
      if (found.k === 'found') peers.set(name, await found.open());
    } catch (e) {
      say({ k: 'failed', who: name, message: reason(e) });
    }
  }
  for (const [i, files] of request.runs.entries()) await measureRun({ say, at }, request, i, readFeeds(files), ours, peers);
  if (request.operators) await timeOperators(request, manifest, ours);
  at('sinter', 'ending');
  await ours.close();
  for (const [name, p] of peers) {
    at(name, 'ending');
    await p.close().catch(() => undefined);
  }
}

/** Where our time goes. The model is compiled again, for the module that ran, with a clock between its steps. */
async function timeOperators(
  request: MeasureRequest,
  manifest: Manifest,
  ours: Runner & { readonly profile: string },
): Promise<void> {
  at('sinter', 'compiling with clocks');
  const { graph } = openOriginal(must(request.model), manifest.options);
  const { profiles } = resolveTarget(manifest.profiles[ours.profile] ?? profileHere(manifest));
  const timer = await openOperatorTimer(graph, must(profiles[0]), manifest.options, request);
  for (const files of request.runs) {
    at('sinter', `timing operators on ${files.label}`);
    const [feed] = readFeeds(files);
    if (feed) say({ k: 'operators', times: await timer.time(files.label, feed, await ours.turn([feed])) });
  }
  timer.close();
}
const [, , file = ''] = process.argv;
const last = (m: Message): void => void process.send?.(m, () => process.exit(0));
process.on('disconnect', () => process.exit(1));
try {
  await measure(JSON.parse(readText(file)) as MeasureRequest);
  last({ k: 'done' });
} catch (e) {
  const known = e instanceof Error && 'code' in e && /^E\d{3}$/.test(String(e.code));
  last({ k: 'broken', message: known ? e.message : e instanceof Error ? (e.stack ?? e.message) : String(e) });
}
