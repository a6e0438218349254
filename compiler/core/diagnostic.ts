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
  E301: 'dimension {dim} is free: {why}',
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

/** The model or its data is at fault, and the message says where and what to do. */
export class CompileError extends Error {
  readonly code: Code;
  readonly loc: Loc;
  constructor(code: Code, message: string, loc: Loc) {
    const at = showLoc(loc);
    super(`${at === '' ? '' : at + ': '}${code}: ${message}`);
    this.name = 'CompileError';
    this.code = code;
    this.loc = loc;
  }
}

/** `fail('E101', { op }, loc)`: the type system checks the holes of the message. */
export function fail<C extends Code>(code: C, holes: Readonly<Record<Hole<(typeof CODES)[C]>, string>>, loc: Loc = noLoc): never {
  const values: Readonly<Record<string, string>> = holes;
  throw new CompileError(
    code,
    CODES[code].replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '?'),
    loc,
  );
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
