import { must } from '../../core/diagnostic.ts';
import { dimSum, staticDims, type Dim } from '../../core/dim.ts';
import type { Content } from '../../core/float-size.ts';
import { tensorType } from '../../core/shape.ts';
import { numel, typed } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { movedAxis } from '../axes.ts';
import { attr, defineOp } from '../define.ts';
import { checkAxis } from './gather.ts';

import { sliceRef } from '../ref.ts';
import { cellsOf, newCells } from '../strided.ts';

export const Concat = defineOp({
  name: 'Concat',
  doc: 'The operands one after the other along an axis.',
  inputs: ['...xs'],
  attrs: { axis: attr.int() },
  infer: c => {
    const { axis } = c.attrs;
    const types = c.types.map(t => must(t));
    const first = types[0] ?? c.reject('needs an operand');
    checkAxis(c, axis, first.shape.length);
    const shape = [...first.shape];
    for (const t of types.slice(1)) {
      if (t.dtype !== first.dtype) c.reject(`operands of types ${first.dtype} and ${t.dtype}`);
      if (t.shape.length !== shape.length) c.reject(`operands of ${shape.length} and ${t.shape.length} axes`);
      t.shape.forEach((d, a) => {
        if (a !== axis) shape[a] = c.same(must(shape[a]), d, `axis ${a} of the operands`);
      });
    }
    shape[axis] = dimSum(types.map(t => must(t.shape[axis])));
    return [tensorType(first.dtype, shape)];
  },
  symbolic: c => {
    const parts = c.inputs.map((_, i) => c.contents(i));
    if (parts.some(k => k === undefined)) return [];
    const outer = staticDims(must(c.inputs[0]).type.shape.slice(0, c.attrs.axis));
    if (!outer) return parts.length === 1 ? parts : [];
    // Of each part as many elements in a row as it has behind the axes before the one along which they are put.
    const rows = numel(outer);
    const row = (list: readonly Content[] | undefined, i: number): readonly Content[] => {
      const width = (list?.length ?? 0) / rows;
      return list?.slice(i * width, (i + 1) * width) ?? [];
    };
    return [Array.from({ length: rows }, (_, i) => parts.flatMap(k => row(k, i))).flat()];
  },
  eval: (c, ...xs) => {
    const dims = c.dims(0);
    const { axis } = c.attrs;
    const { cells, tensor } = newCells(must(c.out[0]).dtype, dims);
    const outer = numel(dims.slice(0, axis));
    const row = numel(dims.slice(axis));
    let start = 0;
    for (const x of xs) {
      const t = must(x);
      const from = cellsOf(typed(t));
      const n = numel(t.dims.slice(axis));
      for (let o = 0; o < outer; o++) for (let e = 0; e < n; e++) cells[o * row + start + e] = must(from[o * n + e]);
      start += n;
    }
    return [tensor];
  },
  permuteAxes: (n, perm) => ({ ...n.attrs, axis: movedAxis(n.attrs.axis, perm) }),
  lower: {
    k: 'assemble',
    part: (out, i, n) => {
      const { axis } = n.attrs;
      const size = (v: Value | undefined): Dim => must(must(v).type.shape[axis]);
      return sliceRef(out, axis, dimSum(n.inputs.slice(0, i).map(size)), size(n.inputs[i]));
    },
  },
});
