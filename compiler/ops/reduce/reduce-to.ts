import { must } from '../../core/diagnostic.ts';
import { elements, tensorType } from '../../core/shape.ts';
import { typed } from '../../core/tensor.ts';
import { int, min, sub } from '../../kernel/ir.ts';
import { buildReduceTo } from './schedules/reduce.ts';
import { attr, defineOp } from '../define.ts';
import { broadcastIndex } from '../elementwise/op.ts';
import { eachAxis, reduceTensor } from './reduce.ts';
import { cellsOf, newCells } from '../strided.ts';
import { REDUCTIONS } from './axes.ts';

/** Reductions over axes that come out when the model runs, and the way back. */

export const ReduceTo = defineOp({
  name: 'ReduceTo',
  doc: 'Reduces x to a shape each size of which is that of x or 1: for axes that come out when the model runs.',
  inputs: ['x'],
  attrs: { of: attr.oneOf(REDUCTIONS), shape: attr.dims() },
  infer: c => {
    const x = must(c.types[0]);
    if (c.attrs.shape.length !== x.shape.length) c.reject(`${x.shape.length} axes cannot become ${c.attrs.shape.length}`);
    return [tensorType(x.dtype, c.attrs.shape)];
  },
  eval: (c, x) => {
    const t = must(x);
    const dims = c.dims(0);
    const axes = dims.flatMap((d, i) => (d === t.dims[i] ? [] : [i]));
    return [reduceTensor(t, c.attrs.of, axes, dims)];
  },
  lower: { k: 'kernel', iterationSpace: n => eachAxis(must(n.outputs[0]).type.shape.length), build: c => buildReduceTo(c) },
  macs: n => elements(must(n.inputs[0]).type),
});

export const Spread = defineOp({
  name: 'Spread',
  doc: 'x repeated to a shape along axes whose size turns out to be 1 when the model runs. The number of axes stays.',
  inputs: ['x'],
  attrs: { shape: attr.dims() },
  infer: c => {
    const x = must(c.types[0]);
    if (c.attrs.shape.length !== x.shape.length) c.reject(`${x.shape.length} axes cannot become ${c.attrs.shape.length}`);
    return [tensorType(x.dtype, c.attrs.shape)];
  },
  eval: (c, x) => {
    const t = must(x);
    const dims = c.dims(0);
    const at = broadcastIndex(t.dims, dims);
    const from = cellsOf(typed(t));
    const { cells, tensor } = newCells(t.dtype, dims);
    for (let i = 0; i < cells.length; i++) cells[i] = must(from[at(i)]);
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    at: (c, idx) => {
      const x = must(c.ins[0]);
      return x.at(
        c.k,
        idx.map((i, a) => (x.dims[a] === 1 ? int(0) : min(i, sub(c.k.dim(must(x.dims[a])), 1)))),
      );
    },
  },
});
