import { substitute, symbolsOf, type Dim } from '../core/dim.ts';
import type { AttrValue, Attrs } from '../ops/define.ts';
import { apply, isGraph, mapGraph, symbolsIn, type Graph, type Value } from './graph.ts';

/** What symbols become: a number or another dimension. */
type Substitution = ReadonlyMap<string, Dim>;

/** The graph with symbols replaced in all types and attributes; nodes that mention none of them are kept. */
export function specialise(g: Graph, by: Substitution): Graph {
  if (by.size === 0) return g;
  const moved = new Map<Value, Value>();
  const inputs = g.inputs.map(v => {
    if (![...v.type.shape, ...(v.symbolic ?? [])].some(d => mentions(d, by))) return v;
    const shape = v.type.shape.map(d => put(d, by));
    const w: Value = { ...v, type: { ...v.type, shape }, ...(v.symbolic ? { symbolic: v.symbolic.map(d => put(d, by)) } : {}) };
    moved.set(v, w);
    return w;
  });
  const out = mapGraph(g, (n, mapped) => {
    const ins = mapped.map(v => v && (moved.get(v) ?? v));
    if (ins.every((v, i) => v === mapped[i]) && ![...symbolsIn(n)].some(s => by.has(s))) return undefined;
    return apply(n.op, ins, specialiseAttrs(n.attrs, by), n.loc);
  });
  const outputs = out.outputs.map(o => ({ name: o.name, value: moved.get(o.value) ?? o.value }));
  const same = outputs.every((o, i) => o.value === g.outputs[i]?.value) && moved.size === 0;
  return same && out === g ? g : { ...out, inputs, outputs };
}
const mentions = (d: Dim, by: Substitution): boolean => typeof d !== 'number' && symbolsOf(d).some(s => by.has(s.name));
const put = (d: Dim, by: Substitution): Dim => substitute(d, name => by.get(name));
function specialiseAttrs(attrs: Attrs, by: Substitution): Attrs {
  const value = (a: AttrValue): AttrValue => {
    if (typeof a === 'string' || typeof a === 'boolean') return a;
    if (isGraph(a)) return specialise(a, by);
    return Array.isArray(a) ? a.map((d: Dim) => put(d, by)) : put(a as Dim, by);
  };
  return Object.fromEntries(Object.entries(attrs).map(([name, a]) => [name, a === undefined ? a : value(a)]));
}
