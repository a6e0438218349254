import type { Checkpoint } from './bundle.ts';
import type { FunctionDef, GraphDef, NodeDef } from './records.ts';
import { isControl, splitRef } from './refs.ts';
import type { Tensor } from '../../core/tensor.ts';

/**
 * Which variable of a graph is which value of the checkpoint: by how the nodes that restore it flow, never by names. In a function of the
 * restore operator, or in the graph itself as TensorFlow 1 wrote it, a constant names the values that RestoreV2 reads, and
 * AssignVariableOp gives each to a handle.
 */
function variableKeys(g: GraphDef): ReadonlyMap<string, string> {
  const functions = new Map((g.library?.functions ?? []).map(f => [f.signature?.name ?? '', f]));
  const byName = new Map(g.nodes.map(n => [n.name, n]));
  const out = new Map<string, string>();
  const record = (node: string | undefined, key: string): void => {
    const n = node === undefined ? undefined : through(byName, node);
    if (n) out.set(n.name, key);
  };
  for (const { target, key } of restored(g.nodes)) record(target, key);
  for (const call of g.nodes) {
    const name = call.attr.find(a => a.key === 'f')?.value?.func?.name;
    const fn: FunctionDef | undefined = name === undefined ? undefined : functions.get(name);
    if (!fn) continue;
    const inputs = call.input.filter(i => !isControl(i));
    for (const { target, key } of restored(fn.nodes)) {
      const at = (fn.signature?.inputArg ?? []).findIndex(a => a.name === target);
      record(at < 0 ? undefined : inputs[at] && splitRef(inputs[at])[0], key);
    }
  }
  return out;
}
/** The node that a value comes from, through those that give it on as it is. */
function through(byName: ReadonlyMap<string, NodeDef>, name: string): NodeDef | undefined {
  const seen = new Set<string>();
  for (let n = byName.get(name); n && !seen.has(n.name); n = byName.get(splitRef(n.input[0] ?? '')[0])) {
    if (n.op !== 'Identity' && n.op !== 'Reshape' && n.op !== 'NoOp') return n;
    seen.add(n.name);
  }
  return undefined;
}
/** What nodes give a value of a checkpoint to: the name of the handle's node or argument, and the value's key. */
function restored(nodes: readonly NodeDef[]): readonly { readonly target: string; readonly key: string }[] {
  const assigns = nodes.filter(n => n.op === 'AssignVariableOp' || n.op === 'Assign');
  if (assigns.length === 0 || !nodes.some(n => n.op === 'RestoreV2')) return [];
  const byName = new Map(nodes.map(n => [n.name, n]));
  return assigns.flatMap(a => {
    const [handle = '', value = ''] = a.input;
    let [name, , index] = splitRef(value);
    const seen = new Set<string>();
    for (let n = byName.get(name); n && !seen.has(name); n = byName.get(name)) {
      seen.add(name);
      if (n.op === 'RestoreV2') {
        const names = byName.get(splitRef(n.input[1] ?? '')[0])?.attr.find(x => x.key === 'value')?.value?.tensor?.strings;
        const key = names?.[index];
        return key === undefined ? [] : [{ target: splitRef(handle)[0], key }];
      }
      if (n.op !== 'Identity' && n.op !== 'Reshape') return [];
      [name, , index] = splitRef(n.input[0] ?? '');
    }
    return [];
  });
}
/** The values of variables by the names of their nodes. */
export const variablesOf = (g: GraphDef, checkpoint: Checkpoint | undefined): ((key: string) => Tensor | undefined) => {
  const keys = variableKeys(g);
  return name => {
    const key = keys.get(name);
    return key === undefined ? undefined : checkpoint?.(key);
  };
};
