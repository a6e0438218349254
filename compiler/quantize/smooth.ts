import { must } from '../core/diagnostic.ts';
import { toNumbers } from '../core/tensor.ts';
import { graphBuilder } from '../graph/build.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { Abs } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { eachSample, type Engine, type QuantizeProgress, type Samples } from './samples.ts';
import { shortFloat } from './scheme.ts';
import type { Site } from './sites.ts';
import { channelPeaks } from './weights.ts';

/** How the difficulty of a value is moved from its channels to the weights that read it: powers that are tried. */
export const ALPHAS: readonly number[] = [0.5, 0.65, 0.8];
/** For 4-bit weights, whose rows are the finer the more the channels they meet count (as in AWQ, Lin et al. 2023, arXiv 2306.00978). */
export const ALPHAS_OF_WEIGHTS: readonly number[] = [0.35, 0.5, 0.65];
/** A channel that is always 0 has no scale. */
const LEAST = 1e-5;

/** What reads a value, where that is products alone: what SmoothQuant is for. */
export function smoothable(sites: readonly Site[]): ReadonlyMap<Value, readonly Site[]> {
  const out = new Map<Value, Site[]>();
  for (const s of sites) out.set(s.x, [...(out.get(s.x) ?? []), s]);
  return new Map([...out].filter(([v, read]) => v.type.shape.length > 1 && read.every(s => s.node.op === MatMul)));
}
/** The largest magnitude of each channel of values, over all samples. */
export async function inputPeaks(
  g: Graph,
  wanted: ReadonlyMap<Value, readonly Site[]>,
  samples: Samples,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
): Promise<ReadonlyMap<Value, Float64Array>> {
  const values = [...wanted];
  const outputs = values.map(([v, [site]], i) => {
    const b = graphBuilder({ loc: must(site).node.loc });
    const axes = v.type.shape.map((_, axis) => axis).filter(axis => axis !== must(site).inAxis);
    return { name: `peaks ${i}`, value: b.apply1(Reduce, [b.apply1(Abs, [v])], { of: 'max', axes, keep: false }) };
  });
  const peaks = new Map<Value, Float64Array>();
  if (outputs.length === 0) return peaks;
  const run = await engine({ ...g, outputs });
  await eachSample(g, samples, (s, n) => {
    const got = run(s);
    values.forEach(([v], i) => {
      const now = toNumbers(must(got.get(`peaks ${i}`)));
      const had = peaks.get(v) ?? new Float64Array(now.length);
      peaks.set(
        v,
        now.map((x, c) => Math.max(x, had[c] ?? 0)),
      );
    });
    told({ step: 'calibrate', done: n + 1, of: samples.count });
  });
  return peaks;
}
/**
 * SmoothQuant's divisors of the channels of a value (Xiao et al. 2022, arXiv 2211.10438): max|X_j|^alpha / max|W_j|^(1 - alpha), with the
 * weights of all products that read it.
 */
export function divisors(peaks: Float64Array, sites: readonly Site[], alpha: number): number[] {
  const rows = new Float64Array(peaks.length);
  for (const s of sites)
    channelPeaks(toNumbers(s.weights), s.weights.dims, 1 - s.channels).forEach((p, c) => (rows[c] = Math.max(must(rows[c]), p)));
  return [...peaks].map((x, c) =>
    shortFloat(Math.max(LEAST, Math.max(x, LEAST) ** alpha / Math.max(must(rows[c]), LEAST) ** (1 - alpha))),
  );
}
