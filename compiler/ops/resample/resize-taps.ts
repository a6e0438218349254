/**
 * Which elements a resized axis is made of, after ONNX's reference implementation of Resize: coordinates, neighbours and weights are
 * computed in float64. Nearest elements are chosen in float32, as onnxruntime does: 3.5 / 0.7 - 0.5 is halfway between 4 and 5 there, and in
 * float64, of the float32 0.7, it is not.
 */
export const COORDINATES = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_crop_and_resize',
  'tf_half_pixel_for_nn',
] as const;
type Coordinates = (typeof COORDINATES)[number];
export const RESIZE_MODES = ['nearest', 'linear', 'cubic'] as const;
type ResizeMode = (typeof RESIZE_MODES)[number];
export const NEAREST_MODES = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;
type NearestMode = (typeof NEAREST_MODES)[number];

/** Numbers, or expressions that stand for them: the formulas are written once for both. */
export interface Arithmetic<T> {
  num(n: number): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  div(a: T, b: T): T;
  floor(a: T): T;
  ceil(a: T): T;
  abs(a: T): T;
  /** `a <= b ? x : y` */
  ifLe(a: T, b: T, x: T, y: T): T;
}
const onNumbers: Arithmetic<number> = {
  num: n => n,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  floor: Math.floor,
  ceil: Math.ceil,
  abs: Math.abs,
  ifLe: (a, b, x, y) => (a <= b ? x : y),
};
const { fround } = Math;
const onFloats: Arithmetic<number> = {
  num: fround,
  add: (a, b) => fround(a + b),
  sub: (a, b) => fround(a - b),
  mul: (a, b) => fround(a * b),
  div: (a, b) => fround(a / b),
  floor: Math.floor,
  ceil: Math.ceil,
  abs: Math.abs,
  ifLe: (a, b, x, y) => (a <= b ? x : y),
};
/** Of float32 or float64. */
export const arithmeticOf = (o: Pick<TapOptions, 'mode'>): Arithmetic<number> => (o.mode === 'nearest' ? onFloats : onNumbers);
interface AxisSizes<T> {
  readonly input: T;
  /** In whole elements. */
  readonly output: T;
  /** The size before rounding down: scale * input. */
  readonly exact: T;
  readonly scale: T;
  /** For tf_crop_and_resize: the part of the input, from 0 to 1. */
  readonly start: T;
  readonly end: T;
}
/** The place in the input of output element x. */
export function coordinate<T>(of: Coordinates, x: T, s: AxisSizes<T>, m: Arithmetic<T>): T {
  const one = m.num(1);
  const half = m.num(0.5);
  const halfPixel = m.sub(m.div(m.add(x, half), s.scale), half);
  switch (of) {
    case 'half_pixel':
      return halfPixel;
    case 'half_pixel_symmetric': {
      const offset = m.mul(m.div(s.input, m.num(2)), m.sub(one, m.div(s.output, s.exact)));
      return m.sub(m.add(offset, m.div(m.add(x, half), s.scale)), half);
    }
    case 'pytorch_half_pixel':
      // As the text of the standard and onnxruntime have it; the standard's reference implementation says -0.5.
      return m.ifLe(s.output, one, m.num(0), halfPixel);
    case 'align_corners':
      return m.ifLe(s.exact, one, m.num(0), m.div(m.mul(x, m.sub(s.input, one)), m.sub(s.exact, one)));
    case 'asymmetric':
      return m.div(x, s.scale);
    case 'tf_half_pixel_for_nn':
      return m.div(m.add(x, half), s.scale);
    case 'tf_crop_and_resize': {
      const last = m.sub(s.input, one);
      const step = m.div(m.mul(m.sub(s.end, s.start), last), m.sub(s.output, one));
      const wide = m.add(m.mul(s.start, last), m.mul(x, step));
      return m.ifLe(s.output, one, m.mul(half, m.mul(m.add(s.start, s.end), last)), wide);
    }
  }
}
/** The nearest element; may lie outside by one. */
export function nearestOf<T>(of: NearestMode, x: T, m: Arithmetic<T>): T {
  const half = m.num(0.5);
  switch (of) {
    case 'round_prefer_floor':
      return m.ceil(m.sub(x, half));
    case 'round_prefer_ceil':
      return m.floor(m.add(x, half));
    case 'floor':
      return m.floor(x);
    case 'ceil':
      return m.ceil(x);
  }
}
/** The weight of a neighbour at distance d: a triangle, or Keys' kernel with parameter a. */
export function weightOf<T>(mode: 'linear' | 'cubic', d: T, a: number, m: Arithmetic<T>): T {
  const far = m.abs(d);
  const one = m.num(1);
  if (mode === 'linear') return m.ifLe(one, far, m.num(0), m.sub(one, far));
  const inner = m.add(m.mul(m.mul(m.sub(m.mul(m.num(a + 2), far), m.num(a + 3)), far), far), one);
  const outer = m.sub(m.mul(m.add(m.mul(m.sub(m.mul(m.num(a), far), m.num(5 * a)), far), m.num(8 * a)), far), m.num(4 * a));
  return m.ifLe(m.num(2), far, m.num(0), m.ifLe(one, far, outer, inner));
}

export interface TapOptions {
  readonly mode: ResizeMode;
  readonly coordinates: Coordinates;
  readonly nearest: NearestMode;
  readonly cubic: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}
/**
 * For each output element: the first of `taps` neighbours in the input, which may lie outside, where the element at the border counts, and
 * their weights (sum 1); `outside`: beyond the crop of tf_crop_and_resize.
 */
export interface TapTable {
  readonly taps: number;
  readonly first: Int32Array;
  readonly weight: Float64Array;
  readonly outside: Uint8Array;
}
/** How many neighbours count on each side; more when an antialiased image shrinks. */
export function tapCount(o: TapOptions, scale: number): number {
  if (o.mode === 'nearest') return 1;
  const reach = o.mode === 'linear' ? 1 : 2;
  return o.antialias && scale < 1 ? 2 * (Math.ceil(reach / scale) + 1) : 2 * reach;
}
export function tapTable(o: TapOptions, s: AxisSizes<number>): TapTable {
  const taps = tapCount(o, s.scale);
  const n = s.output;
  const first = new Int32Array(n);
  const weight = new Float64Array(n * taps);
  const outside = new Uint8Array(n);
  const last = s.input - 1;
  const shrink = o.antialias ? Math.min(s.scale, 1) : 1;
  const m = arithmeticOf(o);
  for (let x = 0; x < n; x++) {
    const at = coordinate(o.coordinates, x, s, m);
    if (o.coordinates === 'tf_crop_and_resize' && (at < 0 || at > last)) outside[x] = 1;
    if (o.mode === 'nearest') {
      first[x] = Math.min(Math.max(nearestOf(o.nearest, at, m), 0), last);
      weight[x] = 1;
      continue;
    }
    const begin = Math.floor(at) - taps / 2 + 1;
    // So far outside, all neighbours are the element at the border.
    first[x] = Math.min(Math.max(begin, -taps), last + 1);
    let sum = 0;
    for (let t = 0; t < taps; t++) {
      const i = begin + t;
      const d = (i - at) * shrink;
      const w = o.excludeOutside && (i < 0 || i > last) ? 0 : weightOf(o.mode, d, o.cubic, onNumbers);
      weight[x * taps + t] = w;
      sum += w;
    }
    if (sum !== 0) for (let t = 0; t < taps; t++) weight[x * taps + t] = (weight[x * taps + t] ?? 0) / sum;
  }
  return { taps, first, weight, outside };
}
