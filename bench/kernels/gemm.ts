/** Products against the multiply-add peak of this machine: `npx tsx bench/kernels/gemm.ts [target] [MxNxK …]`. */
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { compileGraph, one } from './compile.ts';
import { peak } from './peak.ts';
import { takeTurns, timed } from '../engine/turns.ts';

const [target = 'wasm-simd', ...shapes] = process.argv.slice(2);
const list =
  shapes.length > 0
    ? shapes
    : ['1x1024x1024', '4x128x384', '64x64x64', '100x96x96', '1600x96x96', '400x192x192', '384x384x384', '512x1536x384'];
const top = await peak(target);
/** Best seconds of a call of each, in turns. */
const best = async (...fs: readonly (() => void)[]): Promise<number[]> =>
  (await takeTurns(fs.map(timed), { rounds: 40, seconds: 60, sampleMs: 2, warmMs: [60, 1000] })).map(
    s => Math.min(...s.ms) / 1000,
  );
for (const s of list) {
  const [m = 1, n = 1, k = 1] = s.split('x').map(Number);
  const { graph, inputs } = one(MatMul, [{ dims: [m, k] }, { dims: [k, n], constant: true }], {});
  const c = await compileGraph(graph, target, inputs);
  const [p = NaN, t = NaN] = await best(top.run, c.run);
  const rate = (m * n * k) / t / 1e9;
  const most = top.macs / p / 1e9;
  console.log(
    `${s.padEnd(14)} ${(t * 1e6).toFixed(1).padStart(9)} us ${rate.toFixed(1).padStart(6)} GMAC/s ${((100 * rate) / most).toFixed(0).padStart(4)} % of ${most.toFixed(1)}, ${c.codeBytes} bytes`,
  );
}
