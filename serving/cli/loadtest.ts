import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { writeFileSync } from 'node:fs';
import { SAFETY_FACTOR } from '../control/autoscaler.ts';
import { loadtest, type LoadtestResult } from '../loadtest/loadtest.ts';
import { header, html, showGoal, stepLine, summary } from '../loadtest/report.ts';
import { LoadtestError, reasonOf, requestsFor } from '../loadtest/request.ts';
import type { Goal } from '../loadtest/search.ts';
import { numberIn, wholeIn } from './flags.ts';
import type { Terminal } from './index.ts';

interface Flags {
  readonly body?: string;
  readonly contentType?: string;
  readonly header: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly goal: Goal;
  readonly rate?: number;
  readonly maxRate: number;
  readonly duration: number;
  readonly warmup: number;
  readonly precision: number;
  readonly connections: number;
  readonly timeout: number;
  readonly arrivals: 'poisson' | 'even';
  readonly seed: number;
  readonly safetyFactor: number;
  readonly instances: number;
  readonly html?: string;
  readonly json?: string | true;
}
function parseGoal(text: string): Goal {
  const m = /^\s*p?(\d+(?:\.\d+)?)\s*<\s*(\d+(?:\.\d+)?)\s*(ms|s)?\s*$/.exec(text);
  const percentile = Number(m?.[1]);
  const below = Number(m?.[2]) * (m?.[3] === 's' ? 1000 : 1);
  if (!(percentile > 0 && percentile < 100 && below > 0)) throw new InvalidArgumentError('must be like p99<50ms.');
  return { percentile, below };
}
function parseHeader(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const m = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(text);
  if (!m?.[1]) throw new InvalidArgumentError("must be like 'Accept: text/csv'.");
  return { ...before, [m[1].toLowerCase()]: m[2] ?? '' };
}
function parseUrl(text: string): URL {
  const full = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new InvalidArgumentError('must be a URL of HTTP.');
  return url;
}
const HELP = `
Of a model of the Open Inference Protocol (http://127.0.0.1:8080/v2/models/NAME) random inputs are made; anything else is given with --body:

  sinter loadtest http://127.0.0.1:8080/invocations --body row.csv --goal 'p99<20ms'

Exit codes: 0 the goal is kept, 1 it is not or nothing can be measured, 2 wrong usage.
`;

function parse(argv: readonly string[], t: Terminal, act: (url: URL, o: Flags) => Promise<void>): Promise<unknown> {
  return new Command('sinter loadtest')
    .description('find the highest rate of requests at which a server keeps a latency')
    .argument('<url>', 'where requests are posted, or a model of the Open Inference Protocol', parseUrl)
    .option('--body <file>', 'what is posted (default: random inputs, as the metadata of the model says)')
    .option('--content-type <type>', "the body's type (default: told from the file's name)")
    .option('-H, --header <name: value>', 'a header; may be given several times', parseHeader, {})
    .option('--rows <n>', 'the size of axes that may vary, of random inputs', wholeIn(1, 1e6), 1)
    .option('--goal <pN<MS>', 'the latency to keep, in ms', parseGoal, parseGoal('p99<50ms'))
    .option('--rate <n>', 'only try this rate, in requests a second', numberIn(0.01, 1e6))
    .option('--max-rate <n>', 'the most to try, in requests a second', numberIn(0.1, 1e6), 1e5)
    .option('--duration <s>', 'seconds of a step; longer where that is too short to see the percentile', numberIn(0.1, 86400), 5)
    .option('--warmup <s>', 'seconds of single requests before', numberIn(0, 3600), 1)
    .option('--precision <x>', 'how exactly the rate is found, as a share of it', numberIn(0.001, 0.5), 0.05)
    .option('--connections <n>', 'the most requests under way', wholeIn(1, 1e4), 128)
    .option('--timeout <s>', 'seconds after which a request has failed', numberIn(0.01, 600), 10)
    .addOption(new Option('--arrivals <how>', 'when requests are sent').choices(['poisson', 'even']).default('poisson'))
    .option('--seed <n>', 'for the random inputs and arrivals', wholeIn(0, 2 ** 31), 0)
    .option('--safety-factor <x>', 'the share of the rate that an instance should get', numberIn(0.01, 1), SAFETY_FACTOR)
    .option('--instances <n>', 'how many instances share the load', wholeIn(1, 1e5), 1)
    .option('--html <file>', 'write the result as a page with a plot')
    .option('--json [file]', 'write the result as JSON: to standard output, or to a file')
    .addHelpText('after', HELP)
    .showHelpAfterError('(see --help)')
    .exitOverride()
    .configureOutput({ writeOut: text => t.out(text), writeErr: text => t.err(text) })
    .action(act)
    .parseAsync([...argv], { from: 'user' });
}
/** `sinter loadtest`: gives the code to exit with. */
export async function run(argv: readonly string[], t: Terminal): Promise<number> {
  let result: LoadtestResult | undefined;
  try {
    await parse(argv, t, async (url, o) => {
      result = await measure(url, o, o.json === true ? text => t.err(text) : text => t.out(text));
      if (o.json === true) t.out(`${JSON.stringify(result, null, 2)}\n`);
    });
    return result && result.best === undefined ? 1 : 0;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
    if (!(e instanceof LoadtestError)) throw e;
    t.err(`error: ${e.message}\n`);
    return 1;
  }
}
async function measure(url: URL, o: Flags, say: (text: string) => void): Promise<LoadtestResult> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const requests = await requestsFor(url, { ...o, headers: o.header });
    say(`POST ${requests.url.href}, goal ${showGoal(o.goal)}; rates in requests a second, latencies in ms\n${header()}`);
    const result = await loadtest(requests, o, s => say(stepLine(s)), stop.signal);
    say(`${summary(result).join('\n')}\n`);
    write(o.html, () => html(result));
    write(typeof o.json === 'string' ? o.json : undefined, () => `${JSON.stringify(result, null, 2)}\n`);
    return result;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
function write(file: string | undefined, text: () => string): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, text());
  } catch (e) {
    throw new LoadtestError(`cannot write ${file}: ${reasonOf(e)}`);
  }
}
