import { fail, must } from '../core/diagnostic.ts';
import { rangeOf, type Dim } from '../core/dim.ts';
import { bytesOf, type DType } from '../core/dtype.ts';
import { numel, type Tensor } from '../core/tensor.ts';

/** An input as it is in a run. */
export interface InputType {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}
/** Rows of a first axis that may vary go into a run so many at a time. */
const ROWS = 16;

/** Rows from..to-1 of the first axis; `drop`: that axis falls away. */
function rows(t: Tensor, from: number, to: number, drop: boolean): Tensor {
  const size = numel(t.dims.slice(1)) * bytesOf(t.dtype);
  const dims = drop ? t.dims.slice(1) : [to - from, ...t.dims.slice(1)];
  return { ...t, dims, bytes: t.bytes.subarray(from * size, to * size) };
}
/** How often a tensor holds an input, and each of them. */
interface Slices {
  readonly count: number;
  at(i: number): Tensor;
}
function slicesOf(t: Tensor, want: InputType, file: string): Slices {
  const rank = want.shape.length;
  const n = t.dims[0] ?? 1;
  if (t.dims.length === rank + 1) return { count: n, at: i => rows(t, i, i + 1, true) };
  if (t.dims.length !== rank)
    return fail('E501', {
      input: `'${want.name}'`,
      why: `${file} has ${t.dims.length} axes for it; samples one after the other have ${rank} or ${rank + 1}`,
    });
  const [first] = want.shape;
  if (first === undefined) return { count: 1, at: () => t };
  const { lo, hi } = rangeOf(first);
  // An axis of one size holds as many samples as fit it; what varies goes in pieces of a size that it may have.
  const step = typeof first === 'number' ? first : Math.min(hi, Math.max(lo, ROWS));
  if (n === 0 && lo > 0) return { count: 0, at: () => t };
  if (n <= step || step === 0) return { count: 1, at: () => t };
  const whole = Math.floor(n / step);
  const rest = n - whole * step;
  const count = rest > 0 && rest >= lo && typeof first !== 'number' ? whole + 1 : whole;
  return { count, at: i => rows(t, i * step, Math.min(n, (i + 1) * step), false) };
}

/**
 * Cuts tensors that hold many samples along their first axis, or along one before it, into the inputs of single runs. What holds one sample
 * goes into each run. E501 where a tensor has another number of axes, or holds another number of samples than the others.
 */
export function* samplesIn(
  tensors: ReadonlyMap<string, Tensor>,
  inputs: readonly InputType[],
  file: string,
): Generator<ReadonlyMap<string, Tensor>> {
  const parts = [...tensors].map(([name, t]) => {
    const want = inputs.find(i => i.name === name);
    const names = inputs.map(i => i.name).join(', ');
    return want
      ? { name, ...slicesOf(t, want, file) }
      : fail('E501', { input: `'${name}'`, why: `${file} names it, and the model has only ${names}` });
  });
  const count = parts.reduce((n, p) => Math.max(n, p.count), 0);
  const odd = parts.find(p => p.count !== count && p.count !== 1);
  if (odd)
    fail('E501', {
      input: `'${odd.name}'`,
      why: `${file} holds ${odd.count} samples of it, and ${count} of '${must(parts.find(p => p.count === count)).name}'`,
    });
  for (let i = 0; i < count; i++) yield new Map(parts.map(p => [p.name, p.at(p.count === 1 ? 0 : i)]));
}
