import { must } from '../core/diagnostic.ts';
import type { DType } from '../core/dtype.ts';
import { op, rewriteGraph, rule } from '../graph/rewrite.ts';
import { Attention } from '../ops/attention/attention.ts';
import { ConvTranspose, Conv } from '../ops/conv/conv.ts';
import { Cast } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { AveragePool, LpPool, MaxPool } from '../ops/pool/pool.ts';
import { Recurrent } from '../ops/recurrent/recurrent.ts';
import type { GraphPass } from './pass.ts';

/** Operators that read an element many times: it is widened once, where it is packed or padded, and vectors are of f32. */
const rereading = [Attention, AveragePool, Conv, ConvTranspose, LpPool, MatMul, MaxPool, Recurrent];
const isHalf = (d: DType): boolean => d === 'f16' || d === 'bf16';

const inSingles = rule(
  'products of half floats',
  op(rereading, [], { more: true, when: n => n.inputs.some(v => v && isHalf(v.type.dtype)) }),
  m => {
    const widened = m.root.inputs.map(v => (v && isHalf(v.type.dtype) ? m.apply1(Cast, [v], { to: 'f32' }) : v));
    return m
      .apply(m.root.op, widened, m.root.attrs)
      .map((v, i) => m.apply1(Cast, [v], { to: must(m.root.outputs[i]).type.dtype }));
  },
);
/** Sums of half floats are made in f32 on all targets; so the results are what they were, rounded where they are half floats again. */
export const halfProducts: GraphPass = {
  name: 'half-products',
  doc: 'Convolutions, products and other operators that read half floats many times compute on floats of single precision.',
  rules: () => [inSingles],
  run: g => rewriteGraph(g, [inSingles]),
};
