import { TestEnvironment } from 'jest-environment-node';

/** Jest's own realm has typed arrays of its own, which native addons (onnxruntime-node) do not take for theirs: share Node's. */
const SHARED = [
  ArrayBuffer,
  Float32Array,
  Float64Array,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
];
export default class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const type of SHARED) this.global[type.name] = type;
    // 15 MB, which binaryen.js gives to all files of tests: each would load its own.
    this.global.binaryenOfAll = () => import('binaryen');
  }
}
