import {
  quantizeWith,
  resultOf,
  samplesOf,
  type CalibrationData,
  type ModelToQuantizeOptions,
  type QuantizedModel,
  type QuantizeResult,
} from '../quantization.ts';
import { readSource, type ModelSource } from '../host/compile.ts';
import { openCalibration, type CalibrationSource } from './calibration.ts';
import { compiledEngine } from './graph.ts';

export interface NodeQuantizeOptions extends Omit<ModelToQuantizeOptions, 'model'> {
  readonly model: ModelSource;
  /** Inputs as in a page, or where they lie: a file, a folder, `random`. */
  readonly calibrate?: CalibrationData | CalibrationSource | string;
}

/** Quantizes as `quantize` does, with all that was found on the way. */
export function quantizeModel({ model, calibrate, ...o }: NodeQuantizeOptions): Promise<QuantizedModel> {
  return quantizeWith({ ...readSource(model, o.importers), ...o }, compiledEngine, ({ graph, rows }) => {
    if (calibrate === undefined) return undefined;
    if (typeof calibrate === 'string') return openCalibration({ data: calibrate }, graph, rows);
    return isSource(calibrate) ? openCalibration(calibrate, graph, rows) : samplesOf(graph, calibrate);
  });
}
const isSource = (c: CalibrationData | CalibrationSource): c is CalibrationSource =>
  typeof c === 'object' && 'data' in c && typeof c.data === 'string';

/**
 * Finds out how to quantize a model: `compile({ model, quantization: plan })` makes it so. The model runs as WebAssembly. Errors: those of
 * importing; E205, E501 and E502 of the data; E403; E601 where pictures are given and the package that reads them is not installed.
 */
export async function quantize(o: NodeQuantizeOptions): Promise<QuantizeResult> {
  return resultOf(await quantizeModel(o));
}
