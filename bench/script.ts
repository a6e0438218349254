/** What the scripts of this folder share: flags, and the engine as it is built. They say what to measure and nothing else. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { projectDir } from '../fixtures/paths.ts';
import { DEFAULTS, readSuite, reportHtml, showCase, showSummary, suiteCases } from './index.ts';
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

/** The engine as users have it, built: processes that translate TypeScript first would take most of the time of a compilation. */
async function builtEngine(): Promise<Pick<typeof import('./index.ts'), 'bench'>> {
  const shell = process.platform === 'win32';
  const { status } = spawnSync('npm', ['run', 'build', '--silent'], { cwd: projectDir, stdio: 'inherit', shell });
  if (status !== 0) throw new Error('the package does not build');
  const index = pathToFileURL(join(projectDir, 'dist', 'bench', 'index.js')).href;
  return (await import(index)) as typeof import('./index.ts');
}
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
  const { bench } = await builtEngine();
  const result = await bench(wanted, options, p => {
    if (p.k === 'done') console.log(showCase(p.result));
  });
  console.log(showSummary(result));
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(result, null, 1)}\n`);
  if (flags.html !== undefined) writeFileSync(flags.html, reportHtml(result));
  return result;
}

/** The models of the standard suite; tells which are not here. */
export function standardModels(): readonly SuiteModel[] {
  const suite = readSuite(join(projectDir, 'bench', 'suites', 'standard.json'));
  for (const m of suite.models) if (!m.here) console.error(`${m.name} is not here: ${suite.missing ?? m.path}`);
  return suite.models;
}
/** The real networks among them. */
export const networks = (): readonly SuiteModel[] => standardModels().filter(m => m.group === 'Networks');
/** Models of a suite for other targets and peers than the suite says. */
export const casesFor = (models: readonly SuiteModel[], targets: readonly string[], against: readonly PeerName[]): BenchCase[] =>
  models.flatMap(m => suiteCases({ ...m, targets: targets.map(name => ({ name, option: name })), against }, 1));
