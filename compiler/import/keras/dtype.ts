import type { DType } from '../../core/dtype.ts';
import { field, type Json } from '../shared/json.ts';

const DTYPES: Readonly<Record<string, DType>> = {
  float16: 'f16',
  bfloat16: 'bf16',
  float32: 'f32',
  float64: 'f64',
  uint8: 'u8',
  uint16: 'u16',
  uint32: 'u32',
  uint64: 'u64',
  int8: 'i8',
  int16: 'i16',
  int32: 'i32',
  int64: 'i64',
  bool: 'bool',
};
/** An element type by the name that Keras and NumPy give it. */
export const dtypeNamed = (name: string): DType | undefined => (Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined);

interface Policy {
  /** What layers compute in, whatever their variables are stored as. */
  readonly compute: DType;
  /** `int8`, `int4`, `float8`, …; empty where nothing is quantized. */
  readonly quantized: string;
}
/** A dtype policy: a name such as `mixed_float16` or `int8_from_float32`, alone or in an object that says more. */
export function policyOf(j: Json): Policy {
  const named = typeof j === 'string' ? j : field(field(j, 'config'), 'name');
  const source = field(field(j, 'config'), 'source_name');
  const text = typeof named === 'string' ? named : 'float32';
  const [mode = '', from] = text.includes('_from_') ? text.split('_from_') : ['', text];
  const own = field(field(j, 'config'), 'mode');
  const base = typeof source === 'string' ? source : (from ?? 'float32');
  const compute = base.replace(/^mixed_/, '');
  return { compute: DTYPES[compute] ?? 'f32', quantized: (typeof own === 'string' ? own : mode).replace(/\/.*$/, '') };
}
