// The public API in Node: the same, and models and profiles may be given by path.
export { compile, type NodeCompileOptions } from './host/compile.ts';
export {
  CompileError,
  InternalError,
  PHASES,
  resolveTarget,
  showLoc,
  targetNames,
  version,
  type Code,
  type Format,
  type Iterations,
  type Loc,
  type Profile,
  type Target,
  type TreeOutput,
  type TreeStats,
  type Warning,
} from './index.ts';
export type * from './options.ts';
