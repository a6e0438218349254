import { must } from '../core/diagnostic.ts';
import { dimEq, dimsEq, type Dim } from '../core/dim.ts';
import { bytesOf } from '../core/dtype.ts';
import { type Graph, type Node, type Value, nodesOf } from '../graph/graph.ts';

/**
 * Which nodes become code together. Every value is one of: memory written by the step of its group, a view of memory, or computed
 * inside the one group that uses it.
 */
export interface Partition {
  /** Live nodes in dependency order. */
  readonly order: readonly Node[];
  /** Elementwise nodes that are computed inside another node's group. */
  readonly inlined: ReadonlySet<Node>;
  /** For a kernel with something fused behind it: the node whose value is stored. */
  readonly tail: ReadonlyMap<Node, Node>;
  /** The other way round: these run with their kernel. */
  readonly runsWith: ReadonlyMap<Node, Node>;
}

/** Larger groups run out of registers and code space. */
const MAX_GROUP = 24;

interface Use {
  readonly node: Node;
  readonly input: number;
}

export function partition(g: Graph): Partition {
  const order = fusionOrder(g);
  const position = new Map(order.map((n, i) => [n, i]));
  const uses = new Map<Value, Use[]>();
  for (const n of order)
    n.inputs.forEach((v, input) => {
      if (!v) return;
      const had = uses.get(v);
      if (had) had.push({ node: n, input });
      else uses.set(v, [{ node: n, input }]);
    });
  const isOutput = new Set(g.outputs.map(o => o.value));

  // From the back: an elementwise node joins the group of its consumers if they are all in one group and read it element by element.
  const anchored = findAnchored(order, uses, isOutput);
  const group = new Map<Node, Node>();
  const size = new Map<Node, number>();
  const inlined = new Set<Node>();
  for (const n of [...order].reverse()) {
    const out = n.outputs[0];
    const of = out && n.op.lower.k === 'elementwise' && !isOutput.has(out) ? uses.get(out) : undefined;
    const root = of && commonGroup(n, of, group, anchored);
    if (root && (size.get(root) ?? 1) < MAX_GROUP) {
      group.set(n, root);
      size.set(root, (size.get(root) ?? 1) + 1);
      inlined.add(n);
    } else group.set(n, n);
  }

  // A group of elementwise nodes runs inside the store of the kernel that made its input, if the rest of its inputs exist by then.
  const members = new Map<Node, Node[]>();
  for (const n of order) {
    const root = must(group.get(n));
    if (n.op.lower.k === 'elementwise' && root.op.lower.k === 'elementwise') {
      const had = members.get(root);
      if (had) had.push(n);
      else members.set(root, [n]);
    }
  }
  const tail = new Map<Node, Node>();
  const runsWith = new Map<Node, Node>();
  const runsAt = (v: Value): number => {
    let n = v.def;
    while (n.k === 'node' && n.op.lower.k === 'view' && n.inputs[0]) n = n.inputs[0].def;
    return n.k === 'node' ? must(position.get(runsWith.get(n) ?? n)) : -1;
  };
  for (const n of [...order].reverse()) {
    const out = n.outputs[0];
    const space = n.op.lower.k === 'kernel' ? n.op.lower.iterationSpace?.(n) : undefined;
    if (!out || !space || isOutput.has(out)) continue;
    const consumers = uses.get(out);
    const first = consumers?.[0] && group.get(consumers[0].node);
    if (!first || runsWith.has(first) || !consumers.every(u => group.get(u.node) === first)) continue;
    const nodes = members.get(first);
    if (!nodes || !dimsEq(must(first.outputs[0]).type.shape, out.type.shape)) continue;
    const inside = new Set(nodes);
    const at = must(position.get(n));
    const fits = nodes.every(m =>
      m.inputs.every(v => {
        if (!v) return true;
        if (v === out) return true;
        if (v.def.k === 'node' && inside.has(v.def)) return true;
        return runsAt(v) < at && fitsSpace(v.type.shape, out.type.shape, space);
      }),
    );
    if (!fits) continue;
    tail.set(n, first);
    runsWith.set(first, n);
  }
  return { order, inlined, tail, runsWith };
}

/**
 * The nodes of a graph with the kernel that an elementwise operator is fused into as late as can be: its other operands are there by
 * then. (A residual connection that is padded or resized on its way comes before the convolution that it is added to.)
 */
export function fusionOrder(g: Graph): readonly Node[] {
  const late = new Set<Node>();
  for (const n of nodesOf(g)) {
    const { lower } = n.op;
    const host = lower.k === 'kernel' && lower.iterationSpace?.(n) !== undefined;
    if (host || (lower.k === 'elementwise' && n.inputs.some(v => v?.def.k === 'node' && late.has(v.def)))) late.add(n);
  }
  return nodesOf(g, (n, deps) =>
    n.op.lower.k === 'elementwise' && deps.length > 1
      ? [...deps].sort((a, b) => Number(late.has(a)) - Number(late.has(b)))
      : deps,
  );
}

/** Elementwise values that will likely run in the store of a kernel: they should not be computed again by their consumer instead. */
function findAnchored(order: readonly Node[], uses: ReadonlyMap<Value, readonly Use[]>, isOutput: ReadonlySet<Value>): Anchored {
  const out = new Set<Node>();
  const widened = new Set<Node>();
  for (const n of order) {
    if (n.op.lower.k !== 'elementwise') continue;
    const shape = n.outputs[0]?.type.shape ?? [];
    for (const v of n.inputs) {
      const d = v?.def;
      if (!v || d?.k !== 'node' || isOutput.has(v) || uses.get(v)?.length !== 1 || !dimsEq(v.type.shape, shape)) continue;
      const kernel = d.op.lower.k === 'kernel' && d.outputs[0] === v && d.op.lower.iterationSpace?.(d) !== undefined;
      if (out.has(d) && bytesOf(v.type.dtype) < bytesOf(must(n.outputs[0]).type.dtype)) widened.add(n);
      else if (kernel || out.has(d)) out.add(n);
    }
  }
  return { stored: out, widened };
}
/** Elementwise nodes behind a kernel. */
interface Anchored {
  /** They run in its store. */
  readonly stored: ReadonlySet<Node>;
  /** What such a one gave becomes larger here, as integers become floats: better to keep it small, and to widen it where it is read. */
  readonly widened: ReadonlySet<Node>;
}

/** The group in which all uses of an elementwise node are, if each may compute the node on the way. */
function commonGroup(n: Node, uses: readonly Use[], group: ReadonlyMap<Node, Node>, anchored: Anchored): Node | undefined {
  const shape = must(n.outputs[0]).type.shape;
  let root: Node | undefined;
  for (const u of uses) {
    const lower = u.node.op.lower;
    const reads =
      lower.k === 'elementwise'
        ? dimsEq(must(u.node.outputs[0]).type.shape, shape)
        : lower.k === 'kernel' && uses.length === 1 && !anchored.stored.has(n) && lower.accepts?.(u.input, u.node) === 'indexMap';
    if (!reads) return undefined;
    const of = must(group.get(u.node));
    if (anchored.widened.has(u.node) && of.op.lower.k === 'kernel') return undefined;
    if (root !== undefined && root !== of) return undefined;
    root = of;
  }
  return root;
}

/** Whether an operand can be indexed in the merged axes: in each group it has all axes in full or none. */
function fitsSpace(operand: readonly Dim[], shape: readonly Dim[], space: readonly (readonly number[])[]): boolean {
  const pad = shape.length - operand.length;
  if (pad < 0) return false;
  return space.every(axes => {
    const counting = axes.filter(a => shape[a] !== 1);
    const full = counting.filter(a => a >= pad && dimEq(operand[a - pad] ?? 1, shape[a] ?? 1)).length;
    return full === counting.length || (full === 0 && counting.every(a => a < pad || operand[a - pad] === 1));
  });
}
