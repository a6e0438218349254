/** Random texts, expressions and attributes: what onnxruntime makes of them, and what the evaluator and the kernels do. */
import { expect, it, jest } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { must } from '../compiler/core/diagnostic.ts';
import { randomStream } from '../compiler/core/random.ts';
import { toNumbers, type Tensor } from '../compiler/core/tensor.ts';
import { textsOf, textTensor } from '../compiler/core/texts.ts';
import { importOnnx } from '../compiler/import/onnx/import.ts';
import { runner } from './conformance/runners.ts';
import { attribute, bytes, encode, int, sub, tensor, text, value, type Part } from './onnx-writer.ts';

jest.setTimeout(120_000);
const [TEXT, BOOL] = [8, 9];
const word = (name: string, v: string): Part => sub(5, text(1, name), bytes(4, new TextEncoder().encode(v)), int(20, 3));
const words = (name: string, values: readonly string[]): Part =>
  sub(5, text(1, name), ...values.map(v => bytes(9, new TextEncoder().encode(v))), int(20, 8));

interface Dice {
  roll(n: number): number;
  pick<T>(from: readonly T[]): T;
}
const dice = (seed: number): Dice => {
  const next = randomStream(seed);
  const roll = (n: number): number => Math.floor(next() * n);
  return { roll, pick: from => must(from[roll(from.length)]) };
};
const LETTERS = ['a', 'b', 'B', 'é', 'É', '😀', ' ', '  ', '\t', '\n', ',', '--', '.', 'ß', '1', '_', 'Я', '\u00a0'];
const ATOMS = [
  'a',
  'b',
  'é',
  '😀',
  '.',
  '[ab]',
  '[^a]',
  '\\w',
  '\\d',
  '\\s',
  '\\W',
  '(?i:b)',
  '[à-ü]',
  '\\.',
  ',',
  '-',
  '\\pL',
].concat(['[[:alpha:]]', 'a\\b', '\\S']);
const drawText = (d: Dice, most = 8): string => Array.from({ length: d.roll(most + 1) }, () => d.pick(LETTERS)).join('');
function pattern(d: Dice, depth = 3): string {
  const r = depth === 0 ? 0 : d.roll(20);
  if (r < 7) return d.pick(ATOMS);
  if (r < 12) return pattern(d, depth - 1) + pattern(d, depth - 1);
  if (r < 15) return `(?:${pattern(d, depth - 1)}|${pattern(d, depth - 1)})`;
  return `(?:${pattern(d, depth - 1)})${d.pick(['*', '+', '?', '{2}', '{1,2}', '*?', '+?', '??'])}`;
}
const KINDS: Readonly<Record<string, (d: Dice, x: readonly string[]) => Part[]>> = {
  RegexFullMatch: d => [word('pattern', pattern(d))],
  Tokenizer: d => [
    attribute('mark', d.roll(2)),
    attribute('mincharnum', 1 + d.roll(2)),
    word('pad_value', '#'),
    d.roll(2) === 0
      ? word('tokenexp', pattern(d))
      : words(
          'separators',
          d.pick([[''], [' '], [',', ' '], ['--', '-'], ['\\s+'], [pattern(d, 2)], [pattern(d, 1), pattern(d, 2)]]),
        ),
  ],
  StringNormalizer: (d, x) => [
    word('case_change_action', d.pick(['LOWER', 'UPPER', 'NONE'])),
    attribute('is_case_sensitive', d.roll(2)),
    word('locale', 'C.UTF-8'),
    ...(d.roll(3) === 0 ? [] : [words('stopwords', [d.pick(x), drawText(d, 2)])]),
  ],
};
const shown = (t: Tensor): unknown => [t.dims, t.texts ? textsOf(t) : [...toNumbers(t)]];

it.each(Object.keys(KINDS))('%s', async kind => {
  let compared = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const d = dice(seed * 7919);
    const x = Array.from({ length: 1 + d.roll(4) }, () => drawText(d));
    const parts = must(KINDS[kind])(d, x);
    const domain = kind === 'Tokenizer' ? [text(7, 'com.microsoft')] : [];
    const model = encode(
      int(1, 10),
      sub(
        7,
        sub(1, text(1, 'x'), text(2, 'y'), text(4, kind), ...domain, ...parts),
        text(2, 'random'),
        value(11, 'x', TEXT, ['n']),
        value(12, 'y', kind === 'RegexFullMatch' ? BOOL : TEXT, ['m'].concat(kind === 'Tokenizer' ? ['k'] : [])),
      ),
      sub(8, int(2, 20)),
      sub(8, text(1, 'com.microsoft'), int(2, 1)),
    );
    let want: unknown;
    try {
      const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
      const y = must((await session.run({ x: new ort.Tensor('string', x, [x.length]) }))['y']);
      want = [[...y.dims], y.type === 'string' ? [...(y.data as string[])] : Array.from(y.data as Uint8Array, Number)];
    } catch {
      // It takes no separators that no token is long enough for.
      continue;
    }
    const { graph } = importOnnx(model, { dims: { n: { lo: 1, hi: 8 } } });
    for (const way of ['evaluate', 'program'] as const) {
      const got = must((await runner(way, graph))(new Map([['x', textTensor([x.length], x)]])).get('y'));
      expect([seed, way, shown(got)]).toEqual([seed, way, want]);
    }
    compared++;
  }
  expect(compared).toBeGreaterThan(40);
});

/** Operators that do not look into texts, in models that do. */
const op = (type: string, inputs: readonly string[], output: string, ...attributes: readonly Part[]): Part => {
  const [name = '', domain = ''] = type.split('@');
  return sub(1, ...inputs.map(i => text(1, i)), text(2, output), text(4, name), text(7, domain), ...attributes);
};
const strings = (name: string, ...v: readonly string[]): Part =>
  sub(5, tensor({ name, dims: [v.length], type: TEXT, more: v.map(t => bytes(6, new TextEncoder().encode(t))) }));
const longs = (name: string, dims: readonly number[], ...v: readonly number[]): Part =>
  sub(5, tensor({ name, dims, type: 7, raw: new Uint8Array(BigInt64Array.from(v, BigInt).buffer) }));
const graph = (name: string, out: string, node: Part): Part =>
  sub(5, text(1, name), sub(6, text(2, name), node, value(12, out, TEXT, ['n'])), int(20, 5));
const MOVES: Readonly<Record<string, readonly Part[]>> = {
  Identity: [op('Identity', ['x'], 'y')],
  Concat: [op('Concat', ['x', 'k', 'x'], 'y', attribute('axis', 0)), strings('k', 'zz', 'ab')],
  Gather: [op('Gather', ['x', 'i'], 'y', attribute('axis', 0)), longs('i', [3], 2, 0, -1)],
  Where: [op('Where', ['m', 'x', 'k'], 'y'), strings('k', 'no')],
  Compress: [op('Compress', ['x', 'm'], 'y', attribute('axis', 0))],
  Expand: [op('Expand', ['x', 's'], 'y'), longs('s', [2], 2, 4)],
  LabelEncoder: [
    op(
      'LabelEncoder@ai.onnx.ml',
      ['x'],
      'y',
      words('keys_strings', ['ab', 'é']),
      words('values_strings', ['one', 'two']),
      word('default_string', '??'),
    ),
  ],
  'texts of numbers': [
    op('LabelEncoder@ai.onnx.ml', ['x'], 'q', words('keys_strings', ['ab']), attribute('values_int64s', [3])),
    op(
      'LabelEncoder@ai.onnx.ml',
      ['q'],
      'w',
      attribute('keys_int64s', [3]),
      words('values_strings', ['drei']),
      word('default_string', 'sonst'),
    ),
    op('StringConcat', ['w', 'x'], 'y'),
  ],
  If: [
    op('Gather', ['m', 'i'], 'c'),
    op(
      'If',
      ['c'],
      'y',
      graph('then_branch', 'a', op('Identity', ['x'], 'a')),
      graph('else_branch', 'b', op('StringConcat', ['x', 'x'], 'b')),
    ),
    longs('i', [], 0),
  ],
};
it.each(Object.keys(MOVES))('%s among them', async name => {
  const model = encode(
    int(1, 10),
    sub(
      7,
      op('RegexFullMatch', ['x'], 'm', word('pattern', '[ab]+')),
      ...must(MOVES[name]),
      text(2, 'moves'),
      value(11, 'x', TEXT, ['n']),
      sub(12, text(1, 'y')),
    ),
    sub(8, int(2, 20)),
    sub(8, text(1, 'ai.onnx.ml'), int(2, 3)),
  );
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
  const { graph: g } = importOnnx(model, { dims: { n: { lo: 1, hi: 8 } } });
  for (const x of [
    ['ab', 'é', '', 'ab'],
    ['x', 'ab', 'ab', 'zz'],
  ]) {
    const y = must((await session.run({ x: new ort.Tensor('string', x, [4]) }))['y']);
    for (const way of ['evaluate', 'program', 'wasm'] as const) {
      const got = must((await runner(way, g))(new Map([['x', textTensor([4], x)]])).get('y'));
      expect([way, shown(got)]).toEqual([way, [[...y.dims], [...(y.data as string[])]]]);
    }
  }
});
