/** `npm run bench [-- SUITE [options]]`: standard (the default), results, compile, cold-start, gemm, conv, int8, trees, probe, native, plans, quantization, tensorflow, tiny, serving. Each says at its top what it measures. */
const suites: Readonly<Record<string, () => Promise<unknown>>> = {
  standard: () => import('./standard.ts'),
  compile: () => import('./compile-time.ts'),
  results: () => import('./results.ts'),
  'cold-start': () => import('./cold-start.ts'),
  gemm: () => import('./kernels/gemm.ts'),
  conv: () => import('./kernels/conv.ts'),
  int8: () => import('./kernels/int8.ts'),
  trees: () => import('./trees.ts'),
  probe: () => import('./probe.ts'),
  tiny: () => import('./tiny.ts'),
  tensorflow: () => import('./tensorflow.ts'),
  native: () => import('./native.ts'),
  plans: () => import('./quantized/plans.ts'),
  quantization: () => import('./quantization.ts'),
  serving: () => import('./serving.ts'),
};
const name = process.argv[2]?.startsWith('-') === false ? process.argv[2] : 'standard';
const suite = suites[name];
if (suite) {
  // The suite sees its own arguments only.
  if (name === process.argv[2]) process.argv.splice(2, 1);
  await suite();
} else {
  console.error(`unknown suite '${name}': ${Object.keys(suites).join(', ')}`);
  process.exitCode = 2;
}
export {};
