import { fail } from '../../core/diagnostic.ts';
import { DTYPES } from '../../core/dtype.ts';
import type { Room } from '../../core/room.ts';
import { numel, stridesOf, toNumbers, type Tensor } from '../../core/tensor.ts';
import { tensorOf } from './tensor.ts';
import type { SparseTensorProto } from './records.ts';
import type { ExternalResolver } from '../shared/external.ts';

/** The tensor with its zeros written out, for which there must be room: it says a large size in few bytes. E203: the indices do not fit. */
export function denseOf(s: SparseTensorProto, space: Room, external?: ExternalResolver, file = 'model'): Tensor {
  const name = s.values?.name ?? '';
  const damaged = (why: string): never => fail('E203', { file, why: `sparse tensor '${name}': ${why}` });
  if (!s.values || !s.indices) return damaged('it has no values or no indices');
  const values = tensorOf(s.values, external, file);
  const at = tensorOf(s.indices, external, file);
  const dims = s.dims;
  const n = numel(dims);
  const size = DTYPES[values.dtype].bytes;
  if (dims.some(d => d < 0)) damaged(`sizes ${dims.join(',')}`);
  space.take(n, `sizes ${dims.join(',')}: an array`, damaged);
  const count = numel(values.dims);
  const linear = at.dims.length === 1;
  if (at.dtype !== 'i64' || at.dims[0] !== count || (!linear && (at.dims.length !== 2 || at.dims[1] !== dims.length)))
    damaged('its indices do not fit its values');
  const index = toNumbers(at);
  const strides = stridesOf(dims);
  const bytes = new Uint8Array(n * size);
  for (let i = 0; i < count; i++) {
    let to = 0;
    if (linear) to = index[i] ?? 0;
    else
      strides.forEach((st, axis) => {
        const x = index[i * dims.length + axis] ?? 0;
        if (!(x >= 0 && x < (dims[axis] ?? 0))) damaged(`index ${x} is outside axis ${axis}`);
        to += x * st;
      });
    if (!(to >= 0 && to < n)) damaged(`index ${to} is outside its ${n} elements`);
    bytes.set(values.bytes.subarray(i * size, (i + 1) * size), to * size);
  }
  return { dtype: values.dtype, dims, bytes };
}
