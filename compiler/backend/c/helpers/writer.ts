import { baseBytes, isFloatBase, vtype, type Base, type VType } from '../../../kernel/ir.ts';
import { ctype, vectorBytes, vectorName } from '../types.ts';

/** A form for targets of which `has` is true, an expression of the C preprocessor. */
type Variant = readonly [has: string, body: string];

/** The declarations and functions that a C file needs before its kernels, each written when it is first asked for. */
export interface HelperWriter {
  /** Writes what `make` gives unless there is something of this name; gives the name. */
  once(name: string, make: () => string): string;
  /** An inline function. */
  fn(name: string, result: string, params: string, body: string): string;
  /** The statements that compute each lane `r[i]` of a vector. */
  loop(t: VType, body: string): string;
  /** Declares a vector type and gives its name; a scalar type needs nothing. */
  type(t: VType): string;
  /** The type of a vector somewhere in memory, with the alignment of its elements. */
  loose(t: VType): string;
  /** The name of a scalar type that may alias any other. */
  alias(base: Base): string;
  /** Instructions by what the C compiler says it has, most capable first, and a portable form. */
  variants(list: readonly Variant[], portable: string): string;
  /** A function that gives a vector, in variants. */
  simd(name: string, t: VType, params: string, list: readonly Variant[], portable: string): string;
  /** Everything asked for, in order. */
  text(): string;
}

export function helperWriter(): HelperWriter {
  const done = new Set<string>();
  const out: string[] = [];
  const once: HelperWriter['once'] = (name, make) => {
    if (!done.has(name)) {
      done.add(name);
      out.push(make());
    }
    return name;
  };
  const type: HelperWriter['type'] = t =>
    t.lanes === 1
      ? ctype(t)
      : once(
          vectorName(t),
          () => `typedef ${ctype(vtype(t.base))} ${vectorName(t)} __attribute__((vector_size(${vectorBytes(t)})));`,
        );
  const variants: HelperWriter['variants'] = (list, portable) => {
    const lines = list.map(([has, body], i) => `#${i === 0 ? 'if' : 'elif'} ${has}\n  ${body}\n`);
    return lines.length === 0 ? ` ${portable} ` : `\n${lines.join('')}#else\n  ${portable}\n#endif\n`;
  };
  return {
    once,
    type,
    variants,
    fn: (name, result, params, body) => once(name, () => `INLINE ${result} ${name}(${params}) { ${body} }`),
    loop: (t, body) => `${type(t)} r; for (int i = 0; i < ${t.lanes}; i++) ${body} return r;`,
    loose: t => {
      type(t);
      return once(
        `${vectorName(t)}_u`,
        () =>
          `typedef ${ctype(vtype(t.base))} ${vectorName(t)}_u __attribute__((vector_size(${vectorBytes(t)}), aligned(${baseBytes(t.base)}), may_alias));`,
      );
    },
    alias: base => once(`${base}_alias`, () => `typedef ${ctype(vtype(base))} ${base}_alias MAY_ALIAS;`),
    simd: (name, t, params, list, portable) =>
      once(name, () => `INLINE ${type(t)} ${name}(${params}) {${variants(list, portable)}}`),
    text: () => out.join('\n'),
  };
}
/** The intrinsics of x86 for a vector of floats: `make` gets their prefix and suffix. */
export function intel(t: VType, make: (prefix: string, suffix: string) => string, also?: string): Variant[] {
  if (!isFloatBase(t.base)) return [];
  const suffix = t.base === 'f32' ? 'ps' : 'pd';
  const and = also === undefined ? '' : ` && ${also}`;
  switch (vectorBytes(t)) {
    case 16:
      return [[`defined(__SSE4_1__)${and}`, make('_mm', suffix)]];
    case 32:
      return [[`defined(__AVX__)${and}`, make('_mm256', suffix)]];
    case 64:
      return [['defined(__AVX512F__)', make('_mm512', suffix)]];
  }
  return [];
}
