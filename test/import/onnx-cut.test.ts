import { describe, expect, it } from '@jest/globals';
import { compile, evaluate } from '../../compiler/index.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { showType } from '../../compiler/core/shape.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { importOnnx, type OnnxOptions } from '../../compiler/import/onnx/import.ts';
import { int, model, node, sub, text, value } from '../onnx-writer.ts';

const F32 = 1;
const named = (name: string, op: string, inputs: readonly string[], outputs: readonly string[]) =>
  node(op, inputs, outputs, text(3, name));
const ports = (g: Graph): readonly string[] => [
  ...g.inputs.map(v => `${v.def.k === 'input' ? v.def.name : ''}: ${showType(v.type)}`),
  '->',
  ...g.outputs.map(o => `${o.name}: ${showType(o.value.type)}`),
];

/** y = |(-x)^2 - z|, where the square is an operator that is not supported unless `square` is one that is. */
const chain = (square = 'Magic'): Uint8Array =>
  model([
    named('first', 'Neg', ['x'], ['a']),
    named('middle', square, ['a'], ['b']),
    named('last', 'Sub', ['b', 'z'], ['c']),
    named('end', 'Abs', ['c'], ['y']),
    value(11, 'x', F32, [2]),
    value(11, 'z', F32, [2]),
    value(13, 'b', F32, [2]),
    value(12, 'y', F32, [2]),
  ]);

describe('a model is cut', () => {
  const at = (cut: NonNullable<OnnxOptions['cut']>): readonly string[] => ports(importOnnx(chain(), { cut }).graph);
  it('behind a node, by its name or that of its value', () => {
    expect(at({ outputsAt: ['first'] })).toEqual(['x: f32[2]', '->', 'a: f32[2]']);
    expect(at({ outputsAt: ['a'] })).toEqual(['x: f32[2]', '->', 'a: f32[2]']);
  });
  it('so that what a node gives is an input', () => {
    expect(at({ inputsAt: ['middle'] })).toEqual(['z: f32[2]', 'b: f32[2]', '->', 'y: f32[2]']);
    expect(at({ inputsAt: ['b'], outputsAt: ['last', 'y'] })).toEqual(['z: f32[2]', 'b: f32[2]', '->', 'c: f32[2]', 'y: f32[2]']);
  });
  it('and its parts give what the whole gives', () => {
    const bytes = chain('Softplus');
    const x = { data: Float32Array.of(1, -2), dims: [2] };
    const z = { data: Float32Array.of(3, 0.5), dims: [2] };
    const whole = evaluate({ model: bytes, inputs: { x, z } })['y'];
    const b = must(evaluate({ model: bytes, outputsAt: ['middle'], inputs: { x } })['b']);
    expect(evaluate({ model: bytes, inputsAt: ['middle'], inputs: { b, z } })['y']).toEqual(whole);
  });
  it('only where it has a node', () => {
    expect(() => at({ outputsAt: ['frist'] })).toThrow(/E403: option outputs-at: .*'frist'; did you mean 'first'\?/);
    expect(() => at({ inputsAt: ['last'] })).toThrow(/E403: option inputs-at: .*does not tell the type of 'c'/);
  });
  it('and the manifest says so', async () => {
    const { files } = await compile({ model: chain(), outputsAt: ['first'], shapes: { x: [2] } });
    const manifest = JSON.parse(new TextDecoder().decode(files.get('manifest.json'))) as Record<string, unknown>;
    expect(manifest).toMatchObject({ options: { outputsAt: ['first'], shapes: { x: [2] } } });
  });
});

describe('what is not supported tells where to cut', () => {
  it('behind what can be computed', () => {
    expect(() => importOnnx(chain())).toThrow(
      /E103: .*\n {2}Magic; first 'middle'\n {2}what comes before can be compiled with --outputs-at a$/,
    );
  });
  it('or what comes behind', () => {
    const bytes = model([
      named('first', 'RandomNormalLike', ['x'], ['a']),
      node('Neg', ['a'], ['y']),
      value(11, 'x', F32, [2]),
      value(12, 'y', F32, [2]),
    ]);
    expect(() => importOnnx(bytes)).toThrow(/E101: .*; what comes behind can be compiled with --inputs-at first$/);
  });
});

describe('shapes of whole inputs', () => {
  const net = (...inputs: readonly (readonly (number | string)[])[]): Uint8Array =>
    model([...inputs.map((s, i) => value(11, `x${i}`, F32, s)), node('Neg', ['x0'], ['y']), value(12, 'y', F32, [])]);
  const shapes = (bytes: Uint8Array, o: OnnxOptions): readonly string[] => ports(importOnnx(bytes, o).graph).slice(0, -2);
  it('choose what the names stand for', () => {
    expect(shapes(net(['n', 3, 48, 'w'], ['n', 2]), { shapes: { x0: [1, 3, 48, { lo: 160, hi: 320 }] } })).toEqual([
      'x0: f32[1,3,48,w]',
      'x1: f32[1,2]',
    ]);
  });
  it('may leave axes as they are', () => {
    expect(shapes(net(['n', 3, 'w']), { dims: { w: 7 }, shapes: { x0: [2, null, null] } })).toEqual(['x0: f32[2,3,7]']);
  });
  it('tell how many axes an input has', () => {
    const bare = sub(11, text(1, 'x'), sub(2, sub(1, int(1, F32))));
    const bytes = model([bare, node('Neg', ['x'], ['y']), value(12, 'y', F32, [])]);
    expect(() => importOnnx(bytes)).toThrow(/E301: .*how many axes.*--shape x=1x3x224x224/);
    expect(shapes(bytes, { shapes: { x: [2, 3] } })).toEqual(['x: f32[2,3]']);
  });
  it.each([
    [{ x0: [1, 4] }, /dimension 1 of 'x0': it is 3 in the file/],
    [{ x0: [1] }, /the input has 2 axes, not 1/],
    [{ x9: [1] }, /dimension of 'x9': there is no such input.*\(x0, x1\)/],
    [{ x0: [1, 3], x1: [2, 2] }, /n is chosen as two different sizes/],
    [{ x0: [{ lo: 3, hi: 1 }, 3] }, /the range 3\.\.1 is empty/],
  ] as const)('%j is refused', (given, why) => {
    expect(() => importOnnx(net(['n', 3], ['n', 2]), { shapes: given })).toThrow(why);
  });
});

describe('words that are no names', () => {
  const net = (...shape: readonly string[]): Uint8Array =>
    model([value(11, 'x', F32, shape), node('Neg', ['x'], ['y']), value(12, 'y', F32, [])]);
  it.each(['?', 'None', 'unk__0', '-1', '*', 'unknown'])('axes that are called %s need not be equal', word => {
    const { graph } = importOnnx(net(word, '3', word, word), { dims: { [word]: { lo: 1, hi: 9 }, x_2: 5, '3': 3 } });
    expect(ports(graph)[0]).toBe('x: f32[x_0,3,5,x_3]');
  });
  it('axes of one name are', () => {
    expect(ports(importOnnx(net('n', 'n'), { dims: { n: { lo: 1, hi: 9 } } }).graph)[0]).toBe('x: f32[n,n]');
  });
});
