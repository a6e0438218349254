// The public API as a page may use it: no Node module is on the way from a model's bytes to the files of its bundle. In Node the package
// gives node.ts, which has more, and takes models by their paths too.
export { compile } from './compile.ts';
export { evaluate, type EvaluateOptions } from './evaluate.ts';
export { inspect, type Inspection, type InspectOptions } from './inspect.ts';
export { PHASES } from './options.ts';
export type * from './options.ts';
export {
  quantize,
  type CalibrationData,
  type CalibrationSample,
  type QuantizeOptions,
  type QuantizeResult,
} from './quantization.ts';
export type { QuantizationPlan } from './quantize/plan.ts';
export type { QuantizationReport } from './quantize/report.ts';
export type { RunTensor, TypedTensor } from './tensors.ts';
export { CODES, CompileError, InternalError, showLoc, type Code, type Loc, type Warning } from './core/diagnostic.ts';
export { VERSION as version } from './core/version.data.ts';
export type { Format } from './import/index.ts';
export type { Iterations, TreeOutput } from './import/shared/trees.ts';
export type { TreeStats } from './ops/trees/stats.ts';
export type { Profile } from './target/profile.ts';
export { resolveTarget, targetNames, type Target } from './target/resolve.ts';
