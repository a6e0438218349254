import { must, showLoc } from '../core/diagnostic.ts';
import type { Node, Value } from '../graph/graph.ts';
import type { Attrs } from '../ops/define.ts';
import type { LowerCtx, Ref, Sink } from '../ops/lowering.ts';
import { choose } from '../ops/tuning.ts';
import { partOf, slotBuffer } from '../ops/ref.ts';
import type { GraphLowering } from './lower.ts';
import { addLoop, defineSymbol } from './sizes.ts';
import { epiloguePlaceholder, fusedSink, memorySink, memorySource, roundedSource } from './source.ts';
import { newSlot, newTrap, prepares, record, slotOf } from './state.ts';

/**
 * What the lowering of node `n` may ask for. `tail`: the last node of the epilogue, where consumers of output 0 are fused behind `n`;
 * `outs`: where the outputs go.
 */
export function contextOf(g: GraphLowering, n: Node, tail: Node | undefined, outs: readonly Ref[]): LowerCtx<Attrs> {
  const { state } = g;
  const loc = tail ? g.groupLoc(tail, n) : n.loc;
  const input = (i: number): Value => must(n.inputs[i], `input ${i} of ${n.op.name}`);
  const asRef = (i: number): Ref => {
    const s = g.source(input(i));
    if (s.ref) return s.ref;
    const v = input(i);
    if (v.def.k === 'const') return g.ref(v);
    const to = g.tensor(`${n.op.name.toLowerCase()}_in`, v.type);
    g.copy(`${n.op.name}_in`, s, to, n.loc);
    return to;
  };
  const sink0 = (): Sink => {
    const to = memorySink(must(outs[0]), g.narrow);
    if (!tail) return to;
    const v = must(n.outputs[0]);
    const placeholder = epiloguePlaceholder(v.type.dtype, v.type.shape);
    const space = n.op.lower.k === 'kernel' ? n.op.lower.iterationSpace?.(n) : undefined;
    const expr = g.computed(must(tail.outputs[0]), tail, new Map([[v, roundedSource(placeholder.source, n)]]), space);
    return fusedSink(placeholder, expr, to, g.shared);
  };
  return {
    attrs: n.attrs,
    node: n,
    types: n.inputs.map(v => v?.type),
    out: n.outputs.map(v => v.type),
    profile: state.profile,
    settings: state.settings,
    loc,
    texts: state.texts,
    source: i => {
      const v = n.inputs[i];
      return v && g.source(v);
    },
    need: i => g.source(input(i)),
    contiguous: i => g.compact(asRef(i), n.loc),
    rows: i => {
      const r = asRef(i);
      return r.strides.at(-1) === 1 || r.dims.at(-1) === 1 ? r : g.compact(r, n.loc);
    },
    constant: i => {
      const d = n.inputs[i]?.def;
      return d?.k === 'const' ? d.tensor : undefined;
    },
    sink: i => (i === 0 ? sink0() : memorySink(must(outs[i]), g.narrow)),
    temp: (name, dtype, size) => slotBuffer(newSlot(state, name, dtype, size, 'arena')),
    scratch: (name, dtype, size) => slotBuffer(newSlot(state, name, dtype, size, 'arena', { scratch: true })),
    weights: (name, t) => g.weights(name, t),
    prepares: prepares(state),
    prepared: (name, dtype, size, build) => g.prepared(name, dtype, size, build, loc),
    part: partOf,
    choose: (aspect, candidates, estimate) => choose(state.settings.tuned, n, aspect, candidates, estimate),
    kernel: (name, build) => g.kernel(name, build, loc),
    readSymbol: (name, from, why) => {
      const { lo, hi } = defineSymbol(state, name, n);
      const what = why ?? `a size that the model computes is not within ${lo} to ${hi}`;
      const trap = newTrap(state, `${what} (${showLoc(n.loc)})`);
      state.steps.push({ k: 'read', symbol: name, ...slotOf(from), trap });
    },
    stopIf: (cell, why) => {
      state.steps.push({ k: 'stop', ...slotOf(cell), trap: newTrap(state, `${why} (${showLoc(n.loc)})`) });
    },
    copy: (name, from, to) => g.copy(name, from, to, loc),
    sourceOf: r => memorySource(r, g.narrow),
    graph: (sub, inputs) => g.subgraph(sub, inputs),
    branch: (cond, then, otherwise) =>
      void state.steps.push({
        k: 'branch',
        cond: slotOf(cond),
        then: record(state, then),
        else: record(state, otherwise),
      }),
    loop: (symbol, trip, cond, body) => {
      addLoop(state, symbol, { trip, cond: cond && slotOf(cond) }, body);
    },
    parallelLoop: (symbol, trip, body) => {
      addLoop(state, symbol, { trip, cond: undefined, parallel: true }, body);
    },
    tensor: (name, t) => g.tensor(name, t),
  };
}
