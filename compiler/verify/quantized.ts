import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { randomTensor } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import { readText } from '../host/files.ts';
import { PLAN_FILE, readPlan, type QuantizationPlan } from '../quantize/plan.ts';

/** The plan by which a bundle was quantized; undefined where it was not. E208 where it is damaged. */
export function planOfBundle(dir: string): QuantizationPlan | undefined {
  const file = join(dir, PLAN_FILE);
  return existsSync(file) ? readPlan(readText(file), file) : undefined;
}
/**
 * How many times as far as on the calibration data an output may be from that of the float model: other inputs are rounded otherwise, and a
 * decision that was near may fall the other way.
 */
const SLACK = 4;
/** What an output may be off by that the plan says nothing of. */
const UNKNOWN = 0.1;
/** The relative error that a plan allows an output. */
export const allowedBy =
  (plan: QuantizationPlan) =>
  (output: string): number =>
    Math.max(1e-3, plan.outputs && Object.hasOwn(plan.outputs, output) ? SLACK * (plan.outputs[output]?.error ?? 0) : UNKNOWN);

/** Random inputs within the ranges that were calibrated: outside of them a quantized model is not meant to be right. */
export function withinRanges(plan: QuantizationPlan, inputs: Map<string, Tensor>, seed: number): Map<string, Tensor> {
  let at = seed;
  for (const [name, t] of inputs) {
    at++;
    const range = Object.hasOwn(plan.values, name) ? plan.values[name] : undefined;
    if (range && t.dtype === 'f32') inputs.set(name, randomTensor('f32', t.dims, at, range.min, range.max));
  }
  return inputs;
}
