import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import { didYouMean } from '../core/suggest.ts';
import { modelName } from '../compile.ts';
import { inputsOfFile } from '../run/inputs.ts';
import { readManifest, type Manifest } from '../run/manifest.ts';
import { targetOf } from './compile.ts';
import { parseDims } from './model-flags.ts';
import { beginJson, type JsonFlag } from './json.ts';
import { isBundle, newFile } from '../host/files.ts';
import { readSuite, type SuiteTarget } from '../../bench/suite/suite.ts';
import { UsageError, type Terminal } from './terminal.ts';
import { randomRuns, type BenchCase } from '../../bench/engine/case.ts';
import { bench, type BenchOptions } from '../../bench/engine/bench.ts';
import { PEER_NAMES } from '../../bench/peers/index.ts';
import type { PeerName } from '../../bench/engine/result.ts';
import { reportHtml } from '../../bench/report/html.ts';
import { suiteCases } from '../../bench/suite/cases.ts';
import { showCase, showSummary } from '../../bench/report/table.ts';

interface BenchFlags extends Omit<BenchOptions, 'command' | 'operators' | 'browser'> {
  readonly profile?: true;
  readonly browser?: true;
  readonly target: readonly string[];
  readonly against?: string;
  readonly model?: string;
  readonly dim: readonly string[];
  readonly size: readonly string[];
  readonly batch?: string;
  readonly inputs?: string;
  readonly json?: JsonFlag;
  readonly html?: string;
  readonly suite?: string;
  readonly filter?: string;
}

/** `sinter bench BUNDLE|MODEL...|--suite FILE`: 1 where something failed that should have run. */
export async function benchCommand(
  models: readonly string[],
  o: BenchFlags,
  argv: readonly string[],
  t: Terminal,
): Promise<0 | 1> {
  if (o.browser && o.profile) throw new UsageError('--profile is measured in Node: leave out --browser');
  const against = o.against === undefined ? undefined : parsePeers(o.against);
  const dims = parseDims(o.dim);
  const sizes = parseSizes(o.size);
  const batches = parseBatches(o.batch);
  const targets = o.target.map(targetOf).map(({ target, option }): SuiteTarget => ({ name: target.name, option }));
  for (const m of models) if (!existsSync(m)) fail('E205', { file: m, why: 'there is no such file' });
  const json = beginJson(o.json, t);
  const tell = (text: string): void => {
    if (json?.alone !== true) t.out(text);
  };
  const html = o.html === undefined ? undefined : newFile(o.html);
  const runs: BenchCase['runs'] = (m, original) =>
    randomRuns(m, original, {
      sizes: withBatches(m, sizes, batches),
      given: o.inputs === undefined ? new Map() : inputsOfFile(m, o.inputs),
      seed: o.seed,
    });
  const suite = o.suite === undefined ? undefined : readSuite(o.suite);
  if (suite && (models.length > 0 || o.dim.length > 0 || o.size.length > 0 || o.batch !== undefined))
    throw new UsageError('--suite says which models and sizes: give no others');
  if (!suite && models.length === 0) throw new UsageError('give models or bundles, or a --suite');
  const absent = suite?.models.filter(m => !m.here) ?? [];
  if (suite && absent.length > 0)
    t.err(`not here: ${absent.map(m => m.name).join(', ')}${suite.missing === undefined ? '' : ` (${suite.missing})`}\n`);
  const given = models.flatMap((path): BenchCase[] => {
    if (isBundle(path)) {
      if (o.target.length > 0 || o.dim.length > 0)
        throw new UsageError(`${path} is compiled already: --target and --dim are for models`);
      if (o.profile && o.model === undefined) throw new UsageError(`--profile of ${path} needs its --model`);
      const { name } = readManifest(path);
      return [{ name, source: { k: 'bundle', dir: path, model: o.model }, against, runs }];
    }
    if (o.model !== undefined) throw new UsageError(`--model is for bundles, and ${path} is none`);
    const options = targets.length === 0 ? [{ dims }] : targets.map(t => ({ target: t.option, dims }));
    return options.map(options => ({
      name: modelName(basename(path)),
      source: { k: 'model', path, options },
      against,
      runs,
    }));
  });
  const all = suite
    ? suite.models.flatMap(m => suiteCases({ ...m, ...(targets.length > 0 && { targets }), ...(against && { against }) }, o.seed))
    : given;
  const cases = all.filter(c => c.name.includes(o.filter ?? ''));
  if (cases.length === 0) throw new UsageError(`--filter ${o.filter ?? ''}: no model is called so`);
  const line = (text: string): void => {
    if (t.live) t.err(`\r\x1b[K${text}`);
  };
  const result = await bench(
    cases,
    { ...o, browser: o.browser ?? false, operators: o.profile ?? false, command: `sinter ${argv.join(' ')}` },
    p => {
      line(p.k === 'doing' ? `${p.name}${p.target === '' ? '' : ` for ${p.target}`}: ${p.what} …` : '');
      if (p.k === 'done') tell(`${showCase(p.result)}\n`);
    },
  );
  tell(showSummary(result));
  html?.commit(reportHtml(result));
  json?.write(result);
  const bad = result.cases.some(c => c.outcome.k === 'failed' || c.outcome.runtimes.some(x => x.k === 'failed'));
  return bad ? 1 : 0;
}

/** `--against a,b`. */
function parsePeers(flag: string): readonly PeerName[] {
  const names = flag.split(',').map(word => {
    const name = word.trim();
    const known = PEER_NAMES.find(p => p === name);
    if (known === undefined)
      throw new UsageError(`--against ${flag}: there is no '${name}'${didYouMean(name, PEER_NAMES)} (${PEER_NAMES.join(', ')})`);
    return known;
  });
  return [...new Set(names)];
}
/** `--size NAME=N[,NAME=N…]`: one run each. */
function parseSizes(flags: readonly string[]): ReadonlyMap<string, number>[] {
  return flags.map(
    f =>
      new Map(
        f.split(',').map(part => {
          const [, name, n] = /^(.+)=(\d+)$/.exec(part.trim()) ?? [];
          if (name === undefined) throw new UsageError(`--size ${f}: write NAME=N, or NAME=N,NAME=N for several of one run`);
          return [name, Number(n)];
        }),
      ),
  );
}
function parseBatches(flag: string | undefined): readonly number[] {
  if (flag === undefined) return [];
  return flag.split(',').map(w => {
    if (!/^[1-9]\d*$/.test(w.trim())) throw new UsageError(`--batch ${flag}: write whole numbers, such as 1,1000`);
    return Number(w);
  });
}
/** Each choice of sizes with each batch: the symbol of the first axis of the first input that has one. */
function withBatches(
  m: Manifest,
  sizes: readonly ReadonlyMap<string, number>[],
  batches: readonly number[],
): readonly ReadonlyMap<string, number>[] {
  if (batches.length === 0) return sizes;
  const batch = m.inputs.flatMap(p => (typeof p.shape[0] === 'string' ? [p.shape[0]] : []))[0];
  if (batch === undefined) throw new UsageError(`--batch: the first sizes of all inputs of ${m.name} are fixed`);
  return (sizes.length === 0 ? [new Map<string, number>()] : sizes).flatMap(s => batches.map(n => new Map([...s, [batch, n]])));
}
