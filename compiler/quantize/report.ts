import { must } from '../core/diagnostic.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { storedBytes } from './insert.ts';
import { valueNames } from './names.ts';
import { BINS, shareOutside, type Observation } from './observe.ts';
import type { CalibrationRecord, ValuePlan } from './plan.ts';
import type { Quantized } from './quantize.ts';
import type { Scheme } from './scheme.ts';
import { sitesOf } from './sites.ts';

/** What quantizing did to a model, for people and programs. Sizes in bytes, ratios of signal to noise in decibels. */
export interface QuantizationReport {
  readonly file: string;
  readonly scheme: Scheme;
  readonly calibration: CalibrationRecord | undefined;
  readonly warnings: readonly string[];
  /** Bytes of the weights of products and convolutions. */
  readonly weights: { readonly before: number; readonly after: number };
  readonly outputs: readonly {
    readonly name: string;
    /** The root of the mean squared difference over that of the values. */
    readonly error: number;
    readonly cosine: number;
    readonly top1?: { readonly rows: number; readonly same: number };
  }[];
  /** In the order of evaluation. */
  readonly nodes: readonly NodeReport[];
}
export interface NodeReport {
  readonly name: string;
  readonly op: string;
  readonly scheme: Scheme | 'float';
  /** Why it stays in floats. */
  readonly why?: string;
  readonly weights: { readonly before: number; readonly after: number };
  /** The value it reads, with the range that bytes hold. */
  readonly input: string;
  readonly range?: ValuePlan;
  /** The share of the elements outside of the range, on the calibration data. */
  readonly clipped?: number;
  /** Signal to noise of its result: by its own rounding, and with that of all before it. null: no noise at all. */
  readonly own?: number | null;
  readonly accumulated?: number | null;
  /** How far the outputs are off with this node alone quantized: mean squared difference over mean square. */
  readonly sensitivity?: number;
  readonly corrected: boolean;
  /** How the elements of its input are distributed: counts from `min` to `max` in steps of the same width. */
  readonly histogram?: Histogram;
}
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly zeros: number;
  readonly counts: readonly number[];
}
/** Nodes that are shown with the distribution of their inputs: those with the most noise of their own. */
const WORST = 10;
const BARS = 64;

/** The ratio of signal to noise in decibels; null where there is no noise. */
const decibels = (e: { readonly error: number; readonly power: number } | undefined): number | null | undefined =>
  e && (e.error === 0 ? null : Number((10 * Math.log10(e.power / e.error)).toFixed(2)));

/** What was found in quantizing a graph, node by node. */
export function reportOf(g: Graph, names: ReadonlyMap<Value, string>, q: Quantized): QuantizationReport {
  const { plan } = q;
  const values = valueNames(g, names);
  const { sites, left } = sitesOf(g);
  const nodes = sites.map((s): NodeReport => {
    const how = Object.hasOwn(plan.nodes, s.name) ? plan.nodes[s.name] : undefined;
    const input = values.get(s.x) ?? '';
    const range = how?.scheme === 'int8' ? plan.values[input] : undefined;
    const o = q.observed?.values.get(s.x);
    const [own, accumulated] = how ? [decibels(q.own.get(s.name)), decibels(q.comparison?.nodes.get(s.name))] : [];
    const sensitivity = q.sensitivity.get(s.name);
    const why = plan.float[s.name];
    return {
      name: s.name,
      op: s.op,
      scheme: how?.scheme ?? 'float',
      ...(why !== undefined && { why }),
      weights: { before: storedBytes(s, undefined), after: storedBytes(s, how) },
      input,
      ...(range && { range }),
      ...(range && o && { clipped: shareOutside(o, range.min, range.max) }),
      ...(own !== undefined && { own }),
      ...(accumulated !== undefined && { accumulated }),
      ...(sensitivity !== undefined && { sensitivity }),
      corrected: how?.bias !== undefined,
    };
  });
  const noisiest = new Set(
    nodes
      .filter(n => typeof n.own === 'number')
      .sort((a, b) => (a.own ?? 0) - (b.own ?? 0))
      .slice(0, WORST)
      .map(n => n.name),
  );
  return {
    file: plan.model.file,
    scheme: plan.scheme,
    calibration: plan.calibration,
    warnings: q.warnings,
    weights: q.sizes,
    outputs: [...(q.comparison?.outputs ?? [])].map(([name, { top1, ...o }]) => ({ name, ...o, ...(top1 && { top1 }) })),
    nodes: [
      ...nodes.map((n, i) => {
        const o = q.observed?.values.get(must(sites[i]).x);
        return noisiest.has(n.name) && o ? { ...n, histogram: histogramOf(o) } : n;
      }),
      ...left.map((l): NodeReport => {
        const none = { before: 0, after: 0 };
        return { name: l.name, op: l.op, scheme: 'float', why: l.why, weights: none, input: '', corrected: false };
      }),
    ],
  };
}
/** The bins between the extremes, joined to a few. */
function histogramOf(o: Observation): Histogram {
  const half = BINS / 2;
  const from = Math.max(0, Math.floor(o.min / o.width) + half);
  const to = Math.min(BINS, Math.ceil(o.max / o.width) + half + 1);
  const step = Math.max(1, Math.ceil((to - from) / BARS));
  const counts: number[] = [];
  for (let i = from; i < to; i += step) counts.push(o.bins.slice(i, Math.min(to, i + step)).reduce((a, b) => a + b, 0));
  return { min: (from - half) * o.width, max: (from - half + counts.length * step) * o.width, zeros: o.zeros, counts };
}
