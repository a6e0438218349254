/**
 * Benchmarks as a library: `bench` measures models and bundles against what runs them otherwise, and gives a `BenchResult`, which is plain
 * JSON; `showCase`, `showSummary` and `reportHtml` make text and a page of one. `sinter bench` is flags around this.
 */
export { bench, DEFAULTS, type BenchOptions, type BenchProgress } from './engine/bench.ts';
export { randomRuns, type BenchCase, type ModelOptions, type RunInputs, type Source } from './engine/case.ts';
export type * from './engine/result.ts';
export { PEER_NAMES } from './peers/index.ts';
export { reportHtml } from './report/html.ts';
export { showCase, showSummary } from './report/table.ts';
export { suiteCases } from './suite/cases.ts';
export { readSuite, type Suite, type SuiteModel, type SuiteRun, type SuiteTarget } from './suite/suite.ts';
