/**
 * Runs ONNX's backend tests: `npm run conformance -- [--suite node,simple] [--filter REGEX] [--on evaluate,program,wasm,c]
 * [--symbolic] [--verbose] [--jobs N] [--write]`. `--write` writes OPERATORS.md and the floor that the test suite holds.
 * As C, C_TARGET names the target, and C_FLAGS flags for the compiler, such as those of sanitizers. Cases run in a process of their
 * own, which is replaced when a case hangs or takes it down.
 */
import { parseArgs } from 'node:util';
import { findBackendTests, SUITES, type Suite } from '../suites/onnx-backend.ts';
import { collect } from './collect.ts';
import { summary, writeReport } from './report.ts';
import { WAYS, type Way } from './runners.ts';

const { values: args } = parseArgs({
  options: {
    suite: { type: 'string', default: SUITES.join() },
    filter: { type: 'string', default: '' },
    on: { type: 'string', default: 'evaluate' },
    symbolic: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    timeout: { type: 'string', default: '20' },
  },
});
const oneOf = <T extends string>(text: string, all: readonly T[], what: string): readonly T[] =>
  text.split(',').map(s => all.find(a => a === s) ?? die(`unknown ${what} '${s}'; there are ${all.join(', ')}`));
function die(why: string): never {
  console.error(why);
  process.exit(2);
}
const suites: readonly Suite[] = oneOf(args.suite, SUITES, 'suite');
const ways: readonly Way[] =
  args.on === 'both' ? ['evaluate', 'wasm'] : args.on === 'all' ? ['evaluate', 'program', 'wasm'] : oneOf(args.on, WAYS, 'way');
const found = findBackendTests();
if (found === undefined) die("no ONNX backend tests here; 'npm run fixtures -- onnx-tests' fetches them");

const start = performance.now();
const rows = await collect(
  found,
  { suites, match: new RegExp(args.filter), ways, symbolic: args.symbolic },
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
if (args.write) writeReport(rows, ways);
