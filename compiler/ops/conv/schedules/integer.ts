/**
 * ConvInteger: the loops of `rows.ts` over words of 2 or 4 channels (`int-dot.ts`).
 * ```
 * words[n][y][x] = x as words, with a border of xZero, or in place
 * as rows.ts:   acc[i][j] = dot(w[ky, kx, word][j], splat words[pixel i][ky, kx, word], acc[i][j])
 * out[pixel][channel] = epilogue(acc + (offset - xZero) * sum of the channel's weights)
 * ```
 * Without dot products on the target: `plain.ts`, summed as i32.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimProd } from '../../../core/dim.ts';
import { dimStrides, type TensorType } from '../../../core/shape.ts';
import { typed, type Tensor } from '../../../core/tensor.ts';
import { tensorOf, type NodeOf } from '../../../graph/graph.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { and, cast, konst, mul, sub, vtype, xor, type Expr } from '../../../kernel/ir.ts';
import type { LowerCtx, Ref, Source } from '../../lowering.ts';
import type { Profile } from '../../../target/profile.ts';
import { broadcastRef, canMergeRef, isCompact, mergeRef, refIndex } from '../../ref.ts';
import { toChannelsLast } from '../../spatial.ts';
import { transforms } from './conv.ts';
import { lowerConvPlain } from './plain.ts';
import {
  channelsLast,
  convShape,
  depthOf,
  groupMatrices,
  groupsOf,
  outSteps,
  planRows,
  rowProducts,
  type ConvAttrs,
  type ConvShape,
  type ConvInput,
} from './rows.ts';
import { choosePanels } from '../../schedules/blocks.ts';
import { panelsOf } from '../../schedules/gemm.ts';
import { byteRange, constantOperand, constantRange } from '../../quant/integers.ts';
import {
  blockWords,
  correction,
  dotForm,
  wordWeights,
  storedWords,
  wordsOf,
  zeroOf,
  type DotForm,
} from '../../schedules/int-dot.ts';
import { mmaPanels } from '../../schedules/mma.ts';
import { padInto } from './pad.ts';
import { mergeSink } from '../../schedules/sink.ts';
import { arithOf, type Arith } from '../../schedules/tile.ts';

/**
 * Convolutions of 8-bit integers by dot products of words (`int-dot.ts`): the channels of a pixel are whole words. The zero point of x,
 * and what brings its elements into the type that the dot product takes, is made up for behind the sums by those of the weights; the
 * border holds the zero point.
 */
const numbersOf = (t: Tensor): Int32Array => typed(t) as Int32Array;
/** The dot product that computes a ConvInteger, in any layout, on a target; undefined where floats are faster or there is none. */
export function wordForm(profile: Profile, n: NodeOf<ConvAttrs>): DotForm | undefined {
  const form = dotForm(profile, byteRange(must(n.inputs[0]).type.dtype), constantRange(n));
  const channels = tensorOf(n.inputs[1])?.dims[1];
  if (!form || channels === undefined) return undefined;
  // Transforms of floats save more than pairs do.
  const s = shapeOf(n, true);
  if (form.group === 2 && n.attrs.group === 1 && s && transforms(s)) return undefined;
  // Words half empty are no faster than floats, and groups must begin with a whole one.
  const whole = channels % form.group === 0;
  return whole || (n.attrs.group === 1 && 2 * channels > form.group) ? form : undefined;
}

/** `anyLayout`: as it will be with channels last. */
function shapeOf(n: NodeOf<ConvAttrs>, anyLayout = false): ConvShape | undefined {
  const w = tensorOf(n.inputs[1]);
  const { attrs } = n;
  const [x, y] = [must(n.inputs[0]).type, must(n.outputs[0]).type];
  if (!w || !anyLayout || attrs.layout === 'NHWC') return w && convShape(attrs, x, w.dims, y);
  const turned = (t: TensorType): TensorType => ({ ...t, shape: toChannelsLast(t.shape.length).map(a => must(t.shape[a])) });
  return convShape({ ...attrs, layout: 'NHWC' }, turned(x), w.dims, turned(y));
}
export function integerSpace(n: NodeOf<ConvAttrs>): readonly (readonly number[])[] {
  const rank = must(n.outputs[0]).type.shape.length;
  const s = shapeOf(n);
  return s ? groupsOf(planRows(s), rank) : Array.from({ length: rank }, (_, i) => [i]);
}
export const acceptsInteger = (i: number, n: NodeOf<ConvAttrs>): 'indexMap' | 'buffer' =>
  i === 0 && shapeOf(n)?.padded ? 'indexMap' : 'buffer';

export function lowerConvInteger(c: LowerCtx<ConvAttrs>): void {
  if (must(c.out[0]).shape.some(d => dimHi(d) === 0)) return;
  const whole = shapeOf(c.node);
  const w = constantOperand(c.node);
  const form = wordForm(c.profile, c.node);
  if (!whole || !w || !form) {
    lowerConvPlain(c, 'i32');
    return;
  }
  const weights = numbersOf(channelsLast(w));
  const perGroup = whole.channels / whole.group;
  const outsPer = whole.outs / whole.group;
  const s: ConvShape = { ...whole, channels: wordsOf(form, perGroup) * whole.group };
  const rows = planRows(s);
  const input = inputWords(c, form, whole, s.channels);
  const arith: Arith = { ...arithOf(c.profile, 'i32'), fma: form.group === 4, dot: form };
  const sink = mergeSink(c.sink(0), groupsOf(rows, s.out.length + 1));
  const blocks = blockWords(c.profile, form, dimProd(s.out.slice(rows.first)), depthOf(s));
  const p = blocks === undefined ? choosePanels(c, outsPer, arith) : mmaPanels(panelsOf(c.profile, outsPer, arith));
  const depth = depthOf(whole);
  const matrices = groupMatrices(s.group, outsPer, depth);
  const packed = wordWeights(c, 'kernel', form, { data: weights, matrices, depth, run: perGroup, most: blocks }, p);
  const sums = Int32Array.from({ length: s.outs }, (_, o) =>
    weights.subarray(o * depth, (o + 1) * depth).reduce((a, b) => a + b, 0),
  );
  const correct = correction(c, form, sums);
  const out = must(c.out[0]).dtype;
  rowProducts({ c, s, rows, input, blocks, steps: outSteps(s, input.strides), arith, sink }, p, packed, (k, column, v) =>
    cast(vtype(out === 'f32' ? 'f32' : 'i32', v.t.lanes), correct(k, column, v)),
  );
}
/** x as words: in place where its bytes lie as they should, else copied, with the border. */
function inputWords(c: LowerCtx<ConvAttrs>, f: DotForm, s: ConvShape, words: number): ConvInput {
  const x = c.need(0);
  const strides = dimStrides([...s.in, words]);
  const stored = s.channels === words * f.group ? storedWords(c, f, x) : undefined;
  if (stored && !s.padded && f.offset === 0 && isCompact(stored)) return { buffer: stored.buffer, strides, as: 'i32' };
  const least = (k: KernelBuilder): Expr => sub(zeroOf(c, k), f.offset);
  if (stored)
    return {
      buffer: padInto(c, wordSource(stored), s.in, c.attrs.pads, {
        dtype: 'i32',
        channels: words,
        border: k => mul(and(least(k), 255), 0x01010101),
        // Bytes are moved by 128, if at all.
        convert: v => (f.offset === 0 ? v : xor(v, konst(v.t, 0x80808080 | 0))),
      }),
      strides,
    };
  const buffer = padInto(c, x, s.in, c.attrs.pads, {
    dtype: f.a,
    channels: words * f.group,
    border: least,
    convert: v => (f.offset === 0 ? v : sub(v, konst(v.t, f.offset))),
  });
  return { buffer, strides, as: 'i32' };
}
function wordSource(r: Ref): Source {
  return {
    dtype: 'i32',
    dims: r.dims,
    vector: true,
    at: (k, idx, lanes = 1) => k.load(r.buffer, refIndex(k, r, idx), lanes, 'i32'),
    broadcast: dims => wordSource(broadcastRef(r, dims)),
    canMerge: i => canMergeRef(r, i),
    merge: groups => wordSource(mergeRef(r, groups)),
  };
}
