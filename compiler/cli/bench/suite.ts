import { join } from 'node:path';
import { must } from '../../core/diagnostic.ts';
import { temporaryFolder, writeFile } from '../files.ts';
import { inputsOf } from '../suite-inputs.ts';
import type { Suite, SuiteModel, SuiteTarget } from '../suite.ts';
import { feedsThatFit, type BenchCase } from './case.ts';

/** What a suite measures: each model that is here, for each target, on the runs that are for speed. */
export const suiteCases = (suite: Suite, seed: number): BenchCase[] =>
  suite.models.flatMap(m => (m.here && m.runs.some(r => r.only !== 'accuracy') ? m.targets.map(t => suiteCase(m, t, seed)) : []));
export const suiteCase = (m: SuiteModel, t: SuiteTarget, seed: number): BenchCase => ({
  name: m.name,
  doc: m.doc,
  group: m.group,
  source: { k: 'model', path: m.path, target: flagOf(t), options: m.args },
  against: m.against,
  runs: (manifest, original) =>
    m.runs
      .filter(r => r.only !== 'accuracy')
      .map(r => ({
        label: r.label,
        feeds: feedsThatFit(i => inputsOf(m, r, manifest, must(original), seed + 100 * i), r.inputs !== undefined),
      })),
});
/** A target as an argument of `sinter compile`: a profile becomes a file. */
function flagOf(t: SuiteTarget): string {
  if (typeof t.option === 'string') return t.option;
  const file = join(temporaryFolder(), `${t.name}.json`);
  writeFile(file, JSON.stringify(t.option));
  return file;
}
