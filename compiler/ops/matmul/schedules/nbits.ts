/**
 * Products with weights of few bits, dequantized block by block (AWQ, GPTQ; ONNX's MatMulNBits).
 * ```
 * 4 bits, f32:  for panel of 8 columns, parallel:
 *                 for block of the weights, for 4 steps of k:
 *                   panel[k .. k + 4)[0..8) = (nibbles - zero) * scale            vectors of four; 16 bytes hold 4 steps
 *                 for block of MR rows: C[block][panel] = epilogue(microKernel(x[block], panel))      (tile.ts)
 * else:         for row: for column: C[row][column] = epilogue(sum over k of x[row][k] * (stored - zero) * scale)
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimProd } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import { fromTyped, toNumbers, typed } from '../../../core/tensor.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, and, cast, div, int, konst, mul, reinterpret, rem, shr, sub, vtype, widen, type Expr } from '../../../kernel/ir.ts';
import { lanesOf } from '../../loops.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import { forNewRows, panelsOf } from '../../schedules/gemm.ts';
import { forRowBlocks } from '../../schedules/rows.ts';
import { mergeSink, type MergedSink } from '../../schedules/sink.ts';
import { arithOf, microKernel, columnVectors } from '../../schedules/tile.ts';
import { blocksOf, storedAt, type NBitsAttrs } from '../nbits-blocks.ts';

/** Columns whose weights are turned to floats together. */
const PANEL = 8;

export function lowerNBits(c: LowerCtx<NBitsAttrs>): void {
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const rank = out.shape.length;
  const groups = rank === 1 ? [[0]] : [Array.from({ length: rank - 1 }, (_, i) => i), [rank - 1]];
  const sink = mergeSink(c.sink(0), groups);
  const { bits, block, k, n } = c.attrs;
  const [q, scales] = [c.constant(1), c.constant(2)];
  const zeros = c.node.inputs[3] ? c.constant(3) : undefined;
  const known = q && scales && (zeros || !c.node.inputs[3]);
  if (
    out.dtype === 'f32' &&
    lanesOf(c.profile) >= 4 &&
    bits === 4 &&
    n % PANEL === 0 &&
    k % block === 0 &&
    block % 4 === 0 &&
    known
  ) {
    panels(c, sink, typed(q), toNumbers(scales), zeros && toNumbers(zeros));
    return;
  }
  plain(c, sink);
}

/**
 * 4-bit weights, a panel of columns at a time: its weights are turned to floats once and meet all rows while they are in the cache. In
 * memory they lie [panel][k / 4][16]: the low halves of the bytes are steps 0 and 2 of k, the high halves steps 1 and 3.
 */
function panels(
  c: LowerCtx<NBitsAttrs>,
  sink: MergedSink,
  q: ArrayLike<number | bigint>,
  s: Float64Array,
  z: Float64Array | undefined,
): void {
  const a = c.attrs;
  const { blocks } = blocksOf(a);
  const count = a.n / PANEL;
  const bytes = new Uint8Array((a.n * a.k) / 2);
  const [factors, origins] = [new Float32Array(count * blocks * PANEL), new Float32Array(z ? count * blocks * PANEL : 0)];
  let at = 0;
  for (let p = 0; p < count; p++) {
    for (let k = 0; k < a.k; k += 4)
      for (const step of [0, 2])
        for (let j = 0; j < PANEL; j++)
          bytes[at++] = storedAt(a, q, p * PANEL + j, k + step) | (storedAt(a, q, p * PANEL + j, k + step + 1) << 4);
    for (let b = 0; b < blocks; b++)
      for (let j = 0; j < PANEL; j++) {
        const from = (p * PANEL + j) * blocks + b;
        const to = (p * blocks + b) * PANEL + j;
        factors[to] = s[from] ?? 0;
        if (z) origins[to] = z[from] ?? 0;
      }
  }
  const weights = c.weights('nibbles', fromTyped('u8', [bytes.length], bytes));
  const floats = (name: string, data: Float32Array): SlotBuffer => c.weights(name, fromTyped('f32', [data.length], data));
  const scale = floats('scales', factors);
  const zero = z && floats('zeros', origins);
  const panel = c.scratch('panel', 'f32', a.k * PANEL);
  const x = c.contiguous(0).buffer;
  const rows = dimProd(must(c.types[0]).shape.slice(0, -1));
  const arith = arithOf(c.profile, 'f32');
  const parts = columnVectors(PANEL, arith.lanes);
  const single = must(c.out[0]).shape.length === 1;
  c.kernel('matmul_nbits', k => {
    const panelOf = (p: Expr): void => {
      unpackPanel(k, a, p, { weights, scale, zero }, panel);
      const column = k.let(mul(p, PANEL));
      forRowBlocks(k, rows, panelsOf(c.profile, PANEL, arith).mr, (first, height, skip) => {
        const acc = microKernel(k, {
          arith,
          mr: height,
          a: { buffer: x, at: mul(first, a.k), rows: { k: 'stride', stride: a.k } },
          b: { buffer: panel, at: 0, step: PANEL, parts },
          reduction: [{ n: a.k, stride: 1 }],
        });
        forNewRows(k, { mr: height, skip }, i =>
          must(acc[i]).forEach((v, j) => {
            const at = add(column, must(parts[j]).at);
            sink.store(k, single ? [at] : [add(first, i), at], v);
          }),
        );
      });
    };
    k.for(0, count, panelOf, { parallel: true });
  });
}
interface PanelWeights {
  readonly weights: SlotBuffer;
  readonly scale: SlotBuffer;
  /** Without, the middle of the range. */
  readonly zero: SlotBuffer | undefined;
}
function unpackPanel(k: KernelBuilder, a: NBitsAttrs, p: Expr, { weights, scale, zero }: PanelWeights, to: SlotBuffer): void {
  const { blocks } = blocksOf(a);
  k.for(0, blocks, b => {
    const f = k.let(mul(add(mul(p, blocks), b), PANEL));
    const four = (of: SlotBuffer): Expr[] => [0, 4].map(j => k.let(k.load(of, add(f, j), 4)));
    const scales = four(scale);
    const zeros = zero ? four(zero) : [0, 4].map(() => konst(vtype('f32', 4), 2 ** (a.bits - 1)));
    const from = k.let(add(mul(p, (a.k * PANEL) / 2), mul(b, (a.block * PANEL) / 2)));
    const at = k.let(mul(b, a.block * PANEL));
    k.for(0, a.block / 4, g => {
      const raw = k.let(k.load(weights, add(from, mul(g, 16)), 16));
      const halves = [k.let(and(raw, 15)), k.let(shr(raw, int(4)))];
      const base = k.let(add(at, mul(g, 4 * PANEL)));
      for (const step of [0, 1, 2, 3]) {
        const wide = k.let(widen(must(halves[step % 2]), step < 2 ? 'low' : 'high'));
        (['low', 'high'] as const).forEach((half, j) => {
          const v = cast(vtype('f32', 4), reinterpret(vtype('i32', 4), widen(wide, half)));
          k.store(to, add(base, step * PANEL + 4 * j), mul(sub(v, must(zeros[j])), must(scales[j])));
        });
      }
    });
  });
}

/** Any width and type, one weight after the other. */
function plain(c: LowerCtx<NBitsAttrs>, sink: MergedSink): void {
  const a = c.attrs;
  const { blocks, bytes } = blocksOf(a);
  const reg = regOf(must(c.out[0]).dtype);
  const t = vtype(reg);
  const x = c.contiguous(0).buffer;
  const [q, s] = [c.contiguous(1).buffer, c.contiguous(2).buffer];
  const z = c.node.inputs[3] ? c.contiguous(3).buffer : undefined;
  const per = 8 / a.bits;
  const rows = dimProd(must(c.types[0]).shape.slice(0, -1));
  const single = must(c.out[0]).shape.length === 1;
  c.kernel('matmul_nbits', k =>
    k.for(0, rows, r =>
      k.for(0, a.n, j => {
        const sum = k.var(konst(t, 0));
        const row = k.let(mul(j, blocks));
        k.for(0, a.k, i => {
          const b = k.let(add(row, div(i, a.block)));
          const inBlock = k.let(rem(i, a.block));
          const byte = k.load(q, add(mul(b, bytes), div(inBlock, per)));
          const stored = and(shr(byte, mul(rem(inBlock, per), a.bits)), 2 ** a.bits - 1);
          const zero = z ? cast(t, k.load(z, b)) : konst(t, 2 ** (a.bits - 1));
          const w = mul(sub(cast(t, stored), zero), cast(t, k.load(s, b)));
          k.set(sum, add(sum, mul(cast(t, k.load(x, add(mul(r, a.k), i))), w)));
        });
        sink.store(k, single ? [j] : [r, j], sum);
      }),
    ),
  );
}
