import { randomStream } from '../../compiler/core/random.ts';
import { MISSING_LEFT, type TreeTables } from '../../compiler/ops/trees/tables.ts';

interface ForestOptions {
  readonly trees: number;
  readonly depth: number;
  readonly features: number;
  /** Thresholds of a feature; boosting on histograms has at most 255. */
  readonly bins: number;
  readonly seed: number;
}
/** Normally distributed numbers. */
function normal(seed: number): () => number {
  const next = randomStream(seed);
  return () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
}
/**
 * A boosted ensemble as one that was trained looks: from the third level on a tenth of the nodes are leaves, some features are chosen more
 * often than others, thresholds lie about the middle of the values. The nodes of a tree are in depth-first order.
 */
export function randomForest(o: ForestOptions): TreeTables {
  const next = randomStream(o.seed);
  const gauss = normal(o.seed + 1);
  const cuts = Array.from({ length: o.features }, () => {
    const of = new Set<number>();
    while (of.size < o.bins) of.add(Math.fround(gauss()));
    return Float32Array.from(of).sort();
  });
  const weights = cuts.map((_, i) => 1 / (1 + i * 0.15));
  const total = weights.reduce((a, b) => a + b);
  const choose = (): number => {
    let u = next() * total;
    let f = 0;
    while (f < o.features - 1 && (u -= weights[f] ?? 0) > 0) f++;
    return f;
  };
  const most = o.trees * (2 ** o.depth - 1);
  const feature = new Int32Array(most);
  const threshold = new Float32Array(most);
  const left = new Int32Array(most);
  const right = new Int32Array(most);
  const values = new Float32Array(o.trees * 2 ** o.depth);
  const root = new Int32Array(o.trees);
  let nodes = 0;
  let leaves = 0;
  const grow = (depth: number): number => {
    if (depth === o.depth || (depth >= 3 && next() < 0.1)) {
      values[leaves] = (next() - 0.5) * 0.2;
      return ~leaves++;
    }
    const n = nodes++;
    const f = choose();
    const at = Math.max(0, Math.min(o.bins - 1, Math.floor((0.5 + 0.2 * gauss()) * o.bins)));
    feature[n] = f;
    threshold[n] = cuts[f]?.[at] ?? 0;
    left[n] = grow(depth + 1);
    right[n] = grow(depth + 1);
    return n;
  };
  for (let t = 0; t < o.trees; t++) root[t] = grow(0);
  return {
    feature: feature.slice(0, nodes),
    threshold: threshold.slice(0, nodes),
    left: left.slice(0, nodes),
    right: right.slice(0, nodes),
    flags: new Uint8Array(nodes).fill(MISSING_LEFT),
    values: values.slice(0, leaves),
    width: 1,
    root,
    group: new Int32Array(o.trees),
    base: new Float32Array(1),
  };
}
/** `rows` rows of normally distributed features. */
export function randomRows(rows: number, features: number, seed: number): Float32Array {
  const gauss = normal(seed);
  return Float32Array.from({ length: rows * features }, gauss);
}
