/**
 * Runs the tests of the frameworks themselves: ONNX's backend tests, and those of TensorFlow's family where the corpus is:
 * `npm run conformance -- [--suite node,simple | onnx | graphdef,… | tensorflow] [--filter REGEX] [--on evaluate,program,wasm,c]
 * [--symbolic] [--verbose] [--jobs N] [--every N] [--write]`. `--filter` is for names of cases, of TensorFlow's family also for their operators
 * and layers. `--write` writes the tables of operators and the floors.
 * As C, C_TARGET names the target, and C_FLAGS flags for the compiler, such as those of sanitizers. Cases run in a process of their
 * own, which is replaced when a case hangs or takes it down.
 */
import { parseArgs } from 'node:util';
import { isOnnxSuite, SUITES } from '../suites/onnx-backend.ts';
import { isTfSuite, TF_SUITES } from '../suites/tensorflow-cases.ts';
import { ALL_SUITES, collect, rootOf, type AnySuite } from './collect.ts';
import { lost, writeTfReports } from './report-tensorflow.ts';
import { summary, writeOnnxReport } from './report.ts';
import { WAYS, type Way } from './runners.ts';

const { values: args } = parseArgs({
  options: {
    suite: { type: 'string', default: 'onnx' },
    filter: { type: 'string', default: '' },
    on: { type: 'string', default: 'evaluate' },
    symbolic: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    every: { type: 'string', default: '1' },
    timeout: { type: 'string', default: '20' },
  },
});
const oneOf = <T extends string>(text: string, all: readonly T[], what: string): readonly T[] =>
  text.split(',').map(s => all.find(a => a === s) ?? die(`unknown ${what} '${s}'; there are ${all.join(', ')}`));
function die(why: string): never {
  console.error(why);
  process.exit(2);
}
const TOGETHER: Readonly<Record<string, readonly AnySuite[]>> = { onnx: SUITES, tensorflow: TF_SUITES };
const suites: readonly AnySuite[] = TOGETHER[args.suite] ?? oneOf(args.suite, ALL_SUITES, 'suite');
const ways: readonly Way[] =
  args.on === 'both' ? ['evaluate', 'wasm'] : args.on === 'all' ? ['evaluate', 'program', 'wasm'] : oneOf(args.on, WAYS, 'way');
for (const s of suites)
  if (rootOf(s) === undefined)
    die(
      isTfSuite(s)
        ? `the cases of ${s} are not here: they are in the folder tensorflow-cases of the corpus, which SINTER_CORPUS names`
        : "no ONNX backend tests here; 'npm run fixtures -- onnx-tests' fetches them",
    );

const start = performance.now();
const rows = await collect(
  { suites, match: new RegExp(args.filter), ways, symbolic: args.symbolic, every: Number(args.every) },
  { workers: Number(args.jobs), timeoutMs: 1000 * Number(args.timeout) },
  (o, done, of) => {
    if (args.verbose || o.k === 'broken' || o.k === 'wrong') {
      const why = args.verbose ? o.why : o.why?.split('\n')[0];
      console.log(
        `${o.way} ${o.suite}/${o.name}: ${o.k}${o.code ? ` ${o.code}` : ''}${why ? ` ${why}` : ''} (${o.ms.toFixed(0)} ms)`,
      );
    } else if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of}`);
  },
);
console.log(summary(rows, ways));
console.log(`${rows.length * ways.length} runs in ${((performance.now() - start) / 1000).toFixed(1)} s`);
const onnx = rows.filter(r => isOnnxSuite(r.suite));
if (args.write) {
  if (onnx.length > 0) writeOnnxReport(onnx, ways);
  writeTfReports(rows, ways);
} else {
  const below = lost(rows, ways);
  if (below.length > 0) {
    console.log(`below the floor: ${below.join(', ')}`);
    process.exitCode = 1;
  }
}
