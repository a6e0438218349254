import { assert, InternalError, must, showLoc, type Loc } from '../core/diagnostic.ts';
import { dimEq, dimHi, dimProd, showDim, symbolsOf, type Dim } from '../core/dim.ts';
import { splatOf, type Tensor } from '../core/tensor.ts';
import type { TensorType } from '../core/shape.ts';
import { subgraphs, type Def, type Graph, type Node, type Value } from '../graph/graph.ts';
import { KernelBuilder } from '../kernel/builder.ts';
import type { Attrs } from '../ops/define.ts';
import type { LowerCtx, LowerSettings, Ref, Sink, SlotBuffer, Source } from '../ops/lowering.ts';
import type { Profile } from '../target/profile.ts';
import { compactRef, isCompact, partOf, slotBuffer } from '../ops/ref.ts';
import type { Arg, Port, Program, Step, SymbolInfo } from '../program/program.ts';
import { copyKernel } from './copy.ts';
import { partition, type Partition } from './partition.ts';
import {
  constantSource,
  elementwiseSource,
  fusedSink,
  epiloguePlaceholder,
  memorySink,
  memorySource,
  hasNarrowVectors,
  pointSource,
  type EpiloguePlaceholder,
} from './source.ts';
import { newSlot, newTrap, record, slotOf, type State } from './state.ts';

/** Lowers a graph to kernels and steps for a target. The memory plan comes after. */
export function lowerGraph(graph: Graph, profile: Profile, settings: LowerSettings = {}): Program {
  const state: State = {
    profile,
    settings,
    slots: [],
    kernels: new Map(),
    names: new Map(),
    steps: [],
    weights: new Map(),
    symbols: new Map(),
    guards: [],
    traps: [],
  };
  const inputs = graph.inputs.map((v): Port => {
    const name = v.def.k === 'input' ? v.def.name : '';
    for (const d of v.type.shape)
      for (const s of symbolsOf(d)) state.symbols.set(s.name, { name: s.name, lo: s.lo, hi: s.hi, from: 'input' });
    return { name, type: v.type, slot: newSlot(state, name, v.type.dtype, dimProd(v.type.shape), 'input') };
  });
  const outputs = graph.outputs.map((o): Port => {
    const t = o.value.type;
    return { name: o.name, type: t, slot: newSlot(state, o.name, t.dtype, dimProd(t.shape), 'output') };
  });
  const frame = new Frame(state, graph, inputs.map(portRef), outputs.map(portRef), true);
  frame.run();
  for (const o of outputs)
    for (const d of o.type.shape)
      for (const s of symbolsOf(d)) assert(state.symbols.has(s.name), `symbol ${s.name} of output ${o.name} has no value`);
  return {
    name: graph.name,
    kernels: [...state.kernels.values()],
    slots: state.slots,
    steps: state.steps,
    inputs,
    outputs,
    symbols: [...state.symbols.values()],
    guards: state.guards,
    traps: state.traps,
  };
}
const portRef = (p: Port): Ref => compactRef(slotBuffer(p.slot), p.type.shape);

/** Lowers one graph: the model's, or the sub-graph of a control-flow node. */
class Frame {
  private readonly state: State;
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
  private readonly narrow: boolean;
  private readonly checked = new Set<string>();

  constructor(state: State, graph: Graph, inputs: readonly Ref[], outputs: readonly (Ref | undefined)[], isWhole: boolean) {
    this.state = state;
    this.isWhole = isWhole;
    this.narrow = hasNarrowVectors(state.profile);
    this.graph = graph;
    this.outputs = outputs;
    this.part = partition(graph);
    graph.inputs.forEach((v, i) => this.memory.set(v, must(inputs[i])));
  }

  /** Gives where each output of the graph lies. */
  run(): readonly Ref[] {
    this.placeOutputs();
    for (const n of this.part.order) {
      this.check(n);
      if (this.part.inlined.has(n) || this.part.runsWith.has(n)) continue;
      if (n.op.lower.k === 'view' && this.memory.has(must(n.outputs[0]))) continue;
      this.lowerNode(n);
    }
    return this.graph.outputs.map((o, i) => {
      const at = this.ref(o.value);
      const to = this.outputs[i];
      if (!to || to === at) return at;
      this.copy(`${o.name}_out`, memorySource(at, this.narrow), to, { k: 'none' });
      return to;
    });
  }

  /**
   * Sizes that must be equal for a node: a guard of the model where they follow from the inputs and the node runs always, else a step,
   * since only then both have a value.
   */
  private check(n: Node): void {
    const { state } = this;
    for (const g of n.guards) {
      if (dimEq(g.a, g.b)) continue;
      const key = `${showDim(g.a)} = ${showDim(g.b)}`;
      if (this.checked.has(key)) continue;
      this.checked.add(key);
      const symbols = [...symbolsOf(g.a), ...symbolsOf(g.b)].map(s => must(state.symbols.get(s.name), `symbol ${s.name}`));
      const what = `${g.what} (${showLoc(n.loc)})`;
      if (this.isWhole && symbols.every(s => s.from === 'input')) state.guards.push({ ...g, what });
      else state.steps.push({ k: 'check', a: g.a, b: g.b, trap: newTrap(state, what) });
    }
  }

  /** Outputs that are written by a kernel go straight to their slot; parts of an assembled tensor to their part. */
  private placeOutputs(): void {
    this.graph.outputs.forEach((o, i) => {
      const d = o.value.def;
      const to = this.outputs[i];
      if (to && d.k === 'node' && d.op.lower.k !== 'view' && !this.target.has(o.value)) this.target.set(o.value, to);
    });
    const uses = new Map<Value, number>();
    for (const n of this.part.order) for (const v of n.inputs) if (v) uses.set(v, (uses.get(v) ?? 0) + 1);
    for (const o of this.graph.outputs) uses.set(o.value, (uses.get(o.value) ?? 0) + 1);
    // From the back, so that an assembled tensor that is itself a part has its place first.
    for (const n of [...this.part.order].reverse()) {
      const lower = n.op.lower;
      if (lower.k !== 'assemble') continue;
      const whole = this.place(must(n.outputs[0]));
      n.inputs.forEach((v, i) => {
        if (!v || uses.get(v) !== 1 || v.def.k !== 'node' || this.target.has(v)) return;
        const to = lower.part(whole, i, n);
        if (takesPlace(v.def, this.part, to)) this.target.set(v, to);
      });
    }
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
        lower.build(this.context(n, tail, outs));
        n.outputs.forEach((v, i) => this.memory.set(i === 0 && tail ? must(tail.outputs[0]) : v, must(outs[i])));
        return;
      }
    }
  }

  /** Where a value lies in memory: a constant gets a slot when it is first asked for. */
  private ref(v: Value): Ref {
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
  private source(v: Value): Source {
    const had = this.sources.get(v);
    if (had) return had;
    const s = this.makeSource(v);
    this.sources.set(v, s);
    return s;
  }
  private makeSource(v: Value): Source {
    if (v.def.k === 'node' && this.part.inlined.has(v.def)) return this.computed(v, v.def);
    if (v.def.k === 'const') {
      const one = splatOf(v.def.tensor);
      if (one !== undefined) return constantSource(v.type.dtype, v.type.shape, one);
    }
    return memorySource(this.ref(v), this.narrow);
  }
  /** A node's value as an expression. */
  private computed(
    v: Value,
    n: Node,
    hole?: { readonly value: Value; readonly source: Source },
    space?: readonly (readonly number[])[],
  ): Source {
    const operand = (x: Value): Source => {
      if (hole && x === hole.value) return hole.source;
      const inside = x.def.k === 'node' && this.part.inlined.has(x.def) ? x.def : undefined;
      if (inside && hole) return this.computed(x, inside, hole, space);
      const s = this.source(x);
      return space ? this.walkable(s, v.type.shape, space, n.loc) : s;
    };
    if (n.op.lower.k === 'indexMap')
      return pointSource(
        v,
        n,
        n.inputs.map(x => x && operand(x)),
      );
    return elementwiseSource(
      v,
      n,
      n.inputs.map(x => operand(must(x)).broadcast(v.type.shape)),
      v.type.shape,
    );
  }
  /** An operand that the merged axes of a kernel can index: copied to compact memory where it lies otherwise. */
  private walkable(s: Source, shape: readonly Dim[], space: readonly (readonly number[])[], loc: Loc): Source {
    const wide = s.broadcast(shape);
    if (canMergeAll(wide, space) || !s.ref) return s;
    return memorySource(this.compact(s.ref, loc), this.narrow);
  }

  private context(n: Node, tail: Node | undefined, outs: readonly Ref[]): LowerCtx<Attrs> {
    const loc = tail ? this.groupLoc(tail, n) : n.loc;
    const input = (i: number): Value => must(n.inputs[i], `input ${i} of ${n.op.name}`);
    const asRef = (i: number): Ref => {
      const s = this.source(input(i));
      if (s.ref) return s.ref;
      const v = input(i);
      if (v.def.k === 'const') return this.ref(v);
      const to = this.tensor(`${n.op.name.toLowerCase()}_in`, v.type);
      this.copy(`${n.op.name}_in`, s, to, n.loc);
      return to;
    };
    const sink0 = (): Sink => {
      const to = memorySink(must(outs[0]), this.narrow);
      if (!tail) return to;
      const v = must(n.outputs[0]);
      const hole: EpiloguePlaceholder = epiloguePlaceholder(v.type.dtype, v.type.shape);
      const space = n.op.lower.k === 'kernel' ? n.op.lower.iterationSpace?.(n) : undefined;
      const expr = this.computed(must(tail.outputs[0]), tail, { value: v, source: hole.source }, space);
      return fusedSink(hole, expr, to);
    };
    return {
      attrs: n.attrs,
      node: n,
      types: n.inputs.map(v => v?.type),
      out: n.outputs.map(v => v.type),
      profile: this.state.profile,
      settings: this.state.settings,
      loc,
      source: i => {
        const v = n.inputs[i];
        return v && this.source(v);
      },
      need: i => this.source(input(i)),
      contiguous: i => this.compact(asRef(i), n.loc),
      rows: i => {
        const r = asRef(i);
        return r.strides.at(-1) === 1 || r.dims.at(-1) === 1 ? r : this.compact(r, n.loc);
      },
      constant: i => {
        const d = n.inputs[i]?.def;
        return d?.k === 'const' ? d.tensor : undefined;
      },
      sink: i => (i === 0 ? sink0() : memorySink(must(outs[i]), this.narrow)),
      temp: (name, dtype, size) => slotBuffer(newSlot(this.state, name, dtype, size, 'arena')),
      scratch: (name, dtype, size) => slotBuffer(newSlot(this.state, name, dtype, size, 'arena', { scratch: true })),
      weights: (name, t) => this.weights(name, t),
      part: partOf,
      kernel: (name, build) => this.kernel(name, build, loc),
      readSymbol: (name, from, why) => {
        const { lo, hi } = this.defineSymbol(name, n);
        const what = why ?? `a size that the model computes is not within ${lo} to ${hi}`;
        const trap = newTrap(this.state, `${what} (${showLoc(n.loc)})`);
        this.state.steps.push({ k: 'read', symbol: name, ...slotOf(from), trap });
      },
      copy: (name, from, to) => this.copy(name, from, to, loc),
      sourceOf: r => memorySource(r, this.narrow),
      graph: (g, inputs) =>
        new Frame(
          this.state,
          g,
          inputs,
          g.outputs.map(() => undefined),
          false,
        ).run(),
      branch: (cond, then, otherwise) =>
        void this.state.steps.push({
          k: 'branch',
          cond: slotOf(cond),
          then: record(this.state, then),
          else: record(this.state, otherwise),
        }),
      loop: (symbol, trip, cond, body) => {
        this.loop(symbol, { trip, cond: cond && slotOf(cond) }, body);
      },
      parallelLoop: (symbol, trip, body) => {
        this.loop(symbol, { trip, cond: undefined, parallel: true }, body);
      },
      tensor: (name, t) => this.tensor(name, t),
    };
  }
  private loop(symbol: Dim, how: Pick<Extract<Step, { k: 'loop' }>, 'trip' | 'cond' | 'parallel'>, body: () => void): void {
    const [s] = symbolsOf(symbol);
    assert(s !== undefined, 'a loop counts with a symbol');
    this.state.symbols.set(s.name, { name: s.name, lo: s.lo, hi: s.hi, from: 'run' });
    this.state.steps.push({ k: 'loop', symbol: s.name, ...how, body: record(this.state, body) });
  }
  /** A run-time symbol of a node, with the range that the node's types and attributes give it. */
  private defineSymbol(name: string, n: Node): SymbolInfo {
    const find = (d: unknown): void => {
      if (typeof d === 'object' && d !== null && 'k' in d && d.k === 'poly')
        for (const s of symbolsOf(d as Dim))
          if (s.name === name) this.state.symbols.set(name, { name, lo: s.lo, hi: s.hi, from: 'run' });
    };
    for (const v of n.outputs) {
      v.type.shape.forEach(find);
      v.symbolic?.forEach(find);
    }
    for (const a of Object.values(n.attrs)) {
      find(a);
      if (Array.isArray(a)) a.forEach(find);
    }
    for (const g of subgraphs(n)) for (const o of g.outputs) o.value.type.shape.forEach(find);
    if (!this.state.symbols.has(name)) this.state.symbols.set(name, { name, lo: 0, hi: 2 ** 31 - 1, from: 'run' });
    return must(this.state.symbols.get(name));
  }

  private kernel(name: string, build: (k: KernelBuilder) => void, loc: Loc): void {
    const k = new KernelBuilder();
    build(k);
    const { kernel, actuals } = k.finish(name, loc);
    if (kernel.body.length === 0) return;
    const key = JSON.stringify([kernel.params, kernel.body], (_, x: unknown) =>
      typeof x === 'bigint' ? `${x}n` : Object.is(x, -0) ? '-0' : typeof x === 'number' && !Number.isFinite(x) ? String(x) : x,
    );
    let shared = this.state.kernels.get(key);
    if (!shared) {
      const clean = name.replace(/\W+/g, '_').toLowerCase();
      const n = this.state.names.get(clean) ?? 0;
      this.state.names.set(clean, n + 1);
      shared = { ...kernel, name: n === 0 ? clean : `${clean}_${n}` };
      this.state.kernels.set(key, shared);
    }
    const args = actuals.map((a): Arg => (a.k === 'int' ? a : { k: 'buf', ...slotOf(a.buffer) }));
    this.state.steps.push({ k: 'call', kernel: shared, args, loc, what: name });
  }
  private copy(name: string, from: Source, to: Ref, loc: Loc): void {
    if (to.dims.some(d => dimHi(d) === 0)) return;
    this.kernel(name, k => copyKernel(k, from, to, this.state.profile), loc);
  }
  private compact(r: Ref, loc: Loc): Ref {
    if (isCompact(r)) return r;
    const had = this.compactCopies.get(r);
    if (had) return had;
    const to = this.tensor('copy', { dtype: r.buffer.dtype, shape: r.dims });
    this.copy('copy', memorySource(r, this.narrow), to, loc);
    // A copy made inside a branch or a loop is not there outside: sub-graphs have a frame of their own, so this cache is safe.
    this.compactCopies.set(r, to);
    return to;
  }
  private weights(name: string, t: Tensor): SlotBuffer {
    let slot = this.state.weights.get(t.bytes);
    if (slot?.dtype !== t.dtype) {
      slot = newSlot(this.state, name, t.dtype, dimProd(t.dims), 'weights', { bytes: t.bytes });
      this.state.weights.set(t.bytes, slot);
    }
    return slotBuffer(slot);
  }
  private tensor(name: string, t: TensorType): Ref {
    return compactRef(slotBuffer(newSlot(this.state, name, t.dtype, dimProd(t.shape), 'arena')), t.shape);
  }
  private groupLoc(root: Node, anchor?: Node): Loc {
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
