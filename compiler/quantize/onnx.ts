import protobuf from 'protobufjs/minimal.js';
import { concatBytes, equalBytes } from '../core/bytes.ts';
import { fail, must } from '../core/diagnostic.ts';
import { fromNumbers, type Tensor } from '../core/tensor.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { valueNames } from './names.ts';
import type { NodePlan, QuantizationPlan, ValuePlan } from './plan.ts';
import { sitesOf, type Site } from './sites.ts';
import { inBlocks, movedIn, rowBlock } from './insert.ts';
import { blockWeights, fourBitWeights, halfWeights, integerWeights, scaledRows } from './weights.ts';

/**
 * An ONNX model with what a plan says as QuantizeLinear and DequantizeLinear, for onnxruntime. The file is rewritten field by field: what is not
 * touched stays as it is. Before opset 13, whose operators have no scales by channel, those of com.microsoft take their place.
 */

type Writer = InstanceType<typeof protobuf.Writer>;
interface Field {
  readonly id: number;
  /** Its bytes with the tag; `body` is what is in it, where it has a length. */
  readonly raw: Uint8Array;
  readonly body: Uint8Array | undefined;
}
function fieldsOf(bytes: Uint8Array): Field[] {
  const r = protobuf.Reader.create(bytes);
  const out: Field[] = [];
  while (r.pos < r.len) {
    const start = r.pos;
    const tag = r.uint32();
    const body = (tag & 7) === 2 ? r.bytes() : undefined;
    if (!body) r.skipType(tag & 7);
    out.push({ id: tag >>> 3, raw: bytes.subarray(start, r.pos), body });
  }
  return out;
}
const text = (f: Field | undefined): string => (f?.body ? new TextDecoder().decode(f.body) : '');
const texts = (fields: readonly Field[], id: number): string[] => fields.filter(f => f.id === id).map(text);
function built(write: (w: Writer) => void): Uint8Array {
  const w = protobuf.Writer.create();
  write(w);
  return new Uint8Array(w.finish());
}
const message = (id: number, body: Uint8Array): Uint8Array => built(w => w.uint32(id * 8 + 2).bytes(body));

/** ONNX's numbers of element types. */
const TYPES = { f32: 1, u8: 2, i8: 3, i64: 7, f16: 10 } as const;
const initializer = (name: string, type: keyof typeof TYPES, t: Tensor): Uint8Array =>
  message(
    5,
    built(w => {
      for (const d of t.dims) w.uint32(8).int64(d);
      w.uint32(16).int32(TYPES[type]).uint32(66).string(name).uint32(74).bytes(t.bytes);
    }),
  );
function node(
  op: string,
  inputs: readonly string[],
  output: string,
  o: { domain?: string; axis?: number; to?: number; perm?: readonly number[] } = {},
): Uint8Array {
  const ints = (name: string, list: readonly number[]): Uint8Array =>
    built(w => {
      w.uint32(10).string(name).uint32(160).int32(7);
      for (const v of list) w.uint32(64).int64(v);
    });
  const int = (name: string, v: number): Uint8Array =>
    built(w => w.uint32(10).string(name).uint32(24).int64(v).uint32(160).int32(2));
  return message(
    1,
    built(w => {
      for (const i of inputs) w.uint32(10).string(i);
      w.uint32(18).string(output).uint32(26).string(`${output}/${op}`).uint32(34).string(op);
      if (o.axis !== undefined) w.uint32(42).bytes(int('axis', o.axis));
      if (o.to !== undefined) w.uint32(42).bytes(int('to', o.to));
      if (o.perm) w.uint32(42).bytes(ints('perm', o.perm));
      if (o.domain !== undefined) w.uint32(58).string(o.domain);
    }),
  );
}

/** What the writer knows of the model while it goes through its nodes. */
interface Context {
  readonly domain: string | undefined;
  readonly values: ReadonlyMap<Value, string>;
  readonly plan: QuantizationPlan;
  readonly initializers: ReadonlyMap<string, readonly Field[]>;
  readonly out: Uint8Array[];
  /** Values that were rounded: the name of what stands for them. */
  readonly rounded: Map<string, string>;
}
const scalar = (v: number, type: 'f32' | 'u8' | 'i8'): Tensor => fromNumbers(type, [], [v]);

/**
 * The model's file with QuantizeLinear and DequantizeLinear. 4-bit integers are written as bytes: the file is for comparing, not small.
 * E403 for a plan with nodes of int8-dynamic, or whose weights are not initialisers of the file.
 */
export function quantizedOnnx(
  model: Uint8Array,
  g: Graph,
  names: ReadonlyMap<Value, string>,
  plan: QuantizationPlan,
): Uint8Array {
  const refuse = (why: string): never => fail('E403', { option: 'emit', why });
  if (Object.values(plan.nodes).some(n => n.scheme === 'int8-dynamic'))
    refuse('plans of the scheme int8-dynamic are not written as ONNX');
  const top = fieldsOf(model);
  const opset = top.flatMap(f => {
    const parts = f.id === 8 && f.body ? fieldsOf(f.body) : [];
    const version = parts.find(p => p.id === 2);
    return version && text(parts.find(p => p.id === 1)) === '' ? [protobuf.Reader.create(version.raw.subarray(1)).uint32()] : [];
  })[0];
  const domain = (opset ?? 0) >= 13 ? undefined : 'com.microsoft';
  // A node of the file may be several: the products of a recurrent network.
  const sites = new Map<string, Site[]>();
  for (const s of sitesOf(g).sites) {
    const { loc } = s.node;
    if (s.inside && Object.hasOwn(plan.nodes, s.name)) refuse(`nodes inside of loops and branches are not written: ${s.name}`);
    const own = loc.k === 'part' && loc.name !== '' ? loc.name : s.name;
    if (Object.hasOwn(plan.nodes, s.name)) sites.set(own, [...(sites.get(own) ?? []), s]);
  }
  const done = new Set<string>();
  const graph = (bytes: Uint8Array): Uint8Array => {
    const fields = fieldsOf(bytes);
    const initializers = new Map(
      fields.flatMap(f => {
        const constant = constantOf(f);
        return constant ? [[constant.name, constant.tensor] as const] : [];
      }),
    );
    const c: Context = { domain, values: valueNames(g, names), plan, initializers, out: [], rounded: new Map() };
    for (const f of fields) {
      const parts = f.id === 1 && f.body ? fieldsOf(f.body) : [];
      if (f.id === 5) continue;
      const here = [...texts(parts, 3), ...texts(parts, 2)].flatMap(n => sites.get(n) ?? []).filter(s => !done.has(s.name));
      const written = here.length > 0 ? quantizeNode(c, parts, here) : [];
      for (const s of written) done.add(s.name);
      if (written.length === 0) c.out.push(f.raw);
    }
    const read = namesRead(fields, c.out);
    const kept = fields.filter(f => {
      const constant = constantOf(f);
      return f.id === 5 && constant && (!read || read.has(constant.name));
    });
    return concatBytes([...kept.map(f => f.raw), ...c.out.filter(raw => !isIdle(raw, read))]);
  };
  const parts = top.map(f => (f.id === 7 && f.body ? message(7, graph(f.body)) : f.raw));
  const lacking = [...sites.values()].flatMap(list => list.map(s => s.name)).filter(s => !done.has(s));
  if (lacking.length > 0)
    refuse(`the file has no initialiser with the weights of ${lacking.slice(0, 5).join(', ')}; leave it out with --exclude`);
  if (domain !== undefined)
    parts.push(
      message(
        8,
        built(w => w.uint32(10).string(domain).uint32(16).int64(1)),
      ),
    );
  return concatBytes(parts);
}
/** An initialiser, or a node Constant, with the fields of its tensor. */
function constantOf(f: Field): { readonly name: string; readonly tensor: readonly Field[] } | undefined {
  if (!f.body || (f.id !== 5 && f.id !== 1)) return undefined;
  const parts = fieldsOf(f.body);
  if (f.id === 5) return { name: text(parts.find(p => p.id === 8)), tensor: parts };
  if (text(parts.find(p => p.id === 4)) !== 'Constant') return undefined;
  const value = parts.flatMap(p => (p.id === 5 && p.body ? fieldsOf(p.body) : [])).find(p => p.id === 5);
  return value?.body && { name: text(parts.find(p => p.id === 2)), tensor: fieldsOf(value.body) };
}
/** The names that nodes, inputs and outputs of the graph mention; undefined where nodes hold graphs, which may read any. */
function namesRead(fields: readonly Field[], written: readonly Uint8Array[]): ReadonlySet<string> | undefined {
  const out = new Set(fields.flatMap(f => ((f.id === 11 || f.id === 12) && f.body ? texts(fieldsOf(f.body), 1) : [])));
  for (const f of written.flatMap(fieldsOf)) {
    const parts = f.id === 1 && f.body ? fieldsOf(f.body) : [];
    for (const name of texts(parts, 1)) out.add(name);
    if (parts.some(p => p.id === 5 && p.body && fieldsOf(p.body).some(a => a.id === 6 || a.id === 11))) return undefined;
  }
  return out;
}
/** Whether it is a node Constant that nothing reads any more. */
const isIdle = (raw: Uint8Array, read: ReadonlySet<string> | undefined): boolean =>
  fieldsOf(raw).some(f => {
    const constant = f.id === 1 ? constantOf(f) : undefined;
    return constant !== undefined && read?.has(constant.name) === false;
  });
/** Writes a node with what it reads and gives. Gives those of its sites whose weights are an initialiser, and so were written. */
function quantizeNode(c: Context, parts: readonly Field[], sites: readonly Site[]): readonly Site[] {
  const inputs = texts(parts, 1);
  const [output = ''] = texts(parts, 2);
  const found = sites.flatMap(site => {
    const at = inputs.findIndex(name => holds(c.initializers.get(name), site.weights));
    return at < 0 ? [] : [{ site, at, how: must(c.plan.nodes[site.name]) }];
  });
  const [first] = found;
  if (!first) return [];
  if (first.site.k === 'table') {
    writeLookup(c, first.site, first.how, inputs[1] ?? '', output);
    return [first.site];
  }
  const now = [...inputs];
  for (const { site, at, how } of found) {
    const range = how.scheme === 'int8' || how.scheme === 'w4' ? c.plan.values[c.values.get(site.x) ?? ''] : undefined;
    if (how.scheme === 'int8') now[0] = roundedInput(c, inputs[0] ?? '', must(range));
    else if (range?.smooth) now[0] = smoothedInput(c, inputs[0] ?? '', range.smooth);
    const weights = range?.smooth ? scaledRows(site, range.smooth) : site.weights;
    now[at] = writeWeights(c, site, how, weights, dimsOf(must(c.initializers.get(inputs[at] ?? ''))));
  }
  const { site, how } = first;
  const y = how.bias === undefined ? output : weightsName(site)('y');
  c.out.push(message(1, renamed(parts, now, y)));
  if (how.bias) {
    const of = weightsName(site);
    const rank = must(site.node.outputs[0]).type.shape.length;
    const dims = Array.from({ length: rank - site.outAxis }, (_, i) => (i === 0 ? (how.bias?.length ?? 0) : 1));
    c.out.push(initializer(of('bias'), 'f32', fromNumbers('f32', dims, how.bias)), node('Add', [y, of('bias')], output));
  }
  return found.map(f => f.site);
}
const weightsName =
  (site: Site) =>
  (what: string): string =>
    `${site.name}/weights/${what}`;
/** Writes weights of few bits and what makes floats of these again; gives the name of the floats. `dims`: as the file has them. */
function writeWeights(c: Context, site: Site, how: NodePlan, weights: Tensor, dims: readonly number[]): string {
  const of = weightsName(site);
  if (how.scheme === 'f16') {
    c.out.push(initializer(of('half'), 'f16', { ...halfWeights(weights), dims }), node('Cast', [of('half')], of('w'), { to: 1 }));
    return of('w');
  }
  if (how.scheme === 'w4' && inBlocks(site)) {
    const rows = site.channels === 0 ? 0 : 1;
    writeBlocks(c, of, blockWeights(weights, rows, { ...how, moved: movedIn(how, site) }));
    const [n, k] = [must(weights.dims[rows]), must(weights.dims[1 - rows])];
    writeShape(c, of, 'matrix', rows === 0 ? dims : [n, k]);
    if (rows === 0) return of('matrix');
    c.out.push(node('Transpose', [of('matrix')], of('w'), { perm: [1, 0] }));
    return of('w');
  }
  const whole = how.per === 'tensor';
  const { q, scale } =
    how.scheme === 'w4'
      ? fourBitWeights(weights, site.channels, whole, movedIn(how, site))
      : integerWeights(weights, site.channels, whole);
  const channels = whole ? [] : [must(weights.dims[site.channels])];
  c.out.push(initializer(of('q'), 'i8', { ...q, dims }), initializer(of('scale'), 'f32', { ...scale, dims: channels }));
  c.out.push(initializer(of('zero'), 'i8', fromNumbers('i8', channels, new Float64Array(channels[0] ?? 1))));
  const axis = whole ? {} : { axis: site.channels + dims.length - weights.dims.length };
  c.out.push(node('DequantizeLinear', [of('q'), of('scale'), of('zero')], of('w'), { ...domainOf(c), ...axis }));
  return of('w');
}
/** Blocks as floats [rows, blocks, block], of the name `blocks`. */
function writeBlocks(c: Context, of: (what: string) => string, w: ReturnType<typeof blockWeights>): void {
  const narrow = [...w.scales.dims, 1];
  const zeros = w.zeros ? { ...w.zeros, dims: narrow } : scalar(8, 'u8');
  c.out.push(
    initializer(of('q'), 'u8', w.q),
    initializer(of('scale'), 'f32', { ...w.scales, dims: narrow }),
    initializer(of('zero'), 'u8', zeros),
    node('Cast', [of('q')], of('integers'), { to: 1 }),
    node('Cast', [of('zero')], of('zeros'), { to: 1 }),
    node('Sub', [of('integers'), of('zeros')], of('steps')),
    node('Mul', [of('steps'), of('scale')], of('blocks')),
  );
}
function writeShape(c: Context, of: (what: string) => string, to: string, dims: readonly number[]): void {
  const shape = { dtype: 'i64', dims: [dims.length], bytes: new Uint8Array(BigInt64Array.from(dims, BigInt).buffer) } as const;
  c.out.push(initializer(of('shape'), 'i64', shape), node('Reshape', [of('blocks'), of('shape')], of(to)));
}
/** Writes the rows of a table in few bits, and their widening. */
function writeLookup(c: Context, site: Site, how: NodePlan, indices: string, output: string): void {
  const of = weightsName(site);
  const block = how.scheme === 'w4' ? rowBlock(site) : undefined;
  if (block !== undefined) {
    writeBlocks(c, of, blockWeights(site.weights, 0, { block }));
    writeShape(c, of, 'table', site.weights.dims);
    c.out.push(node('Gather', [of('table'), indices], output));
    return;
  }
  if (how.scheme === 'f16') {
    c.out.push(initializer(of('half'), 'f16', halfWeights(site.weights)));
    c.out.push(node('Gather', [of('half'), indices], of('rows')), node('Cast', [of('rows')], output, { to: 1 }));
    return;
  }
  const { q, scale } = integerWeights(site.weights, 0, false);
  c.out.push(initializer(of('q'), 'i8', q), initializer(of('scale'), 'f32', scale));
  c.out.push(node('Gather', [of('q'), indices], of('rows')), node('Cast', [of('rows')], of('floats'), { to: 1 }));
  c.out.push(node('Gather', [of('scale'), indices], of('scales')), node('Mul', [of('floats'), of('scales')], output));
}
/** The dims of an initialiser, one after the other or packed. */
function dimsOf(fields: readonly Field[]): number[] {
  return fields
    .filter(f => f.id === 1)
    .flatMap(f => {
      const r = protobuf.Reader.create(f.body ?? f.raw);
      if (!f.body) r.uint32();
      const out: number[] = [];
      while (r.pos < r.len) out.push(Number(r.int64()));
      return out;
    });
}
const domainOf = (c: Context): { domain?: string } => (c.domain === undefined ? {} : { domain: c.domain });
/** The name of a value with its channels divided, which is made where it is first read. */
function smoothedInput(c: Context, x: string, smooth: readonly number[]): string {
  const of = (what: string): string => `${x}/input/${what}`;
  const had = c.rounded.get(of('smooth'));
  if (had !== undefined) return had;
  const factors = smooth.map(s => 1 / s);
  c.out.push(initializer(of('smooth'), 'f32', fromNumbers('f32', [smooth.length], factors)));
  c.out.push(node('Mul', [x, of('smooth')], of('smoothed')));
  c.rounded.set(of('smooth'), of('smoothed'));
  return of('smoothed');
}
/** The name of a value rounded to bytes and back, which is made where it is first read. */
function roundedInput(c: Context, x: string, { scale, zero, smooth }: ValuePlan): string {
  const had = c.rounded.get(x);
  if (had !== undefined) return had;
  const of = (what: string): string => `${x}/input/${what}`;
  const from = smooth ? smoothedInput(c, x, smooth) : x;
  c.out.push(initializer(of('scale'), 'f32', scalar(scale, 'f32')), initializer(of('zero'), 'u8', scalar(zero, 'u8')));
  c.out.push(node('QuantizeLinear', [from, of('scale'), of('zero')], of('bytes'), domainOf(c)));
  c.out.push(node('DequantizeLinear', [of('bytes'), of('scale'), of('zero')], of('rounded'), domainOf(c)));
  c.rounded.set(x, of('rounded'));
  return of('rounded');
}
/** A node's fields with other inputs and another first output. */
const renamed = (parts: readonly Field[], inputs: readonly string[], output: string): Uint8Array =>
  concatBytes([
    built(w => {
      for (const i of inputs) w.uint32(10).string(i);
      w.uint32(18).string(output);
    }),
    ...parts.filter(p => p.id !== 1 && p.id !== 2).map(p => p.raw),
  ]);
/** Whether an initialiser holds these weights. */
function holds(fields: readonly Field[] | undefined, weights: Tensor): boolean {
  const raw = fields?.find(f => f.id === 9)?.body;
  const floats = fields?.find(f => f.id === 4)?.body;
  return (raw !== undefined && equalBytes(raw, weights.bytes)) || (floats !== undefined && equalBytes(floats, weights.bytes));
}
