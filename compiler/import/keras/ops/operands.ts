import { isFloat, isInt, DTYPES, type DType } from '../../../core/dtype.ts';
import { numel } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import { asNumber, field, type Json } from '../../shared/json.ts';
import { cast } from '../../shared/views.ts';
import { dtypeNamed } from '../dtype.ts';
import type { LayerView } from '../layer.ts';
import type { Arg, CallView, Flow, KerasBuilder, LayerBuilder } from '../registry.ts';

/** Operands of keras.ops: tensors, and numbers and arrays of the file. */

/** An operand: a number of Python takes the type of what it meets. */
interface Operand {
  readonly value: Value;
  readonly weak: boolean;
}
const argAt = (call: CallView, name: string, place: number): Arg | undefined => call.kwargs.get(name) ?? call.args[place];

/** Numbers of the file as a tensor: `__tensor__` and `__numpy__` of Keras 3, nested lists, one number. */
function tensorOfJson(c: KerasBuilder, j: Json): Operand | undefined {
  const wrapped = field(j, 'class_name');
  if (wrapped === '__tensor__' || wrapped === '__numpy__') {
    const config = field(j, 'config');
    const name = field(config, 'dtype');
    const of = tensorOfJson(c, field(config, 'value') ?? null);
    const dtype = typeof name === 'string' ? dtypeNamed(name) : undefined;
    return of && { value: dtype ? cast(c, of.value, dtype) : of.value, weak: false };
  }
  const dims: number[] = [];
  for (let at: Json | undefined = j; Array.isArray(at) && dims.length < 32; at = (at as readonly Json[])[0]) dims.push(at.length);
  const flat = leaves(j, 0);
  if (flat.length !== numel(dims)) return undefined;
  const bools = flat.every(v => typeof v === 'boolean');
  const numbers = flat.map(v => asNumber(v) ?? Number.NaN);
  if (flat.some((v, i) => Number.isNaN(numbers[i]) && v !== 'NaN')) return undefined;
  const whole = flat.every(v => typeof v === 'number' && Number.isInteger(v));
  const dtype: DType = bools ? 'bool' : whole ? 'i32' : 'f32';
  return { value: c.literal(dtype, numbers, dims), weak: dims.length === 0 };
}
/** Elements of nested lists, which are as deep as a tensor has axes. */
const leaves = (j: Json, depth: number): readonly Json[] =>
  Array.isArray(j) && depth < 32 ? (j as readonly Json[]).flatMap(x => leaves(x, depth + 1)) : [j];
function operandOf(c: KerasBuilder, a: Arg | undefined): Operand | undefined {
  if (a === undefined) return undefined;
  if (a.k === 'flow') return { value: a.flow.value, weak: false };
  const j = a.k === 'json' ? a.json : jsonList(a.items);
  return j === undefined || j === null ? undefined : tensorOfJson(c, j);
}
const jsonList = (items: readonly Arg[]): Json | undefined => {
  const all = items.map(i => (i.k === 'json' ? i.json : i.k === 'list' ? jsonList(i.items) : undefined));
  return all.every(j => j !== undefined) ? all : undefined;
};
/** An operand by name or place; undefined where it is left out. */
export const optional = (c: KerasBuilder, call: CallView, name: string, place: number): Operand | undefined =>
  operandOf(c, argAt(call, name, place));
export const operand = (c: KerasBuilder, call: CallView, name: string, place: number): Operand =>
  optional(c, call, name, place) ?? c.reject(`its operand '${name}' is missing`);
/** All tensors in a list, or those that stand one by one. */
export function operands(c: KerasBuilder, call: CallView): readonly Operand[] {
  const [first] = call.args;
  const list =
    first?.k === 'list'
      ? first.items
      : call.args.length > 0
        ? call.args
        : [...call.kwargs.values()].flatMap(a => (a.k === 'list' ? a.items : [a]));
  return list.map(a => operandOf(c, a) ?? c.reject('an operand is no tensor'));
}

const RANK: readonly DType[] = ['bool', 'u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'f16', 'bf16', 'f32', 'f64'];
const WIDER: Readonly<Record<number, DType>> = { 8: 'i16', 16: 'i32', 32: 'i64' };
/** The type that two types meet in, as JAX and Keras 3 have it. */
function joined(a: DType, b: DType): DType {
  if (a === b) return a;
  const [lo, hi] = RANK.indexOf(a) < RANK.indexOf(b) ? [a, b] : [b, a];
  if (lo === 'f16' && hi === 'bf16') return 'f32';
  const [x, y] = [DTYPES[lo], DTYPES[hi]];
  // Unsigned numbers need one bit more among those with a sign.
  if (x.kind === 'uint' && y.kind === 'int' && x.bits >= y.bits) return WIDER[x.bits] ?? 'f32';
  return hi;
}
/** Operands in one type. */
export function alike(c: KerasBuilder, given: readonly Operand[]): readonly Value[] {
  const strong = given.filter(o => !o.weak);
  const base = (strong.length > 0 ? strong : given).map(o => o.value.type.dtype).reduce(joined);
  // A number with a fraction makes floats of integers.
  const weakFloat = given.some(o => o.weak && isFloat(o.value.type.dtype));
  const weakInt = given.some(o => o.weak && isInt(o.value.type.dtype));
  const type = weakFloat && !isFloat(base) ? 'f32' : weakInt && base === 'bool' ? 'i32' : base;
  return given.map(o => cast(c, o.value, type));
}
/** As floats, which most functions of mathematics make of integers. */
export const asFloat = (c: KerasBuilder, v: Value): Value => (isFloat(v.type.dtype) ? v : cast(c, v, 'f32'));

/** A builder of an operation with one result. */
export const single =
  (f: (n: LayerView, c: KerasBuilder, call: CallView) => Value): LayerBuilder =>
  (n, c, call) => {
    const y: Flow = { value: f(n, c, call) };
    return [y];
  };
/** An argument that is no tensor: of the operation, or of the call. */
export const setting = (n: LayerView, call: CallView, name: string): Json | undefined => n.json(name) ?? call.json(name);
/** Axes: one, some, or none for all. */
export function axesSetting(n: LayerView, call: CallView, name = 'axis'): readonly number[] | undefined {
  const j = setting(n, call, name);
  if (j === undefined || j === null) return undefined;
  const list = Array.isArray(j) ? (j as readonly Json[]) : [j];
  return list.map(a => (typeof a === 'number' && Number.isInteger(a) ? a : n.bad(`'${name}' is ${JSON.stringify(j)}`)));
}
export const numberSetting = (n: LayerView, call: CallView, name: string, otherwise: number): number =>
  asNumber(setting(n, call, name) ?? otherwise) ?? n.bad(`'${name}' is no number`);
