import { CompileError } from '../../core/diagnostic.ts';
import { dimHi, showDim, symbolsOf } from '../../core/dim.ts';
import { DTYPES } from '../../core/dtype.ts';
import type { TensorType } from '../../core/shape.ts';
import { numel } from '../../core/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { constantsOf, histogram, macsOf } from '../../graph/stats.ts';
import { treeStats } from '../../ops/trees/stats.ts';
import type { Facts, ImportedGraph, ImportOptions, InspectedPort, ModelFacts, OpenModel } from '../importer.ts';
import { drawGraph } from './drawing.ts';

/** An open model that is told about by its graph: for formats that hold no graph of their own, or none that says more. */
export function openByGraph(title: string, facts: () => Facts, load: (o: ImportOptions) => ImportedGraph): OpenModel {
  return {
    import: load,
    inspect: () => inspectGraph(title, facts(), load),
    drawing: () => {
      const { graph, rows } = load({});
      return drawGraph(graph, rows?.names);
    },
  };
}

function inspectGraph(title: string, facts: Facts, load: (o: ImportOptions) => ImportedGraph): ModelFacts {
  try {
    const { graph, warnings } = load({});
    const sizes = symbolsAtMost(graph);
    const macs = macsOf(graph);
    return {
      title,
      facts,
      inputs: graph.inputs.map(v => port(v.def.k === 'input' ? v.def.name : '', v.type)),
      outputs: graph.outputs.map(x => port(x.name, x.value.type)),
      free: freeOf(graph),
      operators: Object.fromEntries(histogram(graph)),
      parameters: parametersOf(graph),
      macs: macs === undefined ? undefined : { count: dimHi(macs), at: sizes },
      trees: treeStats(graph),
      problem: undefined,
      warnings,
    };
  } catch (e) {
    // What is damaged is told as an error, what is only not supported as a fact.
    if (!(e instanceof CompileError) || !/^E[13]/.test(e.code)) throw e;
    const nothing = { tensors: 0, elements: 0, bytes: 0 };
    return {
      title,
      facts,
      inputs: [],
      outputs: [],
      free: [],
      operators: {},
      parameters: nothing,
      macs: undefined,
      trees: undefined,
      problem: { code: e.code, message: e.message },
      warnings: [],
    };
  }
}
const port = (name: string, t: TensorType): InspectedPort => ({
  name,
  type: DTYPES[t.dtype].ort,
  shape: t.shape.map(d => (typeof d === 'number' ? d : showDim(d))),
});
function symbolsAtMost(g: Graph): Record<string, number> {
  const all = g.inputs.flatMap(v => v.type.shape.flatMap(d => symbolsOf(d)));
  return Object.fromEntries(all.map(s => [s.name, s.hi]));
}
function freeOf(g: Graph): ModelFacts['free'] {
  const places = new Map<string, string[]>();
  for (const v of g.inputs)
    v.type.shape.forEach((d, axis) => {
      for (const s of symbolsOf(d)) {
        const list = places.get(s.name) ?? [];
        list.push(`axis ${axis} of '${v.def.k === 'input' ? v.def.name : ''}'`);
        places.set(s.name, list);
      }
    });
  return [...places].map(([name, list]) => ({ name, places: list }));
}
function parametersOf(g: Graph): ModelFacts['parameters'] {
  let [tensors, elements, bytes] = [0, 0, 0];
  for (const { tensor } of constantsOf(g)) {
    tensors++;
    elements += numel(tensor.dims);
    bytes += tensor.bytes.length;
  }
  return { tensors, elements, bytes };
}
