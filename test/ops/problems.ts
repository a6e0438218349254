import { expect } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { symbolsOf, type Dim } from '../../compiler/core/dim.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, numel, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { races } from '../kernel/races.ts';

export const target = (name: string): Profile => {
  const p = resolveTarget(name).profiles[0];
  if (!p) throw new Error(`no profile ${name}`);
  return p;
};
/** Reproducible numbers in about -1..1 (integers in -4..4). */
export function noise(dtype: DType, dims: readonly number[], seed: number): Tensor {
  let s = (seed * 2654435761 + 12345) >>> 0;
  const next = (): number => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return (s / 2 ** 32) * 2 - 1;
  };
  const float = dtype.startsWith('f') || dtype.startsWith('bf');
  const unsigned = dtype.startsWith('u');
  return fromNumbers(
    dtype,
    dims,
    Array.from({ length: numel(dims) }, () => (float ? next() : Math.round(unsigned ? Math.abs(next()) * 4 : next() * 4))),
  );
}
/** An operand: sizes as the graph declares them, and the contents if it is a constant of the graph. */
export interface Operand {
  readonly shape: readonly Dim[];
  readonly dtype?: DType;
  readonly constant?: Tensor;
}
/** A graph of one node, then `after` on its first output. */
export function single(
  op: Op,
  operands: readonly (Operand | undefined)[],
  attrs: Attrs,
  after: (v: Value) => Value = v => v,
): Graph {
  const inputs: Value[] = [];
  const values = operands.map((o, i) => {
    if (!o) return undefined;
    if (o.constant) return constant(o.constant, `c${i}`);
    const v = input(`x${i}`, { dtype: o.dtype ?? 'f32', shape: o.shape });
    inputs.push(v);
    return v;
  });
  const [first, ...more] = apply(op, values, attrs, noLoc);
  if (!first) throw new Error('no output');
  return {
    name: op.name,
    inputs,
    outputs: [after(first), ...more].map((value, i) => ({ name: `y${i}`, value })),
    symbolDefinitions: [],
  };
}
/** Inputs for a graph at given values of its symbols. */
export function inputsFor(g: Graph, env: Readonly<Record<string, number>>, seed: number): Map<string, Tensor> {
  const size = (d: Dim): number => {
    if (typeof d === 'number') return d;
    const [s] = symbolsOf(d);
    const v = s && env[s.name];
    if (v === undefined) throw new Error(`no value for ${d.key}`);
    return v;
  };
  return new Map(
    g.inputs.map((v, i) => [v.def.k === 'input' ? v.def.name : '', noise(v.type.dtype, v.type.shape.map(size), seed + i)]),
  );
}
/** The kernels, run by the interpreter, give what the reference evaluation gives, and their parallel loops are such. */
export function expectAgreement(g: Graph, inputs: ReadonlyMap<string, Tensor>, profile: Profile, rtol = 1e-4, atol = 1e-5): void {
  const want = evaluate(g, inputs);
  const program = lowerGraph(g, profile);
  verifyProgram(program);
  const got = interpretProgram(program, inputs, races());
  for (const [name, t] of want) expectClose(got.get(name), t, rtol, atol);
}
/** The same bits, where NaN is NaN. Bytes first: `toEqual` looks at a million elements in a second. */
export function expectBits(got: Tensor | undefined, want: Tensor, title: string): void {
  if (got && got.dtype === want.dtype && Buffer.compare(got.bytes, want.bytes) === 0) return;
  expect([title, ...(got ? typed(got) : [])]).toEqual([title, ...typed(want)]);
}
export function expectClose(got: Tensor | undefined, want: Tensor, rtol = 1e-4, atol = 1e-5): void {
  expect(got?.dims).toEqual(want.dims);
  expect(got?.dtype).toEqual(want.dtype);
  if (!got) return;
  const a = toNumbers(got);
  const b = toNumbers(want);
  let worst = { at: -1, by: 0 };
  b.forEach((x, i) => {
    const y = a[i] ?? NaN;
    if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) return;
    const by = Math.abs(x - y) - (atol + rtol * Math.abs(x));
    if (!(by <= worst.by)) worst = { at: i, by: Number.isNaN(by) ? Infinity : by };
  });
  if (worst.at >= 0) throw new Error(`element ${worst.at} of [${want.dims.join(',')}]: ${a[worst.at]} instead of ${b[worst.at]}`);
}
