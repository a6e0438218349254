import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { dimMul, symbol } from '../../compiler/core/dim.ts';
import { bundleOf, dim, handMade, importBundle, put, type HandMade, type Index, type Loaded } from './hand-made.ts';

const folders: string[] = [];
afterAll(() => folders.forEach(d => rmSync(d, { recursive: true, force: true })));
async function make(h: HandMade): Promise<{ dir: string; index: Index; model: Loaded }> {
  const dir = put(await bundleOf([handMade(h)]));
  folders.push(dir);
  const index = await importBundle(dir);
  return { dir, index, model: await index.load() };
}
const f32 = (...x: number[]): Uint8Array => new Uint8Array(Float32Array.from(x).buffer);

/** y[i] = 3 * x[i]; the 3 is a weight. */
const n = dim('n', 1, 8);
const triple: HandMade = {
  symbols: [n.info],
  inputs: [['x', 'f32', [n.d, 2]]],
  outputs: [['y', 'f32', [2, n.d]]],
  weights: f32(3, 0, 0, 0),
  wat: `(func (export "run") (param i32) (local i32)
    (loop
      (f32.store (i32.add $y (i32.shl (local.get 1) (i32.const 2)))
        (f32.mul (f32.load $weights) (f32.load (i32.add $x (i32.shl (local.get 1) (i32.const 2))))))
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get 1) (i32.shl (local.get 0) (i32.const 1))))))`,
};

describe('load', () => {
  it('takes nothing, bytes, a Response, a module, a path, a URL, or both files', async () => {
    const { dir, index } = await make(triple);
    const wasm = readFileSync(join(dir, 'model.wasm'));
    const weights = readFileSync(join(dir, 'model.weights'));
    const response = (b: Uint8Array<ArrayBuffer>, type: string): Response =>
      new Response(b, { headers: { 'content-type': type } });
    const sources = [
      undefined,
      wasm,
      wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length),
      new Blob([wasm]),
      response(wasm, 'application/wasm'),
      Promise.resolve(response(wasm, 'application/octet-stream')),
      await WebAssembly.compile(wasm),
      join(dir, 'model.wasm'),
      `${dir}/`,
      pathToFileURL(`${dir}/`),
      pathToFileURL(join(dir, 'model.wasm')).href,
      { wasm, weights },
      { wasm: response(wasm, 'application/wasm'), weights: response(weights, 'x/y') },
      { weights: new Blob([weights]) },
    ];
    for (const s of sources) {
      const model = await index.load(s);
      expect([...(model.run({ x: [1, 2] })['y']?.data ?? [])]).toEqual([3, 6]);
    }
  });
  it('says what is wrong with its files', async () => {
    const { dir, index } = await make(triple);
    const weights = readFileSync(join(dir, 'model.weights'));
    const wasm = readFileSync(join(dir, 'model.wasm'));
    await expect(index.load({ weights: weights.subarray(1) })).rejects.toThrow(
      'E203: model.weights is truncated or damaged: 15 bytes instead of 16',
    );
    await expect(index.load({ weights: new Uint8Array(16) })).rejects.toThrow('E502: the weights are not of this index.js');
    await expect(index.load({ weights: join(dir, 'nowhere') })).rejects.toThrow(/E205: cannot read .*nowhere/);
    await expect(index.load(wasm.subarray(0, 40))).rejects.toThrow('E203: the module does not compile: ');
    await expect(index.load(5)).rejects.toThrow('load takes bytes, a Response, a URL or { wasm, weights }, not number');
    await expect(index.load(Promise.resolve(new Response('', { status: 404 })))).rejects.toThrow(
      'E205: cannot read the response: the server answers 404',
    );
    const other = await bundleOf([handMade({ ...triple, weights: f32(4, 0, 0, 0) })]);
    await expect(index.load(other.get('model.wasm'))).rejects.toThrow('the module is not of this index.js');
    writeFileSync(join(dir, 'model.weights'), new Uint8Array([...weights, 0]));
    await expect(index.load()).rejects.toThrow('more than 16');
  });
});

describe('run', () => {
  it('gives new arrays with the sizes that follow from the inputs', async () => {
    const { model } = await make(triple);
    const a = model.run({ x: { data: Float32Array.of(1, 2, 3, 4, 5, 6), dims: [3, 2] } });
    const b = model.run({ x: Float32Array.of(1, 2) });
    expect(a).toEqual({ y: { data: Float32Array.of(3, 6, 9, 12, 15, 18), dims: [2, 3], type: 'float32' } });
    expect(b).toEqual({ y: { data: Float32Array.of(3, 6), dims: [2, 1], type: 'float32' } });
    expect(model.inputNames).toEqual(['x']);
    expect(model.outputNames).toEqual(['y']);
  });
  it('gives an output of any name', async () => {
    const { model } = await make({
      ...triple,
      outputs: [['__proto__', 'f32', [2, n.d]]],
      wat: triple.wat.replace('$y', '$__proto__'),
    });
    expect(Object.entries(model.run({ x: [1, 2] })).map(([name, t]) => [name, [...t.data]])).toEqual([['__proto__', [3, 6]]]);
  });
  it('writes into arrays and tensors that it is given', async () => {
    const { model } = await make(triple);
    const mine = new Float32Array(6);
    const out = model.run({ x: [1, 2] }, { into: { y: mine } });
    expect(out['y']?.data).toBe(mine);
    expect(out['y']?.dims).toEqual([2, 1]);
    expect([...mine]).toEqual([3, 6, 0, 0, 0, 0]);
    const again = model.run({ x: [1, 1, 1, 1] }, { into: out });
    expect(again).toBe(out);
    expect(again['y']?.data).toBe(mine);
    expect(again['y']?.dims).toEqual([2, 2]);
    expect(() => model.run({ x: [1, 2] }, { into: { y: new Float32Array(1) } })).toThrow(
      'E502: output y: into needs a Float32Array of 2 or more',
    );
    expect(() => model.run({ x: [1, 2] }, { into: { y: new Float64Array(9) } })).toThrow('into needs a Float32Array');
    expect(() => model.run({ x: [1, 2] }, { into: { z: mine } })).toThrow('there is no output z; the outputs are y');
  });
  it('takes null for nothing, and refuses by a code what is none of its arguments', async () => {
    const { model, index } = await make(triple);
    const { run } = model as unknown as {
      run: (...args: readonly unknown[]) => Readonly<Record<string, { readonly data: unknown }>>;
    };
    const six = Float32Array.of(3, 6);
    for (const options of [undefined, null, {}, { into: null }, { into: undefined }, { into: { y: null } }, 5, 'x'])
      expect(run({ x: [1, 2] }, options)['y']?.data).toEqual(six);
    for (const into of [{ y: 5 }, { y: 'abc' }, { y: {} }, { y: { data: null } }, { y: { data: 'abcdef' } }, { y: [1, 2] }, 'y'])
      expect(() => run({ x: [1, 2] }, { into })).toThrow(/^E502: /);
    for (const x of [
      null,
      5,
      'x',
      {},
      { data: null },
      { data: [1, 2], dims: 5 },
      { data: [1, 2], dims: ['a', null] },
      [[1], [2]],
      ['1', 2],
      [1, undefined],
    ])
      expect(() => run({ x })).toThrow(/^E501: input x: /);
    for (const inputs of [undefined, null, 5]) expect(() => run(inputs)).toThrow('E501: input x: is missing');
    for (const source of [null, 5, true, {}, { wasm: null }])
      await expect(index.load(source as string)).rejects.toThrow(/^E\d{3}: /);
  });
  it('copies nothing with the memory of the model', async () => {
    const { model } = await make(triple);
    const x = model.inputs['x'];
    x?.data.set([1, 2, 3, 4]);
    const out = model.run({ x: { data: x?.data, dims: [2, 2] } }, { into: model.outputs });
    expect(out).toBe(model.outputs);
    expect([...(out['y']?.data ?? [])]).toEqual([3, 6, 9, 12]);
    const before = out['y']?.data;
    x?.data.set([5, 5, 5, 5]);
    model.run({ x: { data: x?.data, dims: [2, 2] } }, { into: model.outputs });
    expect(out['y']?.data).toBe(before);
    expect([...(before ?? [])]).toEqual([15, 15, 15, 15]);
  });
  it('says what is wrong with an input, and stays usable', async () => {
    const { model } = await make(triple);
    const it = 'it is float32 [n, 2]';
    const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
      [{}, `E501: input x: is missing; ${it}`],
      [{ z: [1, 2] }, 'E502: there is no input z; the inputs are x'],
      [{ x: 'text' }, `E501: input x: pass a Float32Array instead of string; ${it}`],
      [{ x: Float64Array.of(1, 2) }, `pass a Float32Array instead of Float64Array: Float32Array.from(data); ${it}`],
      [{ x: { data: [1, 2], dims: [2] } }, `has 1 dimensions, [2]; ${it}`],
      [{ x: { data: [1, 2, 3], dims: [1, 3] } }, `dimension 1 of [1,3] does not fit; ${it}`],
      [{ x: { data: [1, 2, 3], dims: [1, 2] } }, `has 3 values, but [1,2] holds 2; ${it}`],
      [{ x: [1, 2, 3] }, 'dimension 0 of [1.5,2] does not fit'],
      [{ x: new Float32Array(18) }, `dimension 0 (n) is 9, but must be 1 to 8; ${it}`],
      [{ x: { data: [], dims: [0, 2] } }, 'dimension 0 (n) is 0, but must be 1 to 8'],
      [{ x: { data: [1, 2], dims: [-1, -2] } }, 'dimension 0 of [-1,-2] does not fit'],
    ];
    for (const [inputs, message] of wrong) expect(() => model.run(inputs)).toThrow(message);
    expect([...(model.run({ x: [1, 2] })['y']?.data ?? [])]).toEqual([3, 6]);
  });
  it('refuses a run from within a run', async () => {
    const { model } = await make(triple);
    const inputs = {
      get x(): number[] {
        model.run({ x: [1, 2, 3, 4] });
        return [1, 2];
      },
    };
    expect(() => model.run(inputs)).toThrow('E502: another run is not done');
    expect([...(model.run({ x: [1, 2] })['y']?.data ?? [])]).toEqual([3, 6]);
  });
  it('stays usable after a trap', async () => {
    const { model } = await make({
      inputs: [['x', 'i32', []]],
      outputs: [['y', 'i32', []]],
      wat: '(func (export "run") (i32.store $y (i32.div_s (i32.const 12) (i32.load $x))))',
    });
    expect(() => model.run({ x: Int32Array.of(0) })).toThrow(/E502: the model stopped: divide by zero/);
    expect([...(model.run({ x: Int32Array.of(4) })['y']?.data ?? [])]).toEqual([3]);
  });
});

describe('sizes', () => {
  it('solves symbols from multiples and sums, and checks that all inputs agree', async () => {
    const s = dim('w', 1, 4);
    const b = dim('b', 0, 3);
    const { model } = await make({
      symbols: [s.info, b.info],
      inputs: [
        ['image', 'f32', [dimMul(32, s.d)]],
        ['both', 'f32', [s.d, b.d]],
      ],
      outputs: [['y', 'i32', [2]]],
      wat: `(func (export "run") (param i32 i32)
        (i32.store $y (local.get 0)) (i32.store offset=4 $y (local.get 1)))`,
    });
    const run = (image: number, dims: readonly number[]): unknown[] => {
      const zeros = (k: number): Float32Array => new Float32Array(k);
      const out = model.run({ image: zeros(image), both: { data: zeros(dims.reduce((x, y) => x * y, 1)), dims } });
      return [...(out['y']?.data ?? [])];
    };
    expect(run(64, [2, 3])).toEqual([2, 3]);
    expect(run(96, [3, 0])).toEqual([3, 0]);
    expect(() => run(64, [3, 3])).toThrow('input image: dimension 0 (32*w) is 64, but must be 96 to fit the other sizes');
    expect(() => run(64, [2, 4])).toThrow('input both: dimension 1 (b) is 4, but must be 0 to 3');
    expect(() => model.run({ image: new Float32Array(64), both: new Float32Array(6) })).toThrow('pass { data, dims }');
  });
  it('names the steps of a size', async () => {
    const s = dim('w', 1, 4);
    const { model } = await make({
      symbols: [s.info],
      inputs: [['x', 'f32', [dimMul(32, s.d)]]],
      outputs: [['y', 'i32', [1]]],
      wat: `(func (export "run") (param i32) (i32.store $y (local.get 0)))`,
    });
    expect([...(model.run({ x: new Float32Array(128) })['y']?.data ?? [])]).toEqual([4]);
    expect(() => model.run({ x: new Float32Array(100) })).toThrow('is 100, but must be 32 to 128 in steps of 32');
  });
  it('checks guards before a run, and gives the reason why a run stopped', async () => {
    const a = dim('a', 1, 9);
    const b = dim('b', 1, 9);
    const k = symbol('k', 0, 9);
    const { model } = await make({
      symbols: [a.info, b.info, { name: 'k', lo: 0, hi: 9, from: 'run' }],
      inputs: [
        ['x', 'f32', [a.d]],
        ['y', 'f32', [dimMul(2, b.d)]],
      ],
      outputs: [['z', 'f32', [k]]],
      guards: [{ a: dimMul(2, a.d), b: dimMul(2, b.d), what: 'Add: 2*a and 2*b must be equal' }],
      traps: ['no reason', 'k and a must be equal'],
      // The size of the output is the first number of the input.
      wat: `(global $why (mut i32) (i32.const 0))
        (func (export "trap") (result i32) (global.get $why))
        (func (export "run") (param i32 i32)
          (global.set $why (i32.const 0))
          (f32.store $z (f32.const 7))
          (if (f32.lt (f32.load $x) (f32.const 0)) (then (drop (i32.div_s (i32.const 1) (i32.const 0)))))
          (if (f32.lt (f32.load $x) (f32.const 2)) (then (global.set $why (i32.const 2)) (unreachable))))
        (func (export "symbol") (param i32) (result i32)
          (if (result i32) (i32.eq (local.get 0) (i32.const 2)) (then (i32.trunc_f32_s (f32.load $x))) (else (unreachable))))`,
    });
    const run = (x: readonly number[], y: number): unknown => model.run({ x, y: new Float32Array(y) });
    expect(run([2, 0], 4)).toEqual({ z: { data: Float32Array.of(7, 0), dims: [2], type: 'float32' } });
    expect(() => run([2, 0], 6)).toThrow('E502: Add: 2*a and 2*b must be equal, but they are 4 and 6');
    expect(() => run([1, 0], 4)).toThrow('E502: the model stopped: k and a must be equal');
    expect(() => run([-1, 0], 4)).toThrow('E502: the model stopped: divide by zero');
    expect(run([2, 0], 4)).toHaveProperty('z');
  });
  it('knows its inputs by any name', async () => {
    const { model } = await make({
      inputs: [['a.b/c:0', 'f32', [1]]],
      outputs: [['*/ alert("`${1}")', 'f32', [1]]],
      name: '*/ </script> "model"\n`',
      wat: '(func (export "run"))',
    });
    expect(Object.keys(model.run({ 'a.b/c:0': [0] }))).toEqual(['*/ alert("`${1}")']);
  });
});

describe('element types', () => {
  const model = async (dtype: 'i64' | 'f16' | 'bool' | 'u8' | 'i4' | 'f8e4m3fn'): Promise<Loaded> =>
    (
      await make({
        inputs: [['x', dtype, [2]]],
        outputs: [['y', dtype, [2]]],
        wat: '(func (export "run") (i64.store $y (i64.load $x)) (i64.store offset=8 $y (i64.load offset=8 $x)))',
      })
    ).model;
  it('int64 is a BigInt64Array, or plain numbers', async () => {
    const m = await model('i64');
    expect(m.run({ x: BigInt64Array.of(1n, -2n) })['y']?.data).toEqual(BigInt64Array.of(1n, -2n));
    expect(m.run({ x: [5, 2n ** 40n] })['y']?.data).toEqual(BigInt64Array.of(5n, 2n ** 40n));
    expect(() => m.run({ x: Int32Array.of(1, 2) })).toThrow(
      'pass a BigInt64Array instead of Int32Array: BigInt64Array.from(data, BigInt); it is int64 [2]',
    );
  });
  it('float16 is a Uint16Array of the bits', async () => {
    const m = await model('f16');
    expect(m.run({ x: Uint16Array.of(0x3c00, 0x4000) })['y']?.data).toEqual(Uint16Array.of(0x3c00, 0x4000));
    expect(() => m.run({ x: [1, 2] })).toThrow('pass a Uint16Array instead of Array; it is float16 [2]');
  });
  it('float8 is a Uint8Array of the bits', async () => {
    const m = await model('f8e4m3fn');
    expect(m.run({ x: Uint8Array.of(0x38, 0x40) })['y']).toEqual({
      data: Uint8Array.of(0x38, 0x40),
      dims: [2],
      type: 'float8e4m3fn',
    });
    expect(() => m.run({ x: [1, 2] })).toThrow('pass a Uint8Array instead of Array; it is float8e4m3fn [2]');
  });
  it('int4 is an Int8Array, an element a byte, or plain numbers', async () => {
    const m = await model('i4');
    expect(m.run({ x: Int8Array.of(-8, 7) })['y']).toEqual({ data: Int8Array.of(-8, 7), dims: [2], type: 'int4' });
    expect(m.run({ x: [-1, 3] })['y']?.data).toEqual(Int8Array.of(-1, 3));
  });
  it('bool is a Uint8Array, or plain truth values', async () => {
    const m = await model('bool');
    expect(m.run({ x: [true, false] })['y']?.data).toEqual(Uint8Array.of(1, 0));
  });
  it('a Buffer is a Uint8Array', async () => {
    const m = await model('u8');
    expect([...(m.run({ x: Buffer.from([7, 8]) })['y']?.data ?? [])]).toEqual([7, 8]);
  });
});

describe('several modules', () => {
  const x: HandMade['inputs'] = [['x', 'f32', [4]]];
  const y: HandMade['outputs'] = [['y', 'i32', [1]]];
  // Each says which it is. The relaxed one is laid out otherwise.
  const mvp = handMade({ inputs: x, outputs: y, wat: '(func (export "run") (i32.store $y (i32.const 1)))', target: 'wasm-mvp' });
  const simd = handMade({
    inputs: x,
    outputs: y,
    weights: f32(1, 2, 3, 4),
    wat: '(func (export "run") (i32.store $y (i32x4.extract_lane 0 (i32x4.splat (i32.const 2)))))',
    target: 'wasm-simd',
  });
  const relaxed = handMade({
    inputs: x,
    outputs: y,
    weights: f32(1, 2, 3, 4),
    wat: '(func (export "run") (i32.store $y (i32x4.extract_lane 0 (f32x4.relaxed_madd (v128.load $x) (v128.load $x) (v128.load $x)))))',
    target: 'wasm-relaxed-simd',
  });
  it('runs the best that the engine accepts, and shares equal weights', async () => {
    const files = await bundleOf([relaxed, simd, mvp]);
    expect([...files.keys()].filter(f => f.startsWith('model.'))).toEqual([
      'model.wasm-relaxed-simd.wasm',
      'model.weights',
      'model.wasm-simd.wasm',
      'model.wasm-mvp.wasm',
    ]);
    const dir = put(files);
    folders.push(dir);
    const index = await importBundle(dir);
    const best = WebAssembly.validate(relaxed.artifact.bytes.slice()) ? 'wasm-relaxed-simd' : 'wasm-simd';
    expect((await index.load()).profile).toBe(best);
    // A module that is given is known by its id, though another would be picked.
    const scalar = await index.load(files.get('model.wasm-mvp.wasm'));
    expect(scalar.profile).toBe('wasm-mvp');
    expect([...(scalar.run({ x: [0, 0, 0, 0] })['y']?.data ?? [])]).toEqual([1]);
  });
  it('asks the engine what its dot product of bytes does, even for a module that it compiles', async () => {
    // No engine takes the second operand with a sign and without.
    const one = (target: string, n: number): ReturnType<typeof handMade> =>
      handMade({ inputs: x, outputs: y, wat: `(func (export "run") (i32.store $y (i32.const ${n})))`, target });
    const files = await bundleOf([one('wasm-relaxed-dot-u8', 7), one('wasm-relaxed-dot-i8', 8), mvp]);
    const dir = put(files);
    folders.push(dir);
    const index = await importBundle(dir);
    const { profile } = await index.load();
    const refused: string[] = [];
    for (const name of ['wasm-relaxed-dot-u8', 'wasm-relaxed-dot-i8'])
      await index.load(files.get(`model.${name}.wasm`)).catch((e: unknown) => refused.push(`${name} ${String(e)}`));
    expect(refused.filter(r => /this engine has no exact dot product of int8 by u?int8/.test(r))).toEqual(refused);
    expect(refused.length).toBe(profile === 'wasm-mvp' ? 2 : 1);
    expect(refused.some(r => r.startsWith(`${profile} `))).toBe(false);
  });
});
