import { must } from '../../core/diagnostic.ts';
import { dimEq, dimMul, dimProd, type Dim } from '../../core/dim.ts';
import { isFloat, isInt } from '../../core/dtype.ts';
import { showType, tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../core/tensor.ts';
import type { Node } from '../../graph/graph.ts';
import { attr, defineOp } from '../define.ts';
import { broadcastIndex, broadcastShapes } from '../elementwise/op.ts';
import { lowerAttention } from './schedules/attention.ts';
import { ALIGN, UNSEEN } from './attrs.ts';

export const Attention = defineOp({
  name: 'Attention',
  doc:
    'softmax(scale * q k^T + mask) v for each head: q [batch, heads, rows, d], k [batch, kv heads, keys, d], v [batch, kv heads, keys, dv] → [batch, rows, heads, dv]. ' +
    'Groups of heads share a kv head. The mask broadcasts to [batch, heads, rows, keys]: numbers are added, false makes a score `hidden`. ' +
    '`softcap` c > 0: c * tanh(scores / c) before the mask. `lengths` [batch]: how many keys count. ' +
    '`causal`: row i sees the keys up to i + offset; with `align` end the offset is lengths - rows, so that the last row sees all; with past the same, but not below 0. ' +
    '`window` w > 0: only the last w of these. A row that sees nothing is zero; `unseen`: or NaN if its scores are all minus infinity (nan), or zero whatever makes its softmax NaN (clear).',
  inputs: ['q', 'k', 'v', 'mask?', 'lengths?'],
  attrs: {
    scale: attr.float(),
    softcap: attr.float(0),
    causal: attr.bool(false),
    offset: attr.dim(0),
    align: attr.oneOf(ALIGN, 'none'),
    window: attr.int(0),
    hidden: attr.float(-Infinity),
    unseen: attr.oneOf(UNSEEN, 'zero'),
  },
  infer: c => {
    const [q, k, v] = [must(c.types[0]), must(c.types[1]), must(c.types[2])];
    if (!isFloat(q.dtype)) c.reject(`takes floats, not ${q.dtype}`);
    for (const [t, what] of [
      [q, 'q'],
      [k, 'k'],
      [v, 'v'],
    ] as const) {
      if (t.dtype !== q.dtype) c.reject(`${what} is of type ${t.dtype}, q of ${q.dtype}`);
      if (t.shape.length !== 4) c.reject(`${what} is ${showType(t)}, must have four axes`);
    }
    const [batch, heads, rows, d] = axes(q.shape);
    const [kb, kvHeads, keys, kd] = axes(k.shape);
    const [vb, vHeads, vKeys, dv] = axes(v.shape);
    c.same(kb, batch, 'the batch of k');
    c.same(vb, batch, 'the batch of v');
    c.same(kd, d, 'the head size of k');
    c.same(vKeys, keys, 'the number of values');
    c.same(vHeads, kvHeads, 'the heads of k and v');
    if (typeof heads !== 'number' || typeof kvHeads !== 'number') return c.reject('the number of heads must be known');
    if (kvHeads === 0 || heads % kvHeads !== 0) c.reject(`${heads} heads cannot share ${kvHeads}`);
    const mask = c.types[3];
    if (mask) {
      if (mask.dtype !== 'bool' && mask.dtype !== q.dtype) c.reject(`the mask is of type ${mask.dtype}`);
      const full = [batch, heads, rows, keys];
      const all = broadcastShapes(mask.shape, full, (x, y, what) => c.same(x, y, what));
      if (all.length > 4 || all.some((x, i) => !dimEq(x, must(full[i])))) c.reject(`a mask of shape ${showType(mask)}`);
    }
    const lengths = c.types[4];
    if (lengths) {
      if (!isInt(lengths.dtype) || lengths.shape.length !== 1) c.reject(`lengths are ${showType(lengths)}`);
      c.same(must(lengths.shape[0]), batch, 'the number of lengths');
    } else if (c.attrs.align !== 'none') c.reject('align needs lengths');
    return [tensorType(q.dtype, [batch, rows, heads, dv])];
  },
  eval: (c, q, k, v, mask, lengths) => {
    const a = c.attrs;
    const [batch = 0, heads = 0, rows = 0, d = 0] = must(q).dims;
    const [, kvHeads = 1, keys = 0] = must(k).dims;
    const dv = must(v).dims[3] ?? 0;
    const [qs, ks, vs] = [toNumbers(must(q)), toNumbers(must(k)), toNumbers(must(v))];
    const masked = maskReader(mask, [batch, heads, rows, keys], a.hidden);
    const lens = lengths && toNumbers(lengths);
    const out = new Float64Array(batch * rows * heads * dv);
    const p = new Float64Array(keys);
    for (let b = 0; b < batch; b++) {
      const len = Math.max(0, Math.min(keys, lens?.[b] ?? keys));
      const ends = a.align === 'past' ? Math.max(0, len - rows) : len - rows;
      const offset = a.align === 'none' ? c.dim(a.offset) : ends;
      for (let h = 0; h < heads; h++) {
        const g = Math.floor((h * kvHeads) / heads);
        for (let i = 0; i < rows; i++) {
          const end = a.causal ? Math.min(len, i + offset + 1) : len;
          const begin = a.window > 0 ? Math.max(0, i + offset + 1 - a.window) : 0;
          const row = ((b * heads + h) * rows + i) * d;
          let top = -Infinity;
          for (let j = begin; j < end; j++) {
            const key = ((b * kvHeads + g) * keys + j) * d;
            let s = 0;
            for (let x = 0; x < d; x++) s += (qs[row + x] ?? 0) * (ks[key + x] ?? 0);
            s *= a.scale;
            if (a.softcap > 0) s = a.softcap * Math.tanh(s / a.softcap);
            p[j] = masked(((b * heads + h) * rows + i) * keys + j, s);
            top = Math.max(top, p[j] ?? 0);
          }
          const away = top === -Infinity && a.unseen !== 'nan' ? 0 : top;
          let sum = 0;
          for (let j = begin; j < end; j++) sum += p[j] = Math.exp((p[j] ?? 0) - away);
          const nothing = sum === 0 || (a.unseen === 'clear' && Number.isNaN(sum));
          const to = ((b * rows + i) * heads + h) * dv;
          for (let j = begin; j < end; j++) {
            const w = nothing ? 0 : (p[j] ?? 0) / sum;
            const value = ((b * kvHeads + g) * keys + j) * dv;
            for (let x = 0; x < dv; x++) out[to + x] = (out[to + x] ?? 0) + w * (vs[value + x] ?? 0);
          }
        }
      }
    }
    return [fromNumbers(must(q).dtype, c.dims(0), out)];
  },
  macs: n => {
    const [batch, heads, rows, d] = axes(shapeOf(n, 0));
    const [, , keys, dv] = axes(shapeOf(n, 2));
    const scores = dimProd([batch, heads, rows, keys]);
    return dimMul(scores, typeof d === 'number' && typeof dv === 'number' ? d + dv : dimMul(2, d));
  },
  lower: {
    k: 'kernel',
    iterationSpace: n => (isFloat(must(n.outputs[0]).type.dtype) ? [[0], [1], [2], [3]] : undefined),
    build: lowerAttention,
  },
});

const shapeOf = (n: Node, i: number): readonly Dim[] => must(n.inputs[i]).type.shape;
function axes(shape: readonly Dim[]): readonly [Dim, Dim, Dim, Dim] {
  return [must(shape[0]), must(shape[1]), must(shape[2]), must(shape[3])];
}
/** Applies the mask at a flat position of the scores; `hidden`: what false makes of them. */
function maskReader(mask: Tensor | undefined, dims: readonly number[], hidden: number): (i: number, score: number) => number {
  if (!mask || numel(dims) === 0) return (_, s) => s;
  const at = broadcastIndex(mask.dims, dims);
  const m = toNumbers(mask);
  return mask.dtype === 'bool' ? (i, s) => ((m[at(i)] ?? 0) === 0 ? hidden : s) : (i, s) => s + (m[at(i)] ?? 0);
}
