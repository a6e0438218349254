import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Add, Mul, Relu, Sub } from '../../compiler/ops/elementwise/index.ts';
import { Transpose } from '../../compiler/ops/movement/view.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { lifetimes, planMemory, slotBytes } from '../../compiler/program/plan.ts';
import type { Program } from '../../compiler/program/program.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';

const profile = must(resolveTarget('wasm-simd').profiles[0]);
const graphOf = (inputs: readonly Value[], values: readonly Value[]): Graph => ({
  name: 'g',
  inputs,
  outputs: values.map((value, i) => ({ name: `y${i}`, value })),
  symbolDefinitions: [],
});
const calls = (p: Program): string[] => p.steps.map(s => (s.k === 'call' ? s.kernel.name : s.k));
const data = (dims: readonly number[], seed = 1): Tensor =>
  fromNumbers(
    'f32',
    dims,
    Array.from({ length: numel(dims) }, (_, i) => Math.sin(i * 12.9898 + seed) * 4),
  );

/** A random graph of elementwise operators and transposes over a few inputs; `n` stands for the symbolic size. */
const recipe = fc.record({
  n: fc.integer({ min: 1, max: 6 }),
  steps: fc.array(fc.tuple(fc.nat(5), fc.nat(99), fc.nat(99)), { minLength: 1, maxLength: 14 }),
  outputs: fc.array(fc.nat(99), { minLength: 1, maxLength: 3 }),
});
function build(r: { steps: [number, number, number][]; outputs: number[] }, n: Dim): Graph {
  const shapes: Dim[][] = [[n, 3, 5], [3, 1], [5], [n, 3, 5], [1, 1, 1]];
  const inputs = shapes.map((shape, i) => input(`x${i}`, { dtype: 'f32', shape }));
  const values = [...inputs, constant(data([3, 5])), constant(fromNumbers('f32', [], [0.5]))];
  const pick = (i: number): Value => must(values[i % values.length]);
  for (const [op, a, b] of r.steps) {
    const x = pick(a);
    const y = pick(b);
    try {
      if (op < 3) values.push(apply1(must([Add, Sub, Mul][op]), [x, y], {}, noLoc));
      else if (op === 3) values.push(apply1(Relu, [x], {}, noLoc));
      else {
        const perm = x.type.shape.map((_, i) => i);
        perm.push(...perm.splice(b % Math.max(1, perm.length), 1));
        values.push(apply1(Transpose, [x], { perm }, noLoc));
      }
    } catch {
      // Shapes that do not broadcast: this step is left out.
    }
  }
  return graphOf(inputs, r.outputs.map(pick));
}

describe('lowering', () => {
  it('computes what the reference evaluation computes, for static and symbolic sizes', () => {
    fc.assert(
      fc.property(recipe, fc.boolean(), (r, symbolic) => {
        const g = build(r, symbolic ? symbol('n', 1, 6) : r.n);
        const inputs = new Map(
          g.inputs.map((v, i) => [
            v.def.k === 'input' ? v.def.name : '',
            data(
              v.type.shape.map(d => (typeof d === 'number' ? d : r.n)),
              i,
            ),
          ]),
        );
        let want: ReadonlyMap<string, Tensor>;
        try {
          want = evaluate(g, inputs);
        } catch {
          return; // a guard: n does not match a static size
        }
        const got = interpretProgram(lowerGraph(g, profile), inputs);
        for (const [name, t] of want) {
          expect(got.get(name)?.dims).toEqual(t.dims);
          const a = toNumbers(must(got.get(name)));
          toNumbers(t).forEach((x, i) =>
            expect(Math.abs((a[i] ?? NaN) - x)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(x))),
          );
        }
      }),
      { numRuns: 150 },
    );
  });
  it('never lets two living slots overlap', () => {
    fc.assert(
      fc.property(recipe, r => {
        const p = lowerGraph(build(r, symbol('n', 1, 6)), profile);
        const plan = planMemory(p, profile);
        const live = lifetimes(p);
        const placed = p.slots.flatMap(s => {
          const at = plan.offsets.get(s);
          if (at === undefined) return [];
          // Only scratch is ever shared.
          const { from, to } = s.where === 'arena' ? must(live.get(s)) : { from: 0, to: Infinity };
          return [{ at, end: at + slotBytes(s, profile.memory.align), from, to }];
        });
        for (const a of placed)
          for (const b of placed)
            if (a !== b && a.from <= b.to && b.from <= a.to) expect(a.end <= b.at || b.end <= a.at).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
  it('makes one kernel of an elementwise chain, and none of a transpose that is only read', () => {
    const x = input('x', { dtype: 'f32', shape: [2, 3, 5] });
    const a = apply1(Relu, [apply1(Add, [x, constant(data([5]))], {}, noLoc)], {}, noLoc);
    const t = apply1(Transpose, [a], { perm: [2, 0, 1] }, noLoc);
    const y = apply1(Mul, [t, t], {}, noLoc);
    expect(calls(lowerGraph(graphOf([x], [y]), profile))).toEqual(['relu', 'mul']);
  });
  it('emits equal kernels once', () => {
    const x = input('x', { dtype: 'f32', shape: [8] });
    const z = input('z', { dtype: 'f32', shape: [8] });
    const g = graphOf([x, z], [apply1(Relu, [x], {}, noLoc), apply1(Relu, [z], {}, noLoc)]);
    const p = lowerGraph(g, profile);
    expect(calls(p)).toEqual(['relu', 'relu']);
    expect(p.kernels).toHaveLength(1);
  });
});
