/** Every error code, with something that gives it: the whole message, as the API or the command line tells it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import {
  bench,
  CODES,
  CompileError,
  compile,
  evaluate,
  openBundle,
  targetNames,
  writeBundle,
  type Code,
} from '../compiler/node.ts';
import { sinter } from './cli/captured.ts';
import { int, model, node, sub, tensor, text, value, type Part } from './onnx-writer.ts';
import { document, json } from './trees/xgboost-writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'sinter-errors-'));
const at = (name: string): string => join(dir, name);
jest.setTimeout(60_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const [F32, I64, COMPLEX] = [1, 7, 14];
const x = value(11, 'x', F32, [3]);
const y = value(12, 'y', F32, [3]);
const onnx = (...parts: Part[]): Promise<unknown> => compile({ model: model(parts), file: 'm.onnx' });
const abs = model([node('Abs', ['x'], ['y']), x, y]);
/** A weight of which the file says that it lies in another one. */
const outside = tensor({
  dims: [3],
  type: F32,
  name: 'w',
  more: [int(14, 1), sub(13, text(1, 'location'), text(2, 'w.bin'))],
});

/** What gives a code, and what it says. A path of the test's own folder is DIR. */
const EXAMPLES: Readonly<Record<Code, readonly [act: () => unknown, message: string]>> = {
  E101: [
    () => compile({ model: json(document({ trees: [1], objective: 'reg:magic' })), file: 'm.json' }),
    'm.json: E101: operator objective reg:magic is not supported; only its margin is known',
  ],
  E102: [
    () => onnx(node('Add', ['x', 'i'], ['y']), x, value(11, 'i', I64, [3]), y),
    'm.onnx#y (Add): E102: Add: operands of types f32, i64; they must be equal',
  ],
  E103: [
    () => onnx(node('Abs', ['x'], ['a']), node('Magic', ['a'], ['y']), x, y),
    "m.onnx: E103: the model uses 1 operator that Sinter does not support:\n  Magic; first 'y'\n  what comes before can be compiled with --outputs-at a",
  ],
  E104: [
    () => onnx(node('Add', ['x', 'b'], ['a']), node('Abs', ['a'], ['b']), node('Abs', ['b'], ['y']), x, y),
    "m.onnx#a (Add): E104: the graph has a cycle through 'a' (Add)",
  ],
  E105: [
    () => onnx(node('Abs', ['nowhere'], ['y']), x, y),
    "m.onnx#y (Abs): E105: value 'nowhere' is used but nothing defines it",
  ],
  E106: [
    () => onnx(node('Identity', ['x'], ['y']), value(11, 'x', COMPLEX, [3]), y),
    "m.onnx#x: E106: type complex64 of input 'x' is not supported",
  ],
  E201: [() => said('opt', at('bad.graph')), 'DIR/bad.graph:2:3: E201: cannot parse: expected a statement, found "?\\n}\\n"'],
  E202: [
    () => compile({ model: new TextEncoder().encode('<html>'), file: 'm.onnx' }),
    'E202: m.onnx is not a model that Sinter reads: this looks like a web page, as servers send it that refuse a download. Sinter reads ONNX; TensorFlow Lite; TensorFlow as SavedModel, frozen GraphDef or graph model of TF.js; Keras as .keras, .h5 or layers of TensorFlow.js; ' +
      'XGBoost as JSON, UBJSON, binary, pickle or the model.tar.gz of SageMaker; LightGBM as text, JSON or pickle',
  ],
  E203: [
    () => compile({ model: abs.subarray(0, abs.length - 5), file: 'm.onnx' }),
    'E203: m.onnx is truncated or damaged: 50 bytes are announced, 49 are left, at byte 10 (ModelProto.graph)',
  ],
  E204: [
    () => onnx(node('Add', ['x', 'w'], ['y']), sub(5, outside), x, y),
    "m.onnx#w: E204: external data: the data is in 'w.bin', and only the model's own bytes were given",
  ],
  E205: [() => compile({ model: at('none.onnx') }), 'E205: cannot read DIR/none.onnx: there is no such file'],
  E206: [() => writeBundle(at('taken'), new Map()), 'E206: cannot write DIR/taken: it is a file'],
  E207: [() => openBundle(at('none')), 'E207: bundle DIR/none: it has no manifest.json of Sinter'],
  E208: [() => compile({ model: abs, quantization: '{}' }), 'E208: quantization plan plan: quantization is missing'],
  E209: [
    () => said('compile', at('abs.onnx'), '-o', at('tuned'), '--tune-cache', at('tune.json')),
    'E209: what was tuned in DIR/tune.json: tuning must be one of 1, not 2; remove the file, and make it again with --tune',
  ],
  E301: [
    () => onnx(node('Abs', ['x'], ['y']), value(11, 'x', F32, [3, 'width']), value(12, 'y', F32, [3, 'width'])),
    "m.onnx: E301: dimension width is free: width is axis 1 of 'x'; give a size or a range, such as --dim width=1..512",
  ],
  E302: [
    () => compile({ model: abs, file: 'm.onnx', dims: { width: 4 } }),
    'm.onnx: E302: dimension width: this model has no free dimension',
  ],
  E401: [
    () => compile({ model: abs, target: 'wasm-smid' }),
    `E401: target wasm-smid: is none of ${targetNames().join(', ')}; did you mean 'wasm-simd'?`,
  ],
  E402: [
    () => {
      const big = model([node('Abs', ['x'], ['y']), value(11, 'x', F32, [1e5]), value(12, 'y', F32, [1e5])]);
      return compile({ model: big, target: { name: 'tiny', extends: 'wasm-mvp', memory: { arenaLimit: 65536 } } });
    },
    "E402: the model needs 0.4 MB of memory, more than the 0.1 MB of tiny; narrow a dimension's range with --dim NAME=A..B",
  ],
  E403: [
    () => compile({ model: abs, file: 'm.onnx', iterations: { first: 0, last: 9 } }),
    'm.onnx: E403: option iterations: only models of XGBoost and LightGBM have boosting rounds to choose from',
  ],
  E501: [
    () => evaluate({ model: abs, inputs: { x: { data: Float32Array.of(1, 2), dims: [2] } } }),
    "E501: input 'x': size 0 is 2, must be 3",
  ],
  E502: [
    () => {
      const [a, b] = [value(11, 'a', F32, ['n', 3]), value(11, 'b', F32, ['m', 3])];
      return evaluate({
        model: model([node('Add', ['a', 'b'], ['c']), a, b, value(12, 'c', F32, ['n', 3])]),
        dims: { n: { min: 2, max: 8 }, m: { min: 2, max: 8 } },
        inputs: { a: { data: new Float32Array(6), dims: [2, 3] }, b: { data: new Float32Array(9), dims: [3, 3] } },
      });
    },
    'model#c (Add): E502: axis 0 of the operands: n and m must be equal; they are 2 and 3',
  ],
  E601: [
    () => withoutPath(() => bench([], { browser: true })),
    'E601: Chromium is needed: npm install playwright-core, and Chromium in the PATH or at $CHROMIUM',
  ],
};
/** Runs something where no program is found. */
async function withoutPath(f: () => Promise<unknown>): Promise<unknown> {
  const before = process.env;
  process.env = { ...before, PATH: '', CHROMIUM: '' };
  try {
    return await f();
  } finally {
    process.env = before;
  }
}
/** Throws what a command says of its error. */
async function said(...argv: string[]): Promise<never> {
  const r = await sinter(...argv);
  throw new Error(r.err.replace(/^error: /, '').trimEnd());
}

describe('errors', () => {
  writeFileSync(at('abs.onnx'), abs);
  writeFileSync(at('bad.graph'), 'graph "m" {\n  ?\n}\n');
  writeFileSync(at('taken'), '');
  writeFileSync(at('tune.json'), '{"tuning": 2}');
  it.each(Object.entries(EXAMPLES))('%s', async (code, [act, message]) => {
    const e: unknown = await Promise.resolve()
      .then(act)
      .catch((e: unknown) => e);
    if (!(e instanceof Error)) throw new Error(`${code}: nothing was thrown`);
    const told = e.message.replaceAll(dir, 'DIR');
    expect(told).toBe(message);
    if (e instanceof CompileError) expect([e.code, e.message.endsWith(`${code}: ${e.bare}`)]).toEqual([code, true]);
  });
  it('are all here', () => {
    expect(Object.keys(EXAMPLES)).toEqual(Object.keys(CODES));
  });
});
