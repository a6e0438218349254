import { must } from '../core/diagnostic.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import type { Ref } from '../ops/lowering.ts';
import { isCompact } from '../ops/ref.ts';
import type { Partition } from './partition.ts';

/**
 * Decides where values are written before their producers run: outputs that a kernel writes go straight to their slot, parts of an
 * assembled tensor to their part. `place` gives the memory of a value.
 */
export function placeOutputs(
  graph: Graph,
  part: Partition,
  outputs: readonly (Ref | undefined)[],
  target: Map<Value, Ref>,
  place: (v: Value) => Ref,
): void {
  graph.outputs.forEach((o, i) => {
    const d = o.value.def;
    const to = outputs[i];
    if (to && d.k === 'node' && d.op.lower.k !== 'view' && !target.has(o.value)) target.set(o.value, to);
  });
  const uses = new Map<Value, number>();
  for (const n of part.order) for (const v of n.inputs) if (v) uses.set(v, (uses.get(v) ?? 0) + 1);
  for (const o of graph.outputs) uses.set(o.value, (uses.get(o.value) ?? 0) + 1);
  // From the back, so that an assembled tensor that is itself a part has its place first.
  for (const n of [...part.order].reverse()) {
    const lower = n.op.lower;
    if (lower.k !== 'assemble') continue;
    const whole = place(must(n.outputs[0]));
    n.inputs.forEach((v, i) => {
      if (!v || uses.get(v) !== 1 || v.def.k !== 'node' || target.has(v)) return;
      const to = lower.part(whole, i, n);
      if (takesPlace(v.def, part, to)) target.set(v, to);
    });
  }
}
/** Whether the step that makes a node's value can write it into this memory. */
function takesPlace(n: Node, part: Partition, to: Ref): boolean {
  const runs = part.runsWith.get(n) ?? n;
  const lower = runs.op.lower;
  switch (lower.k) {
    case 'view':
      return false;
    case 'elementwise':
    case 'indexMap':
    case 'assemble':
      return true;
    case 'kernel':
      return isCompact(to) || lower.iterationSpace?.(runs) !== undefined;
  }
}
