import { toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import type { TreeCase } from './cases.ts';

type Numbers = ArrayLike<number>;
const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);
const double = new Float64Array(1);
const doubleBits = new BigInt64Array(double.buffer);
/** The place of a number among all of its type: neighbours differ by one, zeros of both signs are one. */
function place(x: number, isSingle: boolean): bigint {
  if (isSingle) {
    single[0] = x;
    const b = BigInt(singleBits[0] ?? 0);
    return b < 0n ? -(b & 0x7fffffffn) : b;
  }
  double[0] = x;
  const b = doubleBits[0] ?? 0n;
  return b < 0n ? -(b & 0x7fffffffffffffffn) : b;
}
/** The largest distance of two lists in units in the last place of the type, and where it is; NaN equals NaN. */
export function furthest(got: Numbers, want: Numbers, isSingle: boolean): { readonly ulps: number; readonly at: number } {
  if (got.length !== want.length) return { ulps: Infinity, at: -1 };
  let [ulps, at] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i] ?? NaN, want[i] ?? NaN];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const d = Number.isNaN(a) || Number.isNaN(b) ? Infinity : Math.abs(Number(place(a, isSingle) - place(b, isSingle)));
    if (d > ulps) [ulps, at] = [d, i];
  }
  return { ulps, at };
}

/** Units in the last place that an output may depart by. */
export interface Slack {
  readonly margin: number;
  readonly prediction: number;
  readonly contributions: number;
}
/**
 * Every operation is reproduced in its order, XGBoost's `expf` and `logf` as well. The links of LightGBM are in float64, with an
 * exponential of our own, of which softmax has several.
 */
export const slackOf = (c: TreeCase): Slack => ({ margin: 0, prediction: c.library === 'xgboost' ? 0 : 4, contributions: 0 });

/** What differs between outputs and what the library gave, in words; empty where they agree. */
export function differences(c: TreeCase, outputs: ReadonlyMap<string, Tensor>, slack = slackOf(c)): string[] {
  const out: string[] = [];
  const isSingle = c.library === 'xgboost';
  const compare = (
    name: 'margin' | 'prediction' | 'contributions',
    want: Numbers | undefined,
    part?: (t: Numbers) => Numbers,
  ): void => {
    if (!want) return;
    const t = outputs.get(name);
    if (!t) return void out.push(`there is no ${name}`);
    const all = typed(t) as Float32Array | Float64Array;
    const got = part ? part(all) : all;
    const { ulps, at } = furthest(got, want, isSingle);
    if (ulps > slack[name]) out.push(`${name} ${at} is ${got[at]} instead of ${want[at]}: ${ulps} ulp`);
  };
  compare('margin', c.margin);
  compare('prediction', typed(c.prediction) as Float32Array);
  const dims = outputs.get('prediction')?.dims.join(', ');
  if (dims !== c.prediction.dims.join(', ')) out.push(`prediction is [${dims}] instead of [${c.prediction.dims.join(', ')}]`);
  const per = (outputs.get('contributions')?.dims ?? []).slice(1).reduce((a, b) => a * b, 1);
  compare('contributions', c.contributions, t => Array.from(t).slice(c.contributionRows[0] * per, c.contributionRows[1] * per));
  if (c.leaf) {
    const leaf = outputs.get('leaf');
    const got = leaf ? toNumbers(leaf) : [];
    const at = got.length === c.leaf.length ? c.leaf.findIndex((v, i) => v !== got[i]) : 0;
    if (at >= 0) out.push(`leaf ${at} is ${got[at]} instead of ${c.leaf[at]}`);
  }
  return out.map(d => `${c.library} ${c.version} ${c.name} (${c.file}): ${d}`);
}
