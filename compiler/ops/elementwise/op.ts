import { codeOf, isCoded, isMiniFloat, MINI_FLOATS } from '../../core/codes.ts';
import { DTYPES, isFloat, isInt, limitsOf, regOf, type DType } from '../../core/dtype.ts';
import { dimEq, type Dim } from '../../core/dim.ts';
import { must } from '../../core/diagnostic.ts';
import { floatContent, wholeSize, WHOLE, type Content, type FloatRule } from '../../core/float-size.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, writer, type Tensor } from '../../core/tensor.ts';
import { tensorType } from '../../core/shape.ts';
import type { Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { wrapped } from '../../kernel/codes.ts';
import { vtype, type Expr } from '../../kernel/ir.ts';
import { broadcastNumbers, chunkFunction, type ChunkFunction } from '../../kernel/eval/chunk.ts';
import {
  defineOp,
  type InferCtx,
  type OpDef,
  type OpOf,
  type Schema,
  type ScalarCtx,
  type SymbolicCtx,
  type Typed,
} from '../define.ts';
import { scalarFunction, type Scalar } from '../../kernel/eval/scalar.ts';
import { constantOf } from './util.ts';

/** The shape that two shapes broadcast to (numpy's rule). A symbolic size meets only 1 or its equal: a guard checks it at run time. */
export function broadcastShapes(a: readonly Dim[], b: readonly Dim[], same: (x: Dim, y: Dim, what: string) => Dim): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    return x === 1 ? y : y === 1 || dimEq(x, y) ? x : same(x, y, `axis ${i} of the operands`);
  });
}

interface ElementwiseDef<S extends Schema> {
  readonly name: string;
  readonly doc: string;
  readonly inputs: readonly string[];
  readonly attrs?: S;
  /** Which element types the inputs may have; `reject` otherwise. The result's type is returned. */
  result(types: readonly DType[], attrs: Typed<S>, reject: (why: string) => never): DType;
  /** The value from the operands' values (any number of lanes; truth values as in the kernel IR). */
  scalar(args: readonly Expr[], c: ScalarCtx<Typed<S>>): Expr;
  /** The same on symbolic integers, for shape arithmetic. */
  known?(args: readonly Dim[], attrs: Typed<S>): Dim | undefined;
  /** How floats that follow from sizes go through it; absent: they do not, as where the result depends on how a function is computed. */
  readonly ofSizes?: FloatRule;
  readonly fold?: OpDef<S>['fold'];
  /** The reference, where it is not the scalar function over all elements. */
  readonly eval?: OpDef<S>['eval'];
}
/** All operands and the result have one type, of the given kinds. */
export const sameDType =
  (allowed: (t: DType) => boolean, what: string) =>
  (types: readonly DType[], _: unknown, reject: (why: string) => never): DType => {
    const t = must(types[0]);
    for (const u of types) if (u !== t) reject(`operands of types ${types.join(', ')}; they must be equal`);
    return allowed(t) ? t : reject(`takes ${what}, not ${t}`);
  };
export const floats = sameDType(isFloat, 'floats');
export const numbers = sameDType(t => isFloat(t) || isInt(t), 'numbers');
export const integers = sameDType(isInt, 'integers');
export const bools = sameDType(t => t === 'bool', 'booleans');
/** Compares operands of one type; gives bool. */
export const predicate =
  (allowed: (t: DType) => boolean, what: string) =>
  (types: readonly DType[], attrs: unknown, reject: (why: string) => never): DType => {
    sameDType(allowed, what)(types, attrs, reject);
    return 'bool';
  };

/** Brings i32 lanes into the range of a narrow integer type. */
export const wrapNarrow = (dtype: DType, e: Expr): Expr =>
  e.t.base === 'i32' && isInt(dtype) && DTYPES[dtype].bits < 32 && !isClamped(dtype, e) ? wrapped(dtype, e) : e;
/** Whether e is max(min(float, hi), lo) as an integer, within the type. NaN becomes 0, which every type has. */
function isClamped(dtype: DType, e: Expr): boolean {
  if (e.k !== 'cast' || e.a.k !== 'bin' || e.a.op !== 'max' || e.a.a.k !== 'bin' || e.a.a.op !== 'min') return false;
  const [lo, hi] = [constantOf(e.a.b), constantOf(e.a.a.b)];
  const [least, most] = limitsOf(dtype);
  return lo !== undefined && hi !== undefined && lo >= least && hi <= most;
}

/** An elementwise operator is its scalar function; shape, reference evaluation, vector kernel and fusion follow from it. */
export function elementwise<const S extends Schema>(d: ElementwiseDef<S>): OpOf<S> {
  const scalar = (args: readonly Expr[], c: ScalarCtx<Typed<S>>): Expr => wrapNarrow(c.out, d.scalar(args, c));
  return defineOp<S>({
    name: d.name,
    doc: d.doc,
    inputs: d.inputs,
    attrs: d.attrs ?? ({} as S),
    infer: (c: InferCtx<Typed<S>>) => {
      const types = c.types.map(t => must(t));
      const shape = types
        .map(t => t.shape)
        .reduce<readonly Dim[]>((a, b) => broadcastShapes(a, b, (x, y, what) => c.same(x, y, what)), []);
      return [
        tensorType(
          d.result(
            types.map(t => t.dtype),
            c.attrs,
            why => c.reject(why),
          ),
          shape,
        ),
      ];
    },
    symbolic: c => {
      const floats = c.inputs.some(v => v?.floats) || [...c.inputs.map(v => must(v).type), ...c.out].some(t => isFloat(t.dtype));
      if (floats) return [d.ofSizes && floatsOf(d.ofSizes, c, scalar)];
      const n = Math.max(...c.symbolic.map(x => x?.length ?? 0));
      // Only scalars and vectors of equal length take part in shape arithmetic.
      if (!d.known || c.symbolic.some(x => !x || (x.length !== n && x.length !== 1))) return [];
      if (c.out[0] && c.out[0].shape.length > 1) return [];
      const out: Dim[] = [];
      for (let i = 0; i < n; i++) {
        const v = d.known(
          c.symbolic.map(x => must(x)[x?.length === 1 ? 0 : i] ?? 0),
          c.attrs,
        );
        if (v === undefined) return [];
        out.push(v);
      }
      return [out];
    },
    eval:
      d.eval ??
      ((c, ...ins) => {
        const tensors = ins.map(t => must(t));
        const types = tensors.map(t => t.dtype);
        const out = must(c.out[0]).dtype;
        const dims = c.dims(0);
        const regs = types.map(t => vtype(regOf(t)));
        const build = (k: KernelBuilder, args: readonly Expr[]): Expr =>
          scalar(args, { k, attrs: c.attrs, types, out, lanes: 1 });
        const chunk = chunkFunction(regs, build);
        return [chunk ? mapChunks(chunk, tensors, out, dims) : mapElements(scalarFunction(regs, build), tensors, out, dims)];
      }),
    lower: { k: 'elementwise', scalar },
    ...(d.fold && { fold: d.fold }),
  });
}

/** The contents of the result where floats take part and some operand follows from sizes. */
function floatsOf<A>(
  rule: FloatRule,
  c: SymbolicCtx<A>,
  scalar: (args: readonly Expr[], c: ScalarCtx<A>) => Expr,
): readonly Content[] | undefined {
  const sized = (v: Value | undefined): boolean =>
    v?.floats !== undefined || (v?.symbolic?.some(x => typeof x !== 'number') ?? false);
  const out = must(c.out[0]);
  if (out.shape.length > 1 || !c.inputs.some(sized)) return undefined;
  const args = c.inputs.map((_, i) => c.contents(i));
  const n = Math.max(...args.map(a => a?.length ?? 0));
  if (args.some(a => !a || (a.length !== n && a.length !== 1))) return undefined;
  const types = c.inputs.map(v => must(v).type.dtype);
  const run = scalarFunction(
    types.map(t => vtype(regOf(t))),
    (k, xs) => scalar(xs, { k, attrs: c.attrs, types, out: out.dtype, lanes: 1 }),
  );
  const round = rounding(out.dtype);
  const wide = types.map(t => t === 'i64' || t === 'u64');
  const at = (values: readonly number[]): number => round(Number(run(values.map((v, i) => (wide[i] === true ? BigInt(v) : v)))));
  const made = Array.from({ length: n }, (_, i) => {
    const x = floatContent(
      rule,
      args.map(a => must(must(a)[a?.length === 1 ? 0 : i])),
      at,
      significantBits(out.dtype),
    );
    return x === undefined || isFloat(out.dtype) ? x : (wholeSize(x) ?? x);
  });
  return made.every(x => x !== undefined) ? made : undefined;
}
/** How an element type rounds what is stored. */
function rounding(dtype: DType): (v: number) => number {
  if (dtype === 'f32') return Math.fround;
  const code = codeOf(dtype);
  return code && isFloat(dtype) ? v => code.decode(code.encode(v)) : v => v;
}
/** Bits of a mantissa with the one that is not stored; a power of two has no other. */
const SIGNIFICANT: Partial<Record<DType, number>> = { f64: 53, f32: 24, f16: 11, bf16: 8 };
function significantBits(dtype: DType): number {
  if (!isFloat(dtype)) return WHOLE;
  if (isMiniFloat(dtype)) return MINI_FLOATS[dtype].mantissa + 1;
  return SIGNIFICANT[dtype] ?? 1;
}

/** Applies a function of whole arrays to broadcast operands. */
function mapChunks(f: ChunkFunction, ins: readonly Tensor[], dtype: DType, dims: readonly number[]): Tensor {
  const out = new Float64Array(numel(dims));
  f(
    ins.map(t => broadcastNumbers(toNumbers(t), t.dims, dims)),
    out,
  );
  return fromNumbers(dtype, dims, out);
}
/** Applies a scalar closure over broadcast operands. */
function mapElements(f: (env: Scalar[]) => Scalar, ins: readonly Tensor[], dtype: DType, dims: readonly number[]): Tensor {
  const n = numel(dims);
  const data = new DTYPES[dtype].array(n);
  const put = elementWriter(dtype, data);
  const reads = ins.map(elementReader);
  const at = ins.map(t => broadcastIndex(t.dims, dims));
  const env: Scalar[] = new Array<Scalar>(ins.length).fill(0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < ins.length; j++) env[j] = reads[j]?.(at[j]?.(i) ?? 0) ?? 0;
    put(i, f(env));
  }
  return fromTyped(dtype, dims, data);
}
function elementReader(t: Tensor): (i: number) => Scalar {
  if (t.dtype === 'i64' || t.dtype === 'u64') {
    const a = typed(t);
    return i => a[i] ?? 0n;
  }
  const a = isCoded(t.dtype) ? toNumbers(t) : typed(t);
  return i => a[i] ?? 0;
}
function elementWriter(dtype: DType, data: InstanceType<(typeof DTYPES)[DType]['array']>): (i: number, v: Scalar) => void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return (i, v) => void (data[i] = BigInt(v));
  const put = writer(dtype, data);
  return (i, v) => put(i, Number(v));
}
/** Maps a flat index of the result to the flat index of an operand. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): (i: number) => number {
  if (from.length === to.length && from.every((d, i) => d === to[i])) return i => i;
  if (numel(from) === 1) return () => 0;
  const pad = to.length - from.length;
  const axes: { size: number; div: number; stride: number }[] = [];
  let stride = 1;
  let div = 1;
  for (let i = to.length - 1; i >= 0; i--) {
    const size = from[i - pad] ?? 1;
    if (size !== 1) axes.push({ size, div, stride });
    stride *= size;
    div *= to[i] ?? 1;
  }
  return i => {
    let at = 0;
    for (const a of axes) at += (Math.floor(i / a.div) % a.size) * a.stride;
    return at;
  };
}
