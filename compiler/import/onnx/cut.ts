import { fail, type Loc } from '../../core/diagnostic.ts';
import { didYouMean } from '../../core/suggest.ts';
import { namesUsed } from './order.ts';
import type { GraphProto, NodeProto, ValueInfoProto } from './records.ts';

/** Where a model is cut: nodes by their names, or values by theirs. */
export interface Cut {
  /** What these give are the outputs, in the place of the model's own. */
  readonly outputsAt?: readonly string[];
  /** What these give are inputs; what computed them is left out. */
  readonly inputsAt?: readonly string[];
}

/**
 * The part of a graph between two cuts: the nodes that its outputs need, and the inputs that they use. E403: there is no such node or value,
 * or the file does not tell the type of what becomes an input.
 */
export function cutGraph(g: GraphProto, cut: Cut, file: string): GraphProto {
  const loc: Loc = { k: 'file', file, what: '' };
  const made = new Map<string, NodeProto>();
  const named = new Map<string, NodeProto>();
  for (const n of g.node) {
    if (n.name !== '') named.set(n.name, n);
    for (const o of n.output) if (o !== '') made.set(o, n);
  }
  const valuesAt = (option: string, at: readonly string[]): readonly string[] =>
    at.flatMap(name => {
      const n = named.get(name);
      if (n) return n.output.filter(o => o !== '');
      if (made.has(name)) return [name];
      const why = `the main graph has no node and computes no value of the name '${name}'${didYouMean(name, [...named.keys(), ...made.keys()])}`;
      return fail('E403', { option, why }, loc);
    });
  const declared = new Map([...g.valueInfo, ...g.output].map(v => [v.name, v]));
  const given = new Set(valuesAt('inputs-at', cut.inputsAt ?? []));
  const outputs = cut.outputsAt
    ? [...new Set(valuesAt('outputs-at', cut.outputsAt))].map(
        (name): ValueInfoProto => declared.get(name) ?? { name, type: undefined },
      )
    : g.output;

  const kept = new Set<NodeProto>();
  const used = new Set<string>();
  const todo = outputs.map(o => o.name);
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (used.has(name)) continue;
    used.add(name);
    const n = given.has(name) ? undefined : made.get(name);
    if (!n || kept.has(n)) continue;
    kept.add(n);
    todo.push(...namesUsed(n));
  }
  const inner = [...given]
    .filter(name => used.has(name))
    .map(
      name =>
        declared.get(name) ??
        fail(
          'E403',
          {
            option: 'inputs-at',
            why: `the file does not tell the type of '${name}'; let onnx.shape_inference.infer_shapes write it into the file, then compile that`,
          },
          loc,
        ),
    );
  const without = (n: NodeProto): NodeProto =>
    n.output.some(o => given.has(o)) ? { ...n, output: n.output.map(o => (given.has(o) ? '' : o)) } : n;
  return {
    ...g,
    node: g.node.filter(n => kept.has(n)).map(without),
    input: [...g.input.filter(i => used.has(i.name)), ...inner],
    output: outputs,
  };
}
