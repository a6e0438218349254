/** Changes of one or a few things in a model: what a broken exporter or an attacker would write, and what no test thought of. */
import { isFloat, type DType } from '../../compiler/core/dtype.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import type { Attr, Model, Node } from './model.ts';
import { GENERATORS } from './operators.ts';

type Next = () => number;
const pick = <T>(next: Next, list: readonly T[]): T => must(list[Math.floor(next() * list.length)]);
const SIZES = [-(2 ** 31), -7, -3, -2, -1, 0, 1, 2, 3, 5, 17, 1000, 65536, 1e8, 2 ** 31 - 1, 2 ** 31, 2 ** 40, 2 ** 53 - 1];
const FLOATS = [NaN, Infinity, -Infinity, 0, -1, 1e-30, 1e30, 0.3];
const TYPES: readonly DType[] = ['f32', 'f64', 'f16', 'i8', 'u8', 'i16', 'i32', 'u32', 'i64', 'bool'];
const WORDS = ['', 'NOTSET', 'SAME_UPPER', 'VALID', 'constant', 'linear', 'cubic', 'nearest', 'align_corners', 'nonsense'];

function attribute(next: Next, a: Attr): Attr {
  const list = typeof a === 'object' && 'length' in a ? [...a] : [];
  switch (Math.floor(next() * 5)) {
    case 0:
      return pick(next, SIZES);
    case 1:
      list[Math.floor(next() * (list.length + 1))] = pick(next, SIZES);
      return list;
    case 2:
      return list.slice(0, -1);
    case 3:
      return { f: pick(next, FLOATS) };
    default:
      return pick(next, WORDS);
  }
}
/** Other contents, another type or other sizes. */
function tensor(next: Next, t: Tensor): Tensor {
  const numbers = [...toNumbers(t)];
  switch (Math.floor(next() * 4)) {
    case 0: {
      if (numbers.length === 0) return t;
      numbers[Math.floor(next() * numbers.length)] = pick(next, isFloat(t.dtype) ? FLOATS : SIZES);
      return fromNumbers(t.dtype, t.dims, numbers);
    }
    case 1:
      return fromNumbers(pick(next, TYPES), t.dims, numbers);
    case 2:
      return { ...t, dims: next() < 0.5 ? [...t.dims, 1] : t.dims.toReversed() };
    default: {
      const dims = [...t.dims];
      dims[Math.floor(next() * dims.length)] = pick(next, [0, 1, 2, 3, 7]);
      return fromNumbers(
        t.dtype,
        dims,
        Array.from({ length: numel(dims) }, (_, i) => numbers[i % Math.max(1, numbers.length)] ?? 0),
      );
    }
  }
}
function node(next: Next, n: Node, names: readonly string[]): Node {
  const inputs = [...n.inputs];
  const { attrs } = n;
  const keys = Object.keys(attrs);
  switch (Math.floor(next() * 7)) {
    case 0:
      return { ...n, op: pick(next, GENERATORS).name };
    case 1:
      inputs[Math.floor(next() * (inputs.length + 1))] = pick(next, names);
      return { ...n, inputs };
    case 2:
      return { ...n, inputs: inputs.slice(0, -1) };
    case 3:
      return { ...n, inputs: inputs.toReversed() };
    case 4:
      if (keys.length === 0) return { ...n, attrs: { axis: pick(next, SIZES) } };
      keys.splice(Math.floor(next() * keys.length), 1);
      return { ...n, attrs: Object.fromEntries(keys.map(key => [key, must(attrs[key])])) };
    default: {
      if (keys.length === 0) return { ...n, attrs: { axis: pick(next, SIZES) } };
      const key = pick(next, keys);
      return { ...n, attrs: { ...attrs, [key]: attribute(next, must(attrs[key])) } };
    }
  }
}
const changed = (next: Next, m: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> => {
  const at = Math.floor(next() * m.size);
  return new Map([...m].map(([name, t], i) => [name, i === at ? tensor(next, t) : t]));
};
export function mutate(next: Next, m: Model): Model {
  let out = m;
  do {
    const names = [...out.inputs.keys(), ...out.constants.keys(), ...out.nodes.flatMap(n => n.outputs), ''];
    const at = Math.floor(next() * out.nodes.length);
    switch (Math.floor(next() * 8)) {
      case 0:
        out = { ...out, constants: changed(next, out.constants) };
        break;
      case 1:
        out = { ...out, inputs: changed(next, out.inputs) };
        break;
      case 2:
        out = { ...out, opset: 1 + Math.floor(next() * 24) };
        break;
      case 3: {
        const before = out.nodes;
        const other = Math.floor(next() * out.nodes.length);
        const nodes = out.nodes.map((_, i) => must(before[i === at ? other : i === other ? at : i]));
        out = { ...out, nodes };
        break;
      }
      default:
        out = { ...out, nodes: out.nodes.map((n, i) => (i === at ? node(next, n, names) : n)) };
    }
  } while (next() < 0.3);
  return out;
}
