/**
 * Every committed model of fixtures/trees: `npm run trees -- [PART OF A NAME] [--on evaluate,wasm,c]`; without --on on the evaluator and in
 * WebAssembly. Margins, leaves and contributions have the bits of the library that wrote the model, predictions those of XGBoost, and of
 * LightGBM to 4 ulp. As C, C_TARGET names the target, and C_FLAGS flags for the compiler, as in `npm run conformance -- --on c`.
 */
import { parseArgs } from 'node:util';
import { archives, casesOf } from './cases.ts';
import { differences } from './check.ts';
import { waysNamed } from './ways.ts';

const { values: args, positionals } = parseArgs({
  options: { on: { type: 'string', default: 'evaluate,wasm' } },
  allowPositionals: true,
});
const ways = waysNamed(args.on);
const [only = ''] = positionals;
let wrong = 0;
for (const archive of [...archives('xgboost'), ...archives('lightgbm')]) {
  let [cases, good] = [0, 0];
  for (const c of casesOf(archive)) {
    if (!`${c.library} ${c.version} ${c.name} ${c.file}`.includes(only)) continue;
    cases++;
    const found: string[] = [];
    for (const [name, run] of ways)
      try {
        found.push(...differences(c, await run(c)).map(d => `${d} (${name})`));
      } catch (e) {
        found.push(`${archive} ${c.name}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)} (${name})`);
      }
    for (const f of found) process.stdout.write(`${f}\n`);
    if (found.length === 0) good++;
  }
  if (cases > 0) process.stdout.write(`${archive}: ${good} of ${cases} cases agree\n`);
  wrong += cases - good;
}
process.exitCode = wrong > 0 ? 1 : 0;
