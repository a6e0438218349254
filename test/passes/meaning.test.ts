import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { verifyGraph } from '../../compiler/graph/verify.ts';
import { graphPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { randomInputs } from '../random-inputs.ts';
import { randomGraph } from './random-graph.ts';

/** One without dot products of bytes, one with them, and one with little memory. */
const profiles = ['wasm-mvp', 'wasm-simd', 'linux-x64-v4', 'cortex-m4'].map(t => must(resolveTarget(t).profiles[0]));
/** Graphs a pass; more of them by hand: GRAPHS=1000 npm test -- test/passes. */
const COUNT = Number(process.env['GRAPHS'] ?? 20);
const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** Results differ by rounding only, measured against the largest number of the result. */
function expectSame(before: Graph, after: Graph, seed: number): void {
  for (const n of [1, 4]) {
    const inputs = randomInputs(before, seed, () => n);
    const want = evaluate(before, inputs);
    const got = evaluate(after, inputs);
    for (const [name, t] of want) expect([name, worst(must(got.get(name)), t)]).toEqual([name, 'equal']);
  }
}
function worst(got: Tensor, want: Tensor): string {
  if (got.dims.join() !== want.dims.join()) return `[${got.dims.join()}] instead of [${want.dims.join()}]`;
  const [a, b] = [toNumbers(got), toNumbers(want)];
  const scale = b.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 1);
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i] ?? NaN, b[i] ?? NaN];
    if (Object.is(x, y) || x === y || Math.abs(x - y) <= 2e-4 * scale) continue;
    return `${x} instead of ${y} at ${i}`;
  }
  return 'equal';
}

describe('passes keep the meaning of random graphs', () => {
  for (const pass of new Set(graphPasses))
    it(pass.name, () => {
      let changed = 0;
      for (const seed of seeds(1, COUNT)) {
        const profile = must(profiles[seed % profiles.length]);
        const before = randomGraph(seed, 30);
        const after = pass.run(before, { profile });
        verifyGraph(after, pass.name);
        expect(printGraph(pass.run(after, { profile }))).toBe(printGraph(after));
        if (after === before) continue;
        changed++;
        expectSame(before, after, seed);
      }
      // A pass that finds nothing to do has shown nothing; rules have graphs of their own (rules.test.ts).
      if (!pass.rules) expect(changed).toBeGreaterThan(0);
    });
  it('all of them one after the other', () => {
    for (const seed of seeds(1000, 2 * COUNT)) {
      const profile = must(profiles[seed % profiles.length]);
      const before = randomGraph(seed, 40);
      let after = before;
      for (const p of graphPasses) after = p.run(after, { profile });
      verifyGraph(after, 'all passes');
      expectSame(before, after, seed);
    }
  });
});
