import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Range } from '../../../ops/movement/range.ts';
import { rankOf } from '../../shared/axes.ts';
import { element, lengthOf, sizeOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { cast, concat, expand, reshape } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/**
 * Diagonals of matrices, several at once as rows of one length. Where each element comes from is computed with tensors of i64: at import
 * where the diagonals are known, else in the run.
 */
interface Diagonals {
  /** The first and the last diagonal, and the sizes of the matrix: numbers. */
  readonly k0: Value;
  readonly k1: Value;
  readonly rows: Value;
  readonly cols: Value;
  /** Elements of a row. */
  readonly longest: Value;
  /** Whether diagonals above the main one, and those below it, are at the left of their rows. */
  readonly left: { readonly above: boolean; readonly below: boolean };
}
const long = (c: TfCtx, v: number): Value => c.literal('i64', v);
const op = (c: TfCtx, of: typeof e.Add, a: Value, b: Value): Value => c.apply1(of, [a, b]);
const neg = (c: TfCtx, v: Value): Value => c.apply1(e.Neg, [v]);
const and = (c: TfCtx, a: Value, b: Value): Value => c.apply1(e.And, [a, b]);
/** 0, 1, … n - 1 along the last of `axes` axes but `behind`. */
const along = (c: TfCtx, n: Dim, behind = 0): Value =>
  reshape(c, c.apply1(Range, [long(c, 0), long(c, 1)], { n }), [n, ...new Array<Dim>(behind).fill(1)]);

/** How long diagonal d is. */
const lengthOfDiagonal = (c: TfCtx, rows: Value, cols: Value, below: Value, above: Value): Value =>
  op(c, e.Min, op(c, e.Add, rows, op(c, e.Min, below, long(c, 0))), op(c, e.Sub, cols, op(c, e.Max, above, long(c, 0))));
function diagonalsOf(n: TfNode, c: TfCtx, at: number, rows: Value, cols: Value): Diagonals {
  const [k0, k1] = ends(n, c, at);
  // Before the third version they are on the left.
  const align = n.op.endsWith('V3') ? n.string('align', 'RIGHT_LEFT') : 'LEFT_LEFT';
  const [above = 'LEFT', below = 'LEFT'] = align.split('_');
  const longest = lengthOfDiagonal(c, rows, cols, k1, k0);
  return { k0, k1, rows, cols, longest, left: { above: above === 'LEFT', below: below === 'LEFT' } };
}
/** The diagonals that an input names: one, or a first and a last one. */
function ends(n: TfNode, c: TfCtx, at: number): readonly [Value, Value] {
  if (!n.items[at]) return [long(c, 0), long(c, 0)];
  const k = cast(c, n.input(at), 'i64');
  const count = lengthOf(c, k);
  return [0, count - 1].map(i => reshape(c, element(c, k, i), [])) as [Value, Value];
}
/** Whether an input names one diagonal: then there is no axis of diagonals. Two that come out in the run must differ. */
function isSingle(n: TfNode, c: TfCtx, at: number, d: Diagonals): boolean {
  if (!n.items[at] || lengthOf(c, n.input(at)) === 1) return true;
  const [a, b] = [symbolicOf(d.k0)?.[0], symbolicOf(d.k1)?.[0]];
  return a !== undefined && a === b;
}
/** Where diagonal k begins in its row. */
function startOf(c: TfCtx, d: Diagonals, k: Value, length: Value): Value {
  const right = op(c, e.Sub, d.longest, length);
  if (d.left.above && d.left.below) return c.apply1(e.Mul, [right, long(c, 0)]);
  if (!d.left.above && !d.left.below) return right;
  const isLeft = d.left.above ? c.apply1(e.GreaterOrEqual, [k, long(c, 0)]) : c.apply1(e.LessOrEqual, [k, long(c, 0)]);
  return c.apply1(e.Where, [isLeft, long(c, 0), right]);
}
/** Elements of several parts, which follow each other in a row, by places; the batch axes of x are those of all. */
function choose(
  c: TfCtx,
  outer: readonly Dim[],
  parts: readonly (readonly [v: Value, size: Dim])[],
  places: Value,
  shape: readonly Dim[],
): Value {
  const all = concat(
    c,
    parts.map(([v, size]) => expand(c, reshape(c, v, rankOf(v) <= 1 && size === 1 ? [1] : [...outer, size]), [...outer, size])),
    outer.length,
  );
  const y = c.apply1(Gather, [all, reshape(c, places, [dimProd(places.type.shape)])], { axis: outer.length });
  return reshape(c, y, [...outer, ...shape]);
}
/** A number of the run as a size. */
const sizeIn = (c: TfCtx, v: Value, what: string, hi: number): Dim => sizeOf(c, reshape(c, v, [1]), { what, lo: 0, hi });

const diagPart: TfBuilder = (n, c) => {
  const x = n.input(0);
  const outer = x.type.shape.slice(0, -2);
  const [rows = 1, cols = 1] = x.type.shape.slice(-2);
  const d = diagonalsOf(n, c, 1, sizesValue(c, [rows], []), sizesValue(c, [cols], []));
  const single = isSingle(n, c, 1, d);
  const many = single ? 1 : sizeIn(c, op(c, e.Add, op(c, e.Sub, d.k1, d.k0), long(c, 1)), 'diagonals', dimHi(rows) + dimHi(cols));
  const longest = sizeIn(c, d.longest, 'diagonal', Math.min(dimHi(rows), dimHi(cols)));
  const k = op(c, e.Sub, d.k1, along(c, many, 1));
  const length = lengthOfDiagonal(c, d.rows, d.cols, k, k);
  const i = op(c, e.Sub, along(c, longest), startOf(c, d, k, length));
  const inside = and(c, c.apply1(e.GreaterOrEqual, [i, long(c, 0)]), c.apply1(e.Less, [i, length]));
  const row = op(c, e.Add, i, op(c, e.Max, neg(c, k), long(c, 0)));
  const col = op(c, e.Add, i, op(c, e.Max, k, long(c, 0)));
  const area = dimMul(rows, cols);
  const place = c.apply1(e.Where, [inside, op(c, e.Add, op(c, e.Mul, row, d.cols), col), sizesValue(c, [area], [])]);
  const padding = n.items[2] ? n.input(2) : c.literal(x.type.dtype, 0);
  return [
    choose(
      c,
      outer,
      [
        [x, area],
        [reshape(c, padding, [1]), 1],
      ],
      expand(c, place, [many, longest]),
      single ? [longest] : [many, longest],
    ),
  ];
};
/** For each element of a matrix its place among the rows of diagonals, and whether it is on one. */
function placesInMatrix(c: TfCtx, d: Diagonals, rows: Dim, cols: Dim): { readonly place: Value; readonly inside: Value } {
  const [i, j] = [along(c, rows, 1), along(c, cols)];
  const k = op(c, e.Sub, j, i);
  const inside = and(c, c.apply1(e.GreaterOrEqual, [k, d.k0]), c.apply1(e.LessOrEqual, [k, d.k1]));
  const length = lengthOfDiagonal(c, d.rows, d.cols, k, k);
  const at = op(c, e.Add, op(c, e.Sub, i, op(c, e.Max, neg(c, k), long(c, 0))), startOf(c, d, k, length));
  return { inside, place: op(c, e.Add, op(c, e.Mul, op(c, e.Sub, d.k1, k), d.longest), at) };
}
const diag: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [k0, k1] = ends(n, c, 1);
  const given = (at: number): Value => (n.items[at] ? reshape(c, cast(c, n.input(at), 'i64'), []) : long(c, -1));
  const single = !n.items[1] || lengthOf(c, n.input(1)) === 1 || (symbolicOf(k0)?.[0] ?? -0.5) === symbolicOf(k1)?.[0];
  const inner = single ? 1 : 2;
  const outer = x.type.shape.slice(0, rankOf(x) - inner);
  const longest = sizesValue(c, [must(x.type.shape.at(-1))], []);
  // The least matrix that the diagonals fit into; a square one where neither size is given.
  const zero = long(c, 0);
  const least = [op(c, e.Sub, longest, op(c, e.Min, k1, zero)), op(c, e.Add, longest, op(c, e.Max, k0, zero))];
  const [leastRows, leastCols] = [must(least[0]), must(least[1])];
  const square = op(c, e.Max, leastRows, leastCols);
  const is = (v: Value): Value => c.apply1(e.GreaterOrEqual, [v, zero]);
  const [r, q] = [given(2), given(3)];
  const rowsValue = c.apply1(e.Where, [is(r), r, c.apply1(e.Where, [is(q), leastRows, square])]);
  const colsValue = c.apply1(e.Where, [is(q), q, c.apply1(e.Where, [is(r), leastCols, square])]);
  const most = unbounded(c, 'number of rows or columns', 2);
  const size = (v: Value): Dim => sizeOf(c, reshape(c, v, [1]), () => ({ what: 'size', lo: 0, hi: most() }));
  const [rows, cols] = [size(rowsValue), size(colsValue)];
  const d = { ...diagonalsOf(n, c, 1, rowsValue, colsValue), longest };
  const { place, inside } = placesInMatrix(c, d, rows, cols);
  const count = dimProd(x.type.shape.slice(outer.length));
  const places = c.apply1(e.Where, [inside, place, sizesValue(c, [count], [])]);
  const padding = n.items[4] ? n.input(4) : c.literal(x.type.dtype, 0);
  return [
    choose(
      c,
      outer,
      [
        [x, count],
        [reshape(c, padding, [1]), 1],
      ],
      expand(c, places, [rows, cols]),
      [rows, cols],
    ),
  ];
};
const setDiag: TfBuilder = (n, c) => {
  const [x, values] = [n.input(0), n.input(1)];
  const outer = x.type.shape.slice(0, -2);
  const [rows = 1, cols = 1] = x.type.shape.slice(-2);
  const d = {
    ...diagonalsOf(n, c, 2, sizesValue(c, [rows], []), sizesValue(c, [cols], [])),
    longest: sizesValue(c, [must(values.type.shape.at(-1))], []),
  };
  const { place, inside } = placesInMatrix(c, d, rows, cols);
  const area = dimMul(rows, cols);
  const own = reshape(c, along(c, area), [rows, cols]);
  const places = c.apply1(e.Where, [inside, op(c, e.Add, place, sizesValue(c, [area], [])), own]);
  const count = dimProd(values.type.shape.slice(outer.length));
  return [
    choose(
      c,
      outer,
      [
        [x, area],
        [values, count],
      ],
      expand(c, places, [rows, cols]),
      [rows, cols],
    ),
  ];
};
/** A tensor of twice the axes, with x where both halves of an index are equal. */
const wideDiag: TfBuilder = (n, c) => {
  const x = n.input(0);
  const count = dimProd(x.type.shape);
  const same = c.apply1(e.Equal, [along(c, count, 1), along(c, count)]);
  const y = c.apply1(e.Where, [same, reshape(c, x, [count]), c.literal(x.type.dtype, 0)]);
  return [reshape(c, y, [...x.type.shape, ...x.type.shape])];
};
const wideDiagPart: TfBuilder = (n, c) => {
  const x = n.input(0);
  const half = x.type.shape.slice(0, rankOf(x) / 2);
  const count = dimProd(half);
  const step = sizesValue(c, [dimAdd(count, 1)], []);
  const places = c.apply1(Range, [long(c, 0), step], { n: count });
  return [reshape(c, c.apply1(Gather, [reshape(c, x, [dimMul(count, count)]), places], { axis: 0 }), half)];
};

export const diagonalOps: TfOps = {
  Diag: wideDiag,
  DiagPart: wideDiagPart,
  MatrixDiag: diag,
  MatrixDiagPart: diagPart,
  MatrixDiagPartV2: diagPart,
  MatrixDiagPartV3: diagPart,
  MatrixDiagV2: diag,
  MatrixDiagV3: diag,
  MatrixSetDiag: setDiag,
  MatrixSetDiagV2: setDiag,
  MatrixSetDiagV3: setDiag,
};
