import { must } from '../../compiler/core/diagnostic.ts';
import { backendCases, findBackendTests, isOnnxSuite, SUITES, type Suite } from '../suites/onnx-backend.ts';
import { findTfCases, isTfSuite, readTfCase, TF_SUITES, tfCases, type Form } from '../suites/tensorflow-cases.ts';
import { operatorsOf } from './case.ts';
import type { Outcome } from './outcome.ts';
import { runAll, type Job, type PoolOptions } from './pool.ts';
import type { CaseRow } from './report.ts';
import type { Way } from './runners.ts';

export type AnySuite = Suite | Form;
export const ALL_SUITES: readonly AnySuite[] = [...SUITES, ...TF_SUITES];
/** Where the cases of a suite are; undefined where they are not on this machine. */
export const rootOf = (s: AnySuite): string | undefined => (isTfSuite(s) ? findTfCases() : findBackendTests());

export interface Selection {
  readonly suites: readonly AnySuite[];
  readonly match: RegExp;
  readonly ways: readonly Way[];
  readonly symbolic: boolean;
  /** A sample: one case of this many. */
  readonly every?: number;
}
/** Cases by suite, each with a list of the operators that it has. */
function* selected(s: Selection): Generator<Pick<Job, 'suite' | 'name' | 'folder'> & Pick<CaseRow, 'operators'>> {
  for (const suite of s.suites) {
    const root = must(rootOf(suite), `the cases of ${suite}`);
    if (isTfSuite(suite))
      for (const c of tfCases(root, suite)) {
        const { operators } = readTfCase(suite, c.folder);
        // Their names seldom tell which operators they are about.
        if ([c.name, ...operators].some(x => s.match.test(x))) yield { suite, ...c, operators };
      }
    if (isOnnxSuite(suite))
      for (const c of backendCases(root, [suite], s.match))
        yield { suite, name: c.name, folder: c.folder, operators: operatorsOf(c) };
  }
}
/** Runs the selected cases; `report` sees each outcome as it comes. */
export async function collect(
  s: Selection,
  o: PoolOptions,
  report: (outcome: Outcome, done: number, of: number) => void,
): Promise<CaseRow[]> {
  const rows: CaseRow[] = [];
  const jobs: Job[] = [];
  let seen = 0;
  for (const { operators, ...c } of selected(s)) {
    if (seen++ % (s.every ?? 1) !== 0) continue;
    rows.push({ suite: c.suite, name: c.name, operators, outcomes: [] });
    for (const way of s.ways) jobs.push({ row: rows.length - 1, ...c, way, symbolic: s.symbolic });
  }
  let count = 0;
  await runAll(jobs, o, (job, outcome) => {
    rows[job.row]?.outcomes.push(outcome);
    report(outcome, ++count, jobs.length);
  });
  return rows;
}
