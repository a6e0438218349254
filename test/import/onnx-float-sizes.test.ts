import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { showDim } from '../../compiler/core/dim.ts';
import { fromNumbers, scalar, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { DimChoices } from '../../compiler/import/shared/dims.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { compiled } from '../conformance/compiled.ts';
import { attribute, encode, int, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';
import { expectClose, noise } from '../ops/problems.ts';
import { peer } from './peer.ts';

const [F32, I64] = [1, 7];
const fixed = (name: string, t: Tensor): Part =>
  sub(5, tensor({ name, dims: t.dims, type: t.dtype === 'i64' ? I64 : F32, raw: t.bytes }));
const floats = (name: string, ...v: number[]): Part => fixed(name, fromNumbers('f32', [v.length], v));
const ints = (name: string, ...v: number[]): Part => fixed(name, fromNumbers('i64', [v.length], v));
const out = (name: string, type: number): Part => sub(12, text(1, name), sub(2, sub(1, int(1, type))));
const cast = (from: string, to: string, type: number): Part => node('Cast', [from], [to], attribute('to', type));
const model = (...graph: Part[]): Uint8Array =>
  encode(int(1, 8), text(2, 'test'), sub(7, ...graph, text(2, 'g')), sub(8, int(2, 17)));
/** x [1, 1, h, w], its sizes as `hw` i64[2], and each as `h` and `w` f32[1]. */
const sized: readonly Part[] = [
  value(11, 'x', F32, [1, 1, 'h', 'w']),
  node('Shape', ['x'], ['all'], attribute('start', 2)),
  cast('all', 'hw', F32),
  ints('i0', 0),
  ints('i1', 1),
  node('Gather', ['hw', 'i0'], ['fh']),
  node('Gather', ['hw', 'i1'], ['fw']),
];
const resized: readonly Part[] = [
  ints('ones', 1, 1),
  node('Concat', ['ones', 'sizes'], ['full'], attribute('axis', 0)),
  node('Resize', ['x', '', '', 'full'], ['y'], attribute('mode', 'linear')),
  out('y', F32),
];
const dims: DimChoices = { h: { lo: 5, hi: 80 }, w: { lo: 5, hi: 80 } };
const SIZES = [
  [5, 80],
  [10, 13],
  [31, 64],
  [79, 7],
] as const;

/** The evaluator and the compiled module give what onnxruntime gives for several sizes; gives the sizes of the output. */
async function check(bytes: Uint8Array): Promise<string> {
  const { graph, warnings } = importOnnx(bytes, { dims });
  const run = await compiled('wasm', graph);
  for (const [h, w] of SIZES) {
    const given = new Map([['x', noise('f32', [1, 1, h, w], h)]]);
    const want = must((await peer(bytes, given)).get('y'));
    expect(evaluate(graph, given).get('y')?.dims).toEqual(want.dims);
    expectClose(evaluate(graph, given).get('y'), want);
    expectClose(run(given).get('y'), want);
  }
  expect(warnings).toEqual([]);
  return must(graph.outputs[0]).value.type.shape.map(showDim).join(', ');
}

describe('sizes that pass through floats, as exporters write them', () => {
  it('interpolate(scale_factor=1.37) of PyTorch', async () => {
    const parts = [
      floats('scale', 1.37),
      node('Mul', ['hw', 'scale'], ['m']),
      node('Floor', ['m'], ['f']),
      cast('f', 'sizes', I64),
    ];
    expect(await check(model(...sized, ...parts, ...resized))).toMatch(/^1, 1, floor\(\(\d+\*h.*w/);
  });
  it('ten times 0.7, which is 7 in float32', async () => {
    const parts = [floats('scale', 0.7), node('Mul', ['hw', 'scale'], ['m']), cast('m', 'sizes', I64)];
    expect(await check(model(...sized, ...parts, ...resized))).toBe('1, 1, floor((7*h)/(10)), floor((7*w)/(10))');
  });
  it('the next multiple of 32 by division and Ceil', async () => {
    const parts = [
      floats('step', 32),
      node('Div', ['hw', 'step'], ['q']),
      node('Ceil', ['q'], ['c']),
      node('Mul', ['c', 'step'], ['m']),
      cast('m', 'sizes', I64),
    ];
    expect(await check(model(...sized, ...parts, ...resized))).toBe('1, 1, -32*floor((-1*h)/(32)), -32*floor((-1*w)/(32))');
  });
  it('scales of a Resize, constant or worked out from sizes', async () => {
    const by = (scales: readonly Part[]): Uint8Array =>
      model(...sized, ...scales, node('Resize', ['x', '', 'scales'], ['y'], attribute('mode', 'linear')), out('y', F32));
    expect(await check(by([floats('scales', 1, 1, 0.7, 2)]))).toBe('1, 1, floor((7*h)/(10)), 2*w');
    expect(await check(by([floats('scales', 1, 1, 1.37, 3)]))).toMatch(/^1, 1, floor\(\(\d+\*h.*, 3\*w$/);
    const target = [floats('one', 1, 1), floats('to', 33, 48), node('Div', ['to', 'hw'], ['q'])];
    expect(await check(by([...target, node('Concat', ['one', 'q'], ['scales'], attribute('axis', 0))]))).toMatch(/^1, 1, /);
  });
  it('one scale for both axes, which no expression of them gives', async () => {
    const parts = [
      floats('most', 96),
      node('Max', ['fh', 'fw'], ['longest']),
      node('Div', ['most', 'longest'], ['scale']),
      node('Mul', ['hw', 'scale'], ['m']),
      floats('half', 0.5),
      node('Add', ['m', 'half'], ['r']),
      node('Floor', ['r'], ['f']),
      cast('f', 'sizes', I64),
    ];
    const bytes = model(...sized, ...parts, ...resized);
    const shape = await check(bytes);
    expect(shape).toBe('1, 1, size, size.1');
    // 80 times 96 / 5 at most, as ranges have it.
    const { graph } = importOnnx(bytes, { dims });
    const range = must(graph.outputs[0]).value.type.shape.slice(2);
    expect(range.map(d => (typeof d === 'number' ? d : must(d.terms[0]?.atoms[0])))).toMatchObject([{ hi: 1536 }, { hi: 1536 }]);
  });
  it('a square root of the number of patches', async () => {
    const parts = [
      node('Mul', ['fh', 'fh'], ['n']),
      node('Sqrt', ['n'], ['side']),
      node('Concat', ['side', 'fw'], ['both'], attribute('axis', 0)),
      cast('both', 'sizes', I64),
    ];
    expect(await check(model(...sized, ...parts, ...resized))).toBe('1, 1, h, w');
  });
  it('ranges of floats as long as an axis, and of steps that floats round', async () => {
    const grid = [
      fixed('zero', scalar('f32', 0)),
      fixed('step', scalar('f32', 0.1)),
      ints('flat', -1),
      fixed('one', scalar('i64', 1)),
      node('Squeeze', ['fw'], ['limit']),
      node('Range', ['zero', 'limit', 'step'], ['r']),
      node('Identity', ['r'], ['y']),
      out('y', F32),
    ];
    expect(await check(model(...sized, ...grid))).toMatch(/w/);
  });
  it('a branch whose rank a size decides is refused with the size', () => {
    const branch = (name: string, op: string, ...more: string[]): Part =>
      attribute(name, {
        graph: w => [node(op, ['x', ...more], [`${name}_y`]), text(2, name), out(`${name}_y`, F32)].forEach(p => p(w)),
      });
    const bytes = model(
      value(11, 'x', F32, ['n', 3]),
      node('Shape', ['x'], ['s']),
      ints('i0', 0),
      fixed('one', scalar('i64', 1)),
      ints('axis', 0),
      node('Gather', ['s', 'i0'], ['size']),
      node('Squeeze', ['size'], ['n0']),
      node('Equal', ['n0', 'one'], ['c']),
      node('If', ['c'], ['y'], branch('then_branch', 'ReduceSum', 'axis'), branch('else_branch', 'Identity')),
      out('y', F32),
    );
    expect(() => importOnnx(bytes, { dims: { n: { lo: 1, hi: 4 } } })).not.toThrow();
    const squeezed = model(
      value(11, 'x', F32, ['n', 3]),
      node('Shape', ['x'], ['s']),
      ints('i0', 0),
      fixed('one', scalar('i64', 1)),
      ints('axis', 0),
      node('Gather', ['s', 'i0'], ['size']),
      node('Squeeze', ['size'], ['n0']),
      node('Equal', ['n0', 'one'], ['c']),
      ints('flat', -1),
      node('If', ['c'], ['y'], branch('then_branch', 'Reshape', 'flat'), branch('else_branch', 'Identity')),
      out('y', F32),
    );
    expect(() => importOnnx(squeezed, { dims: { n: { lo: 1, hi: 4 } } })).toThrow(/n decides which: fix it with --dim n=N/);
    expect(importOnnx(squeezed, { dims: { n: { lo: 2, hi: 4 } } }).graph.outputs[0]?.value.type.shape).toHaveLength(2);
    expect(importOnnx(squeezed, { dims: { n: 1 } }).graph.outputs[0]?.value.type.shape).toEqual([3]);
  });
});
