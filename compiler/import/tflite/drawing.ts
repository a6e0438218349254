import type { Drawing, DrawnNode } from '../importer.ts';
import { entryOf } from './import.ts';
import { tfliteOps } from './ops/index.ts';
import type { Operator, OptionValue, Subgraph, TfliteModel } from './records.ts';
import { ACTIVATIONS, PADDINGS } from './schema.ts';

/** The main graph as the file has it; `shapes` are the sizes of its tensors by name. */
export function drawModel(m: TfliteModel, shapes: ReadonlyMap<string, string>, file: string): Drawing {
  const { graph, inputs, outputs } = entryOf(m, { file });
  const drawn = drawGraph(m, graph, shapes, [m.subgraphs.indexOf(graph)]);
  return { ...drawn, inputs: inputs.map(i => nameOf(graph, i.tensor)), outputs: outputs.map(o => nameOf(graph, o.tensor)) };
}
/** Tensors may share a name. */
const nameOf = (g: Subgraph, i: number): string => {
  const name = g.tensors[i]?.name ?? '';
  return name === '' || g.tensors.findIndex(t => t.name === name) !== i ? `${name}#${i}` : name;
};
function drawGraph(m: TfliteModel, g: Subgraph, shapes: ReadonlyMap<string, string>, inside: readonly number[]): Drawing {
  return {
    inputs: g.inputs.map(i => nameOf(g, i)),
    outputs: g.outputs.map(i => nameOf(g, i)),
    nodes: g.operators.map((o): DrawnNode => {
      const values = o.inputs.filter(i => i >= 0 && (m.buffers[g.tensors[i]?.buffer ?? 0]?.length ?? 0) === 0);
      const outs = o.outputs.filter(i => i >= 0);
      return {
        name: '',
        op: o.op,
        inputs: values.map(i => nameOf(g, i)),
        outputs: outs.map(i => nameOf(g, i)),
        notes: notesOf(o),
        shape: shapes.get(g.tensors[outs[0] ?? -1]?.name ?? '') ?? '',
        supported: tfliteOps.has(o.op),
        graphs: bodies(m, o, inside),
      };
    }),
  };
}
/** Graphs of the file that an operator runs. */
const BODIES: readonly (readonly [option: string, word: string])[] = [
  ['then_subgraph_index', 'then'],
  ['else_subgraph_index', 'else'],
  ['cond_subgraph_index', 'condition'],
  ['body_subgraph_index', 'body'],
];
function bodies(m: TfliteModel, o: Operator, inside: readonly number[]): DrawnNode['graphs'] {
  return BODIES.flatMap(([option, word]) => {
    const i = o.options.fields.get(option);
    const g = typeof i === 'number' && !inside.includes(i) ? m.subgraphs[i] : undefined;
    return g && typeof i === 'number' ? [[word, drawGraph(m, g, new Map(), [...inside, i])] as const] : [];
  });
}
/** Options that tell kernels apart at a glance, with the words for them; what goes without saying is left out. */
const TELLING: Readonly<Record<string, (v: OptionValue) => string>> = {
  padding: v => PADDINGS[Number(v)] ?? '',
  stride_h: v => (v === 1 ? '' : `stride ${String(v)}`),
  dilation_h_factor: v => (v === 1 ? '' : `dilation ${String(v)}`),
  filter_height: v => `window ${String(v)}`,
  fused_activation_function: v => (v === 0 ? '' : (ACTIVATIONS[Number(v)] ?? '')),
  axis: v => `axis ${String(v)}`,
  alpha: v => `alpha ${Number(Number(v).toPrecision(4))}`,
};
const notesOf = (o: Operator): string[] =>
  Object.entries(TELLING).flatMap(([name, say]) => {
    const v = o.options.fields.get(name);
    return v === undefined || say(v) === '' ? [] : [say(v)];
  });
