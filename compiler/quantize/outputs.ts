import { isFloat } from '../core/dtype.ts';
import { toNumbers, type Tensor } from '../core/tensor.ts';

/** How far an output of the quantized model is from that of the float one, over all samples. */
export interface OutputError {
  /** The root of the mean squared difference over that of the values. */
  readonly error: number;
  /** The mean over samples of the cosine between the two. */
  readonly cosine: number;
  /** Rows of the last axis, and in how many of them the largest element is at the same place; undefined where it has fewer than two. */
  readonly top1: { readonly rows: number; readonly same: number } | undefined;
}
type Outputs = ReadonlyMap<string, Tensor>;
interface Sums {
  squares: number;
  differences: number;
  cosines: number;
  samples: number;
  rows: number;
  same: number;
}

/** Adds up what outputs differ by, sample by sample. */
export function outputErrors(): { add(want: Outputs, got: Outputs): void; result(): ReadonlyMap<string, OutputError> } {
  const all = new Map<string, Sums>();
  return {
    add: (want, got) => {
      for (const [name, w] of want) {
        const s = all.get(name) ?? { squares: 0, differences: 0, cosines: 0, samples: 0, rows: 0, same: 0 };
        all.set(name, s);
        const g = got.get(name);
        if (g) addOutput(s, w, g);
      }
    },
    result: () => new Map([...all].map(([name, s]) => [name, errorOf(s)])),
  };
}
function addOutput(s: Sums, want: Tensor, got: Tensor): void {
  s.samples++;
  const [w, g] = [toNumbers(want), toNumbers(got)];
  // Another number of results is as wrong as all of them.
  if (w.length !== g.length || want.dtype === 'text') {
    s.squares++;
    s.differences++;
    return;
  }
  let [dot, p, q] = [0, 0, 0];
  for (let i = 0; i < w.length; i++) {
    const [a, b] = [w[i] ?? 0, g[i] ?? 0];
    dot += a * b;
    p += a * a;
    q += b * b;
    s.differences += (a - b) ** 2;
  }
  s.squares += p;
  s.cosines += p === q && dot === p ? 1 : p === 0 || q === 0 ? 0 : dot / Math.sqrt(p * q);
  const width = want.dims.at(-1) ?? 1;
  if (!isFloat(want.dtype) || width < 2) return;
  for (let at = 0; at < w.length; at += width) {
    s.rows++;
    if (largest(w, at, width) === largest(g, at, width)) s.same++;
  }
}
function largest(v: Float64Array, from: number, width: number): number {
  let at = 0;
  for (let i = 1; i < width; i++) if ((v[from + i] ?? NaN) > (v[from + at] ?? NaN)) at = i;
  return at;
}
const errorOf = (s: Sums): OutputError => ({
  error: s.squares === 0 ? (s.differences === 0 ? 0 : Infinity) : Math.sqrt(s.differences / s.squares),
  cosine: s.samples === 0 ? 1 : s.cosines / s.samples,
  top1: s.rows === 0 ? undefined : { rows: s.rows, same: s.same },
});
