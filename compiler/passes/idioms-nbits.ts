import { must } from '../core/diagnostic.ts';
import { maxOf, minOf } from '../core/extremes.ts';
import { fromTyped, toNumbers, type Tensor } from '../core/tensor.ts';
import { foldNode } from '../graph/fold.ts';
import { apply, constant, tensorOf, type Node, type Value } from '../graph/graph.ts';
import { any, op, rule, type Rule } from '../graph/rewrite.ts';
import { attrsOf } from '../ops/define.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { blocksOf } from '../ops/matmul/nbits-blocks.ts';
import { MatMulNBits } from '../ops/matmul/nbits.ts';
import { Expand, Reshape, Transpose } from '../ops/movement/view.ts';
import { DequantizeLinear } from '../ops/quant/quant.ts';

/** Of fewer weights products of floats are faster, and the file is hardly larger. */
const SMALL = 1 << 16;
const BITS = 4;
/** Blocks along the depth that share a scale, the largest first; a scale of a whole column is one of many blocks. */
const BLOCKS = [256, 128, 64, 32, 16];

/** What is dequantized: the node, and the views between it and the product, the first one first. */
function source(w: Value): { readonly node: Node; readonly views: readonly Node[] } | undefined {
  const views: Node[] = [];
  for (let v: Value | undefined = w; v?.def.k === 'node'; v = views[0]?.inputs[0]) {
    if (v.def.op === DequantizeLinear) return { node: v.def, views };
    if ((v.def.op !== Reshape && v.def.op !== Transpose) || views.length > 3) return undefined;
    views.unshift(v.def);
  }
  return undefined;
}
const range = (t: Tensor): readonly [number, number] => [minOf(toNumbers(t), Infinity), maxOf(toNumbers(t), -Infinity)];
const computed = (v: Value): Tensor | undefined =>
  v.def.k === 'node' ? tensorOf(foldNode(v.def, Infinity)?.values[0]) : tensorOf(v);
/** A constant of the dequantized tensor's sizes as the product sees it. */
function seen(t: Tensor, shape: Value['type']['shape'], views: readonly Node[]): Tensor | undefined {
  let now: Tensor | undefined = t;
  const [first] = views;
  const loc = first?.loc ?? { k: 'none' as const };
  now = computed(must(apply(Expand, [constant(now)], { shape }, loc)[0]));
  for (const v of views) now = now && computed(must(apply(v.op, [constant(now)], v.attrs, v.loc)[0]));
  return now;
}

const product: Rule = rule('a product with weights of four bits', op(MatMul, [any('x'), any('w')]), m => {
  const { transA, transB } = attrsOf(m.root, MatMul);
  const w = m.value('w');
  const [rows, columns] = w.type.shape;
  if (transA || w.type.shape.length !== 2 || typeof rows !== 'number' || typeof columns !== 'number') return undefined;
  if (rows * columns <= SMALL || m.value('x').type.dtype !== 'f32' || w.type.dtype !== 'f32') return undefined;
  const from = source(w);
  const [x, scale, zero] = from?.node.inputs.map(tensorOf) ?? [];
  if (!from || !x || !scale || !zero || scale.dtype !== 'f32') return undefined;
  const [lo, hi] = range(x);
  const shift = lo < 0 ? 2 ** (BITS - 1) : 0;
  const [least, most] = range(zero);
  if (lo + shift < 0 || hi + shift >= 2 ** BITS || least + shift < 0 || most + shift > 255) return undefined;
  const { shape } = must(from.node.outputs[0]).type;
  const [q, s, z] = [x, scale, zero].map(t => seen(t, shape, from.views));
  if (!q || !s || !z) return undefined;
  const [k, n] = transB ? [columns, rows] : [rows, columns];
  const at = transB ? (j: number, i: number): number => j * k + i : (j: number, i: number): number => i * n + j;
  const [stored, scales, origins] = [toNumbers(q), toNumbers(s), toNumbers(z)];
  const same = (a: Float64Array, block: number): boolean => {
    for (let j = 0; j < n; j++) for (let i = 0; i < k; i++) if (!Object.is(a[at(j, i)], a[at(j, i - (i % block))])) return false;
    return true;
  };
  const block = BLOCKS.find(b => k % b === 0 && same(scales, b) && same(origins, b));
  if (block === undefined) return undefined;
  const a = { bits: BITS, block, k, n };
  const { blocks } = blocksOf(a);
  const bytes = new Uint8Array((n * k) / 2);
  const factors = new Float32Array(n * blocks);
  const middle = new Uint8Array(n * blocks);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < k; i++) {
      const e = j * k + i;
      bytes[e >> 1] = (bytes[e >> 1] ?? 0) | ((must(stored[at(j, i)]) + shift) << (BITS * (e & 1)));
      if (i % block !== 0) continue;
      factors[j * blocks + i / block] = must(scales[at(j, i)]);
      middle[j * blocks + i / block] = must(origins[at(j, i)]) + shift;
    }
  const parts = [
    fromTyped('u8', [n, blocks, (block * BITS) / 8], bytes),
    fromTyped('f32', [n, blocks], factors),
    fromTyped('u8', [n, blocks], middle),
  ];
  return m.apply1(MatMulNBits, [m.value('x'), ...parts.map(t => constant(t))], a);
});
export const nbitsRules: readonly Rule[] = [product];
