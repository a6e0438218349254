import type { AttributeProto, GraphProto, NodeProto, TensorProto } from '../../compiler/import/onnx/decode.ts';

/** Random changes to decoded models that leave them decodable: what a broken exporter or an attacker would write. */
type Next = () => number;
const pick = <T>(next: Next, xs: readonly T[]): T | undefined => xs[Math.floor(next() * xs.length)];
const SIZES = [-(2 ** 31), -7, -3, -2, -1, 0, 1, 2, 3, 5, 17, 1000, 65536, 2 ** 31 - 1, 2 ** 40, Number.MAX_SAFE_INTEGER];
const WORDS = ['', 'NOTSET', 'SAME_UPPER', 'constant', 'linear', 'nonsense'];
const number = (next: Next): number => pick(next, SIZES) ?? 0;

function attribute(next: Next, a: AttributeProto): AttributeProto {
  if (a.g) return { ...a, g: graph(next, a.g, a.g) };
  const ints = [...a.ints];
  switch (Math.floor(next() * 6)) {
    case 0:
      return { ...a, i: number(next), type: 2 };
    case 1:
      ints[Math.floor(next() * (ints.length + 1))] = number(next);
      return { ...a, ints, type: 7 };
    case 2:
      return { ...a, ints: ints.slice(0, -1), floats: a.floats.slice(0, -1) };
    case 3:
      return { ...a, f: pick(next, [NaN, Infinity, -Infinity, 0, -1, 1e30]), type: a.type === 0 ? 0 : 1 };
    case 4:
      return { ...a, s: pick(next, WORDS), type: 3 };
    default:
      return a.t ? { ...a, t: tensor(next, a.t) } : { ...a, name: 'unknown' };
  }
}
/** Other sizes for the same data, or other data of the same sizes. */
function tensor(next: Next, t: TensorProto): TensorProto {
  if (next() < 0.5) {
    const dims = [...t.dims];
    if (next() < 0.5) dims.push(1);
    else dims.reverse();
    return { ...t, dims };
  }
  if (!t.rawData || t.rawData.length === 0) return t;
  const rawData = new Uint8Array(t.rawData);
  const view = new DataView(rawData.buffer);
  if (t.dataType === 7 && rawData.length >= 8) {
    const at = 8 * Math.floor((next() * rawData.length) / 8);
    view.setBigInt64(Math.min(at, rawData.length - 8), BigInt(number(next)), true);
  } else rawData[Math.floor(next() * rawData.length)] = Math.floor(next() * 256);
  return { ...t, rawData };
}
function node(next: Next, n: NodeProto, g: GraphProto, all: GraphProto): NodeProto {
  const names = [...g.input.map(i => i.name), ...g.initializer.map(t => t.name), ...g.node.flatMap(m => m.output), ''];
  const input = [...n.input];
  const at = Math.floor(next() * (input.length + 1));
  switch (Math.floor(next() * 7)) {
    case 0:
      input[at] = pick(next, names) ?? '';
      return { ...n, input };
    case 1:
      return { ...n, input: input.slice(0, -1) };
    case 2:
      return { ...n, input: [...input].reverse() };
    case 3:
      return { ...n, attribute: n.attribute.slice(1) };
    case 4:
      return { ...n, opType: pick(next, all.node)?.opType ?? n.opType };
    case 5:
      return { ...n, output: next() < 0.5 ? [...n.output, 'extra'] : n.output.slice(0, -1) };
    default: {
      const i = Math.floor(next() * n.attribute.length);
      return { ...n, attribute: n.attribute.map((a, j) => (i === j ? attribute(next, a) : a)) };
    }
  }
}
/** The graph with one thing changed. */
function graph(next: Next, g: GraphProto, all: GraphProto): GraphProto {
  const i = Math.floor(next() * g.node.length);
  const j = Math.floor(next() * g.initializer.length);
  const r = next();
  if (r < 0.2 && g.initializer.length > 0)
    return { ...g, initializer: g.initializer.map((t, k) => (k === j ? tensor(next, t) : t)) };
  if (r < 0.35) {
    const size = (): { dimValue: number | undefined; dimParam: string | undefined } =>
      next() < 0.3 ? { dimValue: undefined, dimParam: 'N' } : { dimValue: number(next), dimParam: undefined };
    const k = Math.floor(next() * g.input.length);
    const input = g.input.map((v, at) => {
      const t = v.type?.tensorType;
      if (at !== k || !v.type || !t?.shape) return v;
      const dim = next() < 0.5 ? t.shape.dim.map(size) : next() < 0.5 ? [...t.shape.dim, size()] : t.shape.dim.slice(1);
      const elemType = next() < 0.2 ? 1 + Math.floor(next() * 13) : t.elemType;
      return { ...v, type: { ...v.type, tensorType: { elemType, shape: { dim } } } };
    });
    return { ...g, input };
  }
  return { ...g, node: g.node.map((n, k) => (k === i ? node(next, n, g, all) : n)) };
}
export const mutateGraph = (next: Next, g: GraphProto): GraphProto => graph(next, g, g);
