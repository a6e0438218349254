import { must } from '../../../core/diagnostic.ts';
import { dimMul, dimSub, type Dim } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { ScatterND } from '../../../ops/movement/scatter.ts';
import { gather } from '../../shared/gather.ts';
import { indicesInto } from '../../shared/indices.ts';
import { sizeOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { cast, concat, expand, reshape, slice } from '../../shared/views.ts';
import { describe, isValue, type List } from '../item.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/** Lists and arrays of tensors: one tensor with an axis more. Of an array the flow is what it holds. */

function listAt(n: TfNode, i: number): List {
  const x = n.item(i);
  return !isValue(x) && x.k === 'list' ? x : n.unsupported(`its input ${i} is ${describe(x)}, not a list`);
}
const allOf = (n: TfNode, l: List): Value => l.all ?? n.unsupported('a list of which nothing says how large its elements are');
const countOf = (c: TfCtx, v: Value): Dim =>
  sizeOf(c, reshape(c, v, [1]), () => ({ what: 'length', lo: 0, hi: unbounded(c, 'length')() }));
/** A list of zeros, where the shape of its elements is known. */
function made(c: TfCtx, dtype: List['dtype'], size: Dim, shape: readonly Dim[] | undefined): List {
  const known = shape?.every(d => typeof d !== 'number' || d >= 0) === true ? shape : undefined;
  return { k: 'list', dtype, size, all: known && expand(c, c.literal(dtype, 0), [size, ...known]) };
}
/** The shape of elements that an input says; undefined: unknown. */
const elementShape = (c: TfCtx, v: Value): readonly Dim[] | undefined =>
  v.type.shape.length === 0 ? undefined : symbolicOf(v) && c.dimsIn(v, 'shape');
/** One element in the place of another. */
function withItem(n: TfNode, c: TfCtx, l: List, at: Value, item: Value): List {
  const all = l.all ?? must(made(c, l.dtype, l.size, item.type.shape).all);
  const place = reshape(c, indicesInto(c, reshape(c, at, []), [l.size], false), [1, 1]);
  const update = reshape(c, item, [1, ...item.type.shape]);
  if (all.type.shape.length !== update.type.shape.length) n.reject('an element of another rank');
  return { ...l, all: c.apply1(ScatterND, [all, place, update], { reduction: 'none' }) };
}
const itemAt = (n: TfNode, c: TfCtx, l: List, at: Value): Value => gather(c, allOf(n, l), reshape(c, at, []), 0, false);
const joined = (n: TfNode, c: TfCtx, l: List): Value => {
  const all = allOf(n, l);
  const [count = 1, first = 1, ...rest] = all.type.shape;
  return reshape(c, all, [dimMul(count, first), ...rest]);
};
const spread = (c: TfCtx, l: List, at: Value, values: Value): List => {
  const all = l.all ?? must(made(c, l.dtype, l.size, values.type.shape.slice(1)).all);
  const place = reshape(c, indicesInto(c, at, [l.size], false), [...at.type.shape, 1]);
  return { ...l, all: c.apply1(ScatterND, [all, place, values], { reduction: 'none' }) };
};
const pushBack: TfBuilder = (n, c) => {
  const [l, item] = [listAt(n, 0), n.input(1)];
  const one = reshape(c, item, [1, ...item.type.shape]);
  const all = l.all && l.size !== 0 ? concat(c, [l.all, one], 0) : one;
  return [{ ...l, all, size: must(all.type.shape[0]) }];
};
const popBack: TfBuilder = (n, c) => {
  const l = listAt(n, 0);
  const all = allOf(n, l);
  const left = dimSub(l.size, 1);
  const rest = slice(c, all, new Map([[0, { start: 0, size: left, step: 1 }]]));
  const last = slice(c, all, new Map([[0, { start: left, size: 1, step: 1 }]]));
  return [{ ...l, all: rest, size: left }, reshape(c, last, all.type.shape.slice(1))];
};
/** An array, whose flow is a list. */
const array: TfBuilder = (n, c) => {
  const shape = n.shape('element_shape');
  const known = shape && !shape.unknownRank ? shape.dim.map(d => d.size) : undefined;
  return [{ k: 'handle', key: n.name }, made(c, n.dtype('dtype'), countOf(c, n.input(0)), known)];
};
const lengthOf = (c: TfCtx, l: List): Value => cast(c, sizesValue(c, [l.size], []), 'i32');

export const listOps: TfOps = {
  EmptyTensorList: (n, c) => [made(c, n.dtype('element_dtype'), 0, elementShape(c, n.input(0)))],
  TensorArrayConcatV3: (n, c) => [joined(n, c, listAt(n, 1))],
  TensorArrayGatherV3: (n, c) => [gather(c, allOf(n, listAt(n, 2)), n.input(1), 0, false)],
  TensorArrayReadV3: (n, c) => [itemAt(n, c, listAt(n, 2), n.input(1))],
  TensorArrayScatterV3: (n, c) => [spread(c, listAt(n, 3), n.input(1), n.input(2))],
  TensorArraySizeV3: (n, c) => [lengthOf(c, listAt(n, 1))],
  TensorArrayV3: array,
  TensorArrayWriteV3: (n, c) => [withItem(n, c, listAt(n, 3), n.input(1), n.input(2))],
  TensorListConcatV2: (n, c) => [joined(n, c, listAt(n, 0))],
  TensorListElementShape: (n, c) => [
    cast(c, sizesValue(c, allOf(n, listAt(n, 0)).type.shape.slice(1)), n.dtype('shape_type', 'i32')),
  ],
  TensorListFromTensor: n => {
    const all = n.input(0);
    return [{ k: 'list', dtype: all.type.dtype, size: must(all.type.shape[0]), all }];
  },
  TensorListGather: (n, c) => [
    c.apply1(Gather, [allOf(n, listAt(n, 0)), indicesInto(c, n.input(1), [listAt(n, 0).size], false)], { axis: 0 }),
  ],
  TensorListGetItem: (n, c) => [itemAt(n, c, listAt(n, 0), n.input(1))],
  TensorListLength: (n, c) => [lengthOf(c, listAt(n, 0))],
  TensorListPopBack: popBack,
  TensorListPushBack: pushBack,
  TensorListReserve: (n, c) => [made(c, n.dtype('element_dtype'), countOf(c, n.input(1)), elementShape(c, n.input(0)))],
  TensorListScatterIntoExistingList: (n, c) => [spread(c, listAt(n, 0), n.input(2), n.input(1))],
  TensorListSetItem: (n, c) => [withItem(n, c, listAt(n, 0), n.input(1), n.input(2))],
  TensorListStack: n => [allOf(n, listAt(n, 0))],
};
