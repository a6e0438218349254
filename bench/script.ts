/** What the scripts of this folder share: flags, and running cases through the engine. They say what to measure and nothing else. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectDir } from '../fixtures/paths.ts';
import { bench, DEFAULTS, readSuite, reportHtml, showCase, showSummary, suiteCases } from './index.ts';
import type { BenchCase, BenchOptions, BenchResult, PeerName, SuiteModel } from './index.ts';

/** The flags of every script, which mean what they mean for `sinter bench`. */
export const FLAGS = {
  target: { type: 'string', multiple: true },
  filter: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  processes: { type: 'string' },
  threads: { type: 'string' },
  'cold-starts': { type: 'string' },
  python: { type: 'string' },
  profile: { type: 'boolean' },
  json: { type: 'string' },
  html: { type: 'string' },
} as const;
type Flags = ReturnType<typeof parseArgs<{ readonly options: typeof FLAGS }>>['values'];

/** Measures the cases of `npm run bench -- NAME` and prints what is found. Flags win over `defaults`, and those over the engine's own. */
export async function run(
  name: string,
  cases: readonly BenchCase[],
  flags: Flags,
  defaults: Partial<BenchOptions>,
): Promise<BenchResult> {
  const d = { ...DEFAULTS, ...defaults };
  const count = (flag: string | undefined, otherwise: number): number => (flag === undefined ? otherwise : Number(flag));
  const options: BenchOptions = {
    ...d,
    rounds: count(flags.rounds, d.rounds),
    seconds: count(flags.seconds, d.seconds),
    processes: count(flags.processes, d.processes),
    threads: count(flags.threads, d.threads),
    coldStarts: count(flags['cold-starts'], d.coldStarts),
    python: flags.python ?? d.python,
    operators: flags.profile ?? d.operators,
    command: ['npm run bench --', name, ...process.argv.slice(2)].join(' '),
  };
  const wanted = cases.filter(c => c.name.includes(flags.filter ?? ''));
  const result = await bench(wanted, options, p => {
    if (p.k === 'done') console.log(showCase(p.result));
  });
  console.log(showSummary(result));
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(result, null, 1)}\n`);
  if (flags.html !== undefined) writeFileSync(flags.html, reportHtml(result));
  return result;
}

/** The real networks of the standard suite. */
export function networks(): readonly SuiteModel[] {
  const suite = readSuite(join(projectDir, 'bench', 'suites', 'standard.json'));
  const all = suite.models.filter(m => m.group === 'Networks');
  for (const m of all) if (!m.here) console.error(`${m.name} is not here: ${suite.missing ?? m.path}`);
  return all;
}
/** Models of a suite for other targets and peers than the suite says. */
export const casesFor = (models: readonly SuiteModel[], targets: readonly string[], against: readonly PeerName[]): BenchCase[] =>
  models.flatMap(m => suiteCases({ ...m, targets: targets.map(name => ({ name, option: name })), against }, 1));
