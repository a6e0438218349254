import { describe, expect, it } from '@jest/globals';
import { parseTarget, resolveTarget, targetNames, withThreads } from '../compiler/target/resolve.ts';

const own = (more: object): object => ({ name: 'mine', extends: 'wasm-simd', ...more });

describe('targets', () => {
  it('all resolve', () => {
    expect(targetNames()).toEqual(expect.arrayContaining(['c-portable', 'linux-arm64', 'wasm-auto', 'wasm-simd']));
    for (const name of targetNames()) expect(resolveTarget(name).name).toBe(name);
  });
  it('inherit, field by field', () => {
    const [simd] = resolveTarget('wasm-simd').profiles;
    const [relaxed] = resolveTarget('wasm-relaxed-simd').profiles;
    expect(relaxed).toEqual({
      ...simd,
      name: 'wasm-relaxed-simd',
      doc: relaxed?.doc,
      vector: { ...simd?.vector, fma: 'relaxed' },
    });
    const [mine] = resolveTarget(own({ memory: { embedBelow: 0 } })).profiles;
    expect(mine?.memory).toEqual({ ...simd?.memory, embedBelow: 0 });
    expect(mine?.vector).toEqual(simd?.vector);
  });
  it('may list several modules', () => {
    expect(resolveTarget('wasm-auto').profiles.map(p => p.name)).toEqual([
      'wasm-relaxed-dot-u8',
      'wasm-relaxed-dot-i8',
      'wasm-relaxed-simd',
      'wasm-simd',
      'wasm-mvp',
    ]);
    expect(resolveTarget({ name: 'two', modules: [own({}), 'wasm-mvp'] }).profiles.map(p => p.name)).toEqual([
      'mine',
      'wasm-mvp',
    ]);
  });
  it('give threads to all of their modules, or to those that have several', () => {
    const threads = (name: string): readonly number[] => withThreads(resolveTarget(name), 2).profiles.map(p => p.threads);
    expect(threads('linux-x64')).toEqual([2, 2, 2]);
    expect(threads('wasm-threads')).toEqual([2, 2, 2, 2, 1, 1, 1, 1]);
  });
  const wrong: readonly (readonly [string | object, string])[] = [
    ['wasm-smid', "wasm-threads, windows-x64; did you mean 'wasm-simd'?"],
    ['toString', 'is none of'],
    [own({ registers: 0 }), "E401: target mine: 'registers' must be a whole number from 1 to 64, not 0"],
    [own({ vector: { bit: 128 } }), "'vector' has no field 'bit'; did you mean 'bits'?"],
    [own({ vector: { bits: 256 } }), "'vector.bits' of WebAssembly is 0 or 128"],
    [own({ vector: { bits: '128' } }), '\'vector.bits\' must be one of 0, 128, 256, 512, not "128"'],
    [own({ vector: { fma: 'fused' } }), "'vector.fma' of WebAssembly is none or relaxed"],
    [own({ memory: { align: 48 } }), "'memory.align' must be a power of two"],
    [own({ colour: 1 }), "has no field 'colour'"],
    [own({ emit: 'c' }), "'toolchain.cc' is empty"],
    [own({ extends: 'wasm-sidm' }), "extends 'wasm-sidm', which is not known; did you mean 'wasm-simd'?"],
    [own({ extends: 'wasm-auto' }), "extends 'wasm-auto', which is a list of modules"],
    [{ name: 'bare' }, "'emit' is missing; give it, or extend another profile"],
    [{ name: '../x' }, "'name' must be letters, digits"],
    [{ name: 'two', modules: ['wasm-mvp', 'wasm-mvp'] }, "'modules' lists wasm-mvp twice"],
    [{ name: 'none', modules: [] }, "'modules' is empty"],
    [{ name: 'mixed', modules: ['wasm-mvp', 'c-portable'] }, "'modules' holds profiles for different systems"],
    [{ name: 'mixed', modules: ['linux-arm64', 'linux-x64-v2'] }, "'modules' holds profiles for different compilers"],
    [[], 'must be an object'],
  ];
  it.each(wrong)('%j is refused', (target, message) => {
    expect(() => resolveTarget(target)).toThrow(message);
  });
  it('from a file say what is wrong with its text', () => {
    expect(() => parseTarget('{', 'mine.json')).toThrow('E401: target mine.json: is not JSON');
    expect(() => parseTarget('[]', 'mine.json')).toThrow('must hold one JSON object');
    expect(parseTarget('{"name": "m", "extends": "wasm-mvp"}', 'mine.json').profiles).toHaveLength(1);
  });
});
