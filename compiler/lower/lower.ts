import { assert, InternalError, located, must, showLoc, type Loc } from '../core/diagnostic.ts';
import { equalBytes, hashOf } from '../core/bytes.ts';
import { byContents } from '../core/data.ts';
import { dimEq, dimHi, dimProd, symbolsOf, type Dim } from '../core/dim.ts';
import type { DType } from '../core/dtype.ts';
import { splatOf, type Tensor } from '../core/tensor.ts';
import type { TensorType } from '../core/shape.ts';
import type { Def, Graph, Node, Value } from '../graph/graph.ts';
import { KernelBuilder } from '../kernel/builder.ts';
import type { LowerSettings, Ref, SlotBuffer, Source } from '../ops/lowering.ts';
import type { Profile } from '../target/profile.ts';
import { lanesOf } from '../ops/loops.ts';
import { compactRef, isCompact, slotBuffer } from '../ops/ref.ts';
import type { Arg, Port, Program, Slot, Step } from '../program/program.ts';
import { callsOf } from '../program/steps.ts';
import { copyKernel } from './copy.ts';
import { contextOf } from './context.ts';
import { KernelPool } from './kernel-pool.ts';
import { partition, type Partition } from './partition.ts';
import { asBytes, narrowed, widenKernel } from './narrow.ts';
import { placeOutputs } from './placement.ts';
import { SharedValues } from './shared-values.ts';
import { checkSizes } from './sizes.ts';
import { constantSource, elementwiseSource, memorySource, hasNarrowVectors, pointSource, roundedSource } from './source.ts';
import { newSlot, prepares, record, slotOf, type Prepared, type State } from './state.ts';

/** Lowers a graph to kernels and steps for a target. The memory plan comes after. */
export function lowerGraph(graph: Graph, profile: Profile, settings: LowerSettings = {}): Program {
  const state: State = {
    profile,
    settings,
    texts: graph.texts ?? [],
    slots: [],
    kernels: new KernelPool(),
    shared: new SharedValues(),
    steps: [],
    prepare: [],
    weights: byContents(
      t => hashOf(t.bytes),
      (a, b) => a.dtype === b.dtype && equalBytes(a.bytes, b.bytes),
    ),
    symbols: new Map(),
    guards: [],
    traps: [],
  };
  const inputs = graph.inputs.map((v): Port => {
    const name = v.def.k === 'input' ? v.def.name : '';
    for (const d of v.type.shape)
      for (const s of symbolsOf(d)) state.symbols.set(s.name, { name: s.name, lo: s.lo, hi: s.hi, from: 'input' });
    const slot = newSlot(state, name, v.type.dtype, dimProd(v.type.shape), 'input');
    return { name, type: v.type, slot, ...(graph.spelt?.inputs.includes(name) === true && { spelt: true }) };
  });
  const outputs = graph.outputs.map((o): Port => {
    const t = o.value.type;
    const slot = newSlot(state, o.name, t.dtype, dimProd(t.shape), 'output');
    return { name: o.name, type: t, slot, ...(graph.spelt?.outputs.includes(o.name) === true && { spelt: true }) };
  });
  new GraphLowering(state, graph, inputs.map(portRef), outputs.map(portRef), true).run();
  for (const o of outputs)
    for (const d of o.type.shape)
      for (const s of symbolsOf(d)) assert(state.symbols.has(s.name), `symbol ${s.name} of output ${o.name} has no value`);
  return {
    name: graph.name,
    kernels: state.kernels.all(),
    slots: state.slots,
    prepare: usedOf(state.prepare, state.steps),
    steps: state.steps,
    inputs,
    outputs,
    symbols: [...state.symbols.values()],
    guards: state.guards,
    traps: state.traps,
    ...(graph.texts && { texts: graph.texts }),
  };
}
/** The calls that prepare what steps read, or what these calls read: a schedule may ask for weights and then take others. */
function usedOf(prepare: readonly Prepared[], steps: readonly Step[]): readonly Step[] {
  const read = new Set<Slot>();
  const reads = (args: readonly Arg[]): void => {
    for (const a of args) if (a.k === 'buf') read.add(a.slot);
  };
  for (const s of callsOf(steps)) reads(s.args);
  const kept: Step[] = [];
  for (const { to, call } of [...prepare].reverse()) {
    if (!read.has(to)) continue;
    reads(call.args);
    kept.unshift(call);
  }
  return kept;
}
/** Whether two slots are prepared in one way from the same weights. */
const sameWork = (x: Prepared, y: Prepared): boolean =>
  x.call.kernel === y.call.kernel &&
  x.call.args.every((a, i) => {
    const b = y.call.args[i];
    if (a.k === 'int') return b?.k === 'int' && dimEq(a.dim, b.dim);
    return b?.k === 'buf' && dimEq(a.offset, b.offset) && (a.slot === x.to ? b.slot === y.to : a.slot === b.slot);
  });
const portRef = (p: Port): Ref => compactRef(slotBuffer(p.slot), p.type.shape);

/** Lowers one graph: the model's, or the sub-graph of a control-flow node. */
export class GraphLowering {
  readonly state: State;
  private readonly graph: Graph;
  private readonly part: Partition;
  /** Where a value lies. */
  private readonly memory = new Map<Value, Ref>();
  /** Where a value shall be written, when that was decided before its producer runs. */
  private readonly target = new Map<Value, Ref>();
  private readonly sources = new Map<Value, Source>();
  private readonly compactCopies = new Map<Ref, Ref>();
  private readonly outputs: readonly (Ref | undefined)[];
  /** Whether this is the graph of the model and not a part that may not run. */
  private readonly isWhole: boolean;
  /** Whether vectors of narrow integers are loaded and stored. */
  readonly narrow: boolean;
  readonly shared: SharedValues;
  private readonly checked = new Set<string>();

  constructor(state: State, graph: Graph, inputs: readonly Ref[], outputs: readonly (Ref | undefined)[], isWhole: boolean) {
    this.state = state;
    this.isWhole = isWhole;
    this.narrow = hasNarrowVectors(state.profile);
    this.shared = state.shared;
    this.graph = graph;
    this.outputs = outputs;
    this.part = partition(graph);
    graph.inputs.forEach((v, i) => this.memory.set(v, must(inputs[i])));
  }

  /** Gives where each output of the graph lies. */
  run(): readonly Ref[] {
    placeOutputs(this.graph, this.part, this.outputs, this.target, v => this.place(v));
    for (const n of this.part.order) {
      checkSizes(this.state, n, this.isWhole, this.checked);
      if (this.part.inlined.has(n) || this.part.runsWith.has(n)) continue;
      if (n.op.lower.k === 'view' && this.memory.has(must(n.outputs[0]))) continue;
      located(n.loc, () => this.lowerNode(n));
    }
    return this.graph.outputs.map((o, i) => {
      const at = this.ref(o.value);
      const to = this.outputs[i];
      if (!to || to === at) return at;
      this.copy(`${o.name}_out`, memorySource(at, this.narrow), to, { k: 'none' });
      return to;
    });
  }

  /** The memory a value will be written to. */
  private place(v: Value): Ref {
    let to = this.target.get(v);
    if (!to) {
      to = this.tensor(v.def.k === 'node' ? v.def.op.name.toLowerCase() : 'value', v.type);
      this.target.set(v, to);
    }
    return to;
  }

  private lowerNode(n: Node): void {
    const lower = n.op.lower;
    switch (lower.k) {
      case 'elementwise':
      case 'indexMap': {
        const v = must(n.outputs[0]);
        const to = this.place(v);
        this.copy(n.op.name, this.computed(v, n), to, this.groupLoc(n));
        this.memory.set(v, to);
        return;
      }
      case 'view': {
        n.outputs.forEach((v, index) => {
          const x = this.ref(must(n.inputs[0]));
          const c = { attrs: n.attrs, out: v.type, index };
          this.memory.set(
            v,
            lower.ref(x, c) ?? must(lower.ref(this.compact(x, n.loc), c), `view ${n.op.name} of compact memory`),
          );
        });
        return;
      }
      case 'assemble': {
        const v = must(n.outputs[0]);
        const to = this.place(v);
        n.inputs.forEach((x, i) => {
          if (!x) return;
          const part = lower.part(to, i, n);
          const at = this.ref(x);
          if (at.buffer.slot !== part.buffer.slot || !dimEq(at.buffer.offset, part.buffer.offset))
            this.copy(n.op.name, memorySource(at, this.narrow), part, n.loc);
        });
        this.memory.set(v, to);
        return;
      }
      case 'kernel': {
        const tail = this.part.tail.get(n);
        const outs = n.outputs.map((v, i) => (tail && i === 0 ? this.place(must(tail.outputs[0])) : this.place(v)));
        lower.build(contextOf(this, n, tail, outs));
        n.outputs.forEach((v, i) => this.memory.set(i === 0 && tail ? must(tail.outputs[0]) : v, must(outs[i])));
        return;
      }
    }
  }

  /** Where a value lies in memory: a constant gets a slot when it is first asked for. */
  ref(v: Value): Ref {
    const had = this.memory.get(v);
    if (had) return had;
    if (v.def.k === 'const') {
      const r = compactRef(this.weights(v.def.name || 'const', v.def.tensor), v.type.shape);
      this.memory.set(v, r);
      return r;
    }
    // A view that something fused behind an earlier kernel reads: what it is a view of exists by then.
    const views: Node[] = [];
    for (
      let d: Def = v.def;
      d.k === 'node' && d.op.lower.k === 'view' && !this.memory.has(must(d.outputs[0]));
      d = must(d.inputs[0]).def
    )
      views.push(d);
    for (const n of views.reverse()) this.lowerNode(n);
    const now = this.memory.get(v);
    if (now) return now;
    throw new InternalError(
      `value of ${v.def.k === 'node' ? `${v.def.op.name} (${showLoc(v.def.loc)})` : v.def.name} is not in memory`,
    );
  }
  /** A value as its consumer reads it. */
  source(v: Value): Source {
    const had = this.sources.get(v);
    if (had) return had;
    const s = this.makeSource(v);
    this.sources.set(v, s);
    return s;
  }
  private makeSource(v: Value): Source {
    if (v.def.k === 'node' && this.part.inlined.has(v.def)) return roundedSource(this.computed(v, v.def), v.def);
    if (v.def.k === 'const') {
      const one = splatOf(v.def.tensor);
      if (one !== undefined) return constantSource(v.type.dtype, v.type.shape, one);
    }
    return memorySource(this.ref(v), this.narrow);
  }
  /**
   * A node's value as an expression. `epilogue`: the sources of the values in one: at first the result of the kernel before it, then what
   * is computed from that.
   */
  computed(v: Value, n: Node, epilogue?: Map<Value, Source>, space?: readonly (readonly number[])[]): Source {
    const operand = (x: Value): Source => {
      const had = epilogue?.get(x);
      if (had) return had;
      if (epilogue && x.def.k === 'node' && this.part.inlined.has(x.def)) {
        const inside = roundedSource(this.computed(x, x.def, epilogue, space), x.def);
        epilogue.set(x, inside);
        return inside;
      }
      const s = this.source(x);
      return space ? this.walkable(s, v.type.shape, space, n.loc) : s;
    };
    if (n.op.lower.k === 'indexMap')
      return pointSource(
        v,
        n,
        n.inputs.map(x => x && operand(x)),
        this.shared,
      );
    return elementwiseSource(
      v,
      n,
      n.inputs.map(x => operand(must(x)).broadcast(v.type.shape)),
      v.type.shape,
      this,
    );
  }
  /** An operand that the merged axes of a kernel can index: copied to compact memory where it lies otherwise. */
  private walkable(s: Source, shape: readonly Dim[], space: readonly (readonly number[])[], loc: Loc): Source {
    const wide = s.broadcast(shape);
    if (canMergeAll(wide, space) || !s.ref) return s;
    return memorySource(this.compact(s.ref, loc), this.narrow);
  }

  /** Adds a kernel and the step that calls it. */
  kernel(name: string, build: (k: KernelBuilder) => void, loc: Loc): void {
    const k = new KernelBuilder();
    build(k);
    const { kernel, actuals } = k.finish(name, loc);
    if (kernel.body.length === 0) return;
    const args = actuals.map((a): Arg => (a.k === 'int' ? a : { k: 'buf', ...slotOf(a.buffer) }));
    this.state.steps.push({ k: 'call', kernel: this.state.kernels.add(kernel), args, loc, what: name });
  }
  /** Lowers a sub-graph in place; gives where its outputs lie. */
  subgraph(g: Graph, inputs: readonly Ref[]): readonly Ref[] {
    return new GraphLowering(
      this.state,
      g,
      inputs,
      g.outputs.map(() => undefined),
      false,
    ).run();
  }
  copy(name: string, from: Source, to: Ref, loc: Loc): void {
    if (to.dims.some(d => dimHi(d) === 0)) return;
    this.kernel(name, k => copyKernel(k, from, to, this.state.profile, this.shared), loc);
  }
  compact(r: Ref, loc: Loc): Ref {
    if (isCompact(r)) return r;
    const had = this.compactCopies.get(r);
    if (had) return had;
    const to = this.tensor('copy', { dtype: r.buffer.dtype, shape: r.dims });
    this.copy('copy', memorySource(r, this.narrow), to, loc);
    // A copy made inside a branch or a loop is not there outside: sub-graphs have a frame of their own, so this cache is safe.
    this.compactCopies.set(r, to);
    return to;
  }
  /** See LowerCtx. */
  weights(name: string, t: Tensor): SlotBuffer {
    const { profile } = this.state;
    // Where memory is scarce there is no room for floats: integers are widened as they are read.
    if (profile.memory.scarce && lanesOf(profile) === 1) {
      const bytes = asBytes(t);
      return bytes ? { ...this.constant(name, bytes), dtype: t.dtype, stored: bytes.dtype } : this.constant(name, t);
    }
    const small = prepares(this.state) ? narrowed(t) : undefined;
    if (!small) return this.constant(name, t);
    const from = this.constant(name, small.stored);
    const lanes = lanesOf(profile);
    return this.prepared(`widen_${small.kind}`, 'f32', small.size, (k, to) => widenKernel(k, small, from, to, lanes), {
      k: 'none',
    });
  }
  private constant(name: string, t: Tensor): SlotBuffer {
    const make = (): Slot => newSlot(this.state, name, t.dtype, dimProd(t.dims), 'weights', { bytes: t.bytes });
    return slotBuffer(this.state.weights(t, make));
  }
  /** See LowerCtx. What is prepared by an equal call is equal. */
  prepared(name: string, dtype: DType, size: number, build: (k: KernelBuilder, to: SlotBuffer) => void, loc: Loc): SlotBuffer {
    assert(prepares(this.state), `${this.state.profile.name} prepares nothing`);
    const to = newSlot(this.state, name, dtype, size, 'prepared');
    const [call] = record(this.state, () => this.kernel(name, k => build(k, slotBuffer(to)), loc));
    assert(call?.k === 'call', `${name} is written by a kernel`);
    const had = this.state.prepare.find(p => sameWork(p, { to, call }));
    if (!had) this.state.prepare.push({ to, call });
    return slotBuffer(had?.to ?? to);
  }
  tensor(name: string, t: TensorType): Ref {
    return compactRef(slotBuffer(newSlot(this.state, name, t.dtype, dimProd(t.shape), 'arena')), t.shape);
  }
  groupLoc(root: Node, anchor?: Node): Loc {
    const from: Loc[] = anchor ? [anchor.loc] : [];
    const stack = [root];
    const seen = new Set<Node>();
    for (let n = stack.pop(); n; n = stack.pop()) {
      if (seen.has(n)) continue;
      seen.add(n);
      from.push(n.loc);
      for (const v of n.inputs) if (v?.def.k === 'node' && this.part.inlined.has(v.def)) stack.push(v.def);
    }
    return from.length === 1 ? must(from[0]) : { k: 'fused', by: 'fusion', from };
  }
}
function canMergeAll(s: Source, space: readonly (readonly number[])[]): boolean {
  return space.every(g => g.slice(1).every((_, i) => s.canMerge(must(g[i]))));
}
