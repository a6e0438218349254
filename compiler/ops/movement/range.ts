import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimMax, dimMul, dimSub } from '../../core/dim.ts';
import { isFloat, regOf } from '../../core/dtype.ts';
import { floatContent, WHOLE, wholeSize, type Content } from '../../core/float-size.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { add, cast, ceil, div, eq, gt, int, konst, max, mul, select, splat, sub, vec, vtype } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { cellOf, newCells } from '../strided.ts';

/** Tensors that follow from sizes and a few numbers. */

export const Range = defineOp({
  name: 'Range',
  doc: 'start, start + delta, start + 2 delta, … : n numbers.',
  inputs: ['start', 'delta'],
  attrs: { n: attr.dim() },
  infer: c => {
    const t = must(c.types[0]);
    if (must(c.types[1]).dtype !== t.dtype) c.reject('start and delta must have one type');
    for (const i of c.types) for (const d of must(i).shape) c.same(d, 1, 'start and delta are single numbers');
    return [tensorType(t.dtype, [c.attrs.n])];
  },
  symbolic: c => {
    const start = c.symbolic[0]?.[0];
    const delta = c.symbolic[1]?.[0];
    const { n } = c.attrs;
    if (start === undefined || delta === undefined || typeof n !== 'number' || n > 256) return [];
    return [Array.from({ length: n }, (_, i) => dimAdd(start, dimMul(delta, i)))];
  },
  eval: (c, start, delta) => {
    const s = toNumbers(must(start))[0] ?? 0;
    const d = toNumbers(must(delta))[0] ?? 0;
    return [
      fromNumbers(
        must(start).dtype,
        c.dims(0),
        Array.from({ length: c.dim(c.attrs.n) }, (_, i) => s + i * d),
      ),
    ];
  },
  lower: {
    k: 'indexMap',
    vector: () => true,
    at: (c, [i], lanes) => {
      const one = (j: number) =>
        must(c.ins[j]).at(
          c.k,
          must(c.ins[j]).dims.map(() => 0),
        );
      const reg = regOf(c.out.dtype);
      const at = lanes === 1 ? must(i) : add(splat(must(i), lanes), vec(Array.from({ length: lanes }, (_, l) => int(l))));
      return add(splat(one(0), lanes), mul(splat(one(1), lanes), cast(vtype(reg, lanes), at)));
    },
  },
});

/** How many numbers a range of floats has, as the standard computes it: the span in the type, the quotient in float64. */
function floatRangeSize(start: Content, limit: Content, delta: Content, single: boolean): Content | undefined {
  const round = single ? Math.fround : (v: number): number => v;
  const span = floatContent('sub', [limit, start], ([a = 0, b = 0]) => round(a - b), single ? 24 : 53);
  const steps =
    span === undefined ? undefined : floatContent('div', [span, delta], ([a = 0, b = 0]) => (b === 0 ? 0 : a / b), 53);
  return steps === undefined ? undefined : floatContent('ceil', [steps], ([v = 0]) => Math.ceil(v) + 0, WHOLE);
}

export const RangeSize = defineOp({
  name: 'RangeSize',
  doc: 'How many numbers there are from start on, delta apart, before limit.',
  inputs: ['start', 'limit', 'delta'],
  attrs: {},
  infer: c => {
    const t = must(c.types[0]);
    for (const i of c.types) {
      if (must(i).dtype !== t.dtype) c.reject('start, limit and delta must have one type');
      for (const d of must(i).shape) c.same(d, 1, 'start, limit and delta are single numbers');
    }
    return [tensorType('i64', [])];
  },
  symbolic: c => {
    if (isFloat(must(c.inputs[0]).type.dtype)) {
      const [start, limit, delta] = [0, 1, 2].map(i => c.contents(i)?.[0]);
      if (start === undefined || limit === undefined || delta === undefined) return [];
      const n = floatRangeSize(start, limit, delta, must(c.inputs[0]).type.dtype !== 'f64');
      const whole = n === undefined ? undefined : wholeSize(n);
      const most =
        whole === undefined ? n && floatContent('monotone', [n], ([v = 0]) => Math.max(0, v), WHOLE) : dimMax(0, whole);
      return [most === undefined ? undefined : [most]];
    }
    const [start, limit, delta] = c.symbolic.map(k => k?.[0]);
    if (start === undefined || limit === undefined || typeof delta !== 'number' || delta === 0) return [];
    const span = delta > 0 ? dimSub(limit, start) : dimSub(start, limit);
    return [[dimMax(0, dimCeilDiv(span, Math.abs(delta)))]];
  },
  eval: (_, ...ins) => {
    const [start = 0, limit = 0, delta = 0] = ins.map(t => toNumbers(must(t))[0] ?? 0);
    const span = must(ins[0]).dtype === 'f64' ? limit - start : Math.fround(limit - start);
    return [fromNumbers('i64', [], [delta === 0 ? 0 : Math.max(0, Math.ceil(span / delta))])];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const out = c.sink(0);
      const ins = [0, 1, 2].map(i => c.need(i));
      c.kernel('range_size', k => {
        const [start, limit, delta] = ins.map(s =>
          k.let(
            s.at(
              k,
              s.dims.map(() => 0),
            ),
          ),
        );
        const i64 = vtype('i64');
        const d = must(delta);
        if (isFloat(ins[0]?.dtype ?? 'f32')) {
          const f64 = vtype('f64');
          const n = ceil(div(cast(f64, sub(must(limit), must(start))), cast(f64, d)));
          out.store(k, [], select(eq(d, 0), konst(i64, 0), cast(i64, max(n, 0))));
          return;
        }
        const span = k.let(sub(cast(i64, must(limit)), cast(i64, must(start))));
        const step = k.let(cast(i64, select(eq(d, 0), konst(d.t, 1), d)));
        const n = k.let(div(span, step));
        // What is left over in the direction of the step is one number more.
        const more = gt(mul(sub(span, mul(n, step)), step), 0);
        out.store(k, [], select(eq(d, 0), konst(i64, 0), max(add(n, cast(i64, more)), 0)));
      });
    },
  },
});

export const Eye = defineOp({
  name: 'Eye',
  doc: 'Ones on diagonal k of a matrix, zeros elsewhere.',
  inputs: [],
  attrs: { rows: attr.dim(), cols: attr.dim(), k: attr.dim(0), dtype: attr.dtype() },
  infer: c => [tensorType(c.attrs.dtype, [c.attrs.rows, c.attrs.cols])],
  eval: c => {
    const dims = c.dims(0);
    const [rows = 0, cols = 0] = dims;
    const { cells, tensor } = newCells(c.attrs.dtype, dims);
    const one = cellOf(c.attrs.dtype, 1);
    const k = c.dim(c.attrs.k);
    for (let i = Math.max(0, -k); i < rows && i + k < cols; i++) cells[i * cols + i + k] = one;
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    at: (c, [i, j]) => {
      const t = vtype(regOf(c.out.dtype));
      return select(eq(sub(must(j), must(i)), c.k.dim(c.attrs.k)), konst(t, 1), konst(t, 0));
    },
  },
});
