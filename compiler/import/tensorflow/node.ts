import { CompileError, fail, type Loc } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { layoutOf } from '../shared/tensorflow/window.ts';
import type { Layout } from '../../ops/spatial.ts';
import { Unsupported } from '../shared/unsupported.ts';
import { describe, isValue, type Complex, type Item } from './item.ts';
import type { AttrValue, NodeDef, ShapeProto, TensorProto } from './records.ts';
import { dtypeOf, tensorOf, typeName } from './tensor.ts';
import type { Room } from '../../core/room.ts';

interface NodeParts {
  readonly def: NodeDef;
  readonly inputs: readonly (Item | undefined)[];
  readonly loc: Loc;
  readonly file: string;
  readonly room: Room;
  /** The outputs that something wants. */
  readonly wanted: ReadonlySet<number>;
}
/**
 * One node of the file as builders see it. Attributes that are equal to their default are not in the file, so readers take the default;
 * without one they give E102 where the attribute is missing.
 */
export class TfNode {
  private readonly p: NodeParts;
  private readonly attrs: ReadonlyMap<string, AttrValue>;
  constructor(p: NodeParts) {
    this.p = p;
    this.attrs = new Map(p.def.attr.flatMap(a => (a.value ? [[a.key, a.value] as const] : [])));
  }
  get op(): string {
    return this.p.def.op;
  }
  get name(): string {
    return this.p.def.name;
  }
  get loc(): Loc {
    return this.p.loc;
  }
  /** Data inputs, without control inputs. */
  get items(): readonly (Item | undefined)[] {
    return this.p.inputs;
  }
  /** The node is wrong: E102. */
  reject(why: string): never {
    return fail('E102', { op: this.op, why }, this.loc);
  }
  /** The node is right, and Sinter cannot do it (yet): E101. Collected, so that the user sees all of them at once. */
  unsupported(why: string): never {
    throw new Unsupported(this.op, why, this.loc);
  }
  /** Whether something wants output i. */
  wants(i: number): boolean {
    return this.p.wanted.has(i);
  }
  item(i: number): Item {
    return this.items[i] ?? this.reject(`input ${i} is missing`);
  }
  /** Input i, which must be a tensor. */
  input(i: number): Value {
    const x = this.item(i);
    return isValue(x) ? x : this.unsupported(`its input ${i} is ${describe(x)}`);
  }
  /** All inputs from `first` to before `end`, which must be tensors. */
  inputs(first = 0, end = this.items.length): Value[] {
    return this.items.slice(first, end).map((_, i) => this.input(first + i));
  }
  complex(i: number): Complex {
    const x = this.item(i);
    return !isValue(x) && x.k === 'complex' ? x : this.unsupported(`its input ${i} is ${describe(x)}, not complex numbers`);
  }
  /** The key of the variable, table or stack that input i is. */
  handle(i: number): string {
    const x = this.item(i);
    return !isValue(x) && x.k === 'handle' ? x.key : this.unsupported(`its input ${i} is ${describe(x)}, not a resource`);
  }
  has(name: string): boolean {
    return this.attrs.has(name);
  }
  attr(name: string): AttrValue | undefined {
    return this.attrs.get(name);
  }
  private read<T>(name: string, what: string, get: (a: AttrValue) => T | undefined, otherwise: T | undefined): T {
    const a = this.attrs.get(name);
    if (!a) return otherwise ?? this.reject(`attribute '${name}' is missing`);
    return get(a) ?? otherwise ?? this.reject(`attribute '${name}' must be ${what}`);
  }
  int(name: string, otherwise?: number): number {
    return this.read(name, 'an integer', a => a.i, otherwise);
  }
  bool(name: string, otherwise?: boolean): boolean {
    return this.read(name, 'a bool', a => (a.b === undefined ? undefined : a.b !== 0), otherwise);
  }
  float(name: string, otherwise?: number): number {
    return this.read(name, 'a float', a => a.f, otherwise);
  }
  string(name: string, otherwise?: string): string {
    return this.read(name, 'text', a => a.s, otherwise);
  }
  ints(name: string, otherwise?: readonly number[]): readonly number[] {
    return this.read(name, 'a list of integers', a => a.list?.i, otherwise);
  }
  floats(name: string, otherwise?: readonly number[]): readonly number[] {
    return this.read(name, 'a list of floats', a => a.list?.f, otherwise);
  }
  strings(name: string, otherwise?: readonly string[]): readonly string[] {
    return this.read(name, 'a list of texts', a => a.list?.s, otherwise);
  }
  /** TensorFlow's number of an element type. */
  type(name: string, otherwise?: number): number {
    return this.read(name, 'a type', a => a.type, otherwise);
  }
  /** An element type; E106 where Sinter has none. */
  dtype(name: string, otherwise?: DType): DType {
    const type = this.attrs.get(name)?.type;
    if (type === undefined && otherwise !== undefined) return otherwise;
    const number = type ?? this.type(name);
    return dtypeOf(number) ?? fail('E106', { type: typeName(number), what: `attribute '${name}'` }, this.loc);
  }
  shape(name: string): ShapeProto | undefined {
    return this.attrs.get(name)?.shape;
  }
  /** The name of a function. */
  func(name: string): string {
    return this.read(name, 'a function', a => a.func?.name, undefined);
  }
  funcs(name: string): readonly string[] {
    return this.read(name, 'a list of functions', a => a.list?.func.map(f => f.name), undefined);
  }
  /** The layout that the attribute `data_format` says. */
  layout(otherwise = 'NHWC'): Layout {
    return layoutOf(this.string('data_format', otherwise));
  }
  tensorProto(name: string): TensorProto {
    return this.read(name, 'a tensor', a => a.tensor, undefined);
  }
  decoded(t: TensorProto): Tensor {
    const { file, room } = this.p;
    try {
      return tensorOf(t, { file, name: this.name, room });
    } catch (e) {
      if (e instanceof CompileError && e.code === 'E106') throw e.at(this.loc);
      throw e;
    }
  }
}
