import swc from '@swc/jest';

/**
 * TypeScript for Jest. A test file runs in a context of Node's `vm`, where each mention of a global is a call into C++: about 0.9 µs for the
 * `Math` of `Math.imul`, 600 times what it takes outside. So each module begins by keeping those that it mentions as constants of its own.
 */
const GLOBALS = [
  ...[
    'Array',
    'ArrayBuffer',
    'BigInt',
    'DataView',
    'Error',
    'Infinity',
    'JSON',
    'Map',
    'Math',
    'NaN',
    'Number',
    'Object',
    'Set',
    'String',
  ],
  ...['Symbol', 'TextDecoder', 'TextEncoder', 'WeakMap'],
  ...['BigInt64Array', 'BigUint64Array', 'Float32Array', 'Float64Array', 'Int16Array', 'Int32Array', 'Int8Array'],
  ...['Uint16Array', 'Uint32Array', 'Uint8Array', 'Uint8ClampedArray'],
];
const mentions = (name, code) => new RegExp(`\\b${name}\\b`).test(code);
const declares = (name, code) =>
  new RegExp(`^(export )?(const|let|var|(async )?function\\*?|class) ${name}\\b|^import [^'"]*\\b${name}\\b`, 'm').test(code);
function withGlobals(result) {
  const code = result.code;
  const kept = GLOBALS.filter(name => mentions(name, code) && !declares(name, code));
  return kept.length === 0 ? result : { ...result, code: `const { ${kept.join(', ')} } = globalThis; ${code}` };
}

export default {
  createTransformer(options) {
    const inner = swc.createTransformer(options);
    return {
      ...inner,
      getCacheKey: (...args) => `${inner.getCacheKey(...args)}g`,
      process: (...args) => withGlobals(inner.process(...args)),
      processAsync: async (...args) => withGlobals(await inner.processAsync(...args)),
    };
  },
};
