// Every committed model of fixtures/trees, on the evaluator and compiled (`npm run trees`; part of its name as an argument chooses):
// margins, leaves and contributions of XGBoost bit for bit, predictions within 1 ulp.
import { archives, casesOf } from './cases.ts';
import { differences } from './check.ts';
import { byBundle, byEvaluator } from './ways.ts';

const only = process.argv[2] ?? '';
let wrong = 0;
for (const archive of [...archives('xgboost'), ...archives('lightgbm')]) {
  let [cases, good] = [0, 0];
  for (const c of casesOf(archive)) {
    if (!`${c.library} ${c.version} ${c.name} ${c.file}`.includes(only)) continue;
    cases++;
    const found: string[] = [];
    for (const way of [byEvaluator, byBundle])
      try {
        found.push(...differences(c, await way(c)).map(d => `${d} (${way.name})`));
      } catch (e) {
        found.push(`${archive} ${c.name}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)} (${way.name})`);
      }
    for (const f of found) process.stdout.write(`${f}\n`);
    if (found.length === 0) good++;
  }
  if (cases > 0) process.stdout.write(`${archive}: ${good} of ${cases} cases agree\n`);
  wrong += cases - good;
}
process.exitCode = wrong > 0 ? 1 : 0;
