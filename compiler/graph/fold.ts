import { CompileError } from '../core/diagnostic.ts';
import { staticDims } from '../core/dim.ts';
import { bytesOf } from '../core/dtype.ts';
import { fromNumbers, numel } from '../core/tensor.ts';
import type { Bindings } from '../core/bind.ts';
import { evalNode } from './evaluate.ts';
import { constant, isGraph, symbolsIn, tensorOf, type Node, type Value } from './graph.ts';

/** A value whose contents are known numbers as the constant it is; else the value itself. */
export function asConstant(v: Value): Value {
  if (v.def.k === 'const') return v;
  const values = v.symbolic && staticDims(v.symbolic);
  const dims = staticDims(v.type.shape);
  if (!values || !dims || numel(dims) !== values.length) return v;
  return constant(fromNumbers(v.type.dtype, dims, values));
}

/** Multiply-adds that folding may cost. */
const MAX_MACS = 2e8;

interface Folded {
  readonly values: readonly Value[];
  /** What came out for the run-time symbols that the node defines. */
  readonly symbols: ReadonlyMap<string, number>;
}
/**
 * The results of a node over constants. undefined: they take more than `limit` bytes together, or cannot be computed. An error of the
 * node with these constants is left to the run of the model, which may never reach the node.
 */
export function foldNode(n: Node, limit: number): Folded | undefined {
  if (Object.values(n.attrs).some(isGraph)) return undefined;
  if (!n.inputs.every(v => !v || v.def.k === 'const')) return undefined;
  const own = n.op.definesSymbols?.(n) ?? [];
  for (const s of symbolsIn(n)) if (!own.includes(s)) return undefined;
  if (n.outputs.reduce((sum, v) => sum + largest(v), 0) > limit) return undefined;
  const macs = n.op.macs?.(n) ?? 0;
  if (typeof macs !== 'number' || macs > MAX_MACS) return undefined;
  const env: Bindings = new Map();
  try {
    const values = evalNode(n, n.inputs.map(tensorOf), env).map(t => constant(t));
    return own.every(s => env.has(s)) ? { values, symbols: env } : undefined;
  } catch (e) {
    if (e instanceof CompileError) return undefined;
    throw e;
  }
}
/** Bytes of a value; one that the node sizes itself counts as nothing, for it is as large as its inputs allow. */
function largest(v: Value): number {
  const dims = staticDims(v.type.shape);
  return dims ? numel(dims) * bytesOf(v.type.dtype) : 0;
}
