import { backendCases, type Suite } from '../suites/onnx-backend.ts';
import { operatorsOf, type Outcome } from './case.ts';
import { runAll, type Job, type PoolOptions } from './pool.ts';
import type { CaseRow } from './report.ts';
import type { Way } from './runners.ts';

export interface Selection {
  readonly suites: readonly Suite[];
  readonly match: RegExp;
  readonly ways: readonly Way[];
  readonly symbolic: boolean;
  /** A sample: one case of this many. */
  readonly every?: number;
}
/** Runs the selected cases; `report` sees each outcome as it comes. */
export async function collect(
  root: string,
  s: Selection,
  o: PoolOptions,
  report: (outcome: Outcome, done: number, of: number) => void,
): Promise<CaseRow[]> {
  const rows: CaseRow[] = [];
  const jobs: Job[] = [];
  let seen = 0;
  for (const c of backendCases(root, s.suites, s.match)) {
    if (seen++ % (s.every ?? 1) !== 0) continue;
    rows.push({ suite: c.suite, name: c.name, operators: operatorsOf(c), outcomes: [] });
    for (const way of s.ways)
      jobs.push({ row: rows.length - 1, suite: c.suite, name: c.name, folder: c.folder, way, symbolic: s.symbolic });
  }
  let count = 0;
  await runAll(jobs, o, (job, outcome) => {
    rows[job.row]?.outcomes.push(outcome);
    report(outcome, ++count, jobs.length);
  });
  return rows;
}
