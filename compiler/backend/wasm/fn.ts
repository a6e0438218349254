import { InternalError, must } from '../../core/diagnostic.ts';
import { constOf, showVType, type Expr, type Kernel, type VType } from '../../kernel/ir.ts';
import { changedNames } from '../../kernel/passes/rewrite.ts';
import type { Profile } from '../../target/profile.ts';
import type { Assembler, ExpressionRef, WasmType } from './binaryen.ts';
import type { Pool } from './pool.ts';

/** Names of functions of the module, which are made at their first use. */
export interface Functions {
  readonly helper: (name: string) => string;
  readonly kernel: (k: Kernel) => string;
  /** The place of a kernel with a range in the table of slices, and the pool that runs these; undefined where there is one thread. */
  readonly slice: ((k: Kernel) => number) | undefined;
  readonly pool: Pool | undefined;
}
/** The state of one function under construction. */
export interface Fn extends Functions {
  readonly asm: Assembler;
  readonly profile: Profile;
  /** The local of a variable or parameter. */
  declare(name: string, t: VType): number;
  get(name: string): ExpressionRef;
  indexOf(name: string): number;
  /** A scratch local, free again after the statement. */
  temp(t: WasmType): number;
  endStatement(): void;
  /** A local until `release`. */
  local(t: WasmType): number;
  release(t: WasmType, index: number): void;
  /** The variable is dead: its local may serve another one. */
  forget(name: string): void;
  label(): string;
  /** Whether an index is known not to be negative, so that constants beside it may become offsets of the access. */
  nonNegative(e: Expr): boolean;
  markNonNegative(name: string): void;
  /** Whether the variable keeps its first value. */
  fixed(name: string): boolean;
  /** The types of the parameters: the range's ends come first. */
  readonly params: readonly WasmType[];
  readonly vars: readonly WasmType[];
}

/** The types of a kernel's parameters: addresses and sizes are i32. */
export const parameterTypes = (asm: Assembler, profile: Profile, kernel: Kernel): readonly WasmType[] =>
  kernel.params.map(p => (p.k === 'value' ? localType(asm, profile, kernel, p.t) : asm.b.i32));
function localType({ b }: Assembler, profile: Profile, kernel: Kernel, t: VType): WasmType {
  if (t.lanes === 1)
    return {
      i32: b.i32,
      u32: b.i32,
      i64: b.i64,
      u64: b.i64,
      f32: b.f32,
      f64: b.f64,
      i8: b.i32,
      u8: b.i32,
      i16: b.i32,
      u16: b.i32,
    }[t.base];
  if (profile.vector.bits < 128)
    throw new InternalError(`a ${showVType(t)} in kernel ${kernel.name}, but ${profile.name} has no vectors`);
  return b.v128;
}

export function newFn(asm: Assembler, profile: Profile, kernel: Kernel, functions: Functions): Fn {
  const locals: WasmType[] = [];
  const names = new Map<string, { readonly index: number; readonly type: WasmType }>();
  const free = new Map<WasmType, number[]>();
  let inUse: { readonly index: number; readonly type: WasmType }[] = [];
  const nonNeg = new Set<string>();
  const changed = changedNames(kernel.body);
  let labels = 0;
  const { b, m } = asm;
  const wasmType = (t: VType): WasmType => localType(asm, profile, kernel, t);
  const given = [
    ...(kernel.range ? [kernel.range.begin, kernel.range.end] : []).map(name => ({ name, type: b.i32 })),
    ...parameterTypes(asm, profile, kernel).map((type, i) => ({ name: must(kernel.params[i]).name, type })),
  ];
  given.forEach(({ name, type }, index) => names.set(name, { index, type }));
  const local = (t: WasmType): number => free.get(t)?.pop() ?? given.length + locals.push(t) - 1;
  const release = (t: WasmType, index: number): void => {
    const f = free.get(t);
    if (f) f.push(index);
    else free.set(t, [index]);
  };
  const find = (name: string): { readonly index: number; readonly type: WasmType } =>
    must(names.get(name), `variable ${name} of ${kernel.name}`);
  const nonNegative = (e: Expr): boolean => {
    const c = constOf(e);
    if (c !== undefined) return c >= 0;
    if (e.k === 'var') return nonNeg.has(e.name);
    if (e.k !== 'bin') return false;
    switch (e.op) {
      case 'add':
      case 'mul':
      case 'div':
      case 'max':
      case 'min':
        return nonNegative(e.a) && nonNegative(e.b);
      case 'rem':
      case 'shr':
        return nonNegative(e.a);
      case 'and':
        return nonNegative(e.a) || nonNegative(e.b);
      case 'sub':
      case 'or':
      case 'xor':
      case 'shl':
        return false;
    }
  };
  return {
    asm,
    profile,
    declare: (name, t) => {
      if (names.has(name)) throw new InternalError(`${name} is bound twice in kernel ${kernel.name}`);
      const index = local(wasmType(t));
      names.set(name, { index, type: wasmType(t) });
      return index;
    },
    get: name => {
      const v = find(name);
      return m.local.get(v.index, v.type);
    },
    indexOf: name => find(name).index,
    temp: type => {
      const index = local(type);
      inUse.push({ index, type });
      return index;
    },
    endStatement: () => {
      for (const t of inUse) release(t.type, t.index);
      inUse = [];
    },
    local,
    release,
    forget: name => {
      const v = find(name);
      release(v.type, v.index);
    },
    label: () => `l${labels++}`,
    nonNegative,
    markNonNegative: name => {
      if (!changed.has(name)) nonNeg.add(name);
    },
    fixed: name => !changed.has(name),
    ...functions,
    params: given.map(g => g.type),
    vars: locals,
  };
}

/** A value that is needed twice: the first reference computes it and must run before the second. */
export function twice(f: Fn, type: WasmType, value: ExpressionRef): readonly [ExpressionRef, ExpressionRef] {
  const t = f.temp(type);
  return [f.asm.m.local.tee(t, value, type), f.asm.m.local.get(t, type)];
}
