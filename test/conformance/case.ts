import { isInt } from '../../compiler/core/dtype.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { decodeModel, type ModelProto } from '../../compiler/import/onnx/decode.ts';
import { importProto } from '../../compiler/import/onnx/import.ts';
import { partName } from '../../compiler/import/onnx/border.ts';
import { ATOL, RTOL, type BackendCase, type Datum } from '../suites/onnx-backend.ts';
import { difference } from './compare.ts';
import { judged, type End, type Outcome } from './outcome.ts';
import { runner, type Way } from './runners.ts';

/** Cases whose wanted values are themselves rounding errors, where the true value is 0. */
const NOISY: ReadonlyMap<string, { readonly atol: number; readonly why: string }> = new Map(
  ['test_dft_inverse', 'test_dft_inverse_opset19'].map(name => [
    name,
    { atol: 1e-6, why: 'imaginary parts of a real signal, which the float32 transform behind the data leaves at 2e-7' },
  ]),
);

export interface CaseOptions {
  readonly way: Way;
  /** Sizes of inputs stay open: equal sizes from 2 up share a symbol. */
  readonly symbolic: boolean;
}

/** Runs all data sets of a case. */
export function runCase(c: BackendCase, o: CaseOptions): Promise<Outcome> {
  return judged({ suite: c.suite, name: c.name, way: o.way }, async () => {
    const model = decodeModel(c.modelBytes, c.name);
    let ran = 0;
    let skip = 'it has no data';
    for (const set of c.dataSets) {
      if (set.k === 'unsupported') {
        skip = set.why;
        // Even so the model must be refused with a reason, or work.
        continue;
      }
      const inputs = new Map<string, Tensor>();
      const dims: Record<string, number> = {};
      set.inputs.forEach((t, i) => {
        const name = c.inputNames[i] ?? '';
        for (const [part, x] of partsOf(name, t)) inputs.set(part, x);
        if (isList(t)) dims[name] = t.length;
        else if (!t && isOptional(model, name)) dims[name] = 0;
      });
      const graph = importCase(model, c, inputs, o.symbolic, dims);
      const outs = (await runner(o.way, graph))(inputs);
      for (const [i, want] of set.outputs.entries()) {
        const name = c.outputNames[i] ?? '';
        if (isList(want) && outs.has(partName(name, want.length)))
          return wrong(`output '${name}' has more than ${want.length} tensors`);
        for (const [part, t] of partsOf(name, want)) {
          const d = difference(outs.get(part), t, { rtol: RTOL, atol: NOISY.get(c.name)?.atol ?? ATOL });
          if (d !== undefined) return wrong(`output '${part}' ${d}`);
        }
      }
      ran++;
    }
    if (ran > 0) return { k: 'passed' };
    importCase(model, c, new Map(), false, {});
    return { k: 'skipped', why: skip };
  });
}
const wrong = (why: string): End => ({ k: 'wrong', why });

const isList = (d: Datum): d is readonly Tensor[] => Array.isArray(d);
/** The tensors of a value by the names that they have as inputs and outputs. */
function partsOf(name: string, d: Datum): (readonly [string, Tensor])[] {
  if (isList(d)) return d.map((t, i) => [partName(name, i), t] as const);
  return d ? [[name, d]] : [];
}
const isOptional = (model: { readonly graph: NonNullable<ModelProto['graph']> }, name: string): boolean =>
  model.graph.input.some(i => i.name === name && i.type?.optionalType !== undefined);
function importCase(
  model: ModelProto & { readonly graph: NonNullable<ModelProto['graph']> },
  c: BackendCase,
  inputs: ReadonlyMap<string, Tensor>,
  symbolic: boolean,
  dims: Readonly<Record<string, number>>,
): Graph {
  const shapes: Record<string, readonly Dim[]> = {};
  // Short lists of integers are axes, sizes or indices: how many there are is part of the model.
  for (const [name, t] of inputs) shapes[name] = symbolic && !(isInt(t.dtype) && t.dims.length < 2) ? t.dims.map(open) : t.dims;
  return importProto(model, { file: c.name, inputSizes: shapes, dims }).graph;
}
/** A symbol for a size, the same one for equal sizes. */
const open = (n: number): Dim => (n < 2 ? n : symbol(`n${n}`, 1, Math.max(2 * n, 8)));
/** The operators of a case, for reports. */
export function operatorsOf(c: BackendCase): readonly string[] {
  const model = decodeModel(c.modelBytes, c.name);
  return [
    ...new Set(model.graph.node.map(n => (n.domain === '' || n.domain === 'ai.onnx' ? n.opType : `${n.domain}.${n.opType}`))),
  ];
}
