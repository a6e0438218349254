/**
 * Every rule of every pass alone, on graphs that have its pattern and on near misses of it: constants shifted by one part in a thousand to
 * ten million, bounds, further uses, results in the middle. Behind it stands what tells apart numbers that look alike. A rule changes no bit,
 * or no more than it states here; a rule that has no graphs here fails.
 */
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { nodesOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { rewriteGraph, type Rule } from '../../compiler/graph/rewrite.ts';
import { Log, Reciprocal, Sqrt } from '../../compiler/ops/elementwise/index.ts';
import { Softmax } from '../../compiler/ops/reduce/norm.ts';
import { ArgReduce } from '../../compiler/ops/reduce/reduce.ts';
import { graphPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { dice } from './random-graph.ts';
import { inputs, make, RULE_GRAPHS, type RuleGraphs } from './rule-graphs.ts';

const profiles = ['wasm-mvp', 'wasm-simd', 'linux-x64-v4', 'cortex-m4'].map(t => must(resolveTarget(t).profiles[0]));
/** By name the rules that have it, each as what it is on the targets: some do nothing on some. */
const rules = new Map<string, Map<string, Set<Rule>>>();
for (const pass of graphPasses)
  for (const profile of profiles)
    for (const [i, r] of (pass.rules?.(profile) ?? []).entries()) {
      const named = rules.get(r.name) ?? new Map<string, Set<Rule>>();
      rules.set(r.name, named);
      const key = `${pass.name} ${i}`;
      named.set(key, (named.get(key) ?? new Set()).add(r));
    }

/** Graphs a rule: RULES=1000 npm test -- test/passes/rules */
const COUNT = Number(process.env['RULES'] ?? 24);

function graphOf(seed: number, graphs: RuleGraphs): Graph {
  const d = dice(seed);
  // The first ones are the pattern itself.
  const near = (v: number): number => {
    if (seed <= COUNT / 3 || d.roll(2) === 0) return v;
    const by = d.pick([1e-3, -1e-3, 1e-5, 1e-6, -1e-7]);
    return v === 0 ? d.pick([by, -0, 1e-45]) : v * (1 + by);
  };
  const y = graphs.make(d, near);
  const behind = graphs.plain ? [] : sensitive(y);
  const middle = nodesOf({ name: '', inputs, outputs: [{ name: 'y', value: y }], symbolDefinitions: [] }).flatMap(n => n.outputs);
  const also = seed > COUNT / 2 && d.roll(2) === 0 ? [d.pick(middle)] : [];
  return {
    name: 'rule',
    inputs,
    outputs: [y, ...behind, ...also].map((value, i) => ({ name: `y${i}`, value })),
    symbolDefinitions: [],
  };
}
function sensitive(y: Value): Value[] {
  if (y.type.dtype !== 'f32') return [];
  const rank = y.type.shape.length;
  const rows = rank === 0 ? [] : [make(Softmax, [y], { axis: rank - 1 }), make(ArgReduce, [y], { of: 'max', axis: rank - 1 })];
  return [make(Log, [y]), make(Reciprocal, [y]), make(Sqrt, [y]), ...rows];
}
/** Where two tensors are further apart than `ulps` of the largest element, or are not the same where they are not finite. */
function departs(got: Tensor, want: Tensor, ulps: number): string | undefined {
  if (got.dims.join() !== want.dims.join() || got.dtype !== want.dtype) return `${got.dtype}[${got.dims.join()}]`;
  const [a, b] = [toNumbers(got), toNumbers(want)];
  const largest = b.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 2 ** -126);
  for (const [i, w] of b.entries()) {
    const g = must(a[i]);
    const finite = Number.isFinite(w) && Number.isFinite(g);
    const far = ulps === 0 || !finite ? !Object.is(g, w) : Math.abs(g - w) > ulps * 2 ** -23 * largest;
    if (far) return `${g} instead of ${w} at ${i}`;
  }
  return undefined;
}

describe('rules', () => {
  it('have graphs of their own, each of them', () => {
    expect(Object.keys(RULE_GRAPHS).sort()).toEqual([...rules.keys()].sort());
  });
  for (const [name, graphs] of Object.entries(RULE_GRAPHS))
    it(`${name}: ${graphs.ulps === undefined ? 'no bit changes' : `at most ${graphs.ulps} units in the last place of the largest`}`, () => {
      for (const [which, variants] of rules.get(name) ?? []) {
        let fired = 0;
        for (const [r, seed] of [...variants].flatMap(v => Array.from({ length: 10 * COUNT }, (_, s) => [v, s + 1] as const))) {
          // Beyond the count only until there was one that it rewrites.
          if (seed > COUNT && fired > 0) continue;
          const before = graphOf(seed, graphs);
          const after = rewriteGraph(before, [r]);
          if (after === before) continue;
          fired++;
          for (const special of graphs.ulps === undefined ? [0, 1] : [0, 1, 2]) {
            const data = graphs.data(seed, special);
            const [want, got] = [evaluate(before, data), evaluate(after, data)];
            const y = departs(must(got.get('y0')), must(want.get('y0')), graphs.ulps ?? 0);
            // What is behind a result that is rounded otherwise is not compared.
            const same = y === undefined && departs(must(got.get('y0')), must(want.get('y0')), 0) === undefined;
            const others = same
              ? [...want].map(([n, t]) => departs(must(got.get(n)), t, graphs.ulps ?? 0)).find(Boolean)
              : undefined;
            const why = y ?? others;
            expect(why && [seed, special, why, printGraph(before), printGraph(after)].join('\n')).toBeUndefined();
          }
        }
        expect([name, which, fired > 0]).toEqual([name, which, true]);
      }
    });
});
