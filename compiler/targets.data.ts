// Written by `npm run inline`. Do not edit.
export const TARGETS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'wasm-auto': {
    name: 'wasm-auto',
    doc: 'Three modules in one bundle; index.js picks the best that the engine runs.',
    modules: ['wasm-relaxed-simd', 'wasm-simd', 'wasm-mvp'],
  },
  'wasm-mvp': {
    name: 'wasm-mvp',
    doc: 'WebAssembly as of 2017: scalar code for any engine.',
    emit: 'wasm',
    vector: { bits: 0, fma: 'none', intDot: 'none' },
    registers: 15,
    features: [],
    memory: { align: 64, embedBelow: 65536, arenaLimit: 2147483648 },
    cache: { l1: 32768, l2: 524288 },
  },
  'wasm-relaxed-simd': {
    name: 'wasm-relaxed-simd',
    doc: 'WebAssembly with relaxed SIMD, which has fused multiply-add: Chrome 114, Firefox 145, Node 22 and later.',
    extends: 'wasm-simd',
    vector: { fma: 'relaxed', intDot: 'i8u7' },
  },
  'wasm-simd': {
    name: 'wasm-simd',
    doc: 'WebAssembly with 128-bit SIMD: Chrome 91, Firefox 89, Safari 16.4, Node 16.4 and later.',
    extends: 'wasm-mvp',
    vector: { bits: 128, intDot: 'i16' },
    features: ['bulk-memory', 'sign-ext', 'sat-float-to-int'],
  },
};
