import type { Drawing, DrawnNode } from '../importer.ts';
import { keyOf, type OnnxModel } from './import.ts';
import { domainOf } from './node.ts';
import { onnxOps } from './ops/index.ts';
import type { GraphProto, ModelProto, NodeProto } from './records.ts';

/** The graph as the file has it; `shapes` are the sizes of values of the main graph. */
export const drawModel = (m: OnnxModel, shapes: ReadonlyMap<string, string>): Drawing => drawn(m.graph, m, shapes);

/** Attributes that tell kernels apart at a glance, with the words for them; values of nothing but ones go without saying. */
const TELLING: readonly (readonly [name: string, word: string, silentOnes?: boolean])[] = [
  ['kernel_shape', ''],
  ['strides', 'stride ', true],
  ['dilations', 'dilation ', true],
  ['group', 'groups ', true],
  ['axis', 'axis '],
  ['axes', 'axes '],
  ['perm', 'to '],
  ['hidden_size', 'hidden '],
  ['direction', ''],
  ['mode', ''],
  ['alpha', 'alpha '],
];
/** Recursion is as deep as graphs are nested, which the decoder bounds. */
function drawn(g: GraphProto, m: ModelProto, shapes: ReadonlyMap<string, string>): Drawing {
  return {
    inputs: g.input.map(i => i.name),
    outputs: g.output.map(o => o.name),
    // Constants are weights spelt as nodes.
    nodes: g.node.filter(n => n.opType !== 'Constant').map(n => drawnNode(n, m, shapes)),
  };
}
function drawnNode(n: NodeProto, m: ModelProto, shapes: ReadonlyMap<string, string>): DrawnNode {
  const notes: string[] = [];
  for (const [name, word, silentOnes] of TELLING) {
    const a = n.attribute.find(x => x.name === name);
    if (!a) continue;
    const numbers = a.ints.length > 0 ? a.ints : a.i !== undefined ? [a.i] : [];
    if (silentOnes === true && numbers.every(x => x === 1)) continue;
    const value = numbers.length > 0 ? numbers.join('×') : (a.s ?? (a.f === undefined ? undefined : Number(a.f.toPrecision(4))));
    if (value !== undefined) notes.push(`${word}${value}`);
  }
  const isFunction = m.functions.some(f => f.name === n.opType && domainOf(f.domain) === domainOf(n.domain));
  const outputs = n.output.filter(x => x !== '');
  return {
    name: n.name,
    op: keyOf(n),
    inputs: n.input.filter(x => x !== ''),
    outputs,
    notes,
    shape: shapes.get(outputs[0] ?? '') ?? '',
    supported: isFunction || onnxOps.has(keyOf(n)),
    // Only main values have shapes by name: sub-graphs may use a name again.
    graphs: n.attribute.flatMap(a => (a.g ? [[a.name, drawn(a.g, m, new Map<string, string>())] as const] : [])),
  };
}
