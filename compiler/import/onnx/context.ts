import { fail, opOf, type Loc, type Warning } from '../../core/diagnostic.ts';
import { staticDims, symbol } from '../../core/dim.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { apply, constant, symbolicOf, tensorOf, type Value } from '../../graph/graph.ts';
import { asConstant, foldNode } from '../../graph/fold.ts';
import { DequantizeLinear } from '../../ops/quant/quant.ts';
import { symbolName } from '../shared/dims.ts';
import { Unsupported } from './node.ts';
import type { FunctionProto } from './records.ts';
import type { ImportCtx, OnnxBuilder, SequenceBuilder } from './registry.ts';
import type { ExternalResolver } from './tensor.ts';

/** What is shared by everything that is imported from one file. */
export interface Session {
  readonly file: string;
  readonly ops: ReadonlyMap<string, OnnxBuilder>;
  readonly sequenceOps: ReadonlyMap<string, SequenceBuilder>;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly external: ExternalResolver | undefined;
  readonly warnings: Warning[];
  /** The names of the classes, where the file has them. */
  labels?: readonly string[];
  /** What could not be imported, in the order it was met. */
  readonly unsupported: Unsupported[];
  /** Names of symbols in use. */
  readonly symbols: Set<string>;
  /** Nodes that may still be made: what functions and loops can blow a small file up to. */
  budget: number;
}
/** What a builder's context is made of. */
export interface CtxParts extends Pick<ImportCtx, 'graphs' | 'inline' | 'named'> {
  readonly session: Session;
  /** The node that is being imported now. */
  readonly at: { loc: Loc };
  /** Gets a value of each node that gives symbols a value. */
  readonly definers: Value[];
}
/** Results of constants up to this many bytes are computed at once. */
const EAGER = 32768;

export function builderCtx(p: CtxParts): ImportCtx {
  const { session, at } = p;
  const opName = (): string => opOf(at.loc);
  const unsupported = (why: string): never => {
    throw new Unsupported(opName(), why, at.loc);
  };
  const run = (...[o, inputs, attrs]: Parameters<ImportCtx['apply']>): readonly Value[] => {
    if (--session.budget < 0)
      fail('E202', { file: session.file, why: 'its functions and loops unfold to far too many operators' }, at.loc);
    const outs = apply(o, inputs, attrs ?? {}, at.loc);
    const [first] = outs;
    if (first?.def.k !== 'node') return outs;
    if (o.definesSymbols && o.definesSymbols(first.def).length > 0) {
      p.definers.push(first);
      return outs;
    }
    // Weights that are dequantized stay so: a pass may want the integers.
    if (o === DequantizeLinear && first.type.shape.length > 1) return outs;
    return foldNode(first.def, EAGER)?.values ?? outs.map(asConstant);
  };
  const knownDims: ImportCtx['knownDims'] = (v, what) => {
    return (
      symbolicOf(v) ?? unsupported(`its ${what} is computed when the model runs; it must be a constant or follow from sizes`)
    );
  };
  return {
    ...p,
    apply: run,
    apply1: (o, inputs, attrs) =>
      run(o, inputs, attrs)[0] ?? fail('E102', { op: opName(), why: `${o.name} has no output` }, at.loc),
    constant: t => constant(t),
    literal: (dtype, values, dims) => {
      const list = typeof values === 'number' ? [values] : values;
      return constant(fromNumbers(dtype, dims ?? (typeof values === 'number' ? [] : [list.length]), list));
    },
    known: symbolicOf,
    knownDims,
    knownInts: (v, what) =>
      staticDims(knownDims(v, what)) ?? unsupported(`its ${what} depends on a free dimension; fix it with --dim`),
    tensor: tensorOf,
    symbol: (hint, lo, hi) => {
      const base = symbolName(hint === '' ? 'n' : hint);
      let name = base;
      for (let i = 1; session.symbols.has(name); i++) name = `${base}.${i}`;
      session.symbols.add(name);
      return symbol(name, lo, hi);
    },
    labels: names => void (session.labels ??= names),
    warn: (code, message) => void session.warnings.push({ code, message, loc: at.loc }),
  };
}
