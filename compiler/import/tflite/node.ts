import { fail, type Loc } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import type { Value } from '../../graph/graph.ts';
import { Unsupported } from '../shared/unsupported.ts';
import { variableName, type Operator, type OptionValue, type Quantization, type TensorRecord } from './records.ts';
import { isResource, type Item, type Resource } from './registry.ts';
import { ACTIVATIONS, PADDINGS, TENSOR_TYPES } from './schema.ts';
import { dtypeOf } from './tensor.ts';

interface NodeParts {
  readonly operator: Operator;
  readonly items: readonly (Item | undefined)[];
  /** Records of inputs and outputs; undefined where one is left out. */
  readonly operands: readonly (TensorRecord | undefined)[];
  readonly results: readonly (TensorRecord | undefined)[];
  readonly loc: Loc;
}
/** One operator of the file as builders see it. A class, for large files have many; it cannot be copied by spreading. */
export class TfliteNode {
  private readonly p: NodeParts;
  constructor(p: NodeParts) {
    this.p = p;
  }
  get op(): string {
    return this.p.operator.op;
  }
  get loc(): Loc {
    return this.p.loc;
  }
  get customOptions(): Uint8Array {
    return this.p.operator.customOptions;
  }
  /** The operator is wrong: E102. */
  reject(why: string): never {
    return fail('E102', { op: this.op, why }, this.loc);
  }
  /** The operator is right, and Sinter cannot do it (yet): E101. */
  unsupported(why: string): never {
    throw new Unsupported(this.op, why, this.loc);
  }
  get count(): number {
    return this.p.items.length;
  }
  get items(): readonly (Item | undefined)[] {
    return this.p.items;
  }
  /** All inputs; none may be left out. */
  get inputs(): readonly Value[] {
    return this.p.items.map((_, i) => this.input(i));
  }
  /** Input i; undefined where it is left out. */
  optional(i: number): Value | undefined {
    const x = this.p.items[i];
    return isResource(x) ? this.reject(`input ${i} is a handle, must be a tensor`) : x;
  }
  /** Input i, which must be there (E102). */
  input(i: number): Value {
    return this.optional(i) ?? this.reject(`input ${i} is missing`);
  }
  resource(i: number): Resource {
    const x = this.p.items[i];
    return isResource(x) ? x : this.reject(`input ${i} is no handle`);
  }
  /** What the file says about input or output i. */
  operand(i: number): TensorRecord {
    return this.p.operands[i] ?? this.reject(`input ${i} is missing`);
  }
  result(i: number): TensorRecord {
    return this.p.results[i] ?? this.reject(`output ${i} is missing`);
  }
  get results(): readonly (TensorRecord | undefined)[] {
    return this.p.results;
  }
  /** The element type of output i. E106 where Sinter has none. */
  resultType(i: number): DType {
    const t = this.result(i);
    return dtypeOf(t.type) ?? fail('E106', { type: t.type.toLowerCase(), what: `tensor '${t.name}'` }, this.loc);
  }
  /** The sizes that the file declares for output i (undefined: open). */
  declared(i: number): readonly (number | undefined)[] {
    const t = this.result(i);
    return (t.signature ?? t.shape).map(d => (d < 0 ? undefined : d));
  }
  quantization(i: number): Quantization | undefined {
    return this.p.operands[i]?.quantization;
  }

  /** An option; where the operator has none at all, each is 0 or empty. */
  private option(name: string): OptionValue | undefined {
    const { table, fields } = this.p.operator.options;
    if (table !== '' && !fields.has(name)) this.reject(`it has the options of ${table}, which have no ${name}`);
    return fields.get(name);
  }
  int(name: string): number {
    return Number(this.option(name) ?? 0);
  }
  bool(name: string): boolean {
    return this.int(name) !== 0;
  }
  /** The variable that a handle leads to. */
  get variable(): string {
    return variableName(this.p.operator.options);
  }
  ints(name: string): readonly number[] {
    const v = this.option(name);
    return typeof v === 'object' ? v : [];
  }
  private named<T extends string>(names: readonly T[], option: string): T {
    const i = this.int(option);
    return names[i] ?? this.reject(`${option} is ${i}, which means nothing`);
  }
  get padding(): (typeof PADDINGS)[number] {
    return this.named(PADDINGS, 'padding');
  }
  get activation(): (typeof ACTIVATIONS)[number] {
    return this.named(ACTIVATIONS, 'fused_activation_function');
  }
  /** An element type that an option names. */
  dtype(option: string): DType {
    const type = this.named(TENSOR_TYPES, option);
    return dtypeOf(type) ?? fail('E106', { type: type.toLowerCase(), what: `option ${option}` }, this.loc);
  }
}
