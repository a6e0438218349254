import { fields, flag, listOf, number, oneOf, optional, recordOf, text, whole, type Check } from '../core/check.ts';
import { fail, must } from '../core/diagnostic.ts';
import { showDim } from '../core/dim.ts';
import { didYouMean } from '../core/suggest.ts';
import { numel } from '../core/tensor.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { movedIn, obstacle } from './insert.ts';
import { valueNames } from './names.ts';
import { METHODS, SCHEMES, type Method, type Scheme } from './scheme.ts';
import { sitesOf } from './sites.ts';

/** The plan of a bundle, beside its other files. */
export const PLAN_FILE = 'quantization.json';
/**
 * What is quantized of a model, and how: the contents of MODEL.quant.json. With the model it says everything: integers of the weights are
 * computed from them again.
 */
export interface QuantizationPlan {
  /** The version of this format. */
  readonly quantization: 1;
  readonly model: { readonly file: string; readonly sha256: string };
  /** What was asked for; a node may have another. */
  readonly scheme: Scheme;
  /** What ranges and corrections were found with; absent where none were needed. */
  readonly calibration?: CalibrationRecord;
  /** Inputs of quantized nodes, by the names of values. */
  readonly values: Readonly<Record<string, ValuePlan>>;
  /** Quantized nodes by name. */
  readonly nodes: Readonly<Record<string, NodePlan>>;
  /** Nodes with weights that stay in floats, and why. */
  readonly float: Readonly<Record<string, string>>;
  /** How far the outputs were from those of the float model on the calibration data; absent where there were none. */
  readonly outputs?: Readonly<Record<string, OutputPlan>>;
}
export interface CalibrationRecord {
  /** What the data were: a file's name, or `random`. */
  readonly data: string;
  readonly samples: number;
  /** Of all samples, after preprocessing. */
  readonly sha256: string;
  readonly method: Method;
  readonly percentile?: number;
  readonly seed?: number;
}
/** A value as bytes: q stands for (q - zero) * scale, which holds min to max. */
export interface ValuePlan {
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zero: number;
  /** Each channel is divided by this before it is rounded, and the weights that read it are multiplied (SmoothQuant). */
  readonly smooth?: readonly number[];
}
export interface NodePlan {
  readonly scheme: Scheme;
  /** What shares a scale of the weights: a channel, or all of them. */
  readonly per: 'channel' | 'tensor';
  /** 4-bit weights in blocks have a zero point each. */
  readonly asymmetric?: boolean;
  /**
   * How many steps each integer of 4 bits is from the nearest to its weight, as calibration data have it: bytes in the order of the channels,
   * deflated, in base64.
   */
  readonly moved?: string;
  /** What is added to each channel of the result to make up for the mean error of the node. */
  readonly bias?: readonly number[];
}
interface OutputPlan {
  /** The root of the mean squared difference over that of the values. */
  readonly error: number;
  readonly cosine: number;
}

const finiteList = listOf(number);
const positive: Check<number> = (v, bad) => {
  const n = number(v, bad);
  return n > 0 ? n : bad(`must be above 0, not ${n}`);
};
const PLAN: Check<QuantizationPlan> = fields({
  quantization: oneOf(1),
  model: fields({ file: text, sha256: text }),
  scheme: oneOf(...SCHEMES),
  calibration: optional(
    fields({
      data: text,
      samples: whole(1, 2 ** 31),
      sha256: text,
      method: oneOf(...METHODS),
      percentile: optional(positive),
      seed: optional(whole(0, 2 ** 31)),
    }),
  ),
  values: recordOf(
    fields({ min: number, max: number, scale: positive, zero: whole(0, 255), smooth: optional(listOf(positive)) }),
  ),
  nodes: recordOf(
    fields({
      scheme: oneOf(...SCHEMES),
      per: oneOf('channel', 'tensor'),
      asymmetric: optional(flag),
      moved: optional(text),
      bias: optional(finiteList),
    }),
  ),
  float: recordOf(text),
  outputs: optional(recordOf(fields({ error: number, cosine: number }))),
});

/**
 * Reads a plan. E208 where it is no JSON, has fields that are unknown, missing or of another kind, or ranges without a width or that do not
 * fit their scale.
 */
export function readPlan(json: string, file: string): QuantizationPlan {
  const bad = (why: string): never => fail('E208', { file, why });
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (e) {
    return bad(e instanceof Error ? e.message : String(e));
  }
  return checkPlan(parsed, file);
}
/** Checks a plan that was given as an object. E208. */
export function checkPlan(given: unknown, file: string): QuantizationPlan {
  const bad = (why: string): never => fail('E208', { file, why });
  const plan = PLAN(given, why => bad(/^[.[]/.test(why) ? why.replace(/^\./, '') : `it ${why}`));
  for (const [name, v] of Object.entries(plan.values)) {
    const at = `values['${name}']`;
    if (!(v.min < v.max)) bad(`${at} is a range without a width: ${v.min} to ${v.max}`);
    if (v.min > 0 || v.max < 0) bad(`${at} does not hold 0, as every range must: ${v.min} to ${v.max}`);
    const [lo, hi] = [-v.zero * v.scale, (255 - v.zero) * v.scale];
    if (Math.fround(v.scale) === 0) bad(`${at}.scale is no float of 32 bits: ${v.scale}`);
    if (Math.abs(lo - v.min) > v.scale || Math.abs(hi - v.max) > v.scale)
      bad(`${at} is ${v.min} to ${v.max}, but scale ${v.scale} and zero ${v.zero} hold ${lo} to ${hi}`);
  }
  for (const name of Object.keys(plan.nodes))
    if (Object.hasOwn(plan.float, name)) bad(`node '${name}' is both in nodes and in float`);
  return plan;
}

/**
 * Checks a plan against the model: E208 where it was made for another one, or names values or nodes that are not there or do not fit.
 */
export function matchPlan(
  plan: QuantizationPlan,
  model: { readonly graph: Graph; readonly names: ReadonlyMap<Value, string>; readonly sha256: string },
  file: string,
): void {
  const bad = (why: string): never => fail('E208', { file, why });
  if (plan.model.sha256 !== model.sha256)
    bad(
      `it was made for ${plan.model.file} with the digest ${plan.model.sha256.slice(0, 12)}…, and this model has ${model.sha256.slice(0, 12)}…; ` +
        'make it again with `sinter quantize`',
    );
  const { sites, left } = sitesOf(model.graph);
  const names = valueNames(model.graph, model.names);
  const known = new Map(sites.map(s => [s.name, s]));
  const inputs = new Set(sites.flatMap(s => (s.k === 'product' ? [names.get(s.x) ?? ''] : [])));
  const all = [...known.keys(), ...left.map(l => l.name)];
  for (const name of [...Object.keys(plan.nodes), ...Object.keys(plan.float)])
    if (!all.includes(name)) bad(`the model has no node '${name}' that could be quantized${didYouMean(name, all)}`);
  for (const name of Object.keys(plan.values))
    if (!inputs.has(name)) bad(`the model has no value '${name}' that a quantized node reads${didYouMean(name, [...inputs])}`);
  for (const [name, n] of Object.entries(plan.nodes)) {
    const site = known.get(name) ?? bad(`node '${name}' cannot be quantized: ${left.find(l => l.name === name)?.why ?? ''}`);
    if (site.k === 'product' && n.scheme === 'int8' && !Object.hasOwn(plan.values, names.get(site.x) ?? ''))
      bad(`node '${name}' is int8, and values has no range of its input '${names.get(site.x) ?? ''}'`);
    const outs = must(site.node.outputs[0]).type.shape[site.outAxis];
    if (n.bias && n.bias.length !== outs)
      bad(`node '${name}' has ${n.bias.length} numbers in bias, and ${showDim(outs ?? 0)} channels`);
    const why = obstacle(site, n.scheme);
    if (why !== undefined) bad(`node '${name}' cannot be ${n.scheme}: ${why}`);
    if (n.moved !== undefined && (n.scheme !== 'w4' || site.k !== 'product' || !movedIn(n, site)))
      bad(`node '${name}' has in moved what is not a step for each of its ${numel(site.weights.dims)} weights of 4 bits`);
    const smooth = plan.values[names.get(site.x) ?? '']?.smooth;
    if (smooth && site.node.op !== MatMul)
      bad(`values['${names.get(site.x) ?? ''}'] is smoothed, and node '${name}' is no product`);
    if (smooth && smooth.length !== site.weights.dims[1 - site.channels])
      bad(
        `values['${names.get(site.x) ?? ''}'] has ${smooth.length} numbers in smooth, and the weights of node '${name}' as many rows as ${site.weights.dims[1 - site.channels] ?? 0}`,
      );
  }
}

/** A plan as the text of its file: a line for each value and node, so that a change shows as one. */
export function writePlan(plan: QuantizationPlan): string {
  const { values, nodes, float, outputs, ...head } = plan;
  const lines = (record: Readonly<Record<string, unknown>>): string => {
    const rows = Object.entries(record).map(([k, v]) => `    ${JSON.stringify(k)}: ${JSON.stringify(v)}`);
    return rows.length === 0 ? '{}' : `{\n${rows.join(',\n')}\n  }`;
  };
  const top = Object.entries(head).map(([k, v]) => `  ${JSON.stringify(k)}: ${JSON.stringify(v)}`);
  const rest = Object.entries({ values, nodes, float, ...(outputs && { outputs }) }).map(
    ([k, v]) => `  ${JSON.stringify(k)}: ${lines(v)}`,
  );
  return `{\n${[...top, ...rest].join(',\n')}\n}\n`;
}
