import { must } from '../../../core/diagnostic.ts';
import type { Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Add, Mul, Sub } from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Range } from '../../../ops/movement/range.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode } from '../registry.ts';
import { indicesInto } from '../../shared/indices.ts';
import { concat, reshape, slice, transpose } from '../../shared/views.ts';

/** How a rotary embedding turns the first elements of each head. */
interface Rotation {
  /** [batch or 1, rows, half] */
  readonly cos: Value;
  readonly sin: Value;
  /** Pairs are neighbours; else the two halves. */
  readonly interleaved: boolean;
}
/** Turns [batch, rows, heads, size] by the angles of each row. What is more than twice the width of `cos` stays. */
export function rotate(n: OnnxNode, c: ImportCtx, x: Value, r: Rotation): Value {
  const [batch = 1, rows = 1, heads = 1, size] = x.type.shape;
  const half = r.cos.type.shape.at(-1);
  if (typeof half !== 'number' || typeof size !== 'number') return n.unsupported('sizes known only when the model runs');
  if (2 * half > size) n.reject(`caches of ${half} turn ${2 * half} elements, a head has ${size}`);
  const part = (from: Value, axis: number, start: Dim, count: Dim, step = 1): Value =>
    slice(c, from, new Map([[axis, { start, size: count, step }]]));
  const [a, b] = r.interleaved ? [part(x, 3, 0, half, 2), part(x, 3, 1, half, 2)] : [part(x, 3, 0, half), part(x, 3, half, half)];
  const wide = (v: Value): Value => reshape(c, v, [must(v.type.shape[0]), must(v.type.shape[1]), 1, half]);
  const [cos, sin] = [wide(r.cos), wide(r.sin)];
  const real = c.apply1(Sub, [c.apply1(Mul, [cos, a]), c.apply1(Mul, [sin, b])]);
  const imag = c.apply1(Add, [c.apply1(Mul, [sin, a]), c.apply1(Mul, [cos, b])]);
  const pairs = (v: Value): Value => reshape(c, v, [batch, rows, heads, half, 1]);
  const turned = r.interleaved
    ? reshape(c, concat(c, [pairs(real), pairs(imag)], 4), [batch, rows, heads, 2 * half])
    : concat(c, [real, imag], 3);
  return 2 * half === size ? turned : concat(c, [turned, part(x, 3, 2 * half, size - 2 * half)], 3);
}
/** Rows of a cache [positions, half] at the given positions [batch, rows]; a cache of three axes is for the rows as they are. */
export function cacheRows(n: OnnxNode, c: ImportCtx, cache: Value, positions: Value | undefined): Value {
  const rank = cache.type.shape.length;
  if (positions && positions.type.shape.length !== 2) n.reject(`positions have ${positions.type.shape.length} axes, must have 2`);
  if (positions) {
    if (rank !== 2) n.reject(`a cache has ${rank} axes, must have 2`);
    return c.apply1(Gather, [cache, indicesInto(c, positions, [must(cache.type.shape[0])], false)], { axis: 0 });
  }
  return rank === 3 ? cache : n.reject(`a cache has ${rank} axes, must have 3 where no positions are given`);
}
/** Positions first, first + 1, … for each sample: [batch, rows] from [batch] or [1]. */
export function positionsFrom(c: ImportCtx, first: Value, rows: Dim): Value {
  const count = c.apply1(Range, [c.literal(first.type.dtype, 0), c.literal(first.type.dtype, 1)], { n: rows });
  return c.apply1(Add, [reshape(c, first, [must(first.type.shape[0]), 1]), reshape(c, count, [1, rows])]);
}
/** [batch, rows, heads * size] or [batch, heads, rows, size] as [batch, rows, heads, size], and the way back. */
export function headsLast(
  n: OnnxNode,
  c: ImportCtx,
  x: Value,
  heads: number,
): { readonly x: Value; readonly back: (y: Value) => Value } {
  const { shape } = x.type;
  if (shape.length === 4) return { x: transpose(c, x, [0, 2, 1, 3]), back: y => transpose(c, y, [0, 2, 1, 3]) };
  const [batch, rows, width] = shape;
  if (batch === undefined || rows === undefined || shape.length !== 3)
    return n.reject(`the input has ${shape.length} axes, must have 3 or 4`);
  if (typeof width !== 'number') return n.unsupported('the width of the heads is known only when the model runs');
  if (heads < 1 || width % heads !== 0) n.reject(`a width of ${width} is not for ${heads} heads`);
  return { x: reshape(c, x, [batch, rows, heads, width / heads]), back: y => reshape(c, y, shape) };
}

/** RotaryEmbedding of the standard. */
export const rotaryEmbedding: OnnxBuilder = (n, c) => {
  const { x, back } = headsLast(n, c, n.input(0), n.int('num_heads', 0));
  const [cos, sin] = [n.input(1), n.input(2)].map(v => cacheRows(n, c, v, n.inputs[3]));
  checkDim(n, must(cos), 'rotary_embedding_dim');
  return [back(rotate(n, c, x, { cos: must(cos), sin: must(sin), interleaved: n.bool('interleaved', false) }))];
};
function checkDim(n: OnnxNode, cos: Value, name: string): void {
  const d = n.int(name, 0);
  const half = cos.type.shape.at(-1);
  if (typeof half !== 'number') n.unsupported('the width of the caches is known only when the model runs');
  if (d !== 0 && half !== d / 2) n.reject(`${name} is ${d}, the caches have ${half} columns`);
}
/** RotaryEmbedding of com.microsoft: positions are the second input, one number means the first position. */
export const rotaryEmbeddingMs: OnnxBuilder = (n, c) => {
  if (n.bool('is_packed_batching', false)) n.unsupported('packed batches');
  const given = n.input(0);
  const [cosCache, sinCache] = [n.input(2), n.input(3)];
  const half = cosCache.type.shape.at(-1);
  const width = given.type.shape.at(-1);
  const heads = n.int('num_heads', 0);
  // Without a number of heads, the caches are as wide as a head.
  const own = heads > 0 || typeof half !== 'number' || typeof width !== 'number' ? heads : width / (2 * half);
  const { x, back } = headsLast(n, c, given, own);
  const positions = n.input(1);
  const at = positions.type.shape.length === 1 ? positionsFrom(c, positions, must(x.type.shape[1])) : positions;
  const [cos, sin] = [cosCache, sinCache].map(v => cacheRows(n, c, v, at));
  checkDim(n, must(cos), 'rotary_embedding_dim');
  const y = back(rotate(n, c, x, { cos: must(cos), sin: must(sin), interleaved: n.bool('interleaved', false) }));
  const scale = n.float('scale', 1);
  return [scale === 1 ? y : c.apply1(Mul, [y, c.literal(y.type.dtype, scale)])];
};
