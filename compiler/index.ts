// The public API, as a page may use it: no Node module is on the way from bytes to files. In Node the package gives cli/api.ts, whose
// `compile` takes paths too.
export { compile } from './compile.ts';
export { CompileError, InternalError, showLoc, type Code, type Loc, type Warning } from './core/diagnostic.ts';
export { VERSION as version } from './core/version.data.ts';
export { resolveTarget, targetNames, type Target } from './target/resolve.ts';
export { PHASES } from './options.ts';
export type { Format } from './import/index.ts';
export type { Iterations, TreeOutput } from './import/shared/trees.ts';
export type * from './options.ts';
export type { TreeStats } from './ops/trees/stats.ts';
export type { Profile } from './target/profile.ts';
