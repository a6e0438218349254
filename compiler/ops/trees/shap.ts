import { must } from '../../core/diagnostic.ts';
import { dimAdd } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { fromTyped, typed } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { shapByStack } from './schedules/shap.ts';
import { checkTypes, rowsOf } from './ensemble.ts';
import { goesLeft, readTables, TREE_INPUTS, type CategoryRules, type TreeTables } from './tables.ts';

/**
 * What each feature adds to each group of a row (TreeSHAP, Lundberg et al. 2018, algorithm 2): [batch, G, F + 1], the last column the
 * expected value. Per tree, contributions start at 0 (and the tree's `mean` in the last column), are worked out with leaves as they are
 * in `values`, multiplied by the tree's `weight` and added up in the order of the trees; `base` is added at the end. Every step is
 * rounded to the dtype of `values`: operation by operation what XGBoost computes in float32, and LightGBM up to the order of sums in
 * float64.
 * With `running` (XGBoost before 1.0, LightGBM) every addition goes to the sums over the trees at once, and weights are not used.
 * `nodeCover` [N] and `leafCover` [L]: how much of the training data came by; `mean`, `weight` [T].
 */
export const TreeShap = defineOp({
  name: 'TreeShap',
  doc: 'The contributions of the features to the sum of leaves of each row, by group, and the expected value.',
  // After optional inputs, inputs are optional too.
  inputs: ['x', ...TREE_INPUTS, 'nodeCover?', 'leafCover?', 'mean?', 'weight?'],
  attrs: { invalid: attr.oneOf(['left', 'missing'], 'left'), truncate: attr.bool(false), running: attr.bool(false) },
  infer: c => {
    const { batch, groups, features, dtype, nodes, leaves, trees, width } = checkTypes(c);
    if (width !== 1) c.reject('leaves of several values have no contributions');
    [nodes, leaves, trees, trees].forEach((n, i) => {
      const t = c.types[13 + i];
      if (!t || t.dtype !== dtype || t.shape.length !== 1 || t.shape[0] !== n) c.reject(`input ${13 + i} must be ${dtype}[${n}]`);
    });
    return [tensorType(dtype, [batch, groups, dimAdd(features, 1)])];
  },
  eval: (c, x, ...ins) => {
    const t = readTables(ins);
    const floats = (i: number): Float32Array | Float64Array => typed(must(ins[i])) as Float32Array | Float64Array;
    const covers: Covers = { node: floats(12), leaf: floats(13) };
    const [mean, weight] = [floats(14), floats(15)];
    const { rows, features, from } = rowsOf(must(x));
    const single = t.values instanceof Float32Array;
    const round = single ? Math.fround : (v: number): number => v;
    const G = t.base.length;
    const out = single ? new Float32Array(rows * G * (features + 1)) : new Float64Array(rows * G * (features + 1));
    const phi = single ? new Float32Array(features + 1) : new Float64Array(features + 1);
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < t.root.length; i++) {
        const at = (r * G + must(t.group[i])) * (features + 1);
        const to = c.attrs.running ? out.subarray(at, at + features + 1) : phi;
        if (!c.attrs.running) phi.fill(0);
        to[features] = must(to[features]) + must(mean[i]);
        addTree(t, covers, c.attrs, from, r * features, must(t.root[i]), to, round);
        if (!c.attrs.running)
          for (let f = 0; f <= features; f++) out[at + f] = must(out[at + f]) + round(must(phi[f]) * must(weight[i]));
      }
      for (let g = 0; g < G; g++) {
        const last = (r * G + g + 1) * (features + 1) - 1;
        out[last] = must(out[last]) + must(t.base[g]);
      }
    }
    return [fromTyped(must(c.out[0]).dtype, [rows, G, features + 1], out)];
  },
  lower: { k: 'kernel', build: shapByStack },
});

interface Covers {
  readonly node: Float32Array | Float64Array;
  readonly leaf: Float32Array | Float64Array;
}
/** A feature on the way down: how much of the data with it unknown (`zero`), and with its value (`one`), comes this way. */
interface Step {
  readonly feature: number;
  readonly zero: number;
  readonly one: number;
  /** Weight of the permutations with as many features known as there are steps before this one. */
  weight: number;
}
interface Visit {
  readonly code: number;
  readonly path: readonly Step[];
  readonly step: Step;
}
function addTree(
  t: TreeTables,
  covers: Covers,
  rules: CategoryRules,
  x: ArrayLike<number>,
  row: number,
  root: number,
  phi: Float32Array | Float64Array,
  r: (v: number) => number,
): void {
  const cover = (code: number): number => must(code < 0 ? covers.leaf[~code] : covers.node[code]);
  const stack: Visit[] = [{ code: root, path: [], step: { feature: -1, zero: 1, one: 1, weight: 0 } }];
  for (let v = stack.pop(); v; v = stack.pop()) {
    const path = extend(v.path, v.step, r);
    if (v.code < 0) {
      const leaf = must(t.values[~v.code]);
      for (let i = 1; i < path.length; i++) {
        const s = must(path[i]);
        phi[s.feature] = must(phi[s.feature]) + r(r(unwoundSum(path, i, r) * r(s.one - s.zero)) * leaf);
      }
      continue;
    }
    const n = v.code;
    const feature = must(t.feature[n]);
    const known = path.findIndex(s => s.feature === feature);
    const before = known < 0 ? { zero: 1, one: 1 } : must(path[known]);
    const rest = known < 0 ? path : unwind(path, known, r);
    const [l, g] = [must(t.left[n]), must(t.right[n])];
    const [hot, cold] = goesLeft(t, rules, n, must(x[row + feature])) ? [l, g] : [g, l];
    const part = (code: number): number => r(r(cover(code) / cover(n)) * before.zero);
    stack.push({ code: cold, path: rest, step: { feature, zero: part(cold), one: 0, weight: 0 } });
    stack.push({ code: hot, path: rest, step: { feature, zero: part(hot), one: before.one, weight: 0 } });
  }
}
/** The path with one more step. */
function extend(path: readonly Step[], step: Step, r: (v: number) => number): Step[] {
  const d = path.length;
  const out = [...path.map(s => ({ ...s })), { ...step, weight: d === 0 ? 1 : 0 }];
  for (let i = d - 1; i >= 0; i--) {
    const [a, b] = [must(out[i]), must(out[i + 1])];
    b.weight = r(b.weight + r(r(r(step.one * a.weight) * (i + 1)) / (d + 1)));
    a.weight = r(r(r(step.zero * a.weight) * (d - i)) / (d + 1));
  }
  return out;
}
/** The path without the step at `at`. */
function unwind(path: readonly Step[], at: number, r: (v: number) => number): Step[] {
  const d = path.length - 1;
  const { one, zero } = must(path[at]);
  const weights = path.map(s => s.weight);
  let next = must(weights[d]);
  for (let i = d - 1; i >= 0; i--) {
    const w = must(weights[i]);
    if (one !== 0) {
      weights[i] = r(r(next * (d + 1)) / r((i + 1) * one));
      next = r(w - r(r(r(must(weights[i]) * zero) * (d - i)) / (d + 1)));
    } else weights[i] = r(r(w * (d + 1)) / r(zero * (d - i)));
  }
  return path.filter((_, i) => i !== at).map((s, i) => ({ ...s, weight: must(weights[i]) }));
}
/** The sum of the weights that `unwind` would leave. */
function unwoundSum(path: readonly Step[], at: number, r: (v: number) => number): number {
  const d = path.length - 1;
  const { one, zero } = must(path[at]);
  let next = must(path[d]).weight;
  let total = 0;
  for (let i = d - 1; i >= 0; i--) {
    const w = must(path[i]).weight;
    const share = r((d - i) / (d + 1));
    if (one !== 0) {
      const tmp = r(r(next * (d + 1)) / r((i + 1) * one));
      total = r(total + tmp);
      next = r(w - r(r(tmp * zero) * share));
    } else if (zero !== 0) total = r(total + r(r(w / zero) / share));
  }
  return total;
}
