import { must } from '../../compiler/core/diagnostic.ts';
import { feedsThatFit, type BenchCase } from '../engine/case.ts';
import { inputsOf } from './inputs.ts';
import type { SuiteModel, SuiteTarget } from './suite.ts';

/** What a model of a suite is measured for: each target, on the runs that are for speed; nothing where it is not here. */
export const suiteCases = (m: SuiteModel, seed: number): BenchCase[] =>
  m.here && m.runs.some(r => r.only !== 'accuracy') ? m.targets.map(t => suiteCase(m, t, seed)) : [];
export const suiteCase = (m: SuiteModel, t: SuiteTarget, seed: number): BenchCase => ({
  name: m.name,
  doc: m.doc,
  group: m.group,
  source: { k: 'model', path: m.path, options: { ...m.options, target: t.option } },
  against: m.against,
  runs: (manifest, original) =>
    m.runs
      .filter(r => r.only !== 'accuracy')
      .map(r => ({
        label: r.label,
        feeds: feedsThatFit(i => inputsOf(m, r, manifest, must(original), seed + 100 * i), r.inputs !== undefined),
      })),
});
