import { dimProd } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Range, RangeSize } from '../../../ops/movement/range.ts';
import { boundsIn, lengthOf, sizeOf, sizesOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { cast, expand, reshape } from '../../shared/views.ts';
import { isValue } from '../item.ts';
import { COMPLEX128, COMPLEX64, dimsOf, STRING, stringsOf } from '../tensor.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/** A constant: numbers, complex numbers or text. */
const constant: TfBuilder = (n, c) => {
  const t = n.tensorProto('value');
  if (t.dtype === STRING) {
    return [{ k: 'text', dims: dimsOf(t.shape), strings: stringsOf(t, count => c.room(count, 'a constant')) }];
  }
  const value = c.constant(n.decoded(t), n.name);
  return [t.dtype === COMPLEX64 || t.dtype === COMPLEX128 ? { k: 'complex', pair: value } : value];
};
/** The sizes of an item. */
function sizesOfItem(n: TfNode, i: number) {
  const x = n.item(i);
  if (isValue(x)) return x.type.shape;
  return x.k === 'complex' ? x.pair.type.shape.slice(0, -1) : x.k === 'text' ? x.dims : n.input(i).type.shape;
}
const shapeAs = (n: TfNode, c: TfCtx, i: number): Value => cast(c, sizesValue(c, sizesOfItem(n, i)), n.dtype('out_type', 'i32'));
const fill: TfBuilder = (n, c) => {
  const most = unbounded(c, 'shape', lengthOf(c, n.input(0)));
  const shape = sizesOf(c, n.input(0), () => ({ what: 'size', lo: 0, hi: most() }));
  return [expand(c, reshape(c, n.input(1), []), shape)];
};
const range: TfBuilder = (n, c) => {
  const [start, limit, delta] = n.inputs().map(v => reshape(c, v, []));
  const count = c.apply1(RangeSize, [start, limit, delta]);
  const length = sizeOf(c, count, () => ({ what: 'range', ...(boundsIn(count) ?? { lo: 0, hi: unbounded(c, 'length')() }) }));
  return [c.apply1(Range, [start, delta], { n: length })];
};
/** start + i * (stop - start) / (num - 1); the last is `stop` itself. */
const linSpace: TfBuilder = (n, c) => {
  const [start, stop] = [n.input(0), n.input(1)].map(v => reshape(c, v, []));
  const [num = 0] = c.intsIn(n.input(2), 'number of steps');
  if (!start || !stop || num < 1) return n.reject(`${num} steps`);
  const { dtype } = start.type;
  c.room(num, 'a range');
  const at = c.literal(
    dtype,
    Array.from({ length: num }, (_, i) => (num === 1 ? 0 : i / (num - 1))),
  );
  const along = c.apply1(e.Add, [start, c.apply1(e.Mul, [at, c.apply1(e.Sub, [stop, start])])]);
  if (num === 1) return [along];
  const last = c.literal(
    'bool',
    Array.from({ length: num }, (_, i) => (i === num - 1 ? 1 : 0)),
  );
  return [c.apply1(e.Where, [last, stop, along])];
};
export const shapeOps: TfOps = {
  Const: constant,
  HostConst: constant,
  Empty: (n, c) => [
    expand(
      c,
      c.literal(n.dtype('dtype'), 0),
      sizesOf(c, n.input(0), () => ({ what: 'size', lo: 0, hi: unbounded(c, 'shape', 1)() })),
    ),
  ],
  Fill: fill,
  LinSpace: linSpace,
  Range: range,
  Rank: (n, c) => [c.literal('i32', sizesOfItem(n, 0).length)],
  Shape: (n, c) => [shapeAs(n, c, 0)],
  ShapeN: (n, c) => n.items.map((_, i) => shapeAs(n, c, i)),
  Size: (n, c) => [cast(c, sizesValue(c, [dimProd(sizesOfItem(n, 0))], []), n.dtype('out_type', 'i32'))],
};
