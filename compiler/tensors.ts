import { fail } from './core/diagnostic.ts';
import { DTYPES, type DType, type TypedArray } from './core/dtype.ts';
import { textsOf, textTensor } from './core/texts.ts';
import { fromTyped, numel, typed, type Tensor } from './core/tensor.ts';

/**
 * A tensor as the API and the loaders of bundles take it. `data`: its elements in row-major order, in the typed array of its type: 64-bit
 * integers as BigInts, float16 and bfloat16 as their bits in a Uint16Array, smaller floats in a Uint8Array, int4 and smaller integers in a byte each,
 * booleans as bytes 0 and 1; strings in a plain list.
 */
export interface RunTensor {
  readonly data: TypedArray | readonly string[];
  readonly dims: readonly number[];
}
/** A tensor as the API and the loaders of bundles give it. */
export interface TypedTensor extends RunTensor {
  /** As onnxruntime names it: float32, int64, … */
  readonly type: string;
}

/** The tensor of a run for an input of a type. E501 where the elements are in another typed array or not as many as `dims` says. */
export function fromRun(input: string, dtype: DType, { data, dims }: RunTensor): Tensor {
  const { array, ort } = DTYPES[dtype];
  if (data.length !== numel(dims))
    fail('E501', { input, why: `has ${data.length} elements, but [${dims.join(', ')}] holds ${numel(dims)}` });
  if (isTexts(data))
    return dtype === 'text'
      ? textTensor(dims, data)
      : fail('E501', { input, why: `is ${ort}: pass a ${array.name} instead of strings` });
  if (dtype === 'text' || !(data instanceof array))
    return fail('E501', {
      input,
      why: `is ${ort}: pass ${dtype === 'text' ? 'a list of strings' : `a ${array.name}`} instead of ${data.constructor.name}`,
    });
  return fromTyped(dtype, dims, data);
}
const isTexts = (data: RunTensor['data']): data is readonly string[] => Array.isArray(data);
export const toRun = (t: Tensor): TypedTensor => ({ data: dataOf(t), dims: t.dims, type: DTYPES[t.dtype].ort });
/** Elements as the loaders of bundles take them. */
export const dataOf = (t: Tensor): RunTensor['data'] => (t.dtype === 'text' ? textsOf(t) : typed(t));
