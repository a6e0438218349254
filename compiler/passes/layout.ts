import { must } from '../core/diagnostic.ts';
import { dimEq, dimsEq, type Dim } from '../core/dim.ts';
import { apply, apply1, constant, nodesOf, tensorOf, type Graph, type Node, type Value } from '../graph/graph.ts';
import { mapSubgraphs } from '../graph/subgraphs.ts';
import { movedAxes } from '../ops/axes.ts';
import { attrsOf, nodeOf } from '../ops/define.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { permute, toChannelsLast, toPlanar } from '../ops/spatial.ts';
import { Reshape, Transpose } from '../ops/movement/view.ts';
import { madeBy } from './match.ts';
import type { GraphPass } from './pass.ts';

/**
 * Convolutions and pools run with channels last: there a convolution is a matrix product over contiguous memory. Everything between
 * them that does not care about the order of axes follows, so that transposes are left only where the model's own layout is asked for:
 * at its borders, and at operators that look at memory order (a reshape across channels).
 */
export const layout: GraphPass = {
  name: 'layout',
  doc: 'Convolutions and what lies between them get channels last; transposes cancel.',
  run: layoutGraph,
};

function layoutGraph(g: Graph): Graph {
  /** Original value to its stand-in with the same axes; with channels last. A value has at least one of them once its node is done. */
  const plainOf = new Map<Value, Value>();
  const lastOf = new Map<Value, Value>();
  let changed = false;

  const plain = (v: Value): Value => {
    let p = plainOf.get(v);
    if (!p) {
      const l = lastOf.get(v);
      p = l ? transposed(l, toPlanar(l.type.shape.length)) : v;
      plainOf.set(v, p);
    }
    return p;
  };
  const last = (v: Value): Value => {
    let l = lastOf.get(v);
    if (!l) {
      l = transposed(plain(v), toChannelsLast(v.type.shape.length));
      lastOf.set(v, l);
    }
    return l;
  };
  /** An operand of an elementwise operator of this rank, channels last. */
  const lastWide = (v: Value, rank: number): Value => {
    if (v.type.shape.length === rank) return last(v);
    const p = plain(v);
    if (p.type.shape.every(d => d === 1)) return p;
    return transposed(
      reshaped(p, [...new Array<Dim>(rank - p.type.shape.length).fill(1), ...p.type.shape]),
      toChannelsLast(rank),
    );
  };
  /** Values that a node has made channels last. */
  const native = new Set<Value>();
  const setLast = (n: Node, outs: readonly Value[]): void => {
    n.outputs.forEach((o, i) => {
      lastOf.set(o, must(outs[i]));
      native.add(o);
    });
    changed = true;
  };

  const convert = (n: Node): boolean => {
    const [x, ...others] = n.inputs;
    const channelsLast = n.op.channelsLast?.(n);
    if (x && channelsLast) {
      setLast(n, apply(n.op, [last(x), ...others.map(v => v && plain(v))], channelsLast, n.loc));
      return true;
    }
    const main = n.inputs.find(v => v !== undefined && native.has(v));
    if (!main) return false;
    const rank = main.type.shape.length;
    const out = n.outputs[0];
    const transpose = nodeOf(n, Transpose);
    if (transpose && out) {
      const from = toPlanar(rank);
      const perm = transpose.attrs.perm.map(p => must(from[p]));
      plainOf.set(out, transposed(last(main), perm, n));
      changed = true;
      return true;
    }
    if (n.op === Reshape && out) return convertReshape(n, main, out);
    if (nodeOf(n, Reduce)?.attrs.keep === false && out) return convertReduce(n, main, out);
    if (n.op.lower.k === 'elementwise' && out) {
      if (out.type.shape.length !== rank || !dimsEq(out.type.shape, main.type.shape)) return false;
      setLast(
        n,
        apply(
          n.op,
          n.inputs.map(v => v && lastWide(v, rank)),
          n.attrs,
          n.loc,
        ),
      );
      return true;
    }
    const attrs = n.op.permuteAxes?.(n, toChannelsLast(rank));
    if (!attrs || n.outputs.some(o => o.type.shape.length !== rank)) return false;
    setLast(
      n,
      apply(
        n.op,
        n.inputs.map(v => v && (v.type.shape.length === rank ? last(v) : plain(v))),
        attrs,
        n.loc,
      ),
    );
    return true;
  };
  const convertReshape = (n: Node, x: Value, out: Value): boolean => {
    const from = x.type.shape;
    const to = out.type.shape;
    // Where all spatial sizes are 1 both layouts are the same memory.
    if (from.slice(2).every(d => d === 1)) {
      plainOf.set(out, reshaped(last(x), to, n));
      changed = true;
      return true;
    }
    // Only the spatial axes are joined or split.
    if (to.length >= 3 && dimEq(must(from[0]), must(to[0])) && dimEq(must(from[1]), must(to[1]))) {
      setLast(n, [reshaped(last(x), [must(to[0]), ...to.slice(2), must(to[1])], n)]);
      return true;
    }
    return false;
  };
  /** A reduction that drops its axes, where those that stay keep their order. */
  const convertReduce = (n: Node, x: Value, out: Value): boolean => {
    const perm = toChannelsLast(x.type.shape.length);
    const attrs = attrsOf(n, Reduce);
    const { axes } = attrs;
    const kept = perm.filter(p => !axes.includes(p));
    if (kept.some((p, i) => i > 0 && p < must(kept[i - 1]))) return false;
    plainOf.set(out, apply1(n.op, [last(x)], { ...attrs, axes: movedAxes(axes, perm) }, n.loc));
    changed = true;
    return true;
  };

  for (const n of nodesOf(g)) {
    if (convert(n)) continue;
    const attrs = mapSubgraphs(n.attrs, layoutGraph);
    const inputs = n.inputs.map(v => v && plain(v));
    if (attrs === n.attrs && inputs.every((v, i) => v === n.inputs[i])) continue;
    changed = true;
    const outs = apply(n.op, inputs, attrs, n.loc);
    n.outputs.forEach((o, i) => plainOf.set(o, must(outs[i])));
  }
  if (!changed) return g;
  return {
    ...g,
    outputs: g.outputs.map(o => ({ name: o.name, value: plain(o.value) })),
    symbolDefinitions: g.symbolDefinitions.map(plain),
  };
}

const isIdentity = (perm: readonly number[]): boolean => perm.every((p, i) => p === i);
/** A value with its axes in another order: constants are moved now, transposes of transposes become one. */
function transposed(v: Value, perm: readonly number[], by?: Node): Value {
  let x = v;
  let p = perm;
  for (let n = madeBy(x, Transpose); n; n = madeBy(x, Transpose)) {
    const inner = n.attrs.perm;
    p = p.map(i => must(inner[i]));
    x = must(n.inputs[0]);
  }
  if (isIdentity(p)) return x;
  const t = tensorOf(x);
  if (t) return constant(permute(t, p), x.def.k === 'const' ? x.def.name : '');
  return apply1(Transpose, [x], { perm: p }, locOf(by ?? x));
}
function reshaped(v: Value, shape: readonly Dim[], by?: Node): Value {
  if (dimsEq(v.type.shape, shape)) return v;
  const t = tensorOf(v);
  if (t && shape.every(d => typeof d === 'number')) return constant({ ...t, dims: shape }, v.def.k === 'const' ? v.def.name : '');
  return apply1(Reshape, [v], { shape }, locOf(by ?? v));
}
const locOf = (x: Node | Value): Node['loc'] => ('loc' in x ? x.loc : x.def.k === 'node' ? x.def.loc : { k: 'none' });
