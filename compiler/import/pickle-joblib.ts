import { damaged, take, u8, type Cursor } from './cursor.ts';
import { attribute, isPickled, type Pickled, type PickledObject } from './pickle.ts';

/** Bytes of an element of `numpy.dtype('<i8')` and the like; undefined for objects and records. */
export function itemSize(dtype: Pickled | undefined): number | undefined {
  if (!isPickled(dtype, 'object') || dtype.of !== 'numpy.dtype') return undefined;
  const m = typeof dtype.args[0] === 'string' ? /^[<>|=]?([biufcSU?])(\d+)$/.exec(dtype.args[0]) : null;
  if (!m) return undefined;
  return Number(m[2]) * (m[1] === 'U' ? 4 : 1);
}
/** joblib puts the bytes of an array into the stream right behind the record of it, after padding. */
export function alignedArray(c: Cursor, wrapper: PickledObject): Uint8Array {
  const shape = attribute(wrapper, 'shape');
  const size = itemSize(attribute(wrapper, 'dtype'));
  if (!isPickled(shape, 'list') || size === undefined)
    return damaged(c, 'an array of joblib whose elements are no plain numbers');
  let n = size;
  for (const d of shape.items) n *= typeof d === 'number' && d >= 0 ? d : damaged(c, 'an array of joblib without a shape');
  if (typeof attribute(wrapper, 'numpy_array_alignment_bytes') === 'number') take(c, u8(c));
  return take(c, n);
}
