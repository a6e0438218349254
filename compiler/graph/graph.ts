import { assert, CompileError, fail, located, type Loc } from '../core/diagnostic.ts';
import { dimEq, rangeOf, showDim, staticDims, symbolsOf, type Dim } from '../core/dim.ts';
import { DTYPES, isFloat, isInt, type DType } from '../core/dtype.ts';
import { isFloatNode, type Content } from '../core/float-size.ts';
import { numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { MOST_AXES, type TensorType } from '../core/shape.ts';
import type { Attrs, AttrValue, Guard, Op } from '../ops/define.ts';

/** One tensor flowing along an edge. Values are compared by identity. */
export interface Value {
  readonly type: TensorType;
  readonly def: Def;
  /** Which output of its node. */
  readonly index: number;
  /** The contents of a small integer tensor as dimensions, where they can be told: how shape arithmetic vanishes. */
  readonly symbolic?: readonly Dim[];
  /** What the elements of a small tensor are made of, where sizes make floats on the way and they are no dimensions. */
  readonly floats?: readonly Content[];
}
interface Input {
  readonly k: 'input';
  readonly name: string;
}
export interface Const {
  readonly k: 'const';
  readonly name: string;
  readonly tensor: Tensor;
}
export interface Node {
  readonly k: 'node';
  readonly op: Op;
  readonly attrs: Attrs;
  /** undefined: an optional input that is absent. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  /** What must hold of the dimensions when the model runs. */
  readonly guards: readonly Guard[];
  readonly loc: Loc;
}
/** A node of an operator whose attributes are of type A. */
export interface NodeOf<A> extends Omit<Node, 'attrs'> {
  readonly attrs: A;
}
export type Def = Input | Const | Node;

/** Immutable. A pass builds a new graph that shares what it did not touch. Constants may be shared with enclosing graphs. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  /** One value of each node that gives a run-time symbol its value; such a node is live while the symbol is used. */
  readonly symbolDefinitions: readonly Value[];
  /** The texts that the model knows: what elements of its constants of texts are places in. */
  readonly texts?: readonly string[];
  /**
   * The inputs and outputs that callers take for texts, though the graph has what they hold: bytes of UTF-8 along a last axis more, zeros
   * behind the end.
   */
  readonly spelt?: Spelt;
}
/** Names of inputs and of outputs. */
interface Spelt {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export const input = (name: string, type: TensorType): Value => ({ type, def: { k: 'input', name }, index: 0 });
export const constant = (tensor: Tensor, name = ''): Value => ({
  type: { dtype: tensor.dtype, shape: tensor.dims },
  def: { k: 'const', name, tensor },
  index: 0,
});
/** The tensor of a constant value. */
export const tensorOf = (v: Value | undefined): Tensor | undefined => (v?.def.k === 'const' ? v.def.tensor : undefined);
/** Kernels count along an axis in 32 bits with a sign. */
const LARGEST_SIZE = 2 ** 31 - 1;
/** At most this many elements are tracked symbolically. */
const SYMBOLIC_LIMIT = 256;
/** The contents of a small integer or bool value, if they can be told. */
export function symbolicOf(v: Value | undefined): readonly Dim[] | undefined {
  if (!v) return undefined;
  if (v.symbolic) return v.symbolic;
  const t = tensorOf(v);
  if (!t || !(isInt(t.dtype) || t.dtype === 'bool') || numel(t.dims) > SYMBOLIC_LIMIT) return undefined;
  return [...toNumbers(t)];
}

/** The contents of a small value as far as they are numbers or follow from sizes. */
function contentsOf(v: Value | undefined): readonly Content[] | undefined {
  const known = symbolicOf(v) ?? v?.floats;
  const t = tensorOf(v);
  return known ?? (t && isFloat(t.dtype) && numel(t.dims) <= SYMBOLIC_LIMIT ? [...toNumbers(t)] : undefined);
}

/** The only way to make a node. Type inference runs here, so an ill-typed node cannot exist. */
export function apply(op: Op, inputs: readonly (Value | undefined)[], attrs: Attrs, loc: Loc): readonly Value[] {
  const reject = (why: string): never => fail('E102', { op: op.name, why }, loc);
  const full = op.checkAttrs(attrs, reject);
  checkArity(op, inputs, reject);
  const guards: Guard[] = [];
  const same = (a: Dim, b: Dim, what: string): Dim => {
    if (dimEq(a, b)) return a;
    if (typeof a === 'number' && typeof b === 'number') return reject(`${what}: ${a} and ${b} differ`);
    guards.push({ a, b, what: `${what}: ${showDim(a)} and ${showDim(b)} must be equal` });
    return typeof a === 'number' ? a : typeof b === 'number' ? b : a;
  };
  const types = located(loc, () => op.infer({ inputs, types: inputs.map(v => v?.type), attrs: full, reject, same, loc }));
  for (const t of types) {
    if (t.shape.length > MOST_AXES) reject(`gives ${t.shape.length} axes`);
    for (const d of t.shape) if (typeof d === 'number' && !(d >= 0 && d <= LARGEST_SIZE)) reject(`gives a size of ${d}`);
  }
  const known = types.some(isTracked)
    ? unlessTooLong(() =>
        op.symbolic?.({
          inputs,
          symbolic: inputs.map(symbolicOf),
          contents: i => contentsOf(inputs[i]),
          attrs: full,
          out: types,
        }),
      )
    : [];
  const outputs: Value[] = [];
  const node: Node = { k: 'node', op, attrs: full, inputs, outputs, guards, loc };
  types.forEach((type, index) => {
    outputs.push({ type, def: node, index, ...told(type.dtype, known[index]) });
  });
  return outputs;
}
/** Whether a value is small enough for its contents to be tracked: asked before a list of them is made. */
function isTracked(t: TensorType): boolean {
  const dims = staticDims(t.shape);
  return dims !== undefined && numel(dims) <= SYMBOLIC_LIMIT;
}
/** Contents that are too long to follow as expressions come out when the model runs. */
function unlessTooLong<T>(f: () => readonly T[] | undefined): readonly T[] {
  try {
    return f() ?? [];
  } catch (e) {
    if (e instanceof CompileError && e.code === 'E302') return [];
    throw e;
  }
}
/** Contents as a value has them. Floats that are all numbers are folded and not told. */
function told(dtype: DType, contents: readonly Content[] | undefined): Pick<Value, 'symbolic' | 'floats'> {
  if (contents === undefined || contents.length > SYMBOLIC_LIMIT) return {};
  if (contents.some(isFloatNode)) return { floats: contents };
  const dims = contents.flatMap(d => (isFloatNode(d) ? [] : [d]));
  return !isFloat(dtype) && dims.every(d => holds(dtype, d)) ? { symbolic: dims } : {};
}
/** Whether an element type has every value that a dimension can take. Arithmetic that wraps is not told. */
function holds(dtype: DType, d: Dim): boolean {
  if (!isInt(dtype)) return dtype === 'bool';
  const { bits } = DTYPES[dtype];
  const unsigned = DTYPES[dtype].kind === 'uint';
  // Sizes are far from the bounds of signed 32 and 64 bits, intervals over several symbols perhaps not.
  if (typeof d !== 'number' && !unsigned && bits >= 32) return true;
  const { lo, hi } = rangeOf(d);
  return unsigned ? lo >= 0 && hi < 2 ** bits : lo >= -(2 ** (bits - 1)) && hi < 2 ** (bits - 1);
}
/** `apply` for an operator with one output. */
export function apply1(op: Op, inputs: readonly (Value | undefined)[], attrs: Attrs, loc: Loc): Value {
  const [v] = apply(op, inputs, attrs, loc);
  assert(v !== undefined, `${op.name} has no output`);
  return v;
}
function checkArity(op: Op, inputs: readonly (Value | undefined)[], reject: (why: string) => never): void {
  const variadic = op.inputs.at(-1)?.startsWith('...') ?? false;
  if (inputs.length > op.inputs.length && !variadic) reject(`takes ${op.inputs.length} inputs, not ${inputs.length}`);
  op.inputs.forEach((name, i) => {
    if (!name.endsWith('?') && !name.startsWith('...') && inputs[i] === undefined) reject(`input '${name}' is missing`);
  });
}

/** The graphs among a node's attributes. */
export const subgraphs = (n: Node): readonly Graph[] => Object.values(n.attrs).filter(isGraph);
export const isGraph = (a: AttrValue | undefined): a is Graph => typeof a === 'object' && 'outputs' in a;
const isDims = (a: AttrValue): a is readonly Dim[] => Array.isArray(a);

const symbolCache = new WeakMap<Node, ReadonlySet<string>>();
/** The symbols that a node mentions in its output types and attributes. */
export function symbolsIn(n: Node): ReadonlySet<string> {
  const had = symbolCache.get(n);
  if (had) return had;
  const out = new Set<string>();
  const dim = (d: Dim | string | undefined): void => {
    if (typeof d === 'object') for (const s of symbolsOf(d)) out.add(s.name);
  };
  for (const o of n.outputs) o.type.shape.forEach(dim);
  for (const a of Object.values(n.attrs)) {
    if (a === undefined) continue;
    if (isDims(a)) a.forEach(dim);
    else if (isGraph(a)) {
      for (const m of nodesOf(a)) for (const s of symbolsIn(m)) out.add(s);
    } else if (typeof a === 'object' && 'k' in a) dim(a);
  }
  // Whole sub-graphs are walked for it.
  if (subgraphs(n).length > 0) symbolCache.set(n, out);
  return out;
}

/**
 * The live nodes in dependency order, each once: what the outputs need, and what gives the symbols they use a value. Of what a node
 * depends on, the first comes first; `arrange` may change that.
 */
export function nodesOf(g: Graph, arrange?: (n: Node, deps: readonly Node[]) => readonly Node[]): readonly Node[] {
  const definer = new Map<string, Node>();
  for (const v of g.symbolDefinitions)
    if (v.def.k === 'node') for (const s of v.def.op.definesSymbols?.(v.def) ?? []) definer.set(s, v.def);
  const done = new Set<Node>();
  const order: Node[] = [];
  const stack: { n: Node; deps: readonly Node[]; i: number }[] = [];
  const open = new Set<Node>();
  const push = (n: Node): void => {
    if (done.has(n)) return;
    if (open.has(n)) return;
    open.add(n);
    const deps: Node[] = [];
    for (const v of n.inputs) if (v?.def.k === 'node') deps.push(v.def);
    if (definer.size > 0)
      for (const s of symbolsIn(n)) {
        const d = definer.get(s);
        if (d && d !== n) deps.push(d);
      }
    stack.push({ n, deps: arrange ? arrange(n, deps) : deps, i: 0 });
  };
  const visit = (root: Node): void => {
    push(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const d = top.deps[top.i++];
      if (d) push(d);
      else {
        stack.pop();
        done.add(top.n);
        order.push(top.n);
      }
    }
  };
  for (const o of g.outputs) if (o.value.def.k === 'node') visit(o.value.def);
  if (definer.size > 0)
    for (const o of g.outputs)
      for (const d of o.value.type.shape)
        for (const s of symbolsOf(d)) {
          const n = definer.get(s.name);
          if (n) visit(n);
        }
  return order;
}

/**
 * Rebuilds a graph in dependency order. `to` gives the new outputs of a node from its mapped inputs, or undefined to keep the node
 * (it is applied again only if an input changed).
 */
export function mapGraph(g: Graph, to: (n: Node, inputs: readonly (Value | undefined)[]) => readonly Value[] | undefined): Graph {
  const map = new Map<Value, Value>();
  const get = (v: Value): Value => map.get(v) ?? v;
  for (const n of nodesOf(g)) {
    const inputs = n.inputs.map(v => v && get(v));
    let outs = to(n, inputs);
    if (!outs) {
      if (inputs.every((v, i) => v === n.inputs[i])) continue;
      outs = apply(n.op, inputs, n.attrs, n.loc);
    }
    n.outputs.forEach((o, i) => {
      const x = outs[i];
      if (x) map.set(o, x);
    });
  }
  if (map.size === 0) return g;
  return {
    ...g,
    outputs: g.outputs.map(o => ({ name: o.name, value: get(o.value) })),
    symbolDefinitions: g.symbolDefinitions.map(get),
  };
}
