import { fail, type Loc, type Warning } from '../../core/diagnostic.ts';
import { staticDims, symbol } from '../../core/dim.ts';
import { fromNumbers, numel } from '../../core/tensor.ts';
import { apply, constant, isGraph, knownOf, tensorOf, type Node, type Value } from '../../graph/graph.ts';
import { CompileError } from '../../core/diagnostic.ts';
import { evalNode } from '../../graph/evaluate.ts';
import { symbolName } from './dims.ts';
import { Unsupported } from './node.ts';
import type { FunctionProto } from './records.ts';
import type { ImportCtx, OnnxBuilder } from './registry.ts';
import type { ExternalResolver } from './tensor.ts';

/** What is shared by everything that is imported from one file. */
export interface Session {
  readonly file: string;
  readonly ops: ReadonlyMap<string, OnnxBuilder>;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly external: ExternalResolver | undefined;
  readonly warnings: Warning[];
  /** What could not be imported, in the order it was met. */
  readonly unsupported: Unsupported[];
  /** Names of symbols in use. */
  readonly symbols: Set<string>;
  /** Nodes that may still be made: what functions and loops can blow a small file up to. */
  budget: number;
}
/** What a builder's context is made of. */
export interface CtxParts extends Pick<ImportCtx, 'graphs' | 'inline'> {
  readonly session: Session;
  readonly loc: Loc;
  /** Gets a value of each node that gives symbols a value. */
  readonly definers: Value[];
}
/** Results of constants up to this many elements are computed at once. */
const EAGER = 4096;

export function builderCtx(p: CtxParts): ImportCtx {
  const { session, loc } = p;
  const op = loc.k === 'onnx' ? loc.op : '';
  const run = (...[o, inputs, attrs]: Parameters<ImportCtx['apply']>): readonly Value[] => {
    if (--session.budget < 0)
      fail('E202', { file: session.file, why: 'its functions and loops unfold to millions of operators' }, loc);
    const outs = apply(o, inputs, attrs ?? {}, loc);
    const [first] = outs;
    if (first?.def.k !== 'node') return outs;
    if (o.defines && o.defines(first.def).length > 0) {
      p.definers.push(first);
      return outs;
    }
    return folded(first.def) ?? outs.map(asConstant);
  };
  const knownDims: ImportCtx['knownDims'] = (v, what) => {
    const k = knownOf(v);
    if (k) return k;
    throw new Unsupported(op, `its ${what} is computed when the model runs; it must be a constant or follow from sizes`, loc);
  };
  return {
    ...p,
    apply: run,
    apply1: (o, inputs, attrs) => run(o, inputs, attrs)[0] ?? fail('E102', { op, why: `${o.name} has no output` }, loc),
    constant: t => constant(t),
    literal: (dtype, values, dims) => {
      const list = typeof values === 'number' ? [values] : values;
      return constant(fromNumbers(dtype, dims ?? (typeof values === 'number' ? [] : [list.length]), list));
    },
    known: knownOf,
    knownDims,
    knownInts: (v, what) =>
      staticDims(knownDims(v, what)) ??
      (() => {
        throw new Unsupported(op, `its ${what} depends on a free dimension; fix it with --dim`, loc);
      })(),
    tensor: tensorOf,
    symbol: (hint, lo, hi) => {
      const base = symbolName(hint === '' ? 'n' : hint);
      let name = base;
      for (let i = 1; session.symbols.has(name); i++) name = `${base}.${i}`;
      session.symbols.add(name);
      return symbol(name, lo, hi);
    },
    warn: (code, message) => void session.warnings.push({ code, message, loc }),
  };
}

/** A value whose contents are known numbers, as the constant it is. */
function asConstant(v: Value): Value {
  const values = v.known && staticDims(v.known);
  const dims = staticDims(v.type.shape);
  if (!values || !dims || numel(dims) !== values.length) return v;
  return constant(fromNumbers(v.type.dtype, dims, values));
}
/** The outputs of a node over small constants, computed. */
function folded(n: Node): readonly Value[] | undefined {
  if (n.inputs.length === 0 || Object.values(n.attrs).some(isGraph)) return undefined;
  const small = (dims: readonly number[] | undefined): boolean => dims !== undefined && numel(dims) <= EAGER;
  if (!n.inputs.every(v => !v || small(tensorOf(v)?.dims))) return undefined;
  if (n.outputs.some(v => v.type.shape.length > 0 && !small(staticDims(v.type.shape)))) return undefined;
  try {
    return evalNode(n, n.inputs.map(tensorOf), new Map()).map(t => constant(t));
  } catch (e) {
    // What goes wrong with these constants goes wrong when the model runs, if it ever gets there.
    if (e instanceof CompileError) return undefined;
    throw e;
  }
}
