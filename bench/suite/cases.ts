import { join } from 'node:path';
import { must } from '../../compiler/core/diagnostic.ts';
import { temporaryFolder, writeFile } from '../../compiler/host/files.ts';
import { inputsOf } from './inputs.ts';
import type { SuiteModel, SuiteTarget } from './suite.ts';
import { feedsThatFit, type BenchCase } from '../engine/case.ts';

/** What a model of a suite is measured for: each target, on the runs that are for speed; nothing where it is not here. */
export const suiteCases = (m: SuiteModel, seed: number): BenchCase[] =>
  m.here && m.runs.some(r => r.only !== 'accuracy') ? m.targets.map(t => suiteCase(m, t, seed)) : [];
export const suiteCase = (m: SuiteModel, t: SuiteTarget, seed: number): BenchCase => ({
  name: m.name,
  doc: m.doc,
  group: m.group,
  source: modelFor(m.path, t, m.args),
  against: m.against,
  runs: (manifest, original) =>
    m.runs
      .filter(r => r.only !== 'accuracy')
      .map(r => ({
        label: r.label,
        feeds: feedsThatFit(i => inputsOf(m, r, manifest, must(original), seed + 100 * i), r.inputs !== undefined),
      })),
});
export const modelFor = (path: string, t: SuiteTarget, options: readonly string[]): BenchCase['source'] => ({
  k: 'model',
  path,
  target: flagOf(t),
  native: t.target.profiles.some(p => p.emit === 'c'),
  options,
});
/** A target as an argument of `sinter compile`: a profile becomes a file. */
function flagOf(t: SuiteTarget): string {
  if (typeof t.option === 'string') return t.option;
  const file = join(temporaryFolder(), `${t.name}.json`);
  writeFile(file, JSON.stringify(t.option));
  return file;
}
