import { showDim, type Dim } from '../core/dim.ts';
import { apply, isGraph, type Node, type Value } from '../graph/graph.ts';
import type { AttrValue } from '../ops/define.ts';
import { internBytes } from '../core/bytes.ts';
import type { Tensor } from '../core/tensor.ts';
import { mapDeep, type Step } from './deep.ts';
import type { GraphPass } from './pass.ts';

/** Two nodes of one operator on the same values with the same attributes are one. Linear: nodes are found by a key. */
export const cse: GraphPass = {
  name: 'cse',
  doc: 'Equal expressions are computed once.',
  run: g => {
    const ids = new Ids();
    return mapDeep(g, () => merge(ids));
  },
};

/** Small numbers for objects, the same for what is equal. */
class Ids {
  private readonly objects = new Map<object, number>();
  private readonly texts = new Map<string, number>();
  private readonly firstBytes = internBytes();
  private next = 0;
  of(o: object): number {
    return this.number(this.objects, o);
  }
  /** By contents. */
  ofBytes(bytes: Uint8Array): number {
    return this.of(this.firstBytes(bytes));
  }
  ofText(s: string): number {
    return this.number(this.texts, s);
  }
  private number<K>(map: Map<K, number>, key: K): number {
    let id = map.get(key);
    if (id === undefined) map.set(key, (id = this.next++));
    return id;
  }
}

function merge(ids: Ids): Step {
  const made = new Map<string, readonly Value[]>();
  return (n, inputs) => {
    const key = `${n.op.name}(${inputs.map(v => (v ? valueId(ids, v) : '_')).join()}){${attrsKey(ids, n)}}`;
    const had = made.get(key);
    if (had) return had;
    const same = inputs.every((v, i) => v === n.inputs[i]);
    const outputs = same ? n.outputs : apply(n.op, inputs, n.attrs, n.loc);
    made.set(key, outputs);
    return same ? undefined : outputs;
  };
}
const valueId = (ids: Ids, v: Value): number => (v.def.k === 'const' ? constantId(ids, v.def.tensor) : ids.of(v));
const constantId = (ids: Ids, t: Tensor): number => ids.ofText(`${t.dtype}[${t.dims.join()}]@${ids.ofBytes(t.bytes)}`);
const attrsKey = (ids: Ids, n: Node): string =>
  Object.entries(n.attrs)
    .map(([name, a]) => `${name}:${a === undefined ? '' : attrKey(ids, a)}`)
    .join();
function attrKey(ids: Ids, a: AttrValue): string {
  if (typeof a === 'string') return JSON.stringify(a);
  if (typeof a === 'boolean') return String(a);
  if (isGraph(a)) return `graph${ids.of(a)}`;
  return Array.isArray(a) ? `[${a.map(dimKey).join()}]` : dimKey(a as Dim);
}
const dimKey = (d: Dim): string => (Object.is(d, -0) ? '-0' : showDim(d));
