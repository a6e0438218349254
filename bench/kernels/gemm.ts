/** Products against the multiply-add peak of this machine: `npm run bench -- gemm [target] [MxNxK …]`. */
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { compileGraph, one } from './compile.ts';
import { comparePeak } from './peak.ts';

const [target = 'wasm-simd', ...shapes] = process.argv.slice(2);
const list =
  shapes.length > 0
    ? shapes
    : ['1x1024x1024', '4x128x384', '64x64x64', '100x96x96', '1600x96x96', '400x192x192', '384x384x384', '512x1536x384'];
const compared = await comparePeak(target);
for (const s of list) {
  const [m = 1, n = 1, k = 1] = s.split('x').map(Number);
  const { graph, inputs } = one(MatMul, [{ dims: [m, k] }, { dims: [k, n], constant: true }], {});
  const c = await compileGraph(graph, target, inputs);
  console.log(await compared(s, c, m * n * k));
}
