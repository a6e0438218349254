/** 1/c and log(c) for 16 numbers c around 1, and the polynomial of log(1 + r) without its first term: as C libraries have them. */
const CENTRES: readonly (readonly [number, number])[] = [
  [1.398907162146528, -0.33569133332882284],
  [1.3403141896637998, -0.2929040563774074],
  [1.286432210124115, -0.2518726580937369],
  [1.2367150214269895, -0.21245868807117255],
  [1.1906977166711752, -0.17453945183745634],
  [1.1479821020556429, -0.1380057072319758],
  [1.1082251448272158, -0.10275976698545139],
  [1.0711297413057381, -0.06871392447020525],
  [1.036437278977283, -0.0357891387398228],
  [1, 0],
  [0.9492859795739057, 0.05204517742929496],
  [0.8951049428609004, 0.11081431298787942],
  [0.8476821620351103, 0.1652495223695143],
  [0.8050314851692001, 0.21687389031699977],
  [0.7664671008843108, 0.2659635028121397],
  [0.731428603316328, 0.3127556664073557],
];
const [A3, A2, A1] = [-0.25089342214237154, 0.333456765744066, -0.4999997485802103] as const;
const START = 0x3f330000;
const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/**
 * The natural logarithm in float32, with the error that `logf` of glibc (2.27 and newer; ARM's optimized routines) has: XGBoost's base
 * margin is made of it, and one number in 160 is not the nearest float.
 */
export function logf(x: number): number {
  single[0] = x;
  const ix = bits[0] ?? 0;
  // Zero, negative numbers, subnormal ones, infinity and NaN.
  if (ix < 0x00800000 || ix >= 0x7f800000) return Math.fround(Math.log(Math.fround(x)));
  const t = (ix - START) | 0;
  const [inverse, log] = CENTRES[(t >>> 19) & 15] ?? [1, 0];
  bits[0] = (ix - (t & 0xff800000)) | 0;
  const r = single[0] * inverse - 1;
  const r2 = r * r;
  const high = A3 * r2 + (A2 * r + A1);
  return Math.fround(high * r2 + (log + (t >> 23) * Math.LN2 + r));
}
