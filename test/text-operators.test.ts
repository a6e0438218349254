/** Operators that look into texts, from ONNX to bundles, beside onnxruntime. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { textsOf, textTensor } from '../compiler/core/texts.ts';
import { evaluate } from '../compiler/graph/evaluate.ts';
import { importOnnx } from '../compiler/import/onnx/import.ts';
import * as sinter from '../compiler/node.ts';
import { importBundle } from './bundle/hand-made.ts';
import { typeErrors } from './bundle/type-errors.ts';
import { attribute, bytes, encode, float, int, sub, text, tensor, value, type Part } from './onnx-writer.ts';

jest.setTimeout(180_000);
const dir = mkdtempSync(join(tmpdir(), 'sinter-text-operators-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const TEXT = 8;
const word = (name: string, v: string): Part => sub(5, text(1, name), bytes(4, new TextEncoder().encode(v)), int(20, 3));
const words = (name: string, values: readonly string[]): Part =>
  sub(5, text(1, name), ...values.map(v => bytes(9, new TextEncoder().encode(v))), int(20, 8));
const op = (type: string, inputs: readonly string[], outputs: readonly string[], ...attributes: Part[]): Part => {
  const [name = '', domain = ''] = type.split('@');
  return sub(1, ...inputs.map(i => text(1, i)), ...outputs.map(o => text(2, o)), text(4, name), text(7, domain), ...attributes);
};
const modelOf = (...graph: Part[]): Uint8Array =>
  encode(
    int(1, 10),
    sub(7, ...graph, text(2, 'words')),
    sub(8, int(2, 21)),
    sub(8, text(1, 'ai.onnx.ml'), int(2, 3)),
    sub(8, text(1, 'com.microsoft'), int(2, 1)),
  );
const constant = (name: string, values: readonly string[], dims: readonly number[] = [values.length]): Part =>
  sub(5, tensor({ name, dims, type: TEXT, more: values.map(v => bytes(6, new TextEncoder().encode(v))) }));

/** What scikit-learn's vectorizers become: normalized, cut into words, counted; and the texts themselves on the way. */
const counting = modelOf(
  op('StringNormalizer', ['x'], ['lower'], word('case_change_action', 'LOWER'), word('locale', 'C.UTF-8')),
  op(
    'Tokenizer@com.microsoft',
    ['lower'],
    ['tokens'],
    attribute('mark', 0),
    attribute('mincharnum', 1),
    word('pad_value', '#'),
    word('tokenexp', '[a-zà-ÿ0-9_]+'),
  ),
  op(
    'TfIdfVectorizer',
    ['tokens'],
    ['counts'],
    word('mode', 'TF'),
    attribute('min_gram_length', 1),
    attribute('max_gram_length', 2),
    attribute('max_skip_count', 0),
    attribute('ngram_counts', [0, 3]),
    attribute('ngram_indexes', [0, 1, 2, 3]),
    words('pool_strings', ['the', 'grün', 'house', 'the', 'house']),
  ),
  op('Equal', ['tokens', 'the'], ['articles']),
  op('RegexFullMatch', ['x'], ['polite'], word('pattern', '(?i).*\\bplease\\b.*')),
  op('StringConcat', ['lower', 'end'], ['ended']),
  constant('the', ['the'], []),
  constant('end', ['!'], []),
  value(11, 'x', TEXT, ['n']),
  value(12, 'tokens', TEXT, ['n', 't']),
  value(12, 'counts', 1, ['n', 4]),
  value(12, 'articles', 9, ['n', 't']),
  value(12, 'polite', 9, ['n']),
  value(12, 'ended', TEXT, ['n']),
);
const path = join(dir, 'counting.onnx');
writeFileSync(path, counting);
const given = ['The House, the house', 'GRÜN is the house PLEASE', '', '   ', 'pleased'];
const want = {
  tokens: [
    ...['the', 'house', 'the', 'house', '#'],
    ...['grün', 'is', 'the', 'house', 'please'],
    ...['#', '#', '#', '#', '#'],
    ...['#', '#', '#', '#', '#'],
    ...['pleased', '#', '#', '#', '#'],
  ],
  counts: [2, 0, 2, 2, 1, 1, 1, 1, ...new Array<number>(12).fill(0)].map((v, i) => (i === 4 ? 1 : v)),
  polite: [0, 1, 0, 0, 0],
  ended: ['the house, the house!', 'grün is the house please!', '!', '   !', 'pleased!'],
};

describe.each(['wasm-simd', 'c-portable'] as const)('on %s', target => {
  it('texts are looked into as onnxruntime does', async () => {
    const out = join(dir, target);
    sinter.writeBundle(out, (await sinter.compile({ model: path, target, dims: { n: { min: 1, max: 8 }, x_bytes: 64 } })).files);
    const bundle = await sinter.openBundle(out);
    const made = bundle.run({ x: { data: given, dims: [given.length] } });
    expect(Array.from<unknown>(made['tokens']?.data ?? [])).toEqual(want.tokens);
    expect(made['tokens']?.dims).toEqual([5, 5]);
    expect(Array.from<unknown>(made['counts']?.data ?? [])).toEqual(want.counts);
    expect(Array.from<unknown>(made['articles']?.data ?? [])).toEqual(want.tokens.map(t => Number(t === 'the')));
    expect(Array.from<unknown>(made['polite']?.data ?? [])).toEqual(want.polite);
    expect(Array.from<unknown>(made['ended']?.data ?? [])).toEqual(want.ended);
    expect(() => bundle.run({ x: { data: ['x'.repeat(65)], dims: [1] } })).toThrow(/x_bytes|outside of its range/);
    const json = join(dir, 'x.json');
    writeFileSync(json, JSON.stringify({ x: given }));
    const verified = await sinter.verify({ bundle: out, model: path, against: 'onnxruntime-node', inputs: json });
    expect(verified.answers?.parity.outputs.map(o => [o.name, o.ok])).toEqual(
      ['tokens', 'counts', 'articles', 'polite', 'ended'].map(name => [name, true]),
    );
  });
});
it('made-up texts have something to look into', async () => {
  const made = await sinter.verify({ bundle: join(dir, 'wasm-simd'), model: path, against: 'onnxruntime-node', samples: 4 });
  expect(made.answers?.parity.outputs.every(o => o.ok)).toBe(true);
});
it('index.js takes strings and gives strings', async () => {
  const model = await (await importBundle(join(dir, 'wasm-simd'))).load();
  expect(model.run({ x: given })['ended']).toEqual({ data: want.ended, dims: [5], type: 'string' });
  expect(model.run({ x: ['please'] })['tokens']).toEqual({ data: ['please'], dims: [1, 1], type: 'string' });
  expect(() => model.run({ x: ['a', 5] })).toThrow('E501: input x: value 1 is number and no string');
  expect(() => model.run({ x: new Float32Array(1) })).toThrow('pass a list of strings');
  const dts = readFileSync(join(dir, 'wasm-simd', 'index.d.ts'), 'utf8');
  const use = `import { load } from './bundle/index.js';
    const model = await load();
    const texts: string[] = model.run({ x: ['a'] }).tokens.data;
    export default texts;`;
  expect(typeErrors(dts, use)).toEqual([]);
});
it('NumPy gives and takes strings', () => {
  const c = join(dir, 'c-portable');
  const make = spawnSync('make', ['libmodel.so'], { cwd: c, encoding: 'utf8' });
  expect(make.status).toBe(0);
  const script = `import numpy as np, model
out = model.run(x=np.array(${JSON.stringify(given)}))
print(out['ended'].tolist(), out['tokens'].shape, out['polite'].tolist())`;
  const python = spawnSync('python3', ['-c', script], { cwd: c, encoding: 'utf8', env: { ...process.env, PYTHONUTF8: '1' } });
  expect(python.stderr).toBe('');
  expect(python.stdout.trim()).toBe(
    `${JSON.stringify(want.ended).replaceAll('"', "'").replaceAll(',', ', ').replace('house,  ', 'house, ')} (5, 5) [False, True, False, False, False]`,
  );
});

const evaluated = (graph: readonly Part[], x: readonly string[], dims: readonly number[] = [x.length]): unknown => {
  const { graph: g } = importOnnx(modelOf(...graph, value(11, 'x', TEXT, dims), value(12, 'y', TEXT, ['?'])), {});
  const y = evaluate(g, new Map([['x', textTensor(dims, x)]])).get('y');
  return y && [y.dims, y.texts ? textsOf(y) : [...y.bytes]];
};
describe('StringNormalizer', () => {
  const normal = (x: readonly string[], dims: readonly number[], ...attributes: Part[]): unknown =>
    evaluated([op('StringNormalizer', ['x'], ['y'], ...attributes)], x, dims);
  it.each([
    ['drops words of any case', 'LOWER', 0, ['The', 'CAT', 'sat'], ['THE'], ['cat', 'sat']],
    ['drops words of the same case', 'UPPER', 1, ['The', 'the', 'sat'], ['the'], ['THE', 'SAT']],
    ['leaves an empty text where none is left', 'NONE', 0, ['The', 'the'], ['the'], ['']],
    ['keeps texts as they are', 'NONE', 0, ['Ä', 'ß'], ['ü'], ['Ä', 'ß']],
  ])('%s', (_, action, sensitive, x, stops, y) => {
    const attributes = [word('case_change_action', action), attribute('is_case_sensitive', sensitive), words('stopwords', stops)];
    expect(normal(x, [x.length], ...attributes)).toEqual([[y.length], y]);
    expect(normal(x, [1, x.length], ...attributes)).toEqual([[1, y.length], y]);
  });
  it('changes the case of characters of several bytes, and of no more than one', () => {
    const x = ['grüße Яɐ ǆ ﬁ 𐐨', 'İı'];
    expect(normal(x, [2], word('case_change_action', 'UPPER'))).toEqual([[2], ['GRÜßE ЯⱯ Ǆ ﬁ 𐐀', 'İI']]);
    expect(normal(['ÄЯȺK𐐀ẞ'], [1], word('case_change_action', 'LOWER'))).toEqual([[1], ['äяⱥk𐐨ß']]);
  });
});
describe('Tokenizer', () => {
  const tokens = (x: readonly string[], dims: readonly number[], ...attributes: Part[]): unknown =>
    evaluated([op('Tokenizer@com.microsoft', ['x'], ['y'], word('pad_value', '_'), ...attributes)], x, dims);
  it('cuts at one separator after the other', () => {
    const o = [attribute('mark', 0), attribute('mincharnum', 1), words('separators', ['b', 'ab', ' '])];
    expect(tokens(['xab yb', 'z'], [2], ...o)).toEqual([
      [2, 2],
      ['xa', 'y', 'z', '_'],
    ]);
  });
  it('marks both ends, and gives single characters', () => {
    const o = [attribute('mark', 1), attribute('mincharnum', 1), words('separators', [''])];
    expect(tokens(['é😀', ''], [1, 2], ...o)).toEqual([
      [1, 2, 4],
      ['\u0002', 'é', '😀', '\u0003', '\u0002', '\u0003', '_', '_'],
    ]);
    expect(tokens(['', ''], [2], ...o)).toEqual([[2, 0], []]);
  });
  it('takes the longest match', () => {
    const o = [attribute('mark', 0), attribute('mincharnum', 1), word('tokenexp', 'a|ab|1??b')];
    expect(tokens(['ab1b'], [1], ...o)).toEqual([
      [1, 2],
      ['ab', '1b'],
    ]);
  });
  it('drops what is too short, in characters', () => {
    const o = [attribute('mark', 0), attribute('mincharnum', 3), words('separators', [' '])];
    expect(tokens(['éé ééé abcd'], [1], ...o)).toEqual([
      [1, 2],
      ['ééé', 'abcd'],
    ]);
  });
});
describe('StringSplit', () => {
  const parts = (x: readonly string[], ...attributes: Part[]): unknown =>
    evaluated([op('StringSplit', ['x'], ['y', 'z'], ...attributes)], x);
  it.each([
    ['a,,b', ',', undefined, ['a', '', 'b']],
    ['', ',', undefined, ['']],
    ['a--b-c', '--', undefined, ['a', 'b-c']],
    ['a,b,c', ',', 1, ['a', 'b,c']],
    ['  a b\u00a0 c ', '', undefined, ['a', 'b', 'c']],
    ['  a b  c ', '', 1, ['a', 'b  c ']],
    ['  a b ', '', 0, ['a b ']],
    ['a.b', '.', undefined, ['a', 'b']],
    [' ', '', undefined, []],
  ])('%j by %j, at most %s times', (x, delimiter, most, y) => {
    const limit = most === undefined ? [] : [attribute('maxsplit', most)];
    expect(parts([x], word('delimiter', delimiter), ...limit)).toEqual([[1, y.length], y]);
  });
});
describe('what is refused', () => {
  const graph =
    (...nodes: Part[]): (() => unknown) =>
    () =>
      importOnnx(modelOf(...nodes, value(11, 'x', TEXT, [2]), value(12, 'y', 9, [2])), {});
  it.each([
    ['a reference to a group', op('RegexFullMatch', ['x'], ['y'], word('pattern', '(a)\\1')), /E102.*refer back/s],
    [
      'an automaton that is too large',
      op('RegexFullMatch', ['x'], ['y'], word('pattern', '(a|b)*a(a|b){20}')),
      /E101.*too large; make/s,
    ],
    ['numbers', op('StringConcat', ['x', 'one'], ['y']), /E102.*input 1 must be strings/s],
  ])('%s', (_, node, message) => {
    const one = sub(5, tensor({ name: 'one', dims: [], type: 1, more: [float(4, 1)] }));
    expect(graph(node, one)).toThrow(message);
  });
});
