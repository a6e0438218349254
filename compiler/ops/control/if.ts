import { must } from '../../core/diagnostic.ts';
import { dimEq, type Dim } from '../../core/dim.ts';
import { isFloat, type DType } from '../../core/dtype.ts';
import { showType, tensorType, type TensorType } from '../../core/shape.ts';
import { fromNumbers, numel, typed, type Tensor } from '../../core/tensor.ts';
import { isGraph, type Graph } from '../../graph/graph.ts';
import { konst, loadType } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { forAll } from '../loops.ts';
import type { LowerCtx, Ref, SlotBuffer } from '../lowering.ts';
import { refIndex } from '../ref.ts';

/** The types of a graph's outputs. */
export const outTypes = (g: Graph): readonly TensorType[] => g.outputs.map(o => o.value.type);
/** Cuts a flat list of sizes into shapes of the given ranks. */
function cutShapes(flat: readonly Dim[], ranks: readonly number[]): Dim[][] {
  let at = 0;
  return ranks.map(r => flat.slice(at, (at += r)));
}
/** The truth of a tensor's first element. */
export const truth = (t: Tensor | undefined): boolean => Number(typed(must(t))[0]) !== 0;
/** What stands for a value that cannot be computed: NaN, or 0 for integers. */
const nothing = (t: DType): number => (isFloat(t) ? NaN : 0);

/** Input i as memory, however it is strided. */
export const memoryOf = (c: LowerCtx<unknown>, i: number): Ref => c.need(i).ref ?? c.contiguous(i);
/** Gives a run-time symbol the value of a dimension that holds at this point of the program. */
function setSymbol(c: LowerCtx<unknown>, name: string, value: Dim, cell: SlotBuffer): void {
  c.kernel('size', k => k.store(cell, 0, k.dim(value)));
  c.readSymbol(name, cell);
}
/** The name of the one symbol that a dimension is. */
export function symbolName(d: Dim): string | undefined {
  if (typeof d === 'number' || d.c !== 0 || d.terms.length !== 1) return undefined;
  const [t] = d.terms;
  const [a] = t?.atoms ?? [];
  return t?.coef === 1 && t.atoms.length === 1 && a?.k === 'sym' ? a.name : undefined;
}

/** The graphs of the two sides, as far as they are there. */
const sides = (a: { readonly then: Graph | undefined; readonly else: Graph | undefined }): readonly Graph[] =>
  [a.then, a.else].filter(g => g !== undefined);

interface IfAttrs {
  readonly then: Graph | undefined;
  readonly else: Graph | undefined;
  readonly shapes: readonly Dim[];
}
/** The sizes of output `o` that stand for different sizes of the two sides: symbols that the side taken sets. */
function openSizes(a: IfAttrs, o: number): { readonly name: string; readonly axis: number }[] {
  const types = sides(a).map(outTypes);
  const ranks = must(types[0]).map(t => t.shape.length);
  return must(cutShapes(a.shapes, ranks)[o]).flatMap((d, axis) => {
    const name = symbolName(d);
    return name !== undefined && types.some(t => !dimEq(must(must(t[o]).shape[axis]), d)) ? [{ name, axis }] : [];
  });
}

export const If = defineOp({
  name: 'If',
  doc:
    'The outputs of `then` where the condition holds, else those of `else`. The first `split` captures are the inputs of `then`, the rest those of `else`. ' +
    '`shapes` are the sizes of all outputs, one after the other: where the sides differ, a symbol that the side taken sets. ' +
    'A side that is absent cannot be computed: floats are NaN then, integers 0.',
  inputs: ['cond', '...captures'],
  attrs: { then: attr.graph.optional(), else: attr.graph.optional(), split: attr.int(), shapes: attr.dims() },
  infer: c => {
    const cond = must(c.types[0]);
    if (cond.dtype !== 'bool') c.reject(`the condition is ${showType(cond)}, must be one bool`);
    const [a, b] = sides(c.attrs).map(outTypes);
    if (!a) return c.reject('both sides are missing');
    b?.forEach((t, i) => {
      const u = a[i];
      if (!u || u.dtype !== t.dtype || u.shape.length !== t.shape.length)
        c.reject(`output ${i} is ${u ? showType(u) : 'missing'} on one side and ${showType(t)} on the other`);
    });
    const shapes = cutShapes(
      c.attrs.shapes,
      a.map(t => t.shape.length),
    );
    return a.map((t, i) => tensorType(t.dtype, must(shapes[i])));
  },
  definesSymbols: n => {
    const { then, else: other, shapes } = n.attrs;
    const a: IfAttrs = {
      then: isGraph(then) ? then : undefined,
      else: isGraph(other) ? other : undefined,
      shapes: Array.isArray(shapes) ? shapes : [],
    };
    return n.outputs.flatMap((_, o) => openSizes(a, o).map(s => s.name));
  },
  eval: (c, cond, ...captures) => {
    const { split } = c.attrs;
    const g = truth(cond) ? c.attrs.then : c.attrs.else;
    const ins = captures.map(t => must(t));
    if (g) return c.graph(g, truth(cond) ? ins.slice(0, split) : ins.slice(split));
    return c.out.map((t, i) => {
      const dims = c.dims(i);
      return fromNumbers(t.dtype, dims, new Float64Array(numel(dims)).fill(nothing(t.dtype)));
    });
  },
  lower: {
    k: 'kernel',
    build: c => {
      const ins = c.node.inputs.slice(1).map((_, i) => memoryOf(c, i + 1));
      const sinks = c.out.map((_, i) => must(c.sink(i).ref, 'the memory of an output'));
      const cells = new Map<string, SlotBuffer>();
      c.out.forEach((_, o) => {
        for (const s of openSizes(c.attrs, o)) cells.set(s.name, c.temp('size', 'i32', 1));
      });
      const side = (g: Graph | undefined, captures: readonly Ref[]) => (): void => {
        if (!g) {
          c.kernel('absent', k =>
            sinks.forEach(r =>
              forAll(k, r.dims, idx =>
                k.store(r.buffer, refIndex(k, r, idx), konst(loadType(r.buffer.dtype, 1), nothing(r.buffer.dtype))),
              ),
            ),
          );
          return;
        }
        const outs = c.graph(g, captures);
        outs.forEach((r, o) => {
          for (const s of openSizes(c.attrs, o)) setSymbol(c, s.name, must(r.dims[s.axis]), must(cells.get(s.name)));
          const to = must(sinks[o]);
          c.copy('result', c.sourceOf(r), { ...to, dims: r.dims });
        });
      };
      c.branch(
        c.contiguous(0).buffer,
        side(c.attrs.then, ins.slice(0, c.attrs.split)),
        side(c.attrs.else, ins.slice(c.attrs.split)),
      );
    },
  },
});
