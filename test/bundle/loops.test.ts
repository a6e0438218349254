/** A loop that wants more iterations than there is memory for stops the run, in all ways to run it. */
import { describe, expect, jest } from '@jest/globals';
import { fromTyped, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { importFor } from '../../compiler/compile.ts';
import { compile } from '../../compiler/index.ts';
import { runner, type Run } from '../conformance/runners.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { needs } from '../needs.ts';
import { attribute, model, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';

jest.setTimeout(60_000);
const F32 = 1;
const I64 = 7;
const BOOL = 9;
const constant = (name: string, type: number, data: ArrayBufferView): Part =>
  sub(5, tensor({ name, dims: [], type, raw: new Uint8Array(data.buffer) }));
/** x goes up by one until it is `until`; each value on the way is a result. `trip`: the input that names the most iterations. */
const counting = (trip: string, ends: boolean, results: number | string): Uint8Array => {
  const body = [
    constant('one', F32, Float32Array.of(1)),
    node('Add', ['v', 'one'], ['w']),
    node('Identity', ['w'], ['each']),
    ends ? node('Less', ['w', 'until'], ['on']) : node('Identity', ['keep'], ['on']),
    value(11, 'i', I64, []),
    value(11, 'keep', BOOL, []),
    value(11, 'v', F32, []),
    value(12, 'on', BOOL, []),
    value(12, 'w', F32, []),
    value(12, 'each', F32, []),
    text(2, 'body'),
  ];
  return model([
    constant('always', I64, BigInt64Array.of(2n ** 63n - 1n)),
    constant('zero', F32, Float32Array.of(0)),
    node('Loop', [trip, '', 'zero'], ['last', 'all'], attribute('body', { graph: w => body.forEach(p => p(w)) })),
    ...(trip === 'n' ? [value(11, 'n', I64, [])] : []),
    ...(ends ? [value(11, 'until', F32, [])] : []),
    value(12, 'last', F32, []),
    value(12, 'all', F32, [results]),
  ]);
};
const n = (x: bigint): [string, Tensor] => ['n', fromTyped('i64', [], BigInt64Array.of(x))];
const until = (x: number): [string, Tensor] => ['until', fromTyped('f32', [], Float32Array.of(x))];
interface Case {
  readonly name: string;
  readonly model: Uint8Array;
  /** Inputs, with the count that comes out, or `stops`. */
  readonly runs: readonly (readonly [inputs: readonly [string, Tensor][], count: number | 'stops'])[];
  readonly most: number;
}
const CASES: readonly Case[] = [
  {
    name: 'a count from data',
    model: counting('n', false, 'k'),
    runs: [
      [[n(1024n)], 1024],
      [[n(1025n)], 'stops'],
      [[n(2n ** 40n + 3n)], 'stops'],
      [[n(-1n)], 0],
    ],
    most: 1024,
  },
  {
    name: 'a condition, and a count from data',
    model: counting('n', true, 'k'),
    runs: [
      [[n(2n ** 40n), until(1024)], 1024],
      [[n(2n ** 40n), until(1025)], 'stops'],
      [[n(1024n), until(2000)], 1024],
      [[n(7n), until(2000)], 7],
    ],
    most: 1024,
  },
  {
    name: 'a condition alone, with as many results as the model declares',
    model: counting('always', true, 5),
    runs: [
      [[until(5)], 5],
      [[until(6)], 'stops'],
    ],
    most: 5,
  },
];

async function bundle(bytes: Uint8Array): Promise<Run> {
  const m = await loadBundle((await compile({ model: bytes })).files);
  return inputs =>
    new Map(Object.entries(m.run(feed(inputs))).map(([k, t]) => [k, fromTyped('f32', t.dims, t.data as Float32Array)]));
}
const graphOf = (bytes: Uint8Array) => importFor({ model: bytes }).graph;
const WAYS: Readonly<Record<string, (bytes: Uint8Array) => Promise<Run>>> = {
  'the evaluator': bytes => runner('evaluate', graphOf(bytes)),
  'the interpreter': bytes => runner('program', graphOf(bytes)),
  WebAssembly: bundle,
  C: bytes => runner('c', graphOf(bytes)),
};

describe.each(CASES)('a loop with $name', ({ model, runs, most }) => {
  for (const [way, make] of Object.entries(WAYS))
    needs(...(way === 'C' ? ['cc'] : [])).it(`stops rather than leave iterations out: ${way}`, async () => {
      const run = await make(model);
      for (const [inputs, count] of runs) {
        const go = () => run(new Map(inputs));
        if (count === 'stops')
          expect(go).toThrow(`a loop runs more than ${most} times, the most that the model was compiled for`);
        else {
          const out = go();
          expect([...toNumbers(out.get('all') ?? n(0n)[1])]).toEqual(Array.from({ length: count }, (_, i) => i + 1));
          expect([...toNumbers(out.get('last') ?? n(0n)[1])]).toEqual([count]);
        }
      }
    });
});
