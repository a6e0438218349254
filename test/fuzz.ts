/** `npm run fuzz -- SUITE [options]`: trees, onnx-trees, onnx, mutants, tensorflow. Each says at its top what it compares. */
const suites: Readonly<Record<string, () => Promise<unknown>>> = {
  trees: () => import('./trees/fuzz.ts'),
  'onnx-trees': () => import('./trees/fuzz-onnx.ts'),
  onnx: () => import('./onnx-graphs/fuzz.ts'),
  mutants: () => import('./onnx-graphs/mutants.ts'),
  tensorflow: () => import('./tensorflow-mutants/mutants.ts'),
};
const name = process.argv[2] ?? '';
const suite = suites[name];
if (suite) {
  // The suite sees its own arguments only.
  process.argv.splice(2, 1);
  await suite();
} else {
  console.error(`unknown suite '${name}': ${Object.keys(suites).join(', ')}`);
  process.exitCode = 2;
}
export {};
