import { fail, must } from '../core/diagnostic.ts';
import { didYouMean } from '../core/suggest.ts';
import { numel } from '../core/tensor.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { Recurrent } from '../ops/recurrent/recurrent.ts';
import { observeValues, type Observed } from './calibrate.ts';
import { rangeOf } from './calibrators.ts';
import { obstacle, smoothedValue, storedBytes } from './insert.ts';
import { compareModels, ownErrors, type Comparison, type OwnError } from './errors.ts';
import { valueNames } from './names.ts';
import type { CalibrationRecord, NodePlan, QuantizationPlan, ValuePlan } from './plan.ts';
import { parted, type Engine, type QuantizeProgress, type Samples } from './samples.ts';
import { chooseBits, type Candidate, type Limits } from './search.ts';
import { rowsOf } from './moments.ts';
import { roundedForData } from './round.ts';
import { affineOf, isInteger, shortFloat, usesRange, wider, type Method, type Rounding, type Scheme } from './scheme.ts';
import { sitesOf, type Site } from './sites.ts';
import { ALPHAS, ALPHAS_OF_WEIGHTS, divisors, inputPeaks, smoothable } from './smooth.ts';
import { openTrials } from './switched.ts';
import { BLOCK } from './weights.ts';

/** A model to quantize: its graph, what its file calls values, and what tells it from others. */
interface ModelToQuantize {
  readonly graph: Graph;
  readonly names: ReadonlyMap<Value, string>;
  readonly file: string;
  readonly sha256: string;
}
/** How to quantize. */
export interface QuantizeChoices {
  readonly scheme: Scheme;
  /** How ranges are found. Default: `DEFAULT_METHOD`. */
  readonly method?: Method;
  /** The part of the elements that `percentile` keeps, in percent. */
  readonly percentile?: number;
  /** One scale for all weights of a node, instead of one for each channel. */
  readonly perTensor?: boolean;
  /** `w4`: each block of weights has a zero point of its own. */
  readonly asymmetric?: boolean;
  /**
   * How weights of 4 bits are rounded. `data`, the default: so that the results on the calibration data are off by least (GPTQ), where there
   * are any; the plan then holds what `nearest` would not give.
   */
  readonly rounding?: Rounding;
  /** Whether the mean error of each channel is taken off its bias. Default: yes. */
  readonly biasCorrection?: boolean;
  /**
   * SmoothQuant: whether channels of the inputs of products are divided, and the weights multiplied, so that both are easier to round. A
   * number is its alpha; `true`, the default, tries several for each value and none. For `int8`, and for `w4` where there are data.
   */
  readonly smooth?: boolean | number;
  /** Limits that some nodes get more bits for, or go back to floats. */
  readonly limits?: Limits;
  /** Whether the sensitivity of each node is measured also without limits. */
  readonly sensitivity?: boolean;
  /** Names of nodes, or operators as the model calls them, that stay in floats. */
  readonly exclude?: readonly string[];
}
/** What quantizing found out. */
export interface Quantized {
  readonly plan: QuantizationPlan;
  readonly warnings: readonly string[];
  readonly observed: Observed | undefined;
  readonly own: ReadonlyMap<string, OwnError>;
  readonly comparison: Comparison | undefined;
  /** The squared relative error of the outputs with one node alone quantized; empty where it was not asked for. */
  readonly sensitivity: ReadonlyMap<string, number>;
  /** Bytes of the weights of all nodes that have any, in the float model and as they are stored. */
  readonly sizes: { readonly before: number; readonly after: number };
}
export const DEFAULT_METHOD: Method = 'percentile';
/** A correction that takes less than this part off a node's squared error is not worth its numbers. */
const WORTHWHILE = 0.01;
/** Digits of corrections in the file. */
const DIGITS = 3;

/**
 * Finds out how a model is quantized best: the ranges of values, what makes up for mean errors, and how far the result is from the float
 * model. Errors: E205, E501, E502 of the samples; E403 for a node to exclude that is not there, or where samples are missing.
 */
export async function quantizeGraph(
  model: ModelToQuantize,
  asked: QuantizeChoices,
  samples: Samples | undefined,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
): Promise<Quantized> {
  const { graph, names } = model;
  const choices = samples ? withLimits(asked) : asked;
  const values = valueNames(graph, names);
  const { sites, float } = chosen(graph, choices);
  const warnings: string[] = [];
  const needsRanges = choices.scheme === 'int8';
  if (choices.asymmetric === true && choices.scheme !== 'w4')
    fail('E403', { option: 'asymmetric', why: `it is for w4; the scheme is ${choices.scheme}` });
  if (needsRanges && !samples)
    fail('E403', { option: 'calibrate', why: 'the scheme int8 takes ranges from calibration data; give some, or `random`' });
  const limit = (['maxDrop', 'maxSize'] as const).find(l => choices.limits?.[l] !== undefined);
  if (limit && !samples)
    fail('E403', {
      option: limit === 'maxDrop' ? 'max-drop' : 'max-size',
      why: 'what nodes do to the outputs is measured on calibration data; give some',
    });
  const products = sites.filter(s => s.k === 'product' && !s.inside);
  const smooths = samples !== undefined && choices.smooth !== false && (needsRanges || choices.scheme === 'w4');
  const wanted = needsRanges ? [...new Set(products.map(s => s.x))] : smooths ? [...smoothable(products).keys()] : [];
  const observed = samples && (await observeValues(graph, values, wanted, samples, engine, told));
  if (samples?.seed !== undefined)
    warnings.push('ranges of random data are not those of real data: take the plan to try things out, not to ship it');
  if (observed?.samples === 1 && needsRanges)
    warnings.push(`${must(samples).name} holds one sample: ranges of one run rarely hold those of others`);
  const plain = rangesOf(observed, values, choices);
  const ranges = smooths ? await smoothed(model, products, plain, choices, samples, engine, told) : plain;
  const kept = sites.filter(s => schemeFor(s, choices.scheme) !== 'int8' || s.k === 'table' || ranges.has(values.get(s.x) ?? ''));
  for (const s of sites)
    if (!kept.includes(s)) float.set(s.name, `its input '${values.get(s.x) ?? ''}' is always 0 in the calibration data`);
  const planned = nodePlans(kept, choices);
  const read = new Set(kept.filter(s => usesRange(planned[s.name]?.scheme)).map(s => values.get(s.x) ?? ''));
  const first: QuantizationPlan = {
    quantization: 1,
    model: { file: model.file, sha256: model.sha256 },
    scheme: choices.scheme,
    ...(samples && observed && { calibration: recordOf(samples, observed, choices) }),
    values: Object.fromEntries([...ranges].filter(([name, r]) => read.has(name) && (needsRanges || r.smooth))),
    nodes: planned,
    float: Object.fromEntries(float),
  };
  const sizes = sizesOf(graph, first);
  const none = { own: new Map(), comparison: undefined, sensitivity: new Map() };
  if (!samples) return { plan: first, warnings, observed, sizes, ...none };
  const { fit, choose } = choices.scheme === 'w4' ? parted(samples, must(observed).samples) : { fit: samples, choose: samples };
  const fitted = choices.rounding === 'nearest' ? first : await roundedForData(model, first, kept, fit, engine, told);
  const own = await ownErrors(graph, fitted, names, samples, engine, told);
  const all = choices.biasCorrection === false ? fitted : corrected(fitted, kept, own);
  const more = await withMoreBits(model, all, kept, choices, samples, engine, told);
  const { plan, sensitivity } = await limited(model, all, more, choices, choose, engine, told);
  const comparison = await compareModels(graph, plan, names, samples, engine, told);
  const outputs = Object.fromEntries(
    [...comparison.outputs].map(([name, o]) => [name, { error: round(o.error, 4), cosine: Number(o.cosine.toFixed(6)) }]),
  );
  return {
    plan: { ...plan, outputs },
    warnings,
    observed,
    own,
    comparison,
    sensitivity,
    sizes: sizesOf(graph, plan),
  };
}

const nodePlanOf = ({ scheme, perTensor, asymmetric }: QuantizeChoices): NodePlan => ({
  scheme,
  per: perTensor === true ? 'tensor' : 'channel',
  ...(asymmetric === true && { asymmetric: true }),
});
/** A node with a smaller part of all weights loses more in 4 bits than it saves. */
const SMALL = 1 / 256;
/**
 * What nodes are, before any is tried: as was asked for, where that serves. In place of 4 bits those get 8 that have few weights, or sum over few: of
 * these one scale a channel serves each number badly (depthwise convolutions); and those whose errors nothing watches.
 */
function nodePlans(sites: readonly Site[], choices: QuantizeChoices): QuantizationPlan['nodes'] {
  const node = nodePlanOf(choices);
  const all = sites.reduce((n, s) => n + numel(s.weights.dims), 0);
  const breaks = (s: Site): boolean =>
    s.inside || (s.k === 'product' && (rowsOf(s) < BLOCK || numel(s.weights.dims) < all * SMALL));
  const plain = (scheme: Scheme): NodePlan => ({ scheme, per: node.per });
  return Object.fromEntries(
    sites.map(s => {
      const scheme = schemeFor(s, choices.scheme);
      return [s.name, scheme !== choices.scheme ? plain(scheme) : scheme === 'w4' && breaks(s) ? plain('w8') : node];
    }),
  );
}
/** The scheme of a node: without an integer kernel, or a range for its input, its weights alone get 8 bits. */
const schemeFor = (s: Site, scheme: Scheme): Scheme => (isInteger(scheme) && obstacle(s, scheme) !== undefined ? 'w8' : scheme);
/** Ranges of values that are easier to round with their channels divided: of each value, those with the least noise behind it. */
async function smoothed(
  { graph, names }: ModelToQuantize,
  sites: readonly Site[],
  plain: ReadonlyMap<string, ValuePlan>,
  choices: QuantizeChoices,
  samples: Samples,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
): Promise<Map<string, ValuePlan>> {
  const values = valueNames(graph, names);
  const wanted = smoothable(sites);
  const peaks = await inputPeaks(graph, wanted, samples, engine, told);
  const best = new Map(plain);
  const noise = new Map<string, number>();
  const trial = async (ranges: ReadonlyMap<string, ValuePlan>): Promise<void> => {
    const node = nodePlanOf(choices);
    const read = [...wanted].flatMap(([v, s]) => (ranges.has(values.get(v) ?? '') ? s : []));
    const plan: QuantizationPlan = {
      quantization: 1,
      model: { file: '', sha256: '' },
      scheme: choices.scheme,
      values: Object.fromEntries(ranges),
      nodes: Object.fromEntries(read.map(s => [s.name, node])),
      float: {},
    };
    const own = await ownErrors(graph, plan, names, samples, engine, told);
    for (const [v, readers] of wanted) {
      const name = values.get(v) ?? '';
      const range = ranges.get(name);
      const sum = readers.reduce((n, s) => n + (own.get(s.name)?.error ?? 0) / (own.get(s.name)?.power ?? 1), 0);
      if (!range || sum >= (noise.get(name) ?? Infinity)) continue;
      noise.set(name, sum);
      best.set(name, range);
    }
  };
  if (wanted.size === 0) return best;
  if (typeof choices.smooth !== 'number') await trial(plain);
  const alphas = choices.scheme === 'int8' ? ALPHAS : ALPHAS_OF_WEIGHTS;
  for (const alpha of typeof choices.smooth === 'number' ? [choices.smooth] : alphas) {
    const by = new Map([...peaks].map(([v, p]) => [v, divisors(p, wanted.get(v) ?? [], alpha)]));
    const instead = (v: Value): Value => smoothedValue(v, must(wanted.get(v)?.[0]), by.get(v) ?? []);
    const observed = await observeValues(graph, values, [...by.keys()], samples, engine, told, instead);
    const ranges = [...rangesOf(observed, values, choices)].map(([name, r]): [string, ValuePlan] => {
      const [v] = [...by.keys()].filter(x => values.get(x) === name);
      return [name, { ...r, smooth: v ? (by.get(v) ?? []) : [] }];
    });
    await trial(new Map(ranges));
  }
  return best;
}
/** What 4 bits may cost where nobody says. */
const DEFAULT_LIMITS = { maxDrop: 0.01, metric: 'cosine' } as const;
const withLimits = (c: QuantizeChoices): QuantizeChoices =>
  c.scheme !== 'w4' || c.limits?.maxDrop !== undefined || c.limits?.maxSize !== undefined
    ? c
    : { ...c, limits: { ...DEFAULT_LIMITS, ...c.limits } };
const isLimited = ({ limits, sensitivity = false }: QuantizeChoices): boolean =>
  sensitivity || limits?.maxDrop !== undefined || limits?.maxSize !== undefined;
/** What nodes are with the next more bits, where limits may ask for these: with corrections of their own. */
async function withMoreBits(
  { graph, names }: ModelToQuantize,
  plan: QuantizationPlan,
  sites: readonly Site[],
  choices: QuantizeChoices,
  samples: Samples,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
): Promise<QuantizationPlan['nodes']> {
  const nodes = Object.entries(plan.nodes).flatMap(([name, { scheme, per }]): [string, NodePlan][] => {
    const up = wider(scheme);
    return up ? [[name, { scheme: up, per }]] : [];
  });
  const more = { ...plan, nodes: Object.fromEntries(nodes) };
  if (!isLimited(choices) || nodes.length === 0) return {};
  if (choices.biasCorrection === false) return more.nodes;
  return corrected(more, sites, await ownErrors(graph, more, names, samples, engine, told)).nodes;
}
/** A plan with as many bits for those nodes that keep the model within its limits. */
async function limited(
  { graph, names }: ModelToQuantize,
  plan: QuantizationPlan,
  more: QuantizationPlan['nodes'],
  choices: QuantizeChoices,
  samples: Samples,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
): Promise<{ readonly plan: QuantizationPlan; readonly sensitivity: ReadonlyMap<string, number> }> {
  if (!isLimited(choices)) return { plan, sensitivity: new Map() };
  const trials = await openTrials(graph, plan, more, names, samples, engine);
  const { sites } = sitesOf(graph);
  const candidates = sites.flatMap((s): Candidate[] => {
    const how = plan.nodes[s.name];
    if (s.inside || !Object.hasOwn(plan.nodes, s.name) || !how) return [];
    const ways = [how, ...(Object.hasOwn(more, s.name) ? [more[s.name]] : []), undefined];
    return [{ name: s.name, ways: ways.map(w => ({ scheme: w?.scheme, bytes: storedBytes(s, w) })) }];
  });
  const { raised, sensitivity: alone } = chooseBits(trials, choices.limits ?? {}, candidates, told, choices.sensitivity === true);
  const nodes = Object.entries(plan.nodes).flatMap(([name, how]): [string, NodePlan][] => {
    const now = raised.get(name);
    return !now ? [[name, how]] : now.scheme ? [[name, must(more[name])]] : [];
  });
  const now = new Map(nodes);
  const values = valueNames(graph, names);
  const ranged = sites.filter(s => usesRange(now.get(s.name)?.scheme));
  const read = new Set(ranged.map(s => values.get(s.x) ?? ''));
  const float = [...raised].filter(([, r]) => !r.scheme).map(([name, r]) => [name, r.why]);
  return {
    plan: {
      ...plan,
      nodes: Object.fromEntries(nodes),
      values: Object.fromEntries(Object.entries(plan.values).filter(([name]) => read.has(name))),
      float: { ...plan.float, ...(Object.fromEntries(float) as Record<string, string>) },
    },
    sensitivity: alone,
  };
}
/** Bytes of the weights of products and convolutions, before and after. */
function sizesOf(g: Graph, plan: QuantizationPlan): Quantized['sizes'] {
  const sum = (of: (s: Site) => number): number => Math.round(sitesOf(g).sites.reduce((n, s) => n + of(s), 0));
  return { before: sum(s => storedBytes(s, undefined)), after: sum(s => storedBytes(s, plan.nodes[s.name])) };
}
/** The sites that are not excluded, and why others stay in floats. */
function chosen(
  g: Graph,
  { exclude = [], scheme }: QuantizeChoices,
): { readonly sites: readonly Site[]; readonly float: Map<string, string> } {
  const { sites, left } = sitesOf(g);
  const known = [...new Set([...sites, ...left].flatMap(s => [s.name, s.op]))];
  for (const name of exclude)
    if (!known.includes(name))
      fail('E403', {
        option: 'exclude',
        why: `'${name}' is neither a node with weights nor an operator of one${didYouMean(name, known)}`,
      });
  const out = (s: { readonly name: string; readonly op: string }): boolean => exclude.includes(s.name) || exclude.includes(s.op);
  const float = new Map(left.map(l => [l.name, l.why]));
  for (const s of sites) if (out(s)) float.set(s.name, 'it was excluded');
  const kept = sites.filter(s => !out(s));
  for (const s of kept) {
    const why = obstacle(s, schemeFor(s, scheme));
    if (why !== undefined) float.set(s.name, why);
  }
  return { sites: kept.filter(s => !float.has(s.name)), float };
}
function rangesOf(
  observed: Observed | undefined,
  values: ReadonlyMap<Value, string>,
  choices: QuantizeChoices,
): Map<string, ValuePlan> {
  const out = new Map<string, ValuePlan>();
  for (const [v, o] of observed?.values ?? []) {
    const r = rangeOf(o, choices.method ?? DEFAULT_METHOD, choices.percentile);
    const affine = affineOf(r.min, r.max);
    if (affine)
      out.set(values.get(v) ?? '', {
        min: shortFloat(r.min),
        max: shortFloat(r.max),
        scale: shortFloat(affine.scale),
        zero: affine.zero,
      });
  }
  return out;
}
function recordOf(samples: Samples, observed: Observed, choices: QuantizeChoices): CalibrationRecord {
  const method = choices.method ?? DEFAULT_METHOD;
  return {
    data: samples.name,
    samples: observed.samples,
    sha256: observed.sha256,
    method,
    ...(method === 'percentile' && choices.percentile !== undefined && { percentile: choices.percentile }),
    ...(samples.seed !== undefined && { seed: samples.seed }),
  };
}
/**
 * A plan with the mean error of each channel taken off, where that is a part of the error worth mentioning. That of the states of a recurrent
 * network is not what is added to its sums.
 */
function corrected(plan: QuantizationPlan, sites: readonly Site[], own: ReadonlyMap<string, OwnError>): QuantizationPlan {
  const straight = new Set(sites.filter(s => s.node.op !== Recurrent).map(s => s.name));
  const nodes = Object.entries(plan.nodes).map(([name, n]): [string, NodePlan] => {
    const e = straight.has(name) ? own.get(name) : undefined;
    const share = e ? meanSquare(e.means) / e.error : 0;
    return [name, e && share >= WORTHWHILE ? { ...n, bias: [...e.means].map(m => round(-m, DIGITS)) } : n];
  });
  return { ...plan, nodes: Object.fromEntries(nodes) };
}
const meanSquare = (v: Float64Array): number => v.reduce((s, x) => s + x * x, 0) / v.length;
const round = (v: number, digits: number): number => Number(v.toPrecision(digits)) + 0;
