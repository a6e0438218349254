import { InternalError, type Loc } from '../core/diagnostic.ts';
import type { Dim } from '../core/dim.ts';
import type { DType } from '../core/dtype.ts';
import type { Content } from '../core/float-size.ts';
import type { Tensor } from '../core/tensor.ts';
import type { TensorType } from '../core/shape.ts';
import type { Graph, Node, NodeOf, Value } from '../graph/graph.ts';
import type { Expr, Lanes } from '../kernel/ir.ts';
import type { Buffer, KernelBuilder } from '../kernel/builder.ts';
import type { Profile } from '../target/profile.ts';
import type { LowerCtx, Ref, Source } from './lowering.ts';

export type AttrValue = Dim | string | boolean | readonly Dim[] | Graph;
export type Attrs = Readonly<Record<string, AttrValue | undefined>>;
export interface AttrSpec<T> {
  readonly what: string;
  readonly default: AttrValue | undefined;
  readonly optional: boolean;
  check(v: unknown): boolean;
  /** Carries the type; never present. */
  readonly type?: T;
}
const isDim = (v: unknown): boolean => Number.isInteger(v) || (typeof v === 'object' && v !== null && 'k' in v && v.k === 'poly');
function spec<T>(what: string, check: (v: unknown) => boolean) {
  function make(dflt?: T): AttrSpec<T> {
    return { what, check, default: dflt as AttrValue | undefined, optional: false };
  }
  make.optional = (): AttrSpec<T | undefined> => ({ what, check, default: undefined, optional: true });
  return make;
}
/** Attribute kinds: `attr.int()` must be given, `attr.int(0)` has a default, `attr.int.optional()` may be absent. */
export const attr = {
  int: spec<number>('an integer', v => Number.isInteger(v)),
  float: spec<number>('a number', v => typeof v === 'number'),
  bool: spec<boolean>('a boolean', v => typeof v === 'boolean'),
  string: spec<string>('a string', v => typeof v === 'string'),
  dtype: spec<DType>('a dtype', v => typeof v === 'string'),
  dim: spec<Dim>('a dimension', isDim),
  dims: spec<readonly Dim[]>('dimensions', v => Array.isArray(v) && v.every(isDim)),
  ints: spec<readonly number[]>('integers', v => Array.isArray(v) && v.every(Number.isInteger)),
  floats: spec<readonly number[]>('numbers', v => Array.isArray(v) && v.every(x => typeof x === 'number')),
  graph: spec<Graph>('a graph', v => typeof v === 'object' && v !== null && 'outputs' in v),
  /** One of the given words. */
  oneOf: <const W extends readonly string[]>(words: W, dflt?: W[number]): AttrSpec<W[number]> => ({
    what: `one of ${words.join(', ')}`,
    check: v => typeof v === 'string' && words.includes(v),
    default: dflt,
    optional: false,
  }),
};
export type Schema = Readonly<Record<string, AttrSpec<unknown>>>;
export type Typed<S extends Schema> = { readonly [K in keyof S]: S[K] extends AttrSpec<infer T> ? T : never };

/** Two dimensions that must be equal when the model runs. */
export interface Guard {
  readonly a: Dim;
  readonly b: Dim;
  readonly what: string;
}
export interface InferCtx<A> {
  readonly inputs: readonly (Value | undefined)[];
  readonly types: readonly (TensorType | undefined)[];
  readonly attrs: A;
  readonly loc: Loc;
  reject(why: string): never;
  /** The one size that two sizes stand for: an error if they cannot be equal, a guard checked at run time if that is not known. */
  same(a: Dim, b: Dim, what: string): Dim;
}
export interface SymbolicCtx<A> {
  readonly inputs: readonly (Value | undefined)[];
  /** The contents of the inputs that are integers or bools, as far as they can be told. */
  readonly symbolic: readonly (readonly Dim[] | undefined)[];
  /** The contents of input i whatever its type. */
  contents(i: number): readonly Content[] | undefined;
  readonly attrs: A;
  readonly out: readonly TensorType[];
}
export interface EvalCtx<A> {
  readonly attrs: A;
  /** Types of the outputs as inferred; sizes made by this very operator are symbols without a value yet. */
  readonly out: readonly TensorType[];
  /** The value of a dimension now. */
  dim(d: Dim): number;
  /** The dims of output i now. */
  dims(i: number): number[];
  /** Runs a sub-graph on the values of its inputs. */
  graph(g: Graph, inputs: readonly Tensor[]): readonly Tensor[];
  /** The texts that the model knows; absent while it is not whole yet. */
  readonly texts?: readonly string[] | undefined;
}
interface IndexMapCtx<A> {
  readonly k: KernelBuilder;
  readonly attrs: A;
  readonly ins: readonly (Source | undefined)[];
  readonly out: TensorType;
}

/**
 * How an operator becomes code.
 * - `elementwise`: the value at an index depends on the (broadcast) inputs at that index alone. `scalar` works on any number of lanes;
 *   in a vector, truth values are masks. Operands used twice are bound with `k.let` by the caller; bind your own intermediates.
 * - `indexMap`: the value at an index is an expression over inputs at other indices (gather, pad, resize). `lanes` > 1 asks for
 *   neighbours along the last axis and is only asked for if `vector` says so.
 * - `view`: the output is the memory of input 0, seen otherwise. `ref` gives undefined where that cannot be done without a copy;
 *   then `at` maps the index (as in `indexMap`).
 * - `kernel`: builds kernels through the context. `accepts` says how input i is read: `indexMap` (each element about once, so a cheap
 *   producer may be computed on the way) or `buffer` (memory). `space` groups the axes of output 0 as the schedule walks
 *   them; following elementwise operators become the epilogue of the store when their operands can be indexed in that space; absent: no epilogue.
 */
type Lowering<A> =
  | { readonly k: 'elementwise'; scalar(args: readonly Expr[], c: ScalarCtx<A>): Expr }
  | {
      readonly k: 'indexMap';
      at(c: IndexMapCtx<A>, idx: readonly Expr[], lanes: Lanes): Expr;
      vector?(c: { readonly attrs: A; readonly types: readonly (TensorType | undefined)[]; readonly out: TensorType }): boolean;
    }
  | {
      readonly k: 'view';
      ref(x: Ref, c: { readonly attrs: A; readonly out: TensorType; readonly index: number }): Ref | undefined;
    }
  | {
      /** The output is put together from its inputs: input i is written straight into `part(out, i)`, by its producer where possible. */
      readonly k: 'assemble';
      part(out: Ref, i: number, node: NodeOf<A>): Ref;
    }
  | {
      readonly k: 'kernel';
      accepts?(i: number, node: NodeOf<A>): 'indexMap' | 'buffer';
      iterationSpace?(node: NodeOf<A>): readonly (readonly number[])[] | undefined;
      build(c: LowerCtx<A>): void;
    };
export interface ScalarCtx<A> {
  readonly k: KernelBuilder;
  readonly attrs: A;
  /** dtypes of the inputs and of the output. */
  readonly types: readonly DType[];
  readonly out: DType;
  readonly lanes: Lanes;
  /** A constant as memory; only kernels have such. */
  table?(t: Tensor): Buffer;
}

/** Everything the compiler knows about an operator, in one literal in one file. */
export interface OpDef<S extends Schema> {
  readonly name: string;
  readonly doc: string;
  /** `x` is required, `x?` optional, `...xs` any number (last). */
  readonly inputs: readonly string[];
  readonly attrs: S;
  /** Output types, or `reject(why)`. */
  infer(c: InferCtx<Typed<S>>): readonly TensorType[];
  /** Contents of small integer outputs as dimensions, where they follow from the inputs'. */
  symbolic?(c: SymbolicCtx<Typed<S>>): readonly (readonly Content[] | undefined)[];
  /** The run-time symbols this node gives a value. */
  definesSymbols?(n: NodeOf<Typed<S>>): readonly string[];
  /** Reference semantics: float64 inside, rounded at the result. The oracle, and the constant folder. */
  eval(c: EvalCtx<Typed<S>>, ...ins: readonly (Tensor | undefined)[]): readonly Tensor[];
  readonly lower: Lowering<Typed<S>>;
  /**
   * What constant folding does with it. `small`: only short results are computed, because what reads a long one reads the input as well.
   * `late`: it stays until the passes that look for it have run. Absent: results up to a multiple of the inputs are computed.
   */
  readonly fold?: 'small' | 'late';
  /**
   * The attributes of the same node where the operands with as many axes as the result, and the result, have their axes in another order:
   * axis i is what was axis perm[i]. undefined: it cannot be. Elementwise operators need not say that they follow any order.
   */
  permuteAxes?(n: NodeOf<Typed<S>>, perm: readonly number[]): Typed<S> | undefined;
  /** The attributes with which it reads input 0 and writes its result channels last; undefined where it does, or had better not. */
  channelsLast?(n: NodeOf<Typed<S>>): Typed<S> | undefined;
  /** Whether a target has instructions for this node: where not, a pass puts other operators in its place. Absent: it has. */
  native?(n: NodeOf<Typed<S>>, profile: Profile): boolean;
  /** Multiply-adds of one run, for reports. */
  macs?(n: NodeOf<Typed<S>>): Dim;
}
/** An operator with its attribute types forgotten, as graphs hold it. */
export interface Op {
  readonly name: string;
  readonly doc: string;
  readonly inputs: readonly string[];
  readonly attrs: Schema;
  checkAttrs(a: Attrs, reject: (why: string) => never): Attrs;
  infer(c: InferCtx<Attrs>): readonly TensorType[];
  symbolic?(c: SymbolicCtx<Attrs>): readonly (readonly Content[] | undefined)[];
  definesSymbols?(n: Node): readonly string[];
  eval(c: EvalCtx<Attrs>, ...ins: readonly (Tensor | undefined)[]): readonly Tensor[];
  readonly lower: Lowering<Attrs>;
  readonly fold?: 'small' | 'late';
  permuteAxes?(n: Node, perm: readonly number[]): Attrs | undefined;
  channelsLast?(n: Node): Attrs | undefined;
  native?(n: Node, profile: Profile): boolean;
  macs?(n: Node): Dim;
}
/** An operator as its literal declares it: with the types of its attributes. */
export interface OpOf<S extends Schema> extends Omit<Op, 'attrs'> {
  readonly attrs: S;
}
/** The attributes of a node, typed by the schema of its operator, which is one of `ops`. */
export function attrsOf<O extends readonly Op[]>(n: Node, ...ops: O): Typed<O[number]['attrs']> {
  if (!ops.some(op => op === n.op)) throw new InternalError(`${n.op.name} is not one of ${ops.map(op => op.name).join(', ')}`);
  // `apply` has checked them against the schema.
  return n.attrs as unknown as Typed<O[number]['attrs']>;
}
/** A node with the types of the attributes of its operator; undefined where it is of another. */
export const nodeOf = <O extends Op>(n: Node, op: O): NodeOf<Typed<O['attrs']>> | undefined =>
  n.op === op ? (n as unknown as NodeOf<Typed<O['attrs']>>) : undefined;
/** Declares an operator; the list of its family holds it, and `ops/index.ts` the lists of all families. */
export function defineOp<const S extends Schema>(d: OpDef<S>): OpOf<S> {
  const checkAttrs = (a: Attrs, reject: (why: string) => never): Attrs => {
    for (const name of Object.keys(a)) if (!Object.hasOwn(d.attrs, name)) reject(`unknown attribute '${name}'`);
    const out: Record<string, AttrValue | undefined> = {};
    for (const [name, s] of Object.entries(d.attrs)) {
      const v = a[name] ?? s.default;
      if (v === undefined ? !s.optional : !s.check(v)) reject(`attribute '${name}' must be ${s.what}`);
      if (v !== undefined) out[name] = v;
    }
    return out;
  };
  // The schema has checked the attributes: from here on their types are forgotten.
  return { ...(d as unknown as OpOf<S>), checkAttrs };
}
