/**
 * A fresh process that answers once: `node cold-start.js REQUEST`. The request is a `NodeColdStart` as JSON, without the list of inputs for a
 * process that only imports a module. Inputs are read before the clock starts. Prints milliseconds and the peak of memory in bytes as JSON.
 */
import { readFileSync } from 'node:fs';

const request = JSON.parse(process.argv[2]);
const inputs = {};
for (const { name, type, array, dims, file } of request.inputs === undefined
  ? []
  : JSON.parse(readFileSync(request.inputs, 'utf8'))) {
  const elements = dims.reduce((a, b) => a * b, 1);
  inputs[name] = { data: new globalThis[array](Uint8Array.from(readFileSync(file)).buffer, 0, elements), dims, type };
}
/** As `compiler/core/tensor.ts` has them. */
const tensorOf = ({ data, dims, type }) => ({
  dtype: { float32: 'f32', int32: 'i32', uint8: 'u8' }[type],
  dims,
  bytes: new Uint8Array(data.buffer),
});
const start = performance.now();
const module = await import(request.module);
if (request.k === 'bundle') {
  const model = await module.load();
  model.run(inputs);
}
if (request.k === 'onnxruntime') {
  const ort = module.default ?? module;
  ort.env.wasm.numThreads = request.threads;
  const model = request.read ? readFileSync(request.model) : request.model;
  const session = await ort.InferenceSession.create(model, request.options);
  const tensors = Object.entries(inputs).map(([name, x]) => [name, new ort.Tensor(x.type, x.data, x.dims)]);
  await session.run(Object.fromEntries(tensors));
}
if (request.k === 'framework') {
  const { model, names, threads } = request;
  const s = await (request.framework === 'litert-js'
    ? module.openLiteRt(Uint8Array.from(readFileSync(model)), names, threads)
    : module.openTfjs(model, names));
  await s.run(new Map(Object.entries(inputs).map(([name, x]) => [name, tensorOf(x)])));
}
const ms = performance.now() - start;
console.log(JSON.stringify({ ms, rss: process.resourceUsage().maxRSS * 1024 }));
process.exit(0);
