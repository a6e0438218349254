import { damaged, take, u8, type Cursor } from './cursor.ts';
import { attribute, isPickled, type Pickled, type PickledObject } from './pickle-value.ts';

/** `numpy.dtype('<i8')` and the like: kind, bytes of an element, order of bytes; undefined for records. */
interface ElementType {
  readonly kind: string;
  readonly size: number;
  readonly little: boolean;
}
function elementType(dtype: Pickled | undefined): ElementType | undefined {
  if (!isPickled(dtype, 'object') || dtype.of !== 'numpy.dtype') return undefined;
  const m = typeof dtype.args[0] === 'string' ? /^[<>|=]?([biufcSUO?])(\d+)$/.exec(dtype.args[0]) : null;
  if (!m) return undefined;
  const [, kind = '', bytes = ''] = m;
  const order = isPickled(dtype.state, 'list') ? dtype.state.items[1] : '<';
  return { kind, size: Number(bytes) * (kind === 'U' ? 4 : 1), little: order !== '>' };
}
/** Whether the array behind a wrapper of joblib is one of Python's objects, which follow as a pickle. */
export const holdsObjects = (wrapper: PickledObject): boolean => elementType(attribute(wrapper, 'dtype'))?.kind === 'O';
/** The bytes of the array behind a wrapper of joblib, after padding. */
export function alignedArray(c: Cursor, wrapper: PickledObject): Uint8Array {
  const shape = attribute(wrapper, 'shape');
  const type = elementType(attribute(wrapper, 'dtype'));
  if (!isPickled(shape, 'list') || type === undefined)
    return damaged(c, 'an array of joblib whose elements are no plain numbers');
  let n = type.size;
  for (const d of shape.items) n *= typeof d === 'number' && d >= 0 ? d : damaged(c, 'an array of joblib without a shape');
  if (typeof attribute(wrapper, 'numpy_array_alignment_bytes') === 'number') take(c, u8(c));
  return take(c, n);
}

/** The elements of a NumPy array of numbers, truth values or text as text; undefined where it is another thing. */
function textsOf(p: Pickled | undefined): readonly string[] | undefined {
  if (!isPickled(p, 'object')) return undefined;
  if (p.of === 'joblib.numpy_pickle.NumpyArrayWrapper')
    return p.raw instanceof Uint8Array ? elements(p.raw, elementType(attribute(p, 'dtype'))) : textsOf(p.raw);
  if (p.of === 'numpy.core.numeric._frombuffer') return elements(p.args[0], elementType(p.args[1]));
  if (p.of !== 'numpy.core.multiarray._reconstruct' || !isPickled(p.state, 'list')) return undefined;
  // Version, shape, type, order, contents.
  const [, , dtype, , contents] = p.state.items;
  if (!isPickled(contents, 'list')) return elements(contents, elementType(dtype));
  const out = contents.items.map(i =>
    typeof i === 'string' || typeof i === 'number' || typeof i === 'boolean' ? show(i) : undefined,
  );
  return out.every(s => s !== undefined) ? out : undefined;
}
/** As Python prints it. */
const show = (v: string | number | bigint | boolean): string => (typeof v === 'boolean' ? (v ? 'True' : 'False') : String(v));
function elements(raw: Pickled | undefined, t: ElementType | undefined): readonly string[] | undefined {
  if (!(raw instanceof Uint8Array) || !t || t.size === 0 || raw.length % t.size !== 0) return undefined;
  const v = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const one = (at: number): string | undefined => {
    switch (`${t.kind}${t.size}`) {
      case 'b1':
      case '?1':
        return show(v.getUint8(at) !== 0);
      case 'i1':
        return show(v.getInt8(at));
      case 'i2':
        return show(v.getInt16(at, t.little));
      case 'i4':
        return show(v.getInt32(at, t.little));
      case 'i8':
        return show(v.getBigInt64(at, t.little));
      case 'f4':
        return show(v.getFloat32(at, t.little));
      case 'f8':
        return show(v.getFloat64(at, t.little));
    }
    if (t.kind !== 'U') return undefined;
    let s = '';
    for (let i = 0; i < t.size; i += 4) {
      const code = v.getUint32(at + i, t.little);
      if (code > 0 && code <= 0x10ffff) s += String.fromCodePoint(code);
    }
    return s;
  };
  const out = Array.from({ length: raw.length / t.size }, (_, i) => one(i * t.size));
  return out.every(s => s !== undefined) ? out : undefined;
}

/** The names of classes from an attribute of a scikit-learn wrapper; undefined where they are just 0, 1, … */
export function labelsOf(p: Pickled | undefined): readonly string[] | undefined {
  const texts = textsOf(p);
  return texts?.every((t, i) => t === String(i)) === true ? undefined : texts;
}
