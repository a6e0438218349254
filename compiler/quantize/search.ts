import { fail, must } from '../core/diagnostic.ts';
import { showBytes } from '../core/format.ts';
import type { OutputError } from './outputs.ts';
import type { QuantizeProgress } from './samples.ts';
import type { Scheme } from './scheme.ts';
import type { Schemes, Trials } from './switched.ts';

/** What a model loses by quantization, as one number: 0 is nothing. */
export const METRICS = ['error', 'cosine', 'top1'] as const;
export type Metric = (typeof METRICS)[number];
/** What the result has to keep to. */
export interface Limits {
  /** The largest loss, by the metric. */
  readonly maxDrop?: number;
  readonly metric?: Metric;
  /** The most bytes that weights of products and convolutions may take. */
  readonly maxSize?: number;
}
/** `error`: relative root mean square of the difference; `cosine`: 1 - cosine; `top1`: the share of rows whose arg-max changes. Of the worst output. */
function lossOf(errors: ReadonlyMap<string, OutputError>, metric: Metric): number {
  let worst = 0;
  for (const e of errors.values()) {
    const loss = metric === 'error' ? e.error : metric === 'cosine' ? 1 - e.cosine : e.top1 ? 1 - e.top1.same / e.top1.rows : 0;
    worst = Math.max(worst, loss);
  }
  return worst;
}

/** Each node alone is tried on so many samples: what counts is which are the most sensitive. */
const SAMPLES = 4;
/** What a scheme of more bits takes off a squared error: four bits are a factor of 16 in each step. */
const BETTER = 256;
/** A node as it may be. */
export interface Candidate {
  readonly name: string;
  /** What it is by the plan, and what it may be instead, with more bits from one to the next; undefined: floats. */
  readonly ways: readonly { readonly scheme: Scheme | undefined; readonly bytes: number }[];
}
/** What a search chose. */
interface Chosen {
  /** The squared relative error of the outputs with one node alone quantized as the plan says. */
  readonly sensitivity: ReadonlyMap<string, number>;
  /** Nodes that get more bits than the plan says, and why; without a scheme they go back to floats. */
  readonly raised: ReadonlyMap<string, { readonly scheme: Scheme | undefined; readonly why: string }>;
}
/** A node gets the bits of way `to`. */
interface Step {
  readonly node: Candidate;
  readonly to: number;
  /** The squared error that it takes away, about, and the bytes that it costs. */
  readonly gain: number;
  readonly bytes: number;
}
/**
 * Chooses which nodes get more bits: the most sensitive ones, as few as keep the loss within its limit; or, with a limit of size, as many as
 * fit. Where weights alone are quantized, what counts is the error by the bytes that it costs to avoid. E403 where no choice keeps to the
 * limits.
 */
export function chooseBits(
  trials: Trials,
  limits: Limits,
  candidates: readonly Candidate[],
  told: (p: QuantizeProgress) => void,
  needsSensitivity: boolean,
): Chosen {
  const metric = limits.metric ?? 'error';
  const { maxDrop, maxSize } = limits;
  // Where nothing has to be raised, nothing has to be known of single nodes.
  if (maxDrop !== undefined && maxSize === undefined && !needsSensitivity)
    if (lossOf(trials.errors(schemesAfter(candidates, [])), metric) <= maxDrop)
      return { sensitivity: new Map(), raised: new Map() };
  const sensitivity = new Map<string, number>();
  candidates.forEach(({ name, ways }, i) => {
    const scheme = ways[0]?.scheme;
    sensitivity.set(name, scheme ? lossOf(trials.errors(new Map([[name, scheme]]), SAMPLES), 'error') ** 2 : 0);
    told({ step: 'search', done: i + 1, of: candidates.length });
  });
  const of = (name: string): number => must(sensitivity.get(name));
  const steps = candidates.flatMap(node =>
    node.ways.slice(1).map((way, i): Step => ({
      node,
      to: i + 1,
      gain: of(node.name) / BETTER ** i,
      bytes: way.bytes - must(node.ways[i]).bytes,
    })),
  );
  const byCost = (s: Step): number => s.gain / Math.max(1, s.bytes);
  // All nodes get 8 bits before any of them, of 4 or of 8, goes back to floats.
  const last = ({ node, to }: Step): number => Number(must(node.ways[to]).scheme === undefined);
  // Floats cost time too: for integers the fewest nodes count. All nodes get their next bits before any of them gets floats after those.
  const worth = candidates.some(c => c.ways.length > 2) ? byCost : (s: Step): number => s.gain;
  const taken = new Map<string, { readonly step: Step; readonly why: string }>();
  if (maxDrop !== undefined) {
    const order = [...steps].sort((a, b) => last(a) - last(b) || worth(b) - worth(a));
    const loss = (count: number): number => lossOf(trials.errors(schemesAfter(candidates, order.slice(0, count))), metric);
    // The fewest at which the loss is small enough, where it falls with each; the loss of all in floats is 0.
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (loss(middle) <= maxDrop) high = middle;
      else low = middle + 1;
    }
    for (const step of order.slice(0, low)) taken.set(step.node.name, { step, why: `it is one of the ${low} most sensitive` });
  }
  if (maxSize !== undefined) {
    let now = candidates.reduce((sum, c) => sum + must(c.ways[taken.get(c.name)?.step.to ?? 0]).bytes, 0);
    if (now > maxSize)
      fail('E403', {
        option: 'max-size',
        why: `the weights take ${showBytes(now)} ${taken.size > 0 ? 'with the bits that --max-drop needs' : 'with all nodes quantized'}, more than ${showBytes(maxSize)}`,
      });
    if (maxDrop === undefined)
      for (const step of [...steps].sort((a, b) => byCost(b) - byCost(a))) {
        if ((taken.get(step.node.name)?.step.to ?? 0) !== step.to - 1 || now + step.bytes > maxSize) continue;
        now += step.bytes;
        taken.set(step.node.name, { step, why: 'there is room for it' });
      }
  }
  const raised = [...taken].map(([name, { step, why }]) => {
    const { scheme } = must(step.node.ways[step.to]);
    return [name, { scheme, why: `${why}; alone it makes an error of ${percent(Math.sqrt(of(name)))}` }] as const;
  });
  return { sensitivity, raised: new Map(raised) };
}
/** What nodes are after some steps. */
function schemesAfter(candidates: readonly Candidate[], steps: readonly Step[]): Schemes {
  const at = new Map(steps.map(s => [s.node.name, s.to]));
  return new Map(
    candidates.flatMap(c => {
      const scheme = c.ways[at.get(c.name) ?? 0]?.scheme;
      return scheme ? [[c.name, scheme] as const] : [];
    }),
  );
}
const percent = (x: number): string => `${Number((100 * x).toPrecision(2))} %`;
