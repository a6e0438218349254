import { basename } from 'node:path';
import { many, showBytes, table } from '../core/format.ts';
import { modelName } from '../compile.ts';
import { newFile, writeFile } from '../host/files.ts';
import { writePlan } from '../quantize/plan.ts';
import type { QuantizeProgress } from '../quantize/samples.ts';
import type { Metric } from '../quantize/search.ts';
import type { Method, Rounding, Scheme } from '../quantize/scheme.ts';
import type { QuantizedModel } from '../quantization.ts';
import { quantizeModel } from '../run/quantize.ts';
import { beginJson, type JsonFlag } from './json.ts';
import { quantizationHtml } from './quantize-html.ts';
import { modelOf, type ModelFlags } from './model-flags.ts';
import type { Terminal } from './terminal.ts';

/** Flags of `quantize` that `compile --quantize` has too. */
export interface QuantizeFlags {
  readonly calibrate?: string;
  readonly image?: string;
  readonly audio?: string;
  readonly input: readonly string[];
  readonly samples?: number;
  readonly method?: Method;
  readonly percentile?: number;
  readonly perTensor?: boolean;
  readonly asymmetric?: boolean;
  readonly rounding?: Rounding;
  readonly biasCorrection: boolean;
  readonly exclude: readonly string[];
  readonly smooth?: boolean | number;
  readonly maxDrop?: number;
  readonly metric?: Metric;
  readonly maxSize?: number;
  readonly sensitivity?: boolean;
  readonly html?: string;
  readonly report?: string;
}
interface QuantizeCommandFlags extends ModelFlags, QuantizeFlags {
  readonly scheme: Scheme;
  readonly out?: string;
  readonly emit?: 'onnx';
  readonly json?: JsonFlag;
}

/** `sinter quantize MODEL`. */
export async function quantizeCommand(model: string, o: QuantizeCommandFlags, t: Terminal): Promise<void> {
  const json = beginJson(o.json, t);
  const place = o.out ?? `${modelName(basename(model))}.quant.json`;
  const file = newFile(place);
  const q = await quantizeFor(model, o.scheme, o, json?.alone === true, t);
  const onnx = o.emit === undefined ? undefined : { file: place.replace(/(?:\.json)?$/, '.onnx'), bytes: q.onnx() };
  file.commit(writePlan(q.plan));
  if (onnx) writeFile(onnx.file, onnx.bytes);
  json?.write(q.plan);
  if (json?.alone !== true) t.out(`the plan is in ${place}${onnx ? `, the model for onnxruntime in ${onnx.file}` : ''}\n`);
}
/** Quantizes a model as flags say, tells how it goes, and what came out. */
export async function quantizeFor(
  model: string,
  scheme: Scheme,
  o: ModelFlags & QuantizeFlags,
  silent: boolean,
  t: Terminal,
): Promise<QuantizedModel> {
  const q = await quantizeModel({
    model,
    scheme,
    ...modelOf(o),
    ...(o.calibrate !== undefined && {
      calibrate: {
        data: o.calibrate,
        input: o.input,
        ...(o.image !== undefined && { image: o.image }),
        ...(o.audio !== undefined && { audio: o.audio }),
        ...(o.samples !== undefined && { samples: o.samples }),
      },
    }),
    ...(o.method && { method: o.method }),
    ...(o.percentile !== undefined && { percentile: o.percentile }),
    perTensor: o.perTensor === true,
    ...(o.asymmetric === true && { asymmetric: true }),
    ...(o.rounding && { rounding: o.rounding }),
    biasCorrection: o.biasCorrection,
    exclude: o.exclude,
    ...(o.smooth !== undefined && { smooth: o.smooth }),
    sensitivity: o.sensitivity === true,
    limits: {
      ...(o.maxDrop !== undefined && { maxDrop: o.maxDrop }),
      ...(o.metric && { metric: o.metric }),
      ...(o.maxSize !== undefined && { maxSize: o.maxSize }),
    },
    ...(!silent && t.live && { onProgress: progress(t) }),
  }).finally(() => t.live && t.err('\r\x1b[K'));
  for (const w of q.warnings) t.err(`warning: ${w}\n`);
  if (o.html !== undefined) writeFile(o.html, quantizationHtml(q.report));
  if (o.report !== undefined) writeFile(o.report, `${JSON.stringify(q.report, null, 2)}\n`);
  if (!silent) t.out(summary(basename(model), q));
  return q;
}
const WORDS: Readonly<Record<QuantizeProgress['step'], string>> = {
  calibrate: 'watching values',
  round: 'rounding weights',
  correct: 'measuring nodes',
  compare: 'comparing with the float model',
  search: 'choosing nodes',
};
function progress(t: Terminal): (p: QuantizeProgress) => void {
  return p => t.err(`\r\x1b[K${WORDS[p.step]}: ${p.done}${p.of === undefined ? '' : ` of ${p.of}`} …`);
}
const percent = (share: number): string => `${(100 * share).toPrecision(3)} %`;
function summary(model: string, { plan, comparison, sizes }: QuantizedModel): string {
  const [nodes, float] = [plan.nodes, plan.float].map(x => Object.keys(x).length);
  const { calibration: c } = plan;
  const rows = [
    ['weights', `${showBytes(sizes.before)} → ${showBytes(sizes.after)}`],
    ...(c ? [['calibrated', `on ${many(c.samples, 'sample')} of ${c.data}, ${c.method}`]] : []),
    ...[...(comparison?.outputs ?? [])].map(([name, e]) => [
      `output ${name}`,
      `differs by ${percent(e.error)}, cosine ${e.cosine.toFixed(5)}${e.top1 ? `, arg-max agrees ${e.top1.same} of ${e.top1.rows} times` : ''}`,
    ]),
  ];
  const rest = Object.entries(plan.float).slice(0, 10);
  const stay = float === 0 ? '' : `${many(float ?? 0, 'node')} with weights stay in floats\n${table(rest)}`;
  return `${model}: ${many(nodes ?? 0, 'node')} as ${plan.scheme}\n${table(rows)}${stay}`;
}
