/** What generators of operators draw from: random choices, and values that the graph has so far. */
import { isFloat, type DType } from '../../compiler/core/dtype.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { fromNumbers, numel, type Tensor } from '../../compiler/core/tensor.ts';
import type { Attr } from './model.ts';
import type { Known } from './oracle.ts';

export interface Val {
  readonly name: string;
  readonly t: Tensor;
}
/** An operator to be tried. */
export interface Spec {
  readonly op: string;
  readonly inputs: readonly (Val | undefined)[];
  readonly attrs?: Readonly<Record<string, Attr | undefined>>;
  readonly outputs?: number;
  readonly domain?: string;
}
/** Numbers at which functions turn, overflow or are undefined. */
const TURNS = [0, -0, 1, -1, 0.5, -0.5, 2, 3, -3, 6, 1e-6, 1e-3, 88, -88, 104, 710, 1e4, -1e4, 65504, 1e10];

export class Draw {
  readonly opset: number;
  readonly next: () => number;
  readonly known = new Map<string, Known>();
  readonly values: Val[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly inputs = new Map<string, Tensor>();
  constructor(seed: number) {
    this.next = randomStream(seed);
    this.opset = this.pick([7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]);
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  between(lo: number, hi: number): number {
    return lo + this.below(hi - lo + 1);
  }
  chance(p: number): boolean {
    return this.next() < p;
  }
  pick<T>(list: readonly T[]): T {
    return must(list[this.below(list.length)]);
  }
  /** Numbers of a type: most of them small, some at turns of functions, all-zero and masked tensors now and then. */
  numbers(dtype: DType, n: number): number[] {
    const wild = this.chance(0.15);
    const few = this.chance(0.2) ? Array.from({ length: 3 }, () => this.number(dtype, wild)) : undefined;
    return Array.from({ length: n }, () => (few ? this.pick(few) : this.number(dtype, wild)));
  }
  number(dtype: DType, wild: boolean): number {
    if (dtype === 'bool') return this.below(2);
    if (isFloat(dtype)) return wild && this.chance(0.3) ? this.pick(TURNS) : (this.next() * 2 - 1) * this.pick([1, 1, 3]);
    const unsigned = dtype.startsWith('u');
    return wild ? this.between(unsigned ? 0 : -100, 100) : this.between(unsigned ? 0 : -4, 5);
  }
  shape(rank = this.pick([0, 1, 1, 2, 2, 2, 3, 3, 4]), most = 9): number[] {
    return Array.from({ length: rank }, () => (this.chance(0.15) ? 1 : this.between(1, most)));
  }
  private add(name: string, t: Tensor, to: Map<string, Tensor>): Val {
    to.set(name, t);
    this.known.set(name, { exact: t, noisy: Array.from({ length: 4 }, () => t) });
    const v = { name, t };
    this.values.push(v);
    return v;
  }
  constant(dtype: DType, dims: readonly number[], values?: readonly number[]): Val {
    return this.add(
      `c${this.constants.size}`,
      fromNumbers(dtype, dims, values ?? this.numbers(dtype, numel(dims))),
      this.constants,
    );
  }
  input(dtype: DType, dims: readonly number[]): Val {
    return this.add(`x${this.inputs.size}`, fromNumbers(dtype, dims, this.numbers(dtype, numel(dims))), this.inputs);
  }
  /** A value that serves, a late one rather than an early one. */
  any(serves: (v: Val) => boolean): Val | undefined {
    const all = this.values.filter(serves);
    return all.length === 0 ? undefined : all[Math.floor(all.length * Math.sqrt(this.next()) * 0.9999)];
  }
  floats(rank?: number, least = 0): Val {
    const serves = (v: Val): boolean =>
      v.t.dtype === 'f32' && (rank === undefined ? v.t.dims.length >= least : v.t.dims.length === rank);
    const found = this.any(serves);
    if (found && this.chance(0.93)) return found;
    let dims = this.shape(rank);
    while (dims.length < least) dims = [...dims, this.between(1, 6)];
    return this.chance(0.05) ? this.input('f64', dims) : this.input('f32', dims);
  }
  ofType(...types: readonly DType[]): Val {
    return this.any(v => types.includes(v.t.dtype)) ?? this.input(this.pick(types), this.shape());
  }
  /** Something that broadcasts with the value: another value, a constant of it, or a new input. */
  beside(v: Val): Val {
    const { dtype, dims } = v.t;
    const fits = (o: readonly number[]): boolean =>
      o.every((d, i) => {
        const other = dims[dims.length - o.length + i] ?? 1;
        return d === other || d === 1 || other === 1;
      }) && numel(dims) * numel(o) < 1 << 16;
    const found = this.chance(0.5) ? this.any(x => x.t.dtype === dtype && fits(x.t.dims)) : undefined;
    if (found) return found;
    const part = dims.slice(this.below(dims.length + 1)).map(d => (this.chance(0.3) ? 1 : d));
    if (this.chance(0.3)) return this.input(dtype, part);
    return this.chance(0.4) ? this.constant(dtype, [], [this.number(dtype, this.chance(0.5))]) : this.constant(dtype, part);
  }
  ints(values: readonly number[], dtype: DType = 'i64'): Val {
    return this.constant(dtype, [values.length], values);
  }
  axis(v: Val): number {
    const n = v.t.dims.length;
    return n === 0 ? 0 : this.between(-n, n - 1);
  }
  /** Different axes, at least one where there is one, each from either end. */
  axes(v: Val): number[] {
    const n = v.t.dims.length;
    const all = v.t.dims.map((_, i) => i).filter(() => this.chance(0.5));
    const some = all.length === 0 && n > 0 ? [this.below(n)] : all;
    return some.map(a => (this.chance(0.3) ? a - n : a));
  }
}
