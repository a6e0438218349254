import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { zipSync } from 'fflate';
import fc from 'fast-check';
import { folderResolver } from '../../compiler/host/external.ts';
import { loadInput, loadInputs } from '../../compiler/run/load.ts';
import { readJson } from '../../compiler/data/json.ts';
import { readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { readNpz, writeNpz } from '../../compiler/data/npz.ts';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { needs } from '../needs.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, fromTyped, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { projectDir } from '../../fixtures/paths.ts';

/** Files that NumPy wrote; fixtures/make-io.py. */
const made = JSON.parse(readFileSync(join(projectDir, 'test/data/npy.json'), 'utf8')) as {
  npy: { name: string; bytes: string; dims: number[]; values: string[] }[];
  npz: string;
};
const decode64 = (s: string): Uint8Array => new Uint8Array(Buffer.from(s, 'base64'));
function error(run: () => unknown): string {
  try {
    run();
  } catch (e) {
    if (e instanceof CompileError) return e.message;
    throw e;
  }
  return 'no error';
}
/** Python's `str` of the elements. */
const shown = (t: Tensor): string[] => {
  if (t.dtype === 'i64' || t.dtype === 'u64') return Array.from(typed(t), String);
  const pythonFloat = (v: number): string => (Number.isInteger(v) ? v.toFixed(1) : String(v));
  return [...toNumbers(t)].map(v =>
    t.dtype === 'bool' ? (v === 0 ? 'False' : 'True') : /^[fb]/.test(t.dtype) ? pythonFloat(v) : String(v),
  );
};

describe('.npy', () => {
  it.each(made.npy)('reads $name as NumPy wrote it', c => {
    const t = readNpy(decode64(c.bytes), 'a.npy');
    expect(t.dims).toEqual(c.dims);
    expect(shown(t)).toEqual(c.values.map(v => (v === '-0.0' ? '0.0' : v)));
  });
  it('writes byte for byte what NumPy writes', () => {
    const plain = made.npy.filter(c => !/^>|fortran|version/.test(c.name));
    expect(plain.length).toBe(16);
    for (const c of plain) expect(Buffer.from(writeNpy(readNpy(decode64(c.bytes), 'a.npy'))).toString('base64')).toBe(c.bytes);
  });
  it('bfloat16 goes out as float32', () => {
    const t = readNpy(writeNpy(fromNumbers('bf16', [2], [1.5, -3])), 'a.npy');
    expect([t.dtype, ...toNumbers(t)]).toEqual(['f32', 1.5, -3]);
  });
  it('float8 and int4 go out as a byte for each element', () => {
    for (const [dtype, as] of [
      ['f8e5m2', 'u8'],
      ['i4', 'i8'],
      ['u2', 'u8'],
    ] as const) {
      const t = fromNumbers(dtype, [3], [1, 2, 3]);
      expect(readNpy(writeNpy(t), 'a.npy')).toEqual({ ...t, dtype: as });
    }
  });
  const header = (text: string, data = 0, version = 1): Uint8Array => {
    const body = new TextEncoder().encode(text);
    const size = version === 1 ? [body.length & 255, body.length >> 8] : [body.length & 255, body.length >> 8, 0, 0];
    return Uint8Array.from([0x93, ...new TextEncoder().encode('NUMPY'), version, 0, ...size, ...body, ...new Uint8Array(data)]);
  };
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /not a \.npy/],
    ['a header that is cut off', header('').subarray(0, 9), /ends inside its header/],
    ['a longer header than the file', Uint8Array.from([...header('').subarray(0, 8), 255, 255]), /ends inside its header/],
    ['a header of gigabytes', Uint8Array.from([...header('', 0, 2).subarray(0, 8), 0, 0, 0, 255]), /header of 4278190080 bytes/],
    ['a version of the future', header('', 0, 9), /version 9/],
    ['code', header("__import__('os')"), /not a dictionary/],
    ['code in a dictionary', header("{'descr': __import__('os')}"), /cannot be parsed/],
    ['no shape', header("{'descr': '<f4', 'fortran_order': False}"), /lacks/],
    ['objects', header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), /'\|O' is not supported/],
    ['dates', header("{'descr': '<M8[D]', 'fortran_order': False, 'shape': (1,)}", 8), /'<M8\[D\]'/],
    ['records', header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4), /structured/],
    ['a prototype', header("{'descr': '<constructor', 'fortran_order': False, 'shape': (1,)}", 4), /not supported/],
    [
      'an absurd shape',
      header("{'descr': '<f4', 'fortran_order': True, 'shape': (999999999999999, 999999999999999)}", 4),
      /4 bytes of data/,
    ],
    ['a negative size', header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), /cannot be parsed/],
    ['too little data', header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7), /7 bytes of data, f32\[2\] has 8/],
    ['too much data', header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9), /9 bytes/],
  ])('%s gives E205', (_, bytes, message) => {
    const why = error(() => readNpy(bytes, 'a.npy'));
    expect(why).toMatch(/^E205/);
    expect(why).toMatch(message);
  });
  it('any bytes after the magic end in a tensor or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(...made.npy), fc.nat(90), (noise, c, at) => {
        const bytes = decode64(c.bytes);
        bytes.set(noise.subarray(0, Math.max(0, bytes.length - 6 - at)), 6 + at);
        error(() => readNpy(bytes, 'a.npy'));
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});

describe('.npz', () => {
  it('reads what numpy.savez_compressed wrote', () => {
    const all = readNpz(decode64(made.npz), 'a.npz');
    expect([...all].map(([name, t]) => [name, t.dtype, t.dims])).toEqual([
      ['first', 'f32', [2, 3, 4]],
      ['second', 'bool', [2]],
    ]);
  });
  it('round-trips, and writes the same bytes again', () => {
    const all = new Map([
      ['a/b', fromNumbers('f32', [2], [1, 2])],
      ['c', fromNumbers('u8', [], [7])],
    ]);
    const zip = writeNpz(all);
    expect([...readNpz(zip, 'a.npz')].map(([name, t]) => [name, ...toNumbers(t)])).toEqual([
      ['a/b', 1, 2],
      ['c', 7],
    ]);
    expect(writeNpz(all)).toEqual(zip);
  });
  it('refuses archives that are none, empty, damaged, or claim absurd sizes', () => {
    expect(error(() => readNpz(new Uint8Array(50), 'a.npz'))).toMatch(/^E205.*not a sound \.npz/);
    expect(error(() => readNpz(zipSync({ 'a.txt': new Uint8Array(3) }), 'a.npz'))).toMatch(/^E205.*no \.npy/);
    const zip = zipSync({ 'a.npy': new Uint8Array(3000) });
    expect(error(() => readNpz(zip, 'a.npz'))).toMatch(/^E205: cannot read a\.npz#a\.npy: it is not a \.npy file/);
    expect(error(() => readNpz(zip.subarray(0, 40), 'a.npz'))).toMatch(/^E205/);
    // The size of the unpacked file in the central directory, which begins with PK 1 2.
    const central = zip.findIndex((b, i) => b === 0x50 && zip[i + 1] === 0x4b && zip[i + 2] === 1 && zip[i + 3] === 2);
    new DataView(zip.buffer).setUint32(central + 24, 0xfffffff0, true);
    expect(error(() => readNpz(zip, 'a.npz'))).toMatch(/^E205.*claims 4294967280 bytes/);
  });
  it('any damage ends in tensors or an error', () => {
    const whole = decode64(made.npz);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(whole.length),
        (flips, length) => {
          const bytes = new Uint8Array(whole);
          for (const [at, v] of flips) bytes[at] = v;
          error(() => readNpz(bytes, 'a.npz'));
          error(() => readNpz(bytes.subarray(0, length), 'a.npz'));
        },
      ),
      { numRuns: 1000, seed: 1 },
    );
  });
});

describe('JSON', () => {
  const read = (text: string, want: DType = 'f32', name = ''): Tensor => {
    const make = readJson(new TextEncoder().encode(text), 'a.json').get(name);
    if (make === undefined) throw new Error('no such tensor');
    return make(want);
  };
  it('reads nested lists, flat data with sizes, scalars and several tensors', () => {
    expect(read('[[1, 2, 3], [4, 5, 6]]')).toEqual(fromNumbers('f32', [2, 3], [1, 2, 3, 4, 5, 6]));
    expect(read('{"data": [1, 2, 3, 4], "dims": [2, 2], "type": "int32"}')).toEqual(fromNumbers('i32', [2, 2], [1, 2, 3, 4]));
    expect(read('{"x": 2.5, "y": {"data": [[true], [false]], "dtype": "bool"}}', 'f64', 'x')).toEqual(
      fromNumbers('f64', [], [2.5]),
    );
    expect(read('{"x": 2.5, "y": {"data": [[true], [false]], "dtype": "bool"}}', 'f32', 'y')).toEqual(
      fromNumbers('bool', [2, 1], [1, 0]),
    );
    expect(read('{"data": [], "dims": [0, 4]}').dims).toEqual([0, 4]);
    expect([...toNumbers(read('["NaN", "-Infinity"]'))]).toEqual([NaN, -Infinity]);
    expect(read('["9223372036854775807", -1]', 'i64')).toEqual(fromTyped('i64', [2], BigInt64Array.of(2n ** 63n - 1n, -1n)));
  });
  it.each<[string, string, DType, RegExp]>([
    ['no JSON', '{', 'f32', /JSON/],
    ['ragged lists', '[[1, 2], [3]]', 'f32', /equal lengths/],
    ['mixed depth', '[1, [2]]', 'f32', /is not a number/],
    ['text', '["a"]', 'f32', /"a" is not a number/],
    ['null', '[null]', 'f32', /null is not a number/],
    ['no data', '{"data": {}, "dims": [1]}', 'f32', /is not a number/],
    ['wrong sizes', '{"data": [1, 2], "dims": [3]}', 'f32', /2 numbers for f32\[3\]/],
    ['sizes that are none', '{"data": [1], "dims": [-1]}', 'f32', /list of sizes/],
    ['an unknown type', '{"data": [1], "type": "float8"}', 'f32', /"float8" is not known/],
    ['a fraction for an integer', '[1.5]', 'i32', /whole number/],
    ['a fraction for a long', '[1.5]', 'i64', /whole number/],
    ['too large for a byte', '[256]', 'u8', /256 does not fit u8/],
    ['negative for unsigned', '[-1]', 'u64', /-1 does not fit u64/],
    ['deep nesting', '['.repeat(5000) + ']'.repeat(5000), 'f32', /deep/],
  ])('%s gives E205', (_, text, want, message) => {
    const why = error(() => read(text, want));
    expect(why).toMatch(/^E205/);
    expect(why).toMatch(message);
  });
});

describe('files', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'sinter-io-'));
    mkdirSync(join(dir, 'model', 'sub'), { recursive: true });
    writeFileSync(join(dir, 'secret'), 'secret');
    writeFileSync(join(dir, 'model', 'sub', 'w.bin'), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
    symlinkSync(join(dir, 'secret'), join(dir, 'model', 'link'));
    symlinkSync(dir, join(dir, 'model', 'up'));
    symlinkSync('sub/w.bin', join(dir, 'model', 'inside'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('external data: reads ranges inside the folder, also through links', () => {
    const read = folderResolver(join(dir, 'model', 'm.onnx'));
    expect([...read('sub/w.bin', 2, 3)]).toEqual([2, 3, 4]);
    expect([...read('./sub/w.bin', 6, undefined)]).toEqual([6, 7]);
    expect([...read('inside', 0, 2)]).toEqual([0, 1]);
  });
  it('external data: refuses to leave the folder, and what is not there', () => {
    const read = folderResolver(join(dir, 'model', 'm.onnx'));
    const cases: [string, number, number | undefined, RegExp][] = [
      ['link', 0, 1, /link that leaves/],
      ['up/secret', 0, 1, /link that leaves/],
      ['../secret', 0, 1, /leaves the model's folder/],
      ['missing', 0, 1, /is not there/],
      ['sub', 0, 1, /not a plain file/],
      ['sub/w.bin', 6, 3, /has 8 bytes; 3 from byte 6/],
      ['sub/w.bin', 0, 2 ** 50, /has 8 bytes/],
      ['sub/w.bin', 9, undefined, /has 8 bytes/],
    ];
    for (const [path, offset, length, message] of cases) {
      const why = error(() => read(path, offset, length));
      expect(why).toMatch(/^E204/);
      expect(why).toMatch(message);
    }
  });
  needs('mkfifo').it('external data: a pipe does not hang', () => {
    execFileSync('mkfifo', [join(dir, 'model', 'pipe')]);
    expect(error(() => folderResolver(join(dir, 'model', 'm.onnx'))('pipe', 0, 1))).toMatch(/^E204.*not a plain file/);
  });

  const want = { name: 'x', dtype: 'i32', dims: [2, 2] } as const;
  it('inputs: zeros, random from a seed, and files of each kind', () => {
    expect(loadInput('zeros', want)).toEqual(fromNumbers('i32', [2, 2], [0, 0, 0, 0]));
    expect(loadInput('random', want)).toEqual(loadInput('random:1', want));
    expect(loadInput('random:2', want)).not.toEqual(loadInput('random:1', want));
    const t = fromNumbers('i32', [2], [3, 4]);
    const path = (name: string, bytes: Uint8Array | string): string => (writeFileSync(join(dir, name), bytes), join(dir, name));
    expect(loadInput(path('a.npy', writeNpy(t)), want)).toEqual(t);
    expect(loadInput(path('only.npz', writeNpz(new Map([['other', t]]))), want)).toEqual(t);
    expect(loadInput(path('a.json', '[3, 4]'), want)).toEqual(t);
    const two = path('two.npz', writeNpz(new Map([['y', t]]).set('x', t)));
    expect(loadInput(two, want)).toEqual(t);
    expect([...loadInputs(two, [want, { ...want, name: 'y' }]).keys()]).toEqual(['y', 'x']);
    expect(error(() => loadInputs(two, [want]))).toMatch(/^E501: input y/);
    expect(error(() => loadInput(two, { ...want, name: 'z' }))).toMatch(/^E205.*no entry 'z', only y, x/);
    expect(error(() => loadInput('missing.npy', want))).toMatch(/^E205.*no such file/);
    expect(error(() => loadInput('a.png', want))).toMatch(/^E205.*inputs are/);
  });
});
