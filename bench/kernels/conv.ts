/** Convolutions against the multiply-add peak: `npx tsx bench/kernels/conv.ts [target] [HxWxCi>Co,kKsSpPgG …]`. */
import { Conv } from '../../compiler/ops/conv/conv.ts';
import { compileGraph, one } from './compile.ts';
import { peak } from './peak.ts';
import { takeTurns, timed } from '../engine/turns.ts';

const [target = 'wasm-simd', ...shapes] = process.argv.slice(2);
const list =
  shapes.length > 0
    ? shapes
    : [
        '80x80x96>96,k1',
        '80x80x96>24,k3p1',
        '40x40x128>128,k3p1',
        '56x56x64>64,k3p1',
        '10x10x384>384,k1',
        '160x160x3>16,k3s2p1',
        '32x8x48>72,k3p1',
        '112x112x64>64,k3p1g64',
        '24x80x240>240,k5p2g240',
        '40x40x192>192,k3s2p1g192',
        '1x32x480>60,k3p1',
      ];
const top = await peak(target);
/** Best seconds of a call of each, in turns. */
const best = async (...fs: readonly (() => void)[]): Promise<number[]> =>
  (await takeTurns(fs.map(timed), { rounds: 40, seconds: 60, sampleMs: 2, warmMs: [60, 1000] })).map(
    s => Math.min(...s.ms) / 1000,
  );
for (const s of list) {
  const m = /^(\d+)x(\d+)x(\d+)>(\d+),k(\d+)(?:s(\d+))?(?:p(\d+))?(?:g(\d+))?(?:d(\d+))?/.exec(s);
  if (!m) throw new Error(s);
  const [h = 1, w = 1, ci = 1, co = 1, kk = 1] = m.slice(1, 6).map(Number);
  const [st = 1, p = 0, g = 1, d = 1] = m.slice(6).map((x: string | undefined, i) => Number(x ?? [1, 0, 1, 1][i]));
  const { graph, inputs } = one(Conv, [{ dims: [1, h, w, ci] }, { dims: [co, ci / g, kk, kk], constant: true }], {
    strides: [st, st],
    pads: [p, p, p, p],
    dilations: [d, d],
    group: g,
    layout: 'NHWC',
  });
  const macs = (graph.outputs[0]?.value.type.shape ?? []).map(Number).reduce((a, b) => a * b, 1) * (ci / g) * kk * kk;
  const c = await compileGraph(graph, target, inputs);
  const [tp = NaN, t = NaN] = await best(top.run, c.run);
  const rate = macs / t / 1e9;
  const most = top.macs / tp / 1e9;
  console.log(
    `${s.padEnd(28)} ${(t * 1e6).toFixed(1).padStart(9)} us ${rate.toFixed(1).padStart(6)} GMAC/s ${((100 * rate) / most).toFixed(0).padStart(4)} % of ${most.toFixed(1)}, ${c.codeBytes} bytes ${c.kernels.join(' ')}`,
  );
}
