import { CompileError, fail, type Loc } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import type { Room } from '../../core/room.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { Unsupported } from '../shared/unsupported.ts';
import { attrKind, dataTypeName, dtypeOf, type AttrKind } from './decode.ts';
import { denseOf } from './sparse.ts';
import { tensorOf } from './tensor.ts';
import type { AttributeProto, GraphProto, NodeProto } from './records.ts';
import type { ExternalResolver } from '../shared/external.ts';

/** The values that attributes of an enclosing function have in this call of it. */
export type AttrScope = ReadonlyMap<string, AttributeProto>;
/** A node's attributes by name, with references to a function's attributes resolved; those that the call leaves out are missing. */
export function resolveAttrs(list: readonly AttributeProto[], scope: AttrScope): AttrScope {
  const out = new Map<string, AttributeProto>();
  for (const a of list) {
    const found = a.refAttrName === '' ? a : scope.get(a.refAttrName);
    if (found) out.set(a.name, found);
  }
  return out;
}

/** Attributes with others added, or in the place of those of their names. */
export const withAttrs = (attrs: AttrScope, more: readonly AttributeProto[]): AttrScope =>
  more.length === 0 ? attrs : new Map([...attrs, ...more.map(a => [a.name, a] as const)]);

/** An operator's name as tables have it. */
export const opKey = (domain: string, op: string): string => (domain === '' ? op : `${domain}.${op}`);
/** The standard domain is written in two ways. */
export const domainOf = (d: string): string => (d === 'ai.onnx' ? '' : d);

interface NodeParts {
  readonly proto: NodeProto;
  readonly attrs: AttrScope;
  readonly inputs: readonly (Value | undefined)[];
  readonly opset: number;
  readonly loc: Loc;
  readonly file: string;
  readonly external: ExternalResolver | undefined;
  readonly room: Room;
  readonly declared: readonly (readonly (number | undefined)[] | undefined)[];
}
/** How attributes of each kind are read. */
interface Kind<T> {
  readonly kinds: readonly AttrKind[];
  readonly what: string;
  read(a: AttributeProto, n: OnnxNode): T | undefined;
}
const kind = <T>(kinds: readonly AttrKind[], what: string, read: Kind<T>['read']): Kind<T> => ({ kinds, what, read });
const INT = kind(['int'], 'an int', a => a.i ?? 0);
const BOOL = kind(['int'], 'an int', (a, n) => {
  const i = a.i ?? 0;
  return i === 0 || i === 1 ? i === 1 : n.reject(`attribute '${a.name}' is ${i}, must be 0 or 1`);
});
const FLOAT = kind(['float'], 'a float', a => a.f ?? 0);
const STRING = kind(['string'], 'a string', a => a.s ?? '');
const INTS = kind(['ints'], 'ints', a => a.ints);
const FLOATS = kind(['floats'], 'floats', a => a.floats);
const STRINGS = kind(['strings'], 'strings', a => a.strings);
const GRAPH = kind<GraphProto>(['graph'], 'a graph', a => a.g);
const TENSOR = kind<Tensor>(['tensor', 'sparse_tensor'], 'a tensor', (a, n) => n.decoded(a));
const DTYPE = kind<DType>(
  ['int'],
  'an int',
  (a, n) => dtypeOf(a.i ?? 0) ?? fail('E106', { type: dataTypeName(a.i ?? 0), what: `attribute '${a.name}'` }, n.loc),
);

/**
 * One node of the file as builders see it. Attributes that refer to those of an enclosing function are resolved. Their readers give E102
 * where an attribute has another type; without a default also where it is missing. A class, for 50,000 of them are made and each has a
 * dozen readers; so it cannot be copied by spreading, and what differs for one caller is a parameter of the builder.
 */
export class OnnxNode {
  private readonly p: NodeParts;
  constructor(p: NodeParts) {
    this.p = p;
  }
  get op(): string {
    return this.p.proto.opType;
  }
  /** '' for the standard domain. */
  get domain(): string {
    return domainOf(this.p.proto.domain);
  }
  /** The version of the domain's operator set that the model is written for. */
  get opset(): number {
    return this.p.opset;
  }
  /** undefined: an optional input left out. Trailing ones may be missing altogether. */
  get inputs(): readonly (Value | undefined)[] {
    return this.p.inputs;
  }
  /** Names of the outputs; '' where not wanted. A builder may give undefined, or nothing, for outputs that are not wanted. */
  get outputs(): readonly string[] {
    return this.p.proto.output;
  }
  get loc(): Loc {
    return this.p.loc;
  }
  private get key(): string {
    return opKey(this.domain, this.op);
  }
  /** The node is wrong: E102. */
  reject(why: string): never {
    return fail('E102', { op: this.key, why }, this.loc);
  }
  /** The node is right, and Sinter cannot do it (yet): E101. Collected, so that the user sees all of them at once. */
  unsupported(why: string): never {
    throw new Unsupported(this.key, why, this.loc);
  }
  /** Input i, which must be there (E102). `what` names it in the message. */
  input(i: number, what?: string): Value {
    return this.inputs[i] ?? this.reject(`input ${i}${what === undefined ? '' : ` (${what})`} is missing`);
  }
  /** Whether output i is wanted. */
  wants(i: number): boolean {
    return (this.outputs[i] ?? '') !== '';
  }
  /** The sizes that the file declares for output i (undefined: open), if it says anything: for sizes that only data would tell. */
  declared(i: number): readonly (number | undefined)[] | undefined {
    return this.p.declared[i];
  }
  has(name: string): boolean {
    return this.p.attrs.has(name);
  }
  /** The attribute as it lies in the file, for what the readers below do not cover. */
  attr(name: string): AttributeProto | undefined {
    return this.p.attrs.get(name);
  }
  /** The tensor of an attribute. */
  decoded(a: AttributeProto): Tensor | undefined {
    const { external, file, room } = this.p;
    try {
      return a.t ? tensorOf(a.t, external, file) : a.sparseTensor && denseOf(a.sparseTensor, room, external, file);
    } catch (e) {
      if (e instanceof CompileError && e.code === 'E106') throw e.at(this.loc);
      throw e;
    }
  }
  private get<T>(k: Kind<T>, args: readonly [string, ...(T | undefined)[]]): T | undefined {
    const [name, otherwise] = args;
    const a = this.p.attrs.get(name);
    if (!a) return args.length > 1 ? otherwise : this.reject(`attribute '${name}' is missing`);
    const is = attrKind(a);
    // Files older than the type field cannot tell an empty list from an empty anything.
    const empty = is === 'undefined' && a.type === 0;
    if (!empty && !k.kinds.includes(is)) this.reject(`attribute '${name}' is of type ${is}, must be ${k.what}`);
    return k.read(a, this) ?? this.reject(`attribute '${name}' has no value`);
  }
  int(name: string): number;
  int<const D extends number | undefined>(name: string, otherwise: D): number | D;
  int(...args: readonly [string, ...(number | undefined)[]]): number | undefined {
    return this.get(INT, args);
  }
  /** An int that is 0 or 1. */
  bool(name: string): boolean;
  bool<const D extends boolean | undefined>(name: string, otherwise: D): boolean | D;
  bool(...args: readonly [string, ...(boolean | undefined)[]]): boolean | undefined {
    return this.get(BOOL, args);
  }
  float(name: string): number;
  float<const D extends number | undefined>(name: string, otherwise: D): number | D;
  /** Attributes are single floats, and so is what stands for one that is missing: operators of doubles see the difference. */
  float(...args: readonly [string, ...(number | undefined)[]]): number | undefined {
    const v = this.get(FLOAT, args);
    return v === undefined ? undefined : Math.fround(v);
  }
  string(name: string): string;
  string<const D extends string | undefined>(name: string, otherwise: D): string | D;
  string(...args: readonly [string, ...(string | undefined)[]]): string | undefined {
    return this.get(STRING, args);
  }
  ints(name: string): readonly number[];
  ints<const D extends readonly number[] | undefined>(name: string, otherwise: D): readonly number[] | D;
  ints(...args: readonly [string, ...(readonly number[] | undefined)[]]): readonly number[] | undefined {
    return this.get(INTS, args);
  }
  floats(name: string): readonly number[];
  floats<const D extends readonly number[] | undefined>(name: string, otherwise: D): readonly number[] | D;
  floats(...args: readonly [string, ...(readonly number[] | undefined)[]]): readonly number[] | undefined {
    return this.get(FLOATS, args);
  }
  strings(name: string): readonly string[];
  strings<const D extends readonly string[] | undefined>(name: string, otherwise: D): readonly string[] | D;
  strings(...args: readonly [string, ...(readonly string[] | undefined)[]]): readonly string[] | undefined {
    return this.get(STRINGS, args);
  }
  /** A tensor, dense or sparse. */
  tensor(name: string): Tensor;
  tensor<const D extends Tensor | undefined>(name: string, otherwise: D): Tensor | D;
  tensor(...args: readonly [string, ...(Tensor | undefined)[]]): Tensor | undefined {
    return this.get(TENSOR, args);
  }
  /** An element type given by ONNX's number; E106 where Sinter has none. */
  dtype(name: string): DType;
  dtype<const D extends DType | undefined>(name: string, otherwise: D): DType | D;
  dtype(...args: readonly [string, ...(DType | undefined)[]]): DType | undefined {
    return this.get(DTYPE, args);
  }
  graph(name: string): GraphProto;
  graph<const D extends GraphProto | undefined>(name: string, otherwise: D): GraphProto | D;
  graph(...args: readonly [string, ...(GraphProto | undefined)[]]): GraphProto | undefined {
    return this.get(GRAPH, args);
  }
}
