// The public API in Node: that of a page, with models by their paths, and what needs files, processes or packages beside it.
export {
  CODES,
  CompileError,
  InternalError,
  PHASES,
  resolveTarget,
  showLoc,
  targetNames,
  version,
  type CalibrationData,
  type CalibrationSample,
  type Code,
  type Format,
  type Inspection,
  type Iterations,
  type Loc,
  type Profile,
  type QuantizationPlan,
  type QuantizationReport,
  type QuantizeResult,
  type RunTensor,
  type Target,
  type TreeOutput,
  type TreeStats,
  type TypedTensor,
  type Warning,
} from './index.ts';
export type * from './options.ts';
export {
  compile,
  evaluate,
  inspect,
  type ModelSource,
  type NodeCompileOptions,
  type NodeEvaluateOptions,
  type NodeInspectOptions,
} from './host/compile.ts';
export { writeBundle } from './host/files.ts';
export type { Manifest } from './run/manifest.ts';
export { openBundle, type Bundle } from './run/open.ts';
export type { CalibrationSource } from './run/calibration.ts';
export { quantize, type NodeQuantizeOptions } from './run/quantize.ts';
export { tune, type TuneOptions } from './tune/tune.ts';
export type { Against } from './reference/reference.ts';
export type { Certificate, FileCheck, Loss } from './verify/certificate.ts';
export type { Divergence, DivergenceCause, DivergentValue } from './verify/nodes.ts';
export type { OutputParity, Parity } from './verify/parity.ts';
export { verify, type Answers, type Verification, type VerifyOptions } from './verify/verify.ts';
export {
  bench,
  randomRuns,
  reportHtml,
  type BenchCase,
  type BenchOptions,
  type BenchProgress,
  type BenchResult,
} from '../bench/index.ts';
