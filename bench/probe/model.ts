/** ONNX files of one operator each. */
import { randomStream } from '../../compiler/core/random.ts';
import { attribute, float, int, model, node, sub, tensor, text, value, type Part } from '../../test/onnx-writer.ts';

export type Dims = readonly number[];
export const TYPES = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10 } as const;
export type Type = keyof typeof TYPES;
/** An input of the model, a constant of small random floats, or one of given integers. */
export type Operand =
  | { readonly k: 'input'; readonly dims: Dims; readonly type: Type }
  | { readonly k: 'weights'; readonly dims: Dims; readonly type: 'f32' | 'f16' }
  | { readonly k: 'integers'; readonly values: Dims; readonly dims: Dims; readonly type: 'i64' | 'i32' | 'u8' | 'i8' }
  | { readonly k: 'floats'; readonly values: Dims; readonly dims: Dims }
  | { readonly k: 'none' };
type Attributes = Readonly<Record<string, number | readonly number[] | string | { readonly float: number }>>;
export interface Probe {
  readonly op: string;
  readonly operands: readonly Operand[];
  readonly attributes?: Attributes;
  readonly outputs?: readonly Type[];
  readonly opset?: number;
}
const product = (dims: Dims): number => dims.reduce((a, b) => a * b, 1);
/** The bits of a number between 2^-14 and 1 as a half float, cut. */
function halfBits(v: number): number {
  const bits = new Int32Array(Float32Array.of(v).buffer)[0] ?? 0;
  return Math.abs(v) < 2 ** -14 ? 0 : ((bits >> 16) & 0x8000) | (((bits >> 13) & 0x3ffff) - 0x1c000);
}
function constant(name: string, o: Exclude<Operand, { readonly k: 'input' | 'none' }>): Part {
  const part = (type: Type, data: ArrayBufferView): Part =>
    sub(5, tensor({ name, dims: o.dims, type: TYPES[type], raw: new Uint8Array(data.buffer as ArrayBuffer) }));
  switch (o.k) {
    case 'weights': {
      const next = randomStream(product(o.dims));
      // Sums over the axes of a product stay of the size of its terms.
      const scale = 1 / Math.sqrt(product(o.dims.slice(1)));
      const data = Float32Array.from({ length: product(o.dims) }, () => (2 * next() - 1) * scale);
      return o.type === 'f16' ? part('f16', Uint16Array.from(data, halfBits)) : part('f32', data);
    }
    case 'floats':
      return part('f32', Float32Array.from(o.values));
    case 'integers':
      if (o.type === 'i64') return part('i64', BigInt64Array.from(o.values, BigInt));
      return part(o.type, o.type === 'i32' ? Int32Array.from(o.values) : Uint8Array.from(o.values));
  }
}
export function modelOf(p: Probe): Uint8Array {
  const names = p.operands.map((o, i) => (o.k === 'none' ? '' : `x${i}`));
  const outputs = p.outputs ?? ['f32'];
  const attributes = Object.entries(p.attributes ?? {}).map(([name, v]) =>
    typeof v === 'object' && 'float' in v ? sub(5, text(1, name), float(2, v.float), int(20, 1)) : attribute(name, v),
  );
  return model(
    [
      node(
        p.op,
        names,
        outputs.map((_, i) => `y${i}`),
        ...attributes,
      ),
      ...p.operands.flatMap((o, i): Part[] => {
        if (o.k === 'none') return [];
        return [o.k === 'input' ? value(11, `x${i}`, TYPES[o.type], o.dims) : constant(`x${i}`, o)];
      }),
      ...outputs.map((t, i) => sub(12, text(1, `y${i}`), sub(2, sub(1, int(1, TYPES[t]))))),
    ],
    p.opset ?? 17,
  );
}
const sizes = (p: Probe): string =>
  p.operands.flatMap(o => (o.k === 'input' ? [`${o.dims.join('x')}${o.type === 'f32' ? '' : ` ${o.type}`}`] : [])).join(', ');

/** What else tells a probe from the others of its operator. */
function details(p: Probe): string {
  const constants = p.operands.flatMap(o =>
    o.k === 'weights' && o.dims.length > 1
      ? [`by ${o.dims.join('x')}`]
      : o.k === 'integers' && o.values.length < 9
        ? [`[${o.values.join(' ')}]`]
        : [],
  );
  const attributes = Object.entries(p.attributes ?? {}).map(
    ([name, v]) => `${name} ${typeof v === 'object' && 'float' in v ? v.float : Array.isArray(v) ? v.join(' ') : String(v)}`,
  );
  return [...constants, ...attributes].join(', ');
}

/** What tells a probe from the others of its operator. */
export const describe = (p: Probe): string => [sizes(p), details(p)].filter(t => t !== '').join('; ');
