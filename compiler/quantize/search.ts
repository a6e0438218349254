import { fail, must } from '../core/diagnostic.ts';
import { showBytes } from '../core/format.ts';
import type { OutputError } from './outputs.ts';
import type { QuantizeProgress } from './samples.ts';
import type { Trials } from './switched.ts';

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
const SAMPLES = 8;
/** What a search chose. */
interface Chosen {
  /** The squared relative error of the outputs with one node alone quantized. */
  readonly sensitivity: ReadonlyMap<string, number>;
  /** Nodes that go back to floats, and why. */
  readonly float: ReadonlyMap<string, string>;
}
/**
 * Chooses which nodes go back to floats: the most sensitive ones, as few as keep the loss within its limit; or, with a limit of size, as
 * many as fit. `saved`: the bytes that quantizing a node saves. E403 where no choice keeps to the limits.
 */
export function chooseFloat(
  trials: Trials,
  limits: Limits,
  saved: ReadonlyMap<string, number>,
  size: number,
  told: (p: QuantizeProgress) => void,
): Chosen {
  const metric = limits.metric ?? 'error';
  const sensitivity = new Map<string, number>();
  trials.nodes.forEach((name, i) => {
    sensitivity.set(name, lossOf(trials.errors(new Set([name]), SAMPLES), 'error') ** 2);
    told({ step: 'search', done: i + 1, of: trials.nodes.length });
  });
  const of = (name: string): number => must(sensitivity.get(name));
  const order = [...trials.nodes].sort((a, b) => of(b) - of(a));
  const float = new Map<string, string>();
  const { maxDrop, maxSize } = limits;
  const say = (name: string, why: string): void =>
    void float.set(name, `${why}; alone it makes an error of ${percent(Math.sqrt(of(name)))}`);
  if (maxDrop !== undefined) {
    const loss = (count: number): number => lossOf(trials.errors(new Set(order.slice(count))), metric);
    // The fewest at which the loss is small enough, where it falls with each; the loss of all in floats is 0.
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (loss(middle) <= maxDrop) high = middle;
      else low = middle + 1;
    }
    for (const name of order.slice(0, low)) say(name, `it is one of the ${low} most sensitive`);
  }
  if (maxSize !== undefined) {
    let now = size + [...float.keys()].reduce((n, name) => n + (saved.get(name) ?? 0), 0);
    if (now > maxSize)
      fail('E403', {
        option: 'max-size',
        why: `the weights take ${showBytes(now)} ${float.size > 0 ? 'with what --max-drop leaves in floats' : 'with all nodes quantized'}, more than ${showBytes(maxSize)}`,
      });
    if (maxDrop === undefined)
      for (const name of order.sort((a, b) => of(b) / cost(saved, b) - of(a) / cost(saved, a)))
        if (now + (saved.get(name) ?? 0) <= maxSize) {
          now += saved.get(name) ?? 0;
          say(name, 'there is room for it');
        }
  }
  return { sensitivity, float };
}
const cost = (saved: ReadonlyMap<string, number>, name: string): number => Math.max(1, saved.get(name) ?? 0);
const percent = (x: number): string => `${Number((100 * x).toPrecision(2))} %`;
