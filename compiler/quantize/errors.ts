import { must } from '../core/diagnostic.ts';
import { toNumbers, type Tensor } from '../core/tensor.ts';
import { graphBuilder } from '../graph/build.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { Mul, Sub } from '../ops/elementwise/index.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { insertQuantization, quantizedNode, sharing } from './insert.ts';
import { valueNames } from './names.ts';
import { outputErrors, type OutputError } from './outputs.ts';
import type { QuantizationPlan } from './plan.ts';
import { eachSample, type Engine, type QuantizeProgress, type Samples } from './samples.ts';
import { sitesOf, type Site } from './sites.ts';

/** The error of a node's result: both numbers are means over its elements, and over samples. */
interface NodeError {
  /** Of squared differences, and of squares. */
  readonly error: number;
  readonly power: number;
}
export interface OwnError extends NodeError {
  /** The mean difference of each channel. */
  readonly means: Float64Array;
}
type Output = Graph['outputs'][number];
type Told = (p: QuantizeProgress) => void;

/** Means of the squared difference of two values, and of the squares of the first. */
function errorOutputs(site: Site, want: Value, got: Value, i: number): Output[] {
  const b = graphBuilder({ loc: site.node.loc });
  const d = b.apply1(Sub, [got, want]);
  const axes = want.type.shape.map((_, axis) => axis);
  const mean = (v: Value, over: readonly number[]): Value => b.apply1(Reduce, [v], { of: 'mean', axes: over, keep: false });
  return [
    { name: `error ${i}`, value: mean(b.apply1(Mul, [d, d]), axes) },
    { name: `power ${i}`, value: mean(b.apply1(Mul, [want, want]), axes) },
    {
      name: `mean ${i}`,
      value: mean(
        d,
        axes.filter(a => a !== site.outAxis),
      ),
    },
  ];
}
/** Sums numbers over samples; what is not finite (a mean of nothing) does not count. */
function averages(): { add(name: string, values: Float64Array): void; of(name: string): Float64Array } {
  const sums = new Map<string, { n: number; sum: Float64Array }>();
  return {
    add: (name, values) => {
      if (!values.every(Number.isFinite)) return;
      const had = sums.get(name) ?? { n: 0, sum: new Float64Array(values.length) };
      had.n++;
      had.sum.forEach((v, i) => (had.sum[i] = v + must(values[i])));
      sums.set(name, had);
    },
    of: name => {
      const s = sums.get(name);
      return s ? s.sum.map(v => v / s.n) : new Float64Array(1);
    },
  };
}

/** What rounding its input and weights alone does to each quantized node, in the float model. */
export async function ownErrors(
  g: Graph,
  plan: QuantizationPlan,
  names: ReadonlyMap<Value, string>,
  samples: Samples,
  engine: Engine,
  told: Told,
): Promise<ReadonlyMap<string, OwnError>> {
  const values = valueNames(g, names);
  const sites = sitesOf(g).sites.filter(s => !s.inside && Object.hasOwn(plan.nodes, s.name));
  const share = sharing();
  const outputs = sites.flatMap((s, i) => {
    const [got] = quantizedNode(s, s.node.inputs, must(plan.nodes[s.name]), plan.values[values.get(s.x) ?? ''], share);
    return errorOutputs(s, must(s.node.outputs[0]), must(got), i);
  });
  if (outputs.length === 0) return new Map();
  const run = await engine({ ...g, outputs });
  const sums = averages();
  await eachSample(g, samples, (s, n) => {
    for (const [name, t] of run(s)) sums.add(name, toNumbers(t));
    told({ step: 'correct', done: n + 1, of: samples.count });
  });
  return new Map(
    sites.map((s, i) => [
      s.name,
      { error: must(sums.of(`error ${i}`)[0]), power: must(sums.of(`power ${i}`)[0]), means: sums.of(`mean ${i}`) },
    ]),
  );
}

export interface Comparison {
  /** What all that comes before a node adds up to in its result, by node. */
  readonly nodes: ReadonlyMap<string, NodeError>;
  readonly outputs: ReadonlyMap<string, OutputError>;
}
/** The quantized model beside the float one. */
export async function compareModels(
  g: Graph,
  plan: QuantizationPlan,
  names: ReadonlyMap<Value, string>,
  samples: Samples,
  engine: Engine,
  told: Told,
): Promise<Comparison> {
  const { graph, results } = insertQuantization(g, plan, names);
  const sums = averages();
  const outputs = outputErrors();
  const progress = (n: number): void => told({ step: 'compare', done: n + 1, of: samples.count });
  // Sizes that data decide may differ between the two: then nothing inside them can be compared.
  if (g.symbolDefinitions.length > 0) {
    const [float, quantized] = [await engine(g), await engine(graph)];
    await eachSample(g, samples, (s, n) => {
      outputs.add(float(s), quantized(s));
      progress(n);
    });
    return { nodes: new Map(), outputs: outputs.result() };
  }
  const inner = [...results].flatMap(([s, got], i) => errorOutputs(s, must(s.node.outputs[0]), got, i).slice(0, 2));
  const pair = (prefix: string, of: Graph): Output[] => of.outputs.map((o, i) => ({ name: `${prefix} ${i}`, value: o.value }));
  const run = await engine({ ...g, outputs: [...pair('float', g), ...pair('quantized', graph), ...inner] });
  await eachSample(g, samples, (s, n) => {
    const got = run(s);
    const pick = (prefix: string): Map<string, Tensor> =>
      new Map(g.outputs.map((o, i) => [o.name, must(got.get(`${prefix} ${i}`))]));
    outputs.add(pick('float'), pick('quantized'));
    for (const o of inner) sums.add(o.name, toNumbers(must(got.get(o.name))));
    progress(n);
  });
  const nodes = [...results.keys()].map((s, i): [string, NodeError] => [
    s.name,
    { error: must(sums.of(`error ${i}`)[0]), power: must(sums.of(`power ${i}`)[0]) },
  ]);
  return { nodes: new Map(nodes), outputs: outputs.result() };
}
