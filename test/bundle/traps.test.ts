import { expect, it } from '@jest/globals';
import { compile } from '../../compiler/index.ts';
import { JS, JS_TARGET } from '../backend/js.ts';
import { attribute, model, node, value } from '../onnx-writer.ts';
import { importBundle, put } from './hand-made.ts';

it.each(['wasm-simd', JS_TARGET])('sizes that the model computes are checked where they meet others (%j)', async target => {
  const bytes = model([
    node('Compress', ['x', 'keep'], ['some'], attribute('axis', 0)),
    node('Add', ['some', 'y'], ['z']),
    value(11, 'x', 1, [6]),
    value(11, 'keep', 9, [6]),
    value(11, 'y', 1, ['n']),
    value(12, 'z', 1, ['n']),
  ]);
  const { files } = await compile({ model: bytes, target, backEnds: [JS], dims: { n: { min: 2, max: 6 } } });
  const index = await importBundle(put(files));
  const bundle = await index.load();
  const run = (keep: readonly number[]): unknown =>
    bundle.run({ x: [1, 2, 3, 4, 5, 6], keep, y: { data: [10, 20, 30], dims: [3] } })['z'];
  expect(run([0, 1, 1, 0, 0, 1])).toEqual({ data: Float32Array.of(12, 23, 36), dims: [3], type: 'float32' });
  expect(() => run([1, 1, 1, 0, 0, 1])).toThrow(/^E502: the model stopped: .*: count and n must be equal \(.*Add.*\)$/);
  expect(run([0, 1, 1, 0, 0, 1])).toEqual({ data: Float32Array.of(12, 23, 36), dims: [3], type: 'float32' });
});
