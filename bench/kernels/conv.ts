/** Convolutions against the multiply-add peak: `npm run bench -- conv [target] [HxWxCi>Co,kKsSpPgG …]`. */
import { Conv } from '../../compiler/ops/conv/conv.ts';
import { compileGraph, one } from './compile.ts';
import { comparePeak } from './peak.ts';

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
const compared = await comparePeak(target);
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
  console.log(await compared(s, c, macs));
}
