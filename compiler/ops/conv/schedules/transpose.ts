/**
 * Transposed convolution: depthwise (`transpose-depthwise.ts`), or one of three ways.
 * ```
 * windows that tile the output (kernel = stride):       for n, for input row, parallel: for tap:
 *                                                         y[row * stride + tap][x * stride + ..] = epilogue(x[row] w[tap])      gemm.ts
 * constant weights, channels last, for each phase:      for n, for output row of the phase, parallel:
 *   (outputs a stride apart use the same taps)            y[row][x * stride + phase] = epilogue(sum over its taps)              gemm.ts
 *   few channels: the phases of the last axis are columns   y[row][x * stride + ..] = epilogue(sum over the taps of all phases)   gemm.ts
 * else:                                                 for each output, parallel: acc = 0; for ky, kx that hit an input:
 *                                                         for channel: acc += x * w;  y = epilogue(acc)
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimFloorDiv, dimHi, dimMul, dimSub, isMultiple, type Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import { dimStrides } from '../../../core/shape.ts';
import { fromTyped, numel, stridesOf, typed, type Tensor } from '../../../core/tensor.ts';
import { tensorOf, type NodeOf } from '../../../graph/graph.ts';
import { add, and, cast, div, eq, ge, int, konst, lt, mul, rem, sub, vtype, type Expr, type Num } from '../../../kernel/ir.ts';
import { forAll, forLanes } from '../../loops.ts';
import type { LowerCtx } from '../../lowering.ts';
import { channelAxis, indices, layoutShape, spatialAxes, type WindowAttrs } from '../../spatial.ts';
import { choosePanels, loopOrder } from '../../schedules/blocks.ts';
import { blockSize, packedPanels, packedSize, gemm, type GemmProblem } from '../../schedules/gemm.ts';
import { packConstant, type ConstMatrix } from '../../schedules/pack.ts';
import { padInto } from './pad.ts';
import { isDepthwise, lowerDepthwiseTranspose } from './transpose-depthwise.ts';
import { hasLargeEpilogue, mergeSink } from '../../schedules/sink.ts';
import { arithOf, type ReductionLoop } from '../../schedules/tile.ts';

type TransposeAttrs = WindowAttrs & { readonly group: number; readonly outputPadding: readonly number[] };

/** Windows that tile the output: each output pixel has one input pixel and one element of the kernel. */
function tiles(n: NodeOf<TransposeAttrs>): boolean {
  const a = n.attrs;
  const w = must(n.inputs[1]);
  return (
    a.layout === 'NHWC' &&
    w.type.dtype === 'f32' &&
    tensorOf(w) !== undefined &&
    a.group === 1 &&
    w.type.shape.slice(2).every((k, i) => k === a.strides[i]) &&
    [...a.pads, ...a.outputPadding].every(p => p === 0) &&
    a.dilations.every(d => d === 1)
  );
}
/** Columns that no panel holds whole. */
const NARROW = 8;
/** With one output channel the outputs of one input pixel along the last axis are neighbours. */
const joinsLast = (n: NodeOf<TransposeAttrs>): boolean =>
  tiles(n) && must(n.outputs[0]).type.shape.at(-1) === 1 && Number(must(n.inputs[1]).type.shape.at(-1)) < NARROW;

/** With few output channels the phases of the last axis are made at once: the outputs of an input pixel are neighbours. */
function joinsPhases(n: NodeOf<TransposeAttrs>): boolean {
  const { layout, strides, dilations, group } = n.attrs;
  const [y, w] = [must(n.outputs[0]).type, must(n.inputs[1])];
  const fits =
    layout === 'NHWC' && group === 1 && y.dtype === 'f32' && tensorOf(w) !== undefined && padsOf(n.attrs) !== undefined;
  return (
    fits &&
    numel(strides.slice(0, -1)) <= MOST_PHASES &&
    !tiles(n) &&
    Number(y.shape.at(-1)) < NARROW &&
    must(strides.at(-1)) > 1 &&
    dilations.at(-1) === 1
  );
}
/** Pads that are numbers and take nothing away. */
function padsOf(a: TransposeAttrs): readonly number[] | undefined {
  const pads = a.pads.filter((p): p is number => typeof p === 'number' && p >= 0);
  return pads.length === a.pads.length ? pads : undefined;
}

export function transposeSpace(n: NodeOf<TransposeAttrs>): readonly (readonly number[])[] {
  const rank = must(n.outputs[0]).type.shape.length;
  const each = Array.from({ length: rank }, (_, i) => [i]);
  return joinsLast(n) || joinsPhases(n) ? [...each.slice(0, -2), [rank - 2, rank - 1]] : each;
}
export function lowerConvTranspose(c: LowerCtx<TransposeAttrs>): void {
  if (must(c.out[0]).shape.some(d => dimHi(d) === 0)) return;
  if (tiles(c.node)) lowerTiles(c);
  else if (isDepthwise(c.node)) lowerDepthwiseTranspose(c);
  else if (!lowerPhases(c)) lowerPlain(c);
}

/** One product for each element of the kernel (or each row of it), stored with the stride of the output. */
function lowerTiles(c: LowerCtx<TransposeAttrs>): void {
  const w = must(c.constant(1));
  const x = c.contiguous(0);
  const nd = x.dims.length - 2;
  const [channels, outs] = [Number(w.dims[0]), Number(w.dims[1])];
  const kernel = w.dims.slice(2);
  const join = joinsLast(c.node);
  const columns = join ? outs * must(kernel.at(-1)) : outs;
  const taps = kernel.reduce((p, q) => p * q, 1) / (join ? must(kernel.at(-1)) : 1);
  const ws = stridesOf(w.dims);
  const matrices = Array.from({ length: taps }, (_, t): ConstMatrix => ({
    offset: join ? t * must(kernel.at(-1)) : t,
    kStride: must(ws[0]),
    columnStride: join ? 1 : must(ws[1]),
  }));
  const arith = arithOf(c.profile, 'f32');
  const p = choosePanels(c, columns, arith);
  const size = Number(packedSize(p, channels));
  const b = c.weights('kernel', packConstant(w, matrices, channels, p));
  const scratch = c.scratch('edge', 'f32', blockSize(p));
  const sink = mergeSink(c.sink(0), transposeSpace(c.node));
  const largeEpilogue = hasLargeEpilogue(sink, transposeSpace(c.node).length, vtype('f32', arith.lanes));
  // A row of outputs is gathered in scratch, then stored by whole vectors.
  const line = join ? c.scratch('line', 'f32', dimAdd(dimMul(must(x.dims[nd]), columns), p.nr)) : undefined;
  const outer = x.dims.slice(0, nd);
  const width = must(x.dims[nd]);
  c.kernel('convtranspose', k =>
    forAll(k, outer, idx => {
      const at = k.let(idx.reduce<Expr>((sum, i, a) => add(sum, mul(i, k.dim(must(x.strides[a])))), int(0)));
      k.for(0, taps, tap => {
        // The position of the tap along each axis.
        const axes = join ? kernel.slice(0, -1) : kernel;
        const where: Expr[] = [];
        let rest: Expr = tap;
        for (let i = axes.length - 1; i >= 0; i--) {
          where.unshift(k.let(i === 0 ? rest : rem(rest, must(axes[i]))));
          if (i > 0) rest = k.let(div(rest, must(axes[i])));
        }
        const place = idx.map((i, a): Num =>
          a === 0 ? i : k.let(add(mul(i, must(c.attrs.strides[a - 1])), must(where[a - 1]))),
        );
        const stride = must(c.attrs.strides[nd - 1]);
        const job: GemmProblem = {
          arith,
          panels: p,
          a: {
            buffer: x.buffer,
            block: first => ({ at: k.let(add(at, mul(first, channels))), rows: { k: 'stride', stride: channels } }),
          },
          b: packedPanels(k, b, k.let(mul(tap, size)), p, channels),
          reduction: [{ n: channels, stride: 1 }],
          scratch,
          loose: join,
          parallel: !join,
          largeEpilogue: !join && largeEpilogue,
          store: (row, column, v) => {
            if (line) k.store(line, add(mul(row, columns), column), v);
            else sink.store(k, [...place, add(mul(row, stride), must(where[nd - 1])), column], v);
          },
        };
        gemm(k, job, width, { k: 'rows' });
        if (line)
          forLanes(k, dimMul(width, columns), arith.lanes, (i, lanes) => sink.store(k, [...place, i], k.load(line, i, lanes)));
      });
    }),
  );
}
/**
 * Outputs that lie a stride apart use the same elements of the kernel: one stride-1 convolution for each phase of the stride, as a
 * product over an input with a border of zeros. False where that does not apply.
 */
function lowerPhases(c: LowerCtx<TransposeAttrs>): boolean {
  const { layout, strides, dilations, group, outputPadding } = c.attrs;
  const w = c.constant(1);
  const nd = strides.length;
  const pads = padsOf(c.attrs);
  if (layout !== 'NHWC' || group !== 1 || must(c.out[0]).dtype !== 'f32' || !w || !pads) return false;
  const kernel = w.dims.slice(2);
  const [channels, outs] = [must(w.dims[0]), must(w.dims[1])];
  const join = joinsPhases(c.node) ? must(strides[nd - 1]) : 1;
  // Joined phases are one kernel.
  if (numel(strides) / join > MOST_PHASES) return false;
  const x = c.need(0);
  const out = must(c.out[0]).shape;
  const axes = kernel.map((n, d): PhaseAxis => {
    const [stride, dilation, before] = [must(strides[d]), must(dilations[d]), must(pads[d])];
    const reach = (n - 1) * dilation;
    const size = must(out[d + 1]);
    const joined = join > 1 && d === nd - 1;
    const counts = (f: Phase): Dim =>
      joined
        ? dimSub(dimAdd(dimFloorDiv(dimAdd(size, before - 1), stride), 1), f.start)
        : dimCeilDiv(dimSub(size, f.first), stride);
    return {
      stride,
      before: Math.floor(reach / stride),
      after: Math.max(0, Math.floor((reach + must(outputPadding[d]) - must(pads[d + nd])) / stride)),
      phases: joined
        ? [joinedPhase(n, stride, before)]
        : Array.from({ length: stride }, (_, r) => phaseOf(r, n, stride, dilation, before)),
      counts,
    };
  });
  const sizes = [must(x.dims[0]), ...axes.map((a, d) => dimAdd(must(x.dims[d + 1]), a.before + a.after))];
  const bare = axes.every(a => a.before === 0 && a.after === 0);
  const input = bare ? c.contiguous(0).buffer : padInto(c, x, sizes, [...axes.map(a => a.before), ...axes.map(a => a.after)]);
  const steps = dimStrides([...sizes, channels]);
  const arith = arithOf(c.profile, 'f32');
  const space = transposeSpace(c.node);
  const sink = mergeSink(c.sink(0), space);
  const largeEpilogue = hasLargeEpilogue(sink, space.length, vtype('f32', arith.lanes));
  const columns = outs * join;
  const p = choosePanels(c, columns, arith);
  const scratch = c.scratch('edge', 'f32', blockSize(p));
  const [width, cut] = [must(out[nd]), (must(pads[nd - 1]) % join) * outs];
  // Rows of joined phases that begin or end within a stride are made in a line, from which the outputs are taken.
  const line =
    join > 1 && (cut > 0 || !isMultiple(width, join))
      ? c.scratch('line', 'f32', dimMul(dimAdd(dimCeilDiv(width, join), 1), columns))
      : undefined;
  for (const pick of indices(axes.map(a => a.phases.length))) {
    const phases = axes.map((a, d) => must(a.phases[must(pick[d])]));
    const depth = channels * phases.reduce((n, f) => n * f.taps.length, 1);
    const counts = axes.map((a, d) => a.counts(must(phases[d])));
    const b =
      depth === 0
        ? undefined
        : c.weights(
            'kernel',
            packConstant(phaseWeights(w, phases, join), [{ offset: 0, kStride: 1, columnStride: depth }], depth, p),
          );
    // Where the first tap of the first output lies.
    const origin = phases.map((f, d) => must(axes[d]).before + f.start - must(f.taps[0]?.back ?? 0));
    c.kernel('convtranspose', k =>
      forAll(k, [must(sizes[0]), ...counts.slice(0, -1)], idx => {
        const place = idx.map((i, a): Num =>
          a === 0 ? i : k.let(add(mul(i, must(axes[a - 1]).stride), must(phases[a - 1]).first)),
        );
        const [lastAxis, lastPhase] = [must(axes[nd - 1]), must(phases[nd - 1])];
        const put = (row: Expr, column: Expr, v: Expr): void => {
          if (line) k.store(line, add(mul(row, columns), column), v);
          else if (join > 1) sink.store(k, [...place, add(mul(row, columns), column)], v);
          else sink.store(k, [...place, add(mul(row, lastAxis.stride), lastPhase.first), column], v);
        };
        const fromLine = (): void => {
          if (line)
            forLanes(k, dimMul(width, outs), arith.lanes, (i, l) => sink.store(k, [...place, i], k.load(line, add(i, cut), l)));
        };
        if (!b) {
          k.for(0, must(counts[nd - 1]), row =>
            forLanes(k, columns, arith.lanes, (o, l) => put(row, o, konst(vtype('f32', l), 0))),
          );
          fromLine();
          return;
        }
        const at = k.let(
          idx.reduce<Expr>(
            (sum, i, a) => add(sum, mul(a === 0 ? i : add(i, must(origin[a - 1])), k.dim(must(steps[a])))),
            int(must(origin[nd - 1]) * channels),
          ),
        );
        const job: GemmProblem = {
          arith,
          panels: p,
          a: {
            buffer: input,
            block: first => ({ at: k.let(add(at, mul(first, channels))), rows: { k: 'stride', stride: channels } }),
          },
          b: packedPanels(k, b, 0, p, depth),
          reduction: [
            ...phases
              .slice(0, -1)
              .map((f, d): ReductionLoop => ({ n: f.taps.length, stride: k.dim(dimMul(must(steps[d + 1]), f.step)) })),
            ...(lastPhase.step === 1
              ? [{ n: lastPhase.taps.length * channels, stride: 1 }]
              : [
                  { n: lastPhase.taps.length, stride: lastPhase.step * channels },
                  { n: channels, stride: 1 },
                ]),
          ],
          scratch,
          parallel: !line,
          largeEpilogue: largeEpilogue && !line,
          store: put,
        };
        const bytes = 4 * depth;
        gemm(k, job, must(counts[nd - 1]), join > 1 ? loopOrder(c.profile, p, bytes * columns, bytes) : { k: 'rows' });
        fromLine();
      }),
    );
  }
  return true;
}
/** Each phase is code of its own. */
const MOST_PHASES = 64;
interface PhaseAxis {
  readonly stride: number;
  /** Zeros around the input. */
  readonly before: number;
  readonly after: number;
  readonly phases: readonly Phase[];
  /** Outputs of a phase; of joined phases the pixels of the input that they come from. */
  counts(f: Phase): Dim;
}
/** Outputs first, first + stride, … of an axis. */
interface Phase {
  readonly first: number;
  /** The input that element 0 of the kernel meets at the first output, were it one of the phase. */
  readonly start: number;
  /** The elements of the kernel in the order of the input: which, and how many inputs before `start` it lies. */
  readonly taps: readonly { readonly kernel: number; readonly back: number }[];
  /** Inputs from one tap to the next. */
  readonly step: number;
}
/** The phase of the outputs o with (o + before) mod stride = r: o takes input (o + before - j * dilation) / stride of kernel element j. */
function phaseOf(r: number, kernel: number, stride: number, dilation: number, before: number): Phase {
  const first = (((r - before) % stride) + stride) % stride;
  const taps = Array.from({ length: kernel }, (_, j) => j)
    .filter(j => (j * dilation) % stride === r)
    .map(j => ({ kernel: j, back: (j * dilation - r) / stride }))
    .reverse();
  const [a, b] = taps;
  return { first, start: (first + before - r) / stride, taps, step: a && b ? a.back - b.back : 1 };
}
/** All phases of a stride at once, without dilation: outputs i * stride + 0 .. stride - 1 take input i - t of elements t * stride + 0 …. */
function joinedPhase(kernel: number, stride: number, before: number): Phase {
  const taps = Array.from({ length: Math.ceil(kernel / stride) }, (_, t) => ({ kernel: t * stride, back: t })).reverse();
  return { first: 0, start: Math.floor(before / stride), taps, step: 1 };
}
/** Weights [C, O, …k] as [joined phase, O, …taps, C]; zeros behind the last element of the kernel. */
function phaseWeights(w: Tensor, phases: readonly Phase[], join: number): Tensor {
  const [channels, outs, last] = [must(w.dims[0]), must(w.dims[1]), must(w.dims.at(-1))];
  const s = stridesOf(w.dims);
  const from = typed(w);
  const counts = phases.map(f => f.taps.length);
  const out = new Float32Array(join * outs * channels * numel(counts));
  let q = 0;
  for (let r = 0; r < join; r++)
    for (let o = 0; o < outs; o++)
      for (const pick of indices(counts)) {
        const element = pick.map((t, d) => must(phases[d]?.taps[t]).kernel + (d === counts.length - 1 ? r : 0));
        const at = element.reduce((sum, e, d) => sum + e * must(s[d + 2]), o * must(s[1]));
        const inside = must(element.at(-1)) < last;
        for (let i = 0; i < channels; i++) out[q++] = inside ? Number(from[at + i * must(s[0])]) : 0;
      }
  return fromTyped('f32', [out.length], out);
}
/** Each output gathers the inputs whose windows cover it. */
function lowerPlain(c: LowerCtx<TransposeAttrs>): void {
  const { layout, strides, dilations, pads, group } = c.attrs;
  const [x, w] = [c.need(0), c.need(1)];
  const sink = c.sink(0);
  const axes = spatialAxes(layout, x.dims.length);
  const channel = channelAxis(layout, x.dims.length);
  const reg = vtype(regOf(sink.dtype));
  const outsPer = must(w.dims[1]);
  c.kernel('convtranspose', k =>
    forAll(k, sink.dims, idx => {
      const o = must(idx[channel]);
      const perGroup = k.let(div(k.dim(must(x.dims[channel])), group));
      const g = group === 1 ? int(0) : k.let(div(o, k.dim(outsPer)));
      const own = group === 1 ? o : k.let(rem(o, k.dim(outsPer)));
      const first = k.let(mul(g, perGroup));
      const acc = k.var(konst(reg, 0));
      const tap = (at: readonly Expr[], kernel: readonly Expr[]): void =>
        k.for(0, perGroup, i => {
          const from = k.let(add(first, i));
          const v = x.at(k, layoutShape<Expr>(layout, must(idx[0]), from, at));
          k.set(acc, add(acc, mul(cast(reg, v), cast(reg, w.at(k, [from, own, ...kernel])))));
        });
      const nest = (at: readonly Expr[], kernel: readonly Expr[]): void => {
        const axis = at.length;
        const a = axes[axis];
        if (a === undefined) {
          tap(at, kernel);
          return;
        }
        k.for(0, must(w.dims[axis + 2]), j => {
          const p = k.let(sub(add(must(idx[a]), k.dim(must(pads[axis]))), mul(j, must(dilations[axis]))));
          const s = must(strides[axis]);
          const i = k.let(s === 1 ? p : div(p, s));
          const hits = s === 1 ? ge(p, 0) : and(ge(p, 0), eq(mul(i, s), p));
          k.if(and(hits, lt(i, k.dim(must(x.dims[a])))), () => nest([...at, i], [...kernel, j]));
        });
      };
      nest([], []);
      sink.store(k, idx, acc);
    }),
  );
}
