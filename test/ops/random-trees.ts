import { fromTyped, type Tensor } from '../../compiler/core/tensor.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { CATEGORICAL, MISSING_LEFT, ZERO_MISSING } from '../../compiler/ops/trees/tables.ts';

export interface ForestShape {
  readonly trees: number;
  /** Steps from the root to the deepest leaf. */
  readonly depth: number;
  readonly features: number;
  readonly groups?: number;
  /** The chance of a leaf above the greatest depth, in the first levels; default 0.2. */
  readonly leafy?: number;
  /** Of a leaf; more than 1: vector leaves over groups. */
  readonly width?: number;
  readonly categorical?: boolean;
  readonly missing?: boolean;
  readonly zeros?: boolean;
  /** The dtype of values, and of rows and thresholds. */
  readonly values?: 'f32' | 'f64';
  readonly rows?: 'f32' | 'f64';
  /** Thresholds are this many steps of 1/8; default 64. */
  readonly cuts?: number;
  readonly seed: number;
}
/** Tables of a random ensemble in the order of `TREE_INPUTS`; nodes of a tree in depth-first order. */
export function randomForest(s: ForestShape): (Tensor | undefined)[] {
  const next = randomStream(s.seed);
  const below = (n: number): number => Math.floor(next() * n);
  const feature: number[] = [];
  const threshold: number[] = [];
  const flags: number[] = [];
  const left: number[] = [];
  const right: number[] = [];
  const words: number[] = [];
  const catStart: number[] = [];
  const catWords: number[] = [];
  const root: number[] = [];
  const group: number[] = [];
  let leaves = 0;
  const width = s.width ?? 1;
  const groups = s.groups ?? 1;
  const grow = (depth: number, deepest: boolean): number => {
    if (depth === s.depth || (!deepest && s.leafy !== 0 && next() < (depth > 8 ? 0.7 : (s.leafy ?? 0.2)))) return ~leaves++;
    const n = feature.length;
    const categorical = s.categorical === true && next() < 0.4;
    feature.push(below(s.features));
    threshold.push(categorical ? 0 : (below(s.cuts ?? 64) - (s.cuts ?? 64) / 2) / 8);
    const missing = s.missing === false ? 0 : next() < 0.5 ? MISSING_LEFT : 0;
    flags.push(missing | (categorical ? CATEGORICAL : 0) | (s.zeros === true && next() < 0.5 ? ZERO_MISSING : 0));
    catStart.push(words.length);
    catWords.push(categorical ? below(3) : 0);
    for (let i = 0; i < (catWords[n] ?? 0); i++) words.push(below(2 ** 32));
    left.push(0);
    right.push(0);
    const deep = deepest && next() < 0.5;
    left[n] = grow(depth + 1, deepest && deep);
    right[n] = grow(depth + 1, deepest && !deep);
    return n;
  };
  for (let t = 0; t < s.trees; t++) {
    root.push(grow(0, true));
    group.push(below(groups - width + 1));
  }
  const floats = (dtype: 'f32' | 'f64', n: number, f: (i: number) => number): Tensor =>
    dtype === 'f32'
      ? fromTyped(
          'f32',
          [n],
          Float32Array.from({ length: n }, (_, i) => f(i)),
        )
      : fromTyped(
          'f64',
          [n],
          Float64Array.from({ length: n }, (_, i) => f(i)),
        );
  const ints = (a: readonly number[]): Tensor => fromTyped('i32', [a.length], Int32Array.from(a));
  const values = floats(s.values ?? 'f32', leaves * width, () => next() - 0.5);
  return [
    ints(feature),
    floats(s.rows ?? 'f32', threshold.length, i => threshold[i] ?? 0),
    ints(left),
    ints(right),
    fromTyped('u8', [flags.length], Uint8Array.from(flags)),
    { ...values, dims: [leaves, width] },
    ints(root),
    ints(group),
    floats(s.values ?? 'f32', groups, () => next()),
    ...(s.categorical === true
      ? [fromTyped('u32', [words.length], Uint32Array.from(words)), ints(catStart), ints(catWords)]
      : []),
  ];
}
/** Rows that hit thresholds, categories and the odd values: numbers of eighths, their neighbours, NaN, infinities, zeros of both signs. */
export function randomRows(rows: number, features: number, seed: number, dtype: 'f32' | 'f64' = 'f32'): Tensor {
  const next = randomStream(seed);
  const odd = [NaN, Infinity, -Infinity, 0, -0, 1e-36, -1e-35, 1e-34, 1e9, -0.5, -1, 31, 32, 63.9, 64, 16777216];
  const one = (): number => {
    const r = next();
    if (r < 0.2) return odd[Math.floor(next() * odd.length)] ?? 0;
    const eighth = Math.floor(next() * 80 - 40) / 8;
    return r < 0.5 ? eighth : r < 0.6 ? eighth * (1 + 2 ** -23) : r < 0.7 ? eighth * (1 - 2 ** -24) : next() * 80 - 16;
  };
  const data = Array.from({ length: rows * features }, one);
  return dtype === 'f32'
    ? fromTyped('f32', [rows, features], Float32Array.from(data))
    : fromTyped('f64', [rows, features], Float64Array.from(data));
}
