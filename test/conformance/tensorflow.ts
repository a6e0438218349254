import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { isFloat, isInt } from '../../compiler/core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { readModel } from '../../compiler/host/model.ts';
import { openModel } from '../../compiler/import/index.ts';
import type { OpenModel } from '../../compiler/import/importer.ts';
import { readTfCase, readTfData, type Form, type TfCase } from '../suites/tensorflow-cases.ts';
import { difference } from './compare.ts';
import { judged, type End, type Outcome } from './outcome.ts';
import { runner, type Way } from './runners.ts';

/** Runs a case of TensorFlow's family in one of its forms, by whatever importer opens it. */
export function runTfCase(form: Form, name: string, folder: string, way: Way): Promise<Outcome> {
  return judged({ suite: form, name, way }, async (): Promise<End> => {
    const c = readTfCase(form, folder);
    const { model, file, external } = readModel(c.model);
    const opened = openModel(model, { file, external });
    const data = readTfData(c);
    if (!data) {
      // Text: the model must be refused with a reason, or work.
      opened.import({});
      return { k: 'skipped', why: 'its data is text' };
    }
    const graph = importFor(opened, c, data.inputs, form);
    const inputs = new Map<string, Tensor>();
    const names = graph.inputs.map(v => (v.def.k === 'input' ? v.def.name : ''));
    const given = places(names, c.inputNames, 'in', data.inputs.length);
    graph.inputs.forEach((v, i) => {
      const t = data.inputs[given[i] ?? i];
      if (t) inputs.set(must(names[i]), fitting(t, v.type.dtype));
    });
    if (inputs.size < graph.inputs.length)
      return { k: 'broken', why: `the model has ${graph.inputs.length} inputs, the case ${data.inputs.length}` };
    const outs = (await runner(way, graph))(inputs);
    const outNames = graph.outputs.map(o => o.name);
    if (outNames.length < data.outputs.length)
      return { k: 'skipped', why: `the file has ${outNames.length} of the outputs of the case` };
    const order = places(outNames, c.outputNames, 'out', data.outputs.length);
    for (const [i, want] of data.outputs.entries()) {
      const name = outNames[order.indexOf(i)] ?? `output ${i}`;
      const why = differs(outs.get(name), want, c, form);
      if (why !== undefined) return { k: 'wrong', why: `output '${name}' ${why}` };
    }
    return { k: 'passed' };
  });
}
/** For each name of the model which datum of the case it is: by its own name, by `in0` or `out1`, else by its place. */
function places(names: readonly string[], known: readonly string[] | undefined, kind: string, count: number): number[] {
  const byName = names.map(n => known?.indexOf(n.replace(/:0$/, '')) ?? -1);
  if (byName.every(i => i >= 0) && new Set(byName).size === names.length) return byName;
  const numbered = Array.from({ length: count }, (_, i) => `${kind}${i}`);
  const byNumber = names.map(n => numbered.indexOf(n));
  if (byNumber.every(i => i >= 0)) return byNumber;
  return names.map((_, i) => i);
}
/**
 * Sizes that the file leaves open are those of the data only where the import asks for them; what a frozen graph leaves to a default is an
 * input where the case says so.
 */
function importFor(opened: OpenModel, c: TfCase, inputs: readonly Tensor[], form: Form): Graph {
  try {
    const { graph } = opened.import({});
    // Frozen graphs and those of TF.js say less than the case.
    const open = form === 'graphdef' || form === 'tfjs';
    const ins = new Set(graph.inputs.map(v => (v.def.k === 'input' ? v.def.name : '')));
    const outs = new Set(graph.outputs.map(o => o.name));
    const [inputNames = [], outputs = []] = [c.inputNames, c.outputNames];
    const missing = { inputs: inputNames.some(n => !ins.has(n)), outputs: outputs.some(n => !outs.has(n)) };
    if (!open || (!missing.inputs && !missing.outputs)) return graph;
    return opened.import({ ...(missing.inputs && { inputNames }), ...(missing.outputs && { outputs }) }).graph;
  } catch (e) {
    if (!(e instanceof CompileError) || e.code !== 'E301') throw e;
    const ports = opened.inspect().inputs.map(p => p.name);
    const at = places(ports, c.inputNames, 'in', inputs.length);
    const shapes = Object.fromEntries(ports.map((name, i) => [name, inputs[at[i] ?? i]?.dims ?? []]));
    return opened.import({ shapes }).graph;
  }
}
/** TF.js and TFLite have fewer types than TensorFlow. */
const fitting = (t: Tensor, dtype: Tensor['dtype']): Tensor => (t.dtype === dtype ? t : fromNumbers(dtype, t.dims, toNumbers(t)));
function differs(got: Tensor | undefined, want: Tensor, c: TfCase, form: Form): string | undefined {
  const narrow = form === 'tfjs' || form === 'tflite';
  const alike = got && narrow && isInt(got.dtype) && isInt(want.dtype) ? fitting(want, got.dtype) : want;
  const kept = got && narrow && got.dtype !== want.dtype && isFloat(got.dtype) ? fitting(want, got.dtype) : alike;
  if (!c.values) return got?.dims.join() === kept.dims.join() && got.dtype === kept.dtype ? undefined : 'has another type';
  const { most } = c;
  const held = (t: Tensor): Tensor =>
    most === undefined
      ? t
      : fromNumbers(
          t.dtype,
          t.dims,
          toNumbers(t).map(v => Math.max(-most, Math.min(most, v))),
        );
  return difference(got && held(got), held(kept), c.tolerance);
}
