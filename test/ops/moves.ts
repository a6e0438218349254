import { expect } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { evalDim, type Dim } from '../../compiler/core/dim.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, numel, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectBits, expectClose, noise } from './problems.ts';

/** An operand of a problem: its sizes, and what it holds (noise, if not said). */
export interface Given {
  readonly shape: readonly Dim[];
  readonly dtype?: DType;
  /** Elements, repeated as often as needed. */
  readonly cycle?: readonly number[];
  readonly constant?: boolean;
}
export interface Problem {
  readonly title: string;
  readonly op: Op;
  readonly operands: readonly (Given | undefined)[];
  readonly attrs: Attrs;
  /** Done to the first operand before and to the first result after. */
  readonly before?: (v: Value) => Value;
  readonly after?: (v: Value) => Value;
  /** Sums and products in f32: equal up to rounding. */
  readonly rounds?: boolean;
  /** Values of the symbols, each tried on the same code. */
  readonly sizes?: readonly Readonly<Record<string, number>>[];
}

const contents = (g: Given, dims: readonly number[], seed: number): Tensor => {
  const dtype = g.dtype ?? 'f32';
  const { cycle } = g;
  if (!cycle) return noise(dtype, dims, seed);
  return fromNumbers(
    dtype,
    dims,
    Array.from({ length: numel(dims) }, (_, i) => cycle[i % cycle.length] ?? 0),
  );
};

/** Compiled code gives, bit for bit unless it rounds, what the reference evaluation gives: these operators move elements. */
export async function expectSame(p: Problem, targets: readonly string[]): Promise<void> {
  const inputs: Value[] = [];
  const given: Given[] = [];
  const values = p.operands.map((o, i) => {
    if (!o) return undefined;
    if (o.constant) return constant(contents(o, o.shape.map(Number), i), `c${i}`);
    const v = input(`x${i}`, { dtype: o.dtype ?? 'f32', shape: o.shape });
    inputs.push(v);
    given.push(o);
    return i === 0 && p.before ? p.before(v) : v;
  });
  const outs = apply(p.op, values, p.attrs, noLoc);
  const own = outs[0]?.def.k === 'node' && (p.op.definesSymbols?.(outs[0].def).length ?? 0) > 0;
  const graph: Graph = {
    name: p.op.name,
    inputs,
    outputs: outs.map((v, i) => ({ name: `y${i}`, value: i === 0 && p.after ? p.after(v) : v })),
    symbolDefinitions: own ? outs.slice(0, 1) : [],
  };
  for (const target of targets) {
    const ways = [await compiled('program', graph, target), await compiled('wasm', graph, target)];
    for (const [seed, size] of (p.sizes ?? [{}]).entries()) {
      const env = new Map(Object.entries(size));
      const tensors = new Map(
        given.map((o, i) => [
          inputs[i]?.def.k === 'input' ? inputs[i].def.name : '',
          contents(
            o,
            o.shape.map(d => evalDim(d, env)),
            seed * 10 + i,
          ),
        ]),
      );
      const want = evaluate(graph, tensors);
      for (const run of ways) {
        const got = run(tensors);
        for (const [name, t] of want) {
          expect(got.get(name)?.dims).toEqual(t.dims);
          if (p.rounds) expectClose(got.get(name), t);
          else expectBits(got.get(name), t, name);
        }
      }
    }
  }
}
