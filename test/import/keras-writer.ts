/** Writes small models of Keras: HDF5 as h5py lays it out by default, zip archives without packing, configurations. */
import { bytesOf, type DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';

type Attributes = Readonly<Record<string, string | readonly string[]>>;
/** A group by what it holds. */
export interface H5Group {
  readonly attributes?: Attributes;
  readonly children?: Readonly<Record<string, H5Group | Tensor>>;
}
const isTensor = (x: H5Group | Tensor): x is Tensor => 'dtype' in x;
export const f32 = (dims: readonly number[], values: ArrayLike<number>): Tensor => fromNumbers('f32', dims, values);
export const ascii = (s: string): Uint8Array => new TextEncoder().encode(s);

/** A file that grows; places are filled in when they are known. */
interface Out {
  bytes: number[];
}
const put = (o: Out, at: number, bytes: ArrayLike<number>): void => {
  for (let i = 0; i < bytes.length; i++) o.bytes[at + i] = bytes[i] ?? 0;
};
const add = (o: Out, bytes: ArrayLike<number>): number => {
  while (o.bytes.length % 8 !== 0) o.bytes.push(0);
  const at = o.bytes.length;
  put(o, at, bytes);
  return at;
};
const le = (n: number, size: number): number[] => Array.from({ length: size }, (_, i) => Math.floor(n / 2 ** (8 * i)) % 256);
const NONE = new Array<number>(8).fill(255);
const padded = (b: readonly number[], to = 8): number[] => [...b, ...new Array<number>((to - (b.length % to)) % to).fill(0)];

const space = (dims: readonly number[]): number[] => [1, dims.length, 0, 0, 0, 0, 0, 0, ...dims.flatMap(d => le(d, 8))];
const FLOATS: Partial<Record<DType, readonly number[]>> = {
  f16: [10, 5, 10, 15],
  f32: [23, 8, 23, 127],
  f64: [52, 11, 52, 1023],
};
function datatype(t: DType): number[] {
  const size = bytesOf(t);
  const float = FLOATS[t];
  if (float) {
    const [at = 0, exponent = 0, mantissa = 0, bias = 0] = float;
    return [0x11, 0x20, size * 8 - 1, 0, ...le(size, 4), 0, 0, ...le(size * 8, 2), at, exponent, 0, mantissa, ...le(bias, 4)];
  }
  return [0x10, t.startsWith('i') ? 8 : 0, 0, 0, ...le(size, 4), 0, 0, ...le(size * 8, 2)];
}
const textType = (size: number): number[] => [0x13, 0, 0, 0, ...le(size, 4)];
function attribute(name: string, value: string | readonly string[]): number[] {
  const list = typeof value === 'string' ? [value] : value;
  const encoded = list.map(ascii);
  const size = Math.max(1, ...encoded.map(b => b.length));
  const data = encoded.flatMap(b => [...b, ...new Array<number>(size - b.length).fill(0)]);
  const [n, type, dims] = [[...ascii(name), 0], textType(size), space(typeof value === 'string' ? [] : [list.length])];
  return [1, 0, ...[n, type, dims].flatMap(b => le(b.length, 2)), ...padded(n), ...padded(type), ...padded(dims), ...data];
}
type Message = readonly [type: number, data: readonly number[]];
/** An object header of version 1. */
function header(o: Out, messages: readonly Message[]): number {
  const body = messages.flatMap(([type, data]) => {
    const d = padded(data);
    return [...le(type, 2), ...le(d.length, 2), 0, 0, 0, 0, ...d];
  });
  return add(o, [1, 0, ...le(messages.length, 2), ...le(1, 4), ...le(body.length, 4), 0, 0, 0, 0, ...body]);
}
const attributes = (a: Attributes | undefined): Message[] =>
  Object.entries(a ?? {}).map(([k, v]) => [0xc, attribute(k, v)] as const);
function dataset(o: Out, t: Tensor): number {
  const at = t.bytes.length === 0 ? NONE : le(add(o, t.bytes), 8);
  return header(o, [
    [1, space(t.dims)],
    [3, datatype(t.dtype)],
    [8, [3, 1, ...at, ...le(t.bytes.length, 8)]],
  ]);
}
/** Entries of a node of a symbol table, and children of a node of its tree, at most: what the file's head says. */
const [ENTRIES, CHILDREN] = [8, 32];
/** A group as a symbol table: nodes of names in order, under one node of a tree. */
function group(o: Out, g: H5Group): number {
  const children = Object.entries(g.children ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const names: number[] = new Array<number>(8).fill(0);
  const entries = children.map(([name, x]) => {
    const at = names.length;
    names.push(...padded([...ascii(name), 0]));
    const to = isTensor(x) ? dataset(o, x) : group(o, x);
    return { at, bytes: [...le(at, 8), ...le(to, 8), ...new Array<number>(24).fill(0)] };
  });
  if (entries.length > ENTRIES * CHILDREN) throw new Error(`${entries.length} names are too many for one group`);
  const data = add(o, names);
  const heap = add(o, [...ascii('HEAP'), 0, 0, 0, 0, ...le(names.length, 8), ...le(1, 8), ...le(data, 8)]);
  const full = (b: readonly number[], size: number): number[] => [...b, ...new Array<number>(size - b.length).fill(0)];
  const parts = Array.from({ length: Math.max(1, Math.ceil(entries.length / ENTRIES)) }, (_, i) =>
    entries.slice(i * ENTRIES, (i + 1) * ENTRIES),
  );
  const nodes = parts.map(part => {
    const bytes = [...ascii('SNOD'), 1, 0, ...le(part.length, 2), ...part.flatMap(e => e.bytes)];
    return [...le(add(o, full(bytes, 8 + 40 * ENTRIES)), 8), ...le(part.at(-1)?.at ?? 0, 8)];
  });
  const head = [...ascii('TREE'), 0, 0, ...le(nodes.length, 2), ...NONE, ...NONE, ...le(0, 8), ...nodes.flat()];
  const tree = add(o, full(head, 32 + 16 * CHILDREN));
  return header(o, [[0x11, [...le(tree, 8), ...le(heap, 8)]], ...attributes(g.attributes)]);
}
export function writeHdf5(root: H5Group): Uint8Array {
  const o: Out = { bytes: new Array<number>(96).fill(0) };
  const at = group(o, root);
  put(o, 0, [0x89, ...ascii('HDF\r\n\x1a\n'), 0, 0, 0, 0, 0, 8, 8, 0, ...le(4, 2), ...le(16, 2), 0, 0, 0, 0]);
  put(o, 24, [...le(0, 8), ...NONE, ...le(o.bytes.length, 8), ...NONE, ...le(0, 8), ...le(at, 8)]);
  return Uint8Array.from(o.bytes);
}

const CRC = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});
const crc32 = (b: Uint8Array): number => ~b.reduce((c, x) => (CRC[(c ^ x) & 255] ?? 0) ^ (c >>> 8), -1) >>> 0;
/** A zip archive of files that are stored as they are. */
export function writeZip(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const out: number[] = [];
  const directory = Object.entries(files).flatMap(([name, data]) => {
    const at = out.length;
    const n = ascii(name);
    const sizes = [...le(crc32(data), 4), ...le(data.length, 4), ...le(data.length, 4), ...le(n.length, 2), 0, 0];
    out.push(...le(0x04034b50, 4), 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...sizes, ...n);
    for (const byte of data) out.push(byte);
    return [
      ...le(0x02014b50, 4),
      20,
      0,
      20,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      ...sizes,
      ...new Array<number>(10).fill(0),
      ...le(at, 4),
      ...n,
    ];
  });
  const count = le(Object.keys(files).length, 2);
  const end = [...le(0x06054b50, 4), 0, 0, 0, 0, ...count, ...count, ...le(directory.length, 4), ...le(out.length, 4), 0, 0];
  return Uint8Array.from([...out, ...directory, ...end]);
}

export interface TestLayer {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly inbound_nodes?: unknown;
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly [key: string]: unknown;
}
/** What a sequential model is in a configuration; layers without their weights. */
export const sequential = (input: readonly (number | null)[], layers: readonly TestLayer[], dtype = 'float32'): unknown => ({
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: [{ class_name: 'InputLayer', config: { batch_shape: input, dtype, name: 'x' } }, ...layers].map(l => ({
      ...l,
      weights: undefined,
    })),
  },
});
/** A .h5 of a model: weights by the names that Keras gives them. */
export function writeH5(config: unknown, layers: readonly TestLayer[], version: string): Uint8Array {
  const suffix = version.startsWith('3') ? '' : ':0';
  const groups = layers.map(({ config: { name }, weights = {} }) => {
    const entries = Object.entries(weights).map(([key, t]) => [`${key}${suffix}`, t] as const);
    const nested = (list: readonly (readonly [string, Tensor])[]): H5Group => {
      const children: Record<string, H5Group | Tensor> = {};
      for (const [path, t] of list) {
        const [head = '', ...rest] = path.split('/');
        children[head] =
          rest.length === 0
            ? t
            : nested(list.filter(([p]) => p.startsWith(`${head}/`)).map(([p, x]) => [p.slice(head.length + 1), x]));
      }
      return { children };
    };
    const weightNames = entries.map(([key]) => `${name}/${key}`);
    return [name, { attributes: { weight_names: weightNames }, children: { [name]: nested(entries) } }] as const;
  });
  return writeHdf5({
    attributes: { keras_version: version, backend: 'tensorflow', model_config: JSON.stringify(config) },
    children: {
      model_weights: { attributes: { layer_names: layers.map(l => l.config.name) }, children: Object.fromEntries(groups) },
    },
  });
}
/** A .keras of a model. `weights`: the file of weights by paths of groups, each with its variables in order. */
export function writeKeras(
  config: unknown,
  weights: Readonly<Record<string, readonly Tensor[]>>,
  version = '3.15.1',
): Uint8Array {
  const build = (paths: readonly (readonly [string, readonly Tensor[]])[]): H5Group => {
    const children: Record<string, H5Group | Tensor> = {};
    for (const [path, vars] of paths) {
      const [head = '', ...rest] = path.split('/');
      if (head === '') children['vars'] = { children: Object.fromEntries(vars.map((t, i) => [String(i), t])) };
      else if (rest.length > 0)
        children[head] = build(paths.filter(([p]) => p.startsWith(`${head}/`)).map(([p, v]) => [p.slice(head.length + 1), v]));
    }
    return { children };
  };
  return writeZip({
    'metadata.json': ascii(JSON.stringify({ keras_version: version })),
    'config.json': ascii(JSON.stringify(config)),
    'model.weights.h5': writeHdf5(build(Object.entries(weights).map(([p, v]) => [`${p}/`, v] as const))),
  });
}
