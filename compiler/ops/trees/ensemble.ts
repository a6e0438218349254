import { must } from '../../core/diagnostic.ts';
import type { Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { tensorType, type TensorType } from '../../core/shape.ts';
import { fromTyped, typed, type Tensor } from '../../core/tensor.ts';
import { tensorOf } from '../../graph/graph.ts';
import { attr, defineOp, type InferCtx } from '../define.ts';
import { leavesByWalk } from './schedules/walk.ts';
import { sumTrees } from './schedules/plan.ts';
import { checkTables, reach, readTables, TREE_INPUTS } from './tables.ts';

/** How categories are read; see `TreeTables`. */
const rules = { invalid: attr.oneOf(['left', 'missing'], 'left'), truncate: attr.bool(false) };

/**
 * Decision trees over the rows of x: [batch, F] (f32 or f64) to [batch, G], in the dtype of `values`. For each row and group g:
 *   base first:  s = base[g]; s = s (+) leaf of tree t, for the trees that add to g, in order; s / divide
 *   base last:   s = 0 (min, max: the first leaf); s = s (+) leaf …; s / divide (+ base[g])
 * where (+) is `aggregate` and every step is rounded to the dtype of `values`. `divide` is 1 except for averages; then base is last.
 * The tables are constants, see `TreeTables`. Link functions are ordinary operators behind it.
 */
export const TreeEnsemble = defineOp({
  name: 'TreeEnsemble',
  doc: 'The sum (or least, or greatest) of the leaves that each row reaches in decision trees, by group.',
  inputs: ['x', ...TREE_INPUTS],
  attrs: {
    aggregate: attr.oneOf(['sum', 'min', 'max'], 'sum'),
    base: attr.oneOf(['first', 'last'], 'first'),
    divide: attr.float(1),
    ...rules,
  },
  infer: c => {
    const { base, aggregate, divide } = c.attrs;
    if (base === 'first' && (aggregate !== 'sum' || divide !== 1)) c.reject('the base of anything but a plain sum is added last');
    const { batch, groups, dtype } = checkTypes(c);
    return [tensorType(dtype, [batch, groups])];
  },
  eval: (c, x, ...ins) => {
    const t = readTables(ins);
    const { rows, features, from } = rowsOf(must(x));
    const G = t.base.length;
    const { aggregate, base, divide } = c.attrs;
    const start =
      base === 'first' ? t.base : t.base.map(() => (aggregate === 'sum' ? 0 : aggregate === 'min' ? Infinity : -Infinity));
    const make = (n: number): Float32Array | Float64Array =>
      t.values instanceof Float32Array ? new Float32Array(n) : new Float64Array(n);
    const out = make(rows * G);
    // Storing rounds: a sum, quotient, … of two f32 in f64 and then to f32 is the f32 operation.
    const acc = make(G);
    for (let r = 0; r < rows; r++) {
      acc.set(start);
      for (let i = 0; i < t.root.length; i++) {
        const leaf = reach(t, c.attrs, from, r * features, must(t.root[i]));
        for (let w = 0; w < t.width; w++) {
          const g = must(t.group[i]) + w;
          const [s, v] = [must(acc[g]), must(t.values[leaf * t.width + w])];
          acc[g] = aggregate === 'sum' ? s + v : aggregate === 'min' ? Math.min(s, v) : Math.max(s, v);
        }
      }
      if (divide !== 1) for (let g = 0; g < G; g++) acc[g] = must(acc[g]) / divide;
      if (base === 'last') for (let g = 0; g < G; g++) acc[g] = must(acc[g]) + must(t.base[g]);
      out.set(acc, r * G);
    }
    return [fromTyped(must(c.out[0]).dtype, [rows, G], out)];
  },
  lower: { k: 'kernel', build: sumTrees },
});

/** Which leaf each row reaches in each tree: [batch, T] i32, as the framework numbers leaves (`id` i32[L]). */
export const TreeLeaves = defineOp({
  name: 'TreeLeaves',
  doc: 'The number of the leaf that each row reaches in each tree.',
  // After optional inputs, an input is optional too.
  inputs: ['x', ...TREE_INPUTS, 'id?'],
  attrs: rules,
  infer: c => {
    const { batch, trees, leaves } = checkTypes(c);
    const id = c.types[13] ?? c.reject("input 'id' is missing");
    if (id.dtype !== 'i32' || id.shape.length !== 1 || id.shape[0] !== leaves) c.reject(`'id' must be i32[${leaves}]`);
    return [tensorType('i32', [batch, trees])];
  },
  eval: (c, x, ...ins) => {
    const t = readTables(ins);
    const id = typed(must(ins[12]));
    const { rows, features, from } = rowsOf(must(x));
    const out = new Int32Array(rows * t.root.length);
    for (let r = 0, at = 0; r < rows; r++)
      for (const root of t.root) out[at++] = Number(id[reach(t, c.attrs, from, r * features, root)]);
    return [fromTyped('i32', [rows, t.root.length], out)];
  },
  lower: { k: 'kernel', build: leavesByWalk },
});

export function rowsOf(x: Tensor): {
  readonly rows: number;
  readonly features: number;
  readonly from: Float32Array | Float64Array;
} {
  return { rows: must(x.dims[0]), features: must(x.dims[1]), from: typed(x) as Float32Array | Float64Array };
}
interface Sizes {
  readonly batch: Dim;
  readonly features: number;
  readonly nodes: number;
  readonly leaves: number;
  readonly trees: number;
  readonly groups: number;
  readonly width: number;
  readonly dtype: DType;
}
/** Checks rows and tables (inputs 0 to 12): types and sizes, and the contents where they are constants, as importers make them. */
export function checkTypes(c: InferCtx<unknown>): Sizes {
  const x = must(c.types[0]);
  if (x.shape.length !== 2) c.reject(`x must be rows of features, not ${x.shape.length} axes`);
  if (x.dtype !== 'f32' && x.dtype !== 'f64') c.reject(`x must be f32 or f64, not ${x.dtype}`);
  const [batch, features] = [must(x.shape[0]), x.shape[1]];
  if (typeof features !== 'number') return c.reject('the number of features is not fixed');
  const type = (i: number): TensorType => must(c.types[i]);
  const size = (i: number, axis = 0): number => {
    const d = type(i).shape[axis];
    return typeof d === 'number' ? d : c.reject(`'${nameOf(i)}' has no fixed size`);
  };
  const nodes = size(1);
  const values = type(6);
  if (values.shape.length !== 2 || (values.dtype !== 'f32' && values.dtype !== 'f64'))
    c.reject("'values' must be f32 or f64 [leaves, width]");
  const trees = size(7);
  const groups = size(9);
  const want: readonly (readonly [number, DType, number | undefined])[] = [
    [1, 'i32', nodes],
    [2, x.dtype, nodes],
    [3, 'i32', nodes],
    [4, 'i32', nodes],
    [5, 'u8', nodes],
    [7, 'i32', trees],
    [8, 'i32', trees],
    [9, values.dtype, groups],
    [10, 'u32', undefined],
    [11, 'i32', nodes],
    [12, 'i32', nodes],
  ];
  for (const [i, dtype, n] of want) {
    const t = c.types[i];
    if (t && (t.dtype !== dtype || t.shape.length !== 1 || (n !== undefined && t.shape[0] !== n)))
      c.reject(`'${nameOf(i)}' must be ${dtype}[${n ?? ''}]`);
  }
  const tables = c.inputs.slice(1, 13).map(tensorOf);
  if (tables.every((t, i) => t !== undefined || c.inputs[i + 1] === undefined)) {
    const wrong = checkTables(readTables(tables), features);
    if (wrong !== undefined) c.reject(wrong);
  }
  return { batch, features, nodes, leaves: size(6), trees, groups, width: size(6, 1), dtype: values.dtype };
}
const nameOf = (i: number): string => (TREE_INPUTS[i - 1] ?? 'x').replace('?', '');
