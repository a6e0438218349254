/** Models whose inputs or outputs are texts, from ONNX to bundles. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { textsOf, textTensor } from '../compiler/core/texts.ts';
import { toNumbers } from '../compiler/core/tensor.ts';
import { readNpy, writeNpy } from '../compiler/data/npy.ts';
import { importOnnx } from '../compiler/import/onnx/import.ts';
import * as sinter from '../compiler/node.ts';
import { importBundle } from './bundle/hand-made.ts';
import { typeErrors } from './bundle/type-errors.ts';
import { attribute, bytes, encode, int, sub, tensor, text, value, type Part } from './onnx-writer.ts';

jest.setTimeout(120_000);
const dir = mkdtempSync(join(tmpdir(), 'sinter-texts-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const TEXT = 8;
const strings = (name: string, values: readonly string[]): Part =>
  sub(5, text(1, name), ...values.map(v => text(9, v)), int(20, 8));
const ml = (op: string, inputs: readonly string[], outputs: readonly string[], ...attributes: Part[]): Part =>
  sub(1, ...inputs.map(i => text(1, i)), ...outputs.map(o => text(2, o)), text(4, op), text(7, 'ai.onnx.ml'), ...attributes);
const plain = (op: string, inputs: readonly string[], outputs: readonly string[], ...attributes: Part[]): Part =>
  sub(1, ...inputs.map(i => text(1, i)), ...outputs.map(o => text(2, o)), text(4, op), ...attributes);
const modelOf = (...graph: Part[]): Uint8Array =>
  encode(int(1, 8), sub(7, ...graph, text(2, 'colours')), sub(8, int(2, 19)), sub(8, text(1, 'ai.onnx.ml'), int(2, 3)));
const constant = (name: string, dims: readonly number[], values: readonly string[]): Part =>
  sub(5, tensor({ name, dims, type: TEXT, more: values.map(v => bytes(6, new TextEncoder().encode(v))) }));
/** A column of colours: its code, its columns of a one-hot code, another name for it, and whether it is the first one. */
const colours = modelOf(
  ml('LabelEncoder', ['colour'], ['code'], strings('keys_strings', ['red', 'grün', 'blue']), ints('values_int64s', [7, 8, 9])),
  ml('OneHotEncoder', ['colour'], ['hot'], strings('cats_strings', ['grün', 'red'])),
  ml('LabelEncoder', ['code'], ['name'], ints('keys_int64s', [7, 9]), strings('values_strings', ['warm', 'cold'])),
  plain('Equal', ['colour', 'first'], ['same']),
  plain('Concat', ['colour', 'name'], ['both'], attribute('axis', 1)),
  constant('first', [], ['a "quoted"\n text']),
  value(11, 'colour', TEXT, ['n', 1]),
  value(12, 'code', 7, ['n', 1]),
  value(12, 'hot', 1, ['n', 1, 2]),
  value(12, 'name', TEXT, ['n', 1]),
  value(12, 'same', 9, ['n', 1]),
  value(12, 'both', TEXT, ['n', 2]),
);
function ints(name: string, values: readonly number[]): Part {
  return attribute(name, values);
}
const path = join(dir, 'colours.onnx');
writeFileSync(path, colours);
const given = ['blue', 'grün', 'mauve', 'a "quoted"\n text', 'mauve', '', 'red'];

describe.each(['wasm-simd', 'c-portable'] as const)('texts on %s', target => {
  const out = join(dir, target);
  it('go in and come out as onnxruntime has them, and stay what they were', async () => {
    sinter.writeBundle(out, (await sinter.compile({ model: path, target })).files);
    const bundle = await sinter.openBundle(out);
    const run = (data: readonly string[]): Readonly<Record<string, unknown>> =>
      Object.fromEntries(
        Object.entries(bundle.run({ colour: { data, dims: [data.length, 1] } })).map(([name, t]) => [
          name,
          Array.from<unknown>(t.data),
        ]),
      );
    expect(run(given)).toEqual({
      code: [9n, 8n, -1n, -1n, -1n, -1n, 7n],
      hot: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      name: ['cold', '_Unused', '_Unused', '_Unused', '_Unused', '_Unused', 'warm'],
      same: [0, 0, 0, 1, 0, 0, 0],
      both: given.flatMap((t, i) => [t, i === 0 ? 'cold' : i === 6 ? 'warm' : '_Unused']),
    });
    expect(run(['teal', 'mauve', 'teal'])['both']).toEqual(['teal', '_Unused', 'mauve', '_Unused', 'teal', '_Unused']);
    expect(() => bundle.run({ colour: { data: Float32Array.of(1), dims: [1, 1] } })).toThrow('is string: pass a list of strings');
    const verified = await sinter.verify({ bundle: out, model: path, against: 'onnxruntime-node' });
    expect(verified.answers?.parity.outputs.map(o => [o.name, o.ok])).toEqual([
      ['code', true],
      ['hot', true],
      ['name', true],
      ['same', true],
      ['both', true],
    ]);
  });
});
it('are given to index.js as lists of strings', async () => {
  const model = await (await importBundle(join(dir, 'wasm-simd'))).load();
  const run = (colour: unknown): unknown => model.run({ colour })['both'];
  const want = { data: ['red', 'warm', 'x', '_Unused'], dims: [2, 2], type: 'string' };
  expect(run(['red', 'x'])).toEqual(want);
  expect(run({ data: ['red', 'x'], dims: [2, 1] })).toEqual(want);
  model.inputs['colour']?.data.set([0, 1]);
  expect(run({ ...model.inputs['colour'], dims: [1, 1] })).toEqual({ data: ['red', 'warm'], dims: [1, 2], type: 'string' });
  expect(model.run({ colour: ['red', 'x'] }, { into: model.outputs })['both']).toEqual(want);
  expect(() => run(['red', 5])).toThrow('E501: input colour: value 1 is number and no string; it is string [n, 1]');
  expect(() => run(['red', null])).toThrow('value 1 is null and no string');
  expect(() => run('red')).toThrow('pass a list of strings, the last dimension fastest');
  expect(() => run({ data: Int32Array.of(1) })).toThrow('pass a list of strings');
  expect(() => run(null)).toThrow('is missing');
  const dts = readFileSync(join(dir, 'wasm-simd', 'index.d.ts'), 'utf8');
  const use = (colour: string): string[] =>
    typeErrors(
      dts,
      `import { load } from './bundle/index.js';
      const model = await load();
      const texts: string[] = model.run({ colour: ${colour} }).both.data;
      export default texts;`,
    );
  expect(use(`['red']`)).toEqual([]);
  expect(use('new Float32Array(1)')).toHaveLength(1);
});
it('have their places in C by a function', () => {
  const c = join(dir, 'c-portable');
  writeFileSync(
    join(c, 'places.c'),
    `#include <stdio.h>
#include "model.h"
int main(void) {
  const char *words[] = {"red", "gr\\303\\274n", "mauve", "", "warm"};
  for (int i = 0; i < 5; i++) {
    const int32_t at = colours_text(words[i]);
    printf("%d %s\\n", at < 0 ? -1 : at < colours_TEXTS, at < 0 ? "-" : colours_texts[at]);
  }
}
`,
  );
  const cc = spawnSync('cc', ['-std=c99', '-Wall', 'places.c', 'model.c', 'weights.c', '-lm', '-o', 'places'], {
    cwd: c,
    encoding: 'utf8',
  });
  expect(cc.stderr).toBe('');
  expect(spawnSync('./places', { cwd: c, encoding: 'utf8' }).stdout).toBe('1 red\n1 grün\n-1 -\n-1 -\n1 warm\n');
});
it('that go on after a zero byte are not taken for others in C', async () => {
  const zero = modelOf(
    ml('LabelEncoder', ['x'], ['y'], strings('keys_strings', ['b\0a', 'b', 'b\0', 'b\0b']), ints('values_int64s', [1, 2, 3, 4])),
    value(11, 'x', TEXT, [1]),
    value(12, 'y', 7, [1]),
  );
  const { files } = await sinter.compile({ model: zero, file: 'zero.onnx', target: 'c-portable' });
  const c = join(dir, 'zero');
  sinter.writeBundle(c, files);
  writeFileSync(
    join(c, 'places.c'),
    '#include <stdio.h>\n#include "model.h"\nint main(void) { printf("%d %d", zero_text("b"), zero_text("a")); }\n',
  );
  expect(
    spawnSync('cc', ['-std=c99', '-Wall', 'places.c', 'model.c', 'weights.c', '-lm', '-o', 'places'], { cwd: c }).status,
  ).toBe(0);
  expect(spawnSync('./places', { cwd: c, encoding: 'utf8' }).stdout).toBe('1 -1');
});
it('are read from .npy and .json, and written as NumPy does', () => {
  // numpy.save of numpy.array([['red', 'größe 𝕏'], ['', 'a']]), and of its encode('utf8').
  const wide = textTensor([2, 2], ['red', 'größe 𝕏', '', 'a']);
  const file = writeNpy(wide);
  expect(new TextDecoder('latin1').decode(file.subarray(10, 70))).toMatch(
    /^\{'descr': '<U7', 'fortran_order': False, 'shape': \(2, 2\), \}/,
  );
  expect(textsOf(readNpy(file, 'x.npy'))).toEqual(['red', 'größe 𝕏', '', 'a']);
  const narrow = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00\x36\x00', 'latin1'),
    Buffer.from("{'descr': '|S3', 'fortran_order': False, 'shape': (2,)}".padEnd(53) + '\n'),
    Buffer.from('\xc3\xbc\0ab\0', 'latin1'),
  ]);
  narrow[8] = narrow.length - 6 - 10;
  expect(textsOf(readNpy(narrow, 'x.npy'))).toEqual(['ü', 'ab']);
  expect(() => readNpy(file.subarray(0, file.length - 4), 'x.npy')).toThrow('108 bytes of data, 4 texts of 28 bytes have 112');
  const wild = Uint8Array.from(file);
  wild.set([255, 255, 255, 255], file.length - 28);
  expect(() => readNpy(wild, 'x.npy')).toThrow('a text holds no code points');
});
describe('what the importer does with texts', () => {
  const texts = (name: string, v: readonly string[], dims = [v.length]): Part => constant(name, dims, v);
  const outOf = (...graph: Part[]): ReturnType<typeof importOnnx>['graph'] => importOnnx(modelOf(...graph)).graph;
  const same = (a: Part, b: Part): Part[] => [a, b];
  it('reads numbers from constants of text, and writes integers', () => {
    const g = outOf(
      texts('t', [' 1.5', '-inf', 'NaN', '1e3']),
      plain('Cast', ['t'], ['y'], attribute('to', 1)),
      value(12, 'y', 1, [4]),
    );
    const [y] = g.outputs;
    expect(y?.value.def.k === 'const' && [...toNumbers(y.value.def.tensor)]).toEqual([1.5, -Infinity, NaN, 1000]);
  });
  it.each([
    [
      'numbers of a run as text',
      same(value(11, 'x', 1, [2]), plain('Cast', ['x'], ['y'], attribute('to', 8))),
      /E101.*Cast.*writes numbers as text when the model runs; take the numbers as the output and write them outside/s,
    ],
    [
      'text of a run as numbers',
      same(value(11, 'x', TEXT, [2]), plain('Cast', ['x'], ['y'], attribute('to', 1))),
      /E101.*Cast.*reads numbers from text when the model runs; read them outside/s,
    ],
    [
      'a text that is no number',
      same(texts('x', ['ten']), plain('Cast', ['x'], ['y'], attribute('to', 1))),
      /E102.*Cast.*is no number/s,
    ],
    ['the order of texts', same(value(11, 'x', TEXT, [2]), plain('Unique', ['x'], ['y'])), /E102.*Unique.*texts have no order/s],
    ['sums of texts', same(value(11, 'x', TEXT, [2]), plain('Add', ['x', 'x'], ['y'])), /E102.*Add.*takes numbers, not text/s],
    [
      'the greatest text',
      same(value(11, 'x', TEXT, [2]), plain('ReduceMax', ['x'], ['y'])),
      /ReduceMax.*E102: Reduce: takes numbers, not text/,
    ],
    [
      'too few texts',
      same(sub(5, tensor({ name: 'x', dims: [3], type: TEXT, more: [text(6, 'one')] })), plain('Identity', ['x'], ['y'])),
      /E203.*1 texts for string\[3\]/s,
    ],
  ])('refuses %s', (_, graph, message) => {
    expect(() => outOf(...graph, value(12, 'y', 1, [2]))).toThrow(message);
  });
});
