/** Products with weights of four bits that a file spells out as dequantized constants. */
import { expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, nodesOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { MatMulNBits } from '../../compiler/ops/matmul/nbits.ts';
import { Reshape, Transpose } from '../../compiler/ops/movement/view.ts';
import { DequantizeLinear } from '../../compiler/ops/quant/quant.ts';
import { idioms } from '../../compiler/passes/idioms.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { compiled } from '../conformance/compiled.ts';

const profile = must(resolveTarget('wasm-simd').profiles[0]);
const [K, N] = [256, 264];
const list = (dtype: 'i8' | 'u8' | 'f32', dims: readonly number[], of: (i: number) => number): Value =>
  constant(
    fromNumbers(
      dtype,
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => of(i)),
    ),
  );
const noise = (i: number): number => (i * 2654435761) % 4093;
const dequantize = (w: Value, scale: Value, zero: Value): Value =>
  apply1(DequantizeLinear, [w, scale, zero], { to: 'f32' }, noLoc);
const graphOf = (w: Value, transB: boolean): Graph => {
  const x = input('x', { dtype: 'f32', shape: [3, K] });
  const y = apply1(MatMul, [x, w], { transB }, noLoc);
  return { name: 'g', inputs: [x], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] };
};
const rows = new Map([
  [
    'x',
    fromNumbers(
      'f32',
      [3, K],
      Array.from({ length: 3 * K }, (_, i) => (noise(i) - 2000) / 1000),
    ),
  ],
]);
const isFew = (g: Graph): boolean => nodesOf(idioms.run(g, { profile })).some(n => n.op === MatMulNBits);

const signed = (dims: readonly number[]): Value => list('i8', dims, i => (noise(i) % 16) - 8);
const blocked = dequantize(
  signed([K / 32, 32, N]),
  list('f32', [K / 32, 1, N], i => noise(i) / 1e5),
  list('i8', [], () => 0),
);
it.each([
  ['in blocks along the depth', apply1(Reshape, [blocked], { shape: [K, N] }, noLoc), false],
  [
    'of columns, transposed',
    dequantize(
      signed([N, K]),
      list('f32', [N, 1], i => noise(i) / 1e5),
      list('i8', [N, 1], i => (i % 8) - 4),
    ),
    true,
  ],
  [
    'unsigned, through a transpose',
    apply1(
      Transpose,
      [
        dequantize(
          list('u8', [N, K], i => noise(i) % 16),
          list('f32', [], () => 0.125),
          list('u8', [], () => 7),
        ),
      ],
      { perm: [1, 0] },
      noLoc,
    ),
    false,
  ],
])('%s', async (_, w, transB) => {
  const g = graphOf(w, transB);
  expect(isFew(g)).toBe(true);
  const want = toNumbers(must(evaluate(g, rows).get('y')));
  const got = toNumbers(must((await compiled('wasm', runPasses(g, profile)))(rows).get('y')));
  want.forEach((v, i) => {
    expect(Math.abs((got[i] ?? NaN) - v)).toBeLessThan(1e-4 * (1 + Math.abs(v)));
  });
});
it.each([
  ['weights of five bits', signed([K, N]), 17],
  ['scales that differ inside of blocks', signed([K, N]), 0],
])('leaves %s', (_, w, extra) => {
  const wide = extra > 0 ? list('i8', [K, N], i => (noise(i) % extra) - 8) : w;
  const scale = list('f32', extra > 0 ? [1, N] : [K, 1], i => 1 + (i % 7));
  expect(
    isFew(
      graphOf(
        dequantize(
          wide,
          scale,
          list('i8', [], () => 0),
        ),
        false,
      ),
    ),
  ).toBe(false);
});
