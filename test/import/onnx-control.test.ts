import { describe, expect, it } from '@jest/globals';
import { fromNumbers, scalar, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectClose, noise } from '../ops/problems.ts';
import { attribute, encode, int, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';
import { peer } from './peer.ts';

const [F32, I64, BOOL] = [1, 7, 9];
const all =
  (...parts: Part[]): Part =>
  w =>
    parts.forEach(p => p(w));
const fixed = (name: string, t: Tensor): Part =>
  sub(5, tensor({ name, dims: t.dims, type: t.dtype === 'i64' ? I64 : t.dtype === 'bool' ? BOOL : F32, raw: t.bytes }));
const model = (...graph: Part[]): Uint8Array =>
  encode(int(1, 8), text(2, 'test'), sub(7, ...graph, text(2, 'g')), sub(8, int(2, 17)));
/** An output whose sizes are left open. */
const out = (name: string, type: number): Part => sub(12, text(1, name), sub(2, sub(1, int(1, type))));
const anyInput = (name: string, type: number): Part => sub(11, text(1, name), sub(2, sub(1, int(1, type))));

/** The evaluator and the compiled module give what onnxruntime gives; gives the warnings' codes. */
async function check(bytes: Uint8Array, inputs: Readonly<Record<string, Tensor>>): Promise<readonly string[]> {
  const given = new Map(Object.entries(inputs));
  const want = await peer(bytes, given);
  const { graph, warnings } = importOnnx(bytes);
  const mine = evaluate(graph, given);
  const module = (await compiled('wasm', graph))(given);
  for (const [name, t] of want) {
    expectClose(mine.get(name), t);
    expectClose(module.get(name), t);
  }
  return warnings.map(w => w.code);
}

/** y starts as x; each step: y = 2 y + bias where the step is even (seen by an If inside), else y - bias; all y are kept. */
const stepper = all(
  fixed('two', scalar('i64', 2)),
  fixed('zero', scalar('i64', 0)),
  node('Mod', ['i', 'two'], ['rest']),
  node('Equal', ['rest', 'zero'], ['even']),
  node(
    'If',
    ['even'],
    ['next'],
    attribute('then_branch', {
      graph: all(text(2, 't'), node('Add', ['y', 'y'], ['double']), node('Add', ['double', 'bias'], ['a']), out('a', F32)),
    }),
    attribute('else_branch', { graph: all(text(2, 'e'), node('Sub', ['y', 'bias'], ['b']), out('b', F32)) }),
  ),
  node('Identity', ['on'], ['still']),
  node('Identity', ['next'], ['kept']),
  text(2, 'body'),
  value(11, 'i', I64, []),
  value(11, 'on', BOOL, []),
  anyInput('y', F32),
  out('still', BOOL),
  out('next', F32),
  value(12, 'kept', F32, [3]),
);
const x = noise('f32', [3], 1);
const bias = noise('f32', [3], 2);

describe('control flow of ONNX gives what onnxruntime gives', () => {
  it('a loop of a fixed number of steps around an If, with values from outside', async () => {
    const bytes = model(
      fixed('n', scalar('i64', 5)),
      node('Loop', ['n', '', 'x'], ['last', 'each'], attribute('body', { graph: stepper })),
      value(11, 'x', F32, [3]),
      value(11, 'bias', F32, [3]),
      out('last', F32),
      out('each', F32),
    );
    expect(await check(bytes, { x, bias })).toEqual([]);
  });
  it('a loop whose number of steps comes from data runs up to a limit, and a warning says so', async () => {
    const bytes = model(
      node('Loop', ['n', '', 'x'], ['last', 'each'], attribute('body', { graph: stepper })),
      value(11, 'n', I64, []),
      value(11, 'x', F32, [3]),
      value(11, 'bias', F32, [3]),
      out('last', F32),
      out('each', F32),
    );
    for (const n of [0, 1, 6]) expect(await check(bytes, { n: scalar('i64', n), x, bias })).toEqual(['loop']);
  });
  it('a loop that ends when a condition fails', async () => {
    // Doubles y until its first element is above 50.
    const body = all(
      fixed('fifty', scalar('f32', 50)),
      fixed('first', fromNumbers('i64', [], [0])),
      node('Add', ['y', 'y'], ['next']),
      node('Gather', ['next', 'first'], ['head']),
      node('Less', ['head', 'fifty'], ['still']),
      text(2, 'body'),
      value(11, 'i', I64, []),
      value(11, 'on', BOOL, []),
      anyInput('y', F32),
      out('still', BOOL),
      out('next', F32),
    );
    const bytes = model(
      node('Loop', ['', 'go', 'x'], ['last'], attribute('body', { graph: body })),
      value(11, 'go', BOOL, []),
      value(11, 'x', F32, [2]),
      out('last', F32),
    );
    const start = fromNumbers('f32', [2], [3, -1]);
    await check(bytes, { go: scalar('bool', 1), x: start });
    await check(bytes, { go: scalar('bool', 0), x: start });
  });
  it('a branch that takes a shape from around it, whose contents follow from sizes', async () => {
    const branch = (op: string): Part =>
      all(text(2, op), node(op, ['x'], ['y']), node('Reshape', ['y', 'shape'], [op]), out(op, F32));
    const bytes = model(
      fixed('one', fromNumbers('i64', [1], [1])),
      node('Shape', ['x'], ['size']),
      node('Concat', ['one', 'size'], ['shape'], attribute('axis', 0)),
      node(
        'If',
        ['c'],
        ['z'],
        attribute('then_branch', { graph: branch('Neg') }),
        attribute('else_branch', { graph: branch('Abs') }),
      ),
      value(11, 'c', BOOL, []),
      value(11, 'x', F32, ['n', 3]),
      out('z', F32),
    );
    for (const c of [0, 1]) expect(await check(bytes, { c: scalar('bool', c), x: noise('f32', [2, 3], 1) })).toEqual(['batch']);
  });
  it('a loop that puts something at the end of a tensor in each step', async () => {
    const body = all(
      node('Concat', ['all', 'bias'], ['longer'], attribute('axis', 0)),
      node('Identity', ['on'], ['still']),
      text(2, 'body'),
      value(11, 'i', I64, []),
      value(11, 'on', BOOL, []),
      anyInput('all', F32),
      out('still', BOOL),
      out('longer', F32),
    );
    const bytes = model(
      fixed('n', scalar('i64', 4)),
      node('Loop', ['n', '', 'x'], ['y'], attribute('body', { graph: body })),
      value(11, 'x', F32, [1]),
      value(11, 'bias', F32, [3]),
      out('y', F32),
    );
    await check(bytes, { x: noise('f32', [1], 3), bias });
  });
  it('Scan along other axes, backwards', async () => {
    const body = all(
      node('Add', ['s', 'e'], ['sum']),
      node('Mul', ['sum', 'e'], ['part']),
      text(2, 'body'),
      value(11, 's', F32, [2]),
      value(11, 'e', F32, [2]),
      value(12, 'sum', F32, [2]),
      value(12, 'part', F32, [2]),
    );
    const bytes = model(
      node(
        'Scan',
        ['s0', 'x'],
        ['last', 'parts'],
        attribute('body', { graph: body }),
        attribute('num_scan_inputs', 1),
        attribute('scan_input_axes', [1]),
        attribute('scan_input_directions', [1]),
        attribute('scan_output_axes', [1]),
        attribute('scan_output_directions', [1]),
      ),
      value(11, 's0', F32, [2]),
      value(11, 'x', F32, [2, 5]),
      out('last', F32),
      out('parts', F32),
    );
    await check(bytes, { s0: noise('f32', [2], 4), x: noise('f32', [2, 5], 5) });
  });
  it('an If whose condition follows from sizes is the branch it takes', async () => {
    const bytes = model(
      fixed('three', scalar('i64', 3)),
      node('Size', ['x'], ['n']),
      node('Equal', ['n', 'three'], ['is']),
      node(
        'If',
        ['is'],
        ['y'],
        attribute('then_branch', { graph: all(text(2, 't'), node('Relu', ['x'], ['a']), out('a', F32)) }),
        // Of another rank: that matters only where the condition is not known.
        attribute('else_branch', { graph: all(text(2, 'e'), node('Expand', ['x', 'wide'], ['b']), out('b', F32)) }),
      ),
      fixed('wide', fromNumbers('i64', [2], [2, 3])),
      value(11, 'x', F32, [3]),
      out('y', F32),
    );
    const { graph } = importOnnx(bytes);
    expect(graph.outputs[0]?.value.def).toMatchObject({ op: { name: 'Relu' } });
    await check(bytes, { x });
  });
});

describe('what cannot be', () => {
  const ifOf = (then: Part, other: Part): Uint8Array =>
    model(
      node('If', ['is'], ['y'], attribute('then_branch', { graph: then }), attribute('else_branch', { graph: other })),
      value(11, 'is', BOOL, []),
      value(11, 'x', F32, [3]),
      out('y', F32),
    );
  const relu = all(text(2, 't'), node('Relu', ['x'], ['a']), out('a', F32));
  it('branches of different ranks', () => {
    const wide = all(
      text(2, 'e'),
      fixed('wide', fromNumbers('i64', [2], [2, 3])),
      node('Expand', ['x', 'wide'], ['b']),
      out('b', F32),
    );
    expect(() => importOnnx(ifOf(relu, wide))).toThrow(/E102.*output 0 is f32\[3\] in one branch and f32\[2,3\]/);
  });
  it('a branch that these sizes do not allow gives NaN, and a warning says why', () => {
    const bad = all(text(2, 'e'), fixed('four', noise('f32', [4], 1)), node('Add', ['x', 'four'], ['b']), out('b', F32));
    const { graph, warnings } = importOnnx(ifOf(relu, bad));
    expect(warnings.map(w => w.code)).toEqual(['branch']);
    const run = (is: number): Tensor | undefined =>
      evaluate(
        graph,
        new Map([
          ['is', scalar('bool', is)],
          ['x', x],
        ]),
      ).get('y');
    expectClose(run(0), fromNumbers('f32', [3], [NaN, NaN, NaN]));
    expectClose(run(1), fromNumbers('f32', [3], reluOf(x)));
  });
  it('a loop without an end', () => {
    const body = all(
      node('Identity', ['on'], ['still']),
      node('Relu', ['y'], ['next']),
      text(2, 'body'),
      value(11, 'i', I64, []),
      value(11, 'on', BOOL, []),
      anyInput('y', F32),
      out('still', BOOL),
      out('next', F32),
    );
    const bytes = model(
      node('Loop', ['', '', 'x'], ['y1'], attribute('body', { graph: body })),
      value(11, 'x', F32, [3]),
      out('y1', F32),
    );
    expect(() => importOnnx(bytes)).toThrow(/E102.*nothing ends this loop/);
  });
  it('a carried value of another type after a step', () => {
    const body = all(
      node('Identity', ['on'], ['still']),
      node('Shape', ['y'], ['next']),
      text(2, 'body'),
      value(11, 'i', I64, []),
      value(11, 'on', BOOL, []),
      anyInput('y', F32),
      out('still', BOOL),
      out('next', I64),
    );
    const bytes = model(
      fixed('n', scalar('i64', 3)),
      node('Loop', ['n', '', 'x'], ['y1'], attribute('body', { graph: body })),
      value(11, 'x', F32, [3]),
      out('y1', I64),
    );
    expect(() => importOnnx(bytes)).toThrow(/E102.*carried value 0 is f32\[3\] before an iteration and i64\[1\] after it/);
  });
});
const reluOf = (t: Tensor): number[] => Array.from(new Float32Array(t.bytes.buffer, t.bytes.byteOffset, 3), v => Math.max(0, v));
