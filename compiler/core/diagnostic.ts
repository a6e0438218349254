/**
 * Where a thing came from in the user's model. Every node and kernel carries one. `part`: something with a name; `kind` says in the
 * importer's word what it is (node, layer, tensor, tree), `op` its operator, or is empty.
 */
export type Loc =
  | { readonly k: 'part'; readonly file: string; readonly kind: string; readonly name: string; readonly op: string }
  | { readonly k: 'text'; readonly file: string; readonly line: number; readonly col: number }
  | { readonly k: 'file'; readonly file: string; readonly what: string }
  | { readonly k: 'fused'; readonly by: string; readonly from: readonly Loc[] }
  | { readonly k: 'none' };

export const noLoc: Loc = { k: 'none' };

/**
 * Stable error codes. Tests and users match the code, never the prose.
 * E1xx: the model is not supported or ill-typed. E2xx: a file or a bundle cannot be read or written. E3xx: dimensions. E4xx: targets,
 * limits and options.
 * E5xx: data given at run time. E6xx: a tool or package is missing.
 */
export const CODES = {
  E101: 'operator {op} is not supported{why}',
  E102: '{op}: {why}',
  E103: 'the model uses {count} that Sinter does not support:\n{list}',
  E104: 'the graph has a cycle through {node}',
  E105: '{what} is used but nothing defines it',
  E106: 'type {type} of {what} is not supported',
  E201: 'cannot parse: {why}',
  E202: '{file} is not a model that Sinter reads: {why}',
  E203: '{file} is truncated or damaged: {why}',
  E204: 'external data: {why}',
  E205: 'cannot read {file}: {why}',
  E206: 'cannot write {file}: {why}',
  E207: 'bundle {dir}: {why}',
  E208: 'quantization plan {file}: {why}',
  E209: 'what was tuned in {file}: {why}',
  E301: 'dimension {dim} is free: {why}; give a size or a range, such as {flags}',
  E302: 'dimension {dim}: {why}',
  E401: 'target {target}: {why}',
  E402: 'the model needs {need} of memory, more than the {limit} of {target}',
  E403: 'option {option}: {why}',
  E501: 'input {input}: {why}',
  E502: '{why}',
  E601: '{what} is needed: {how}',
} as const;
export type Code = keyof typeof CODES;
type Hole<S extends string> = S extends `${string}{${infer K}}${infer R}` ? K | Hole<R> : never;

/** What the holes of a code's message are filled with, by name. */
type Holes<C extends Code> = Readonly<Record<Hole<(typeof CODES)[C]>, string>>;

/** The model, its data or an option is at fault; the message says where and what to do: `place: code: bare`. */
export class CompileError extends Error {
  readonly code: Code;
  /** What the holes of the code's message were filled with: `why`, `file`, … */
  readonly holes: Readonly<Record<string, string>>;
  readonly loc: Loc;
  /** The message without its place and code. */
  readonly bare: string;
  constructor(code: Code, holes: Readonly<Record<string, string>>, loc: Loc) {
    const at = showLoc(loc);
    const bare = CODES[code].replace(/\{(\w+)\}/g, (_, name: string) => holes[name] ?? '?');
    super(`${at === '' ? '' : at + ': '}${code}: ${bare}`);
    this.name = 'CompileError';
    this.code = code;
    this.holes = holes;
    this.loc = loc;
    this.bare = bare;
  }
  /** The same error at another place. */
  at(loc: Loc): CompileError {
    return new CompileError(this.code, this.holes, loc);
  }
}

/** `fail('E101', { op }, loc)`: the type system checks the holes of the message. */
export function fail<C extends Code>(code: C, holes: Holes<C>, loc: Loc = noLoc): never {
  throw new CompileError(code, holes, loc);
}

/** Runs `f` and puts a place on an error of it that has none. */
export function located<T>(loc: Loc, f: () => T): T {
  try {
    return f();
  } catch (e) {
    if (e instanceof CompileError && e.loc.k === 'none') throw e.at(loc);
    throw e;
  }
}
/** A broken promise inside the compiler, never the user's fault. */
export class InternalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InternalError';
  }
}
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InternalError(message);
}
/** The value, which the caller knows to exist. */
export function must<T>(x: T | undefined | null, what = 'value'): T {
  if (x === undefined || x === null) throw new InternalError(`${what} is missing`);
  return x;
}

/** The operator at a place; empty where there is none. */
export const opOf = (l: Loc): string => (l.k === 'part' ? l.op : '');
/** A place in the user's model in words; empty for `none`. */
export function showLoc(l: Loc): string {
  switch (l.k) {
    case 'part':
      return `${l.file}#${l.name}${l.op === '' ? '' : ` (${l.op})`}`;
    case 'text':
      return `${l.file}:${l.line}:${l.col}`;
    case 'file':
      return l.what === '' ? l.file : `${l.file}#${l.what}`;
    case 'fused':
      return [...new Set(l.from.map(showLoc))].slice(0, 4).join(' + ');
    case 'none':
      return '';
  }
}
/** Something the user should know that does not stop the compilation. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  readonly loc: Loc;
}
