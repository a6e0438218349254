import { describe, expect, it } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx, type OnnxOptions } from '../../compiler/import/onnx/import.ts';
import { attribute, int, model, node, sub, text, value, type Part } from '../onnx-writer.ts';

const FLOAT = 1;
const tensorType = (...dims: readonly (number | string)[]): Part =>
  sub(1, int(1, FLOAT), sub(2, ...dims.map(d => sub(1, typeof d === 'number' ? int(1, d) : text(2, d)))));
/** An input (11) or output (12) of a type that is a sequence of tensors, or optional. */
const sequence = (field: 11 | 12, name: string, ...element: Part[]): Part =>
  sub(field, text(1, name), sub(2, sub(4, sub(1, ...element))));
const optional = (field: 11 | 12, name: string, ...element: Part[]): Part =>
  sub(field, text(1, name), sub(2, sub(9, sub(1, ...element))));
const f32 = (...v: number[]): Tensor => fromNumbers('f32', [v.length], v);
const run = (bytes: Uint8Array, options: OnnxOptions, inputs: Readonly<Record<string, Tensor>>): Record<string, number[]> => {
  const { graph } = importOnnx(bytes, options);
  return Object.fromEntries([...evaluate(graph, new Map(Object.entries(inputs)))].map(([name, t]) => [name, [...toNumbers(t)]]));
};

describe('sequences at the border of a model', () => {
  const body = sub(6, text(2, 'body'), node('Neg', ['e'], ['m']), value(11, 'e', FLOAT, ['n']), value(12, 'm', FLOAT, ['n']));
  const mapped = model([
    node('SequenceMap', ['xs'], ['ys'], sub(5, text(1, 'body'), body, int(20, 5))),
    sequence(11, 'xs', tensorType('n')),
    sequence(12, 'ys', tensorType('n')),
  ]);
  it('are a tensor for each element, of which there are as many as is chosen', () => {
    const options = { dims: { xs: 3, n: 2 } };
    expect(run(mapped, options, { xs_0: f32(1, 2), xs_1: f32(3, 4), xs_2: f32(5, 6) })).toEqual({
      ys_0: [-1, -2],
      ys_1: [-3, -4],
      ys_2: [-5, -6],
    });
    expect(importOnnx(mapped, { dims: { xs: 0 } }).graph.inputs).toEqual([]);
  });
  it('ask for their length', () => {
    expect(() => importOnnx(mapped, { dims: { n: 2 } })).toThrow(/E301.*xs.*number of tensors.*such as --dim xs=3/);
    expect(() => importOnnx(mapped, { dims: { xs: { lo: 1, hi: 3 }, n: 2 } })).toThrow(/E302.*xs.*a number from 0 to 4096/);
    expect(() => importOnnx(mapped, { dims: { xs: 1e6, n: 2 } })).toThrow(/E302.*xs/);
  });
});

describe('optional inputs', () => {
  const has = model([node('OptionalHasElement', ['x'], ['y']), optional(11, 'x', tensorType(2)), value(12, 'y', 9, [])]);
  it('are there unless the choice is that they are not', () => {
    expect(run(has, {}, { x: f32(1, 2) })).toEqual({ y: [1] });
    expect(run(has, { dims: { x: 0 } }, {})).toEqual({ y: [0] });
    expect(() => importOnnx(has, { dims: { x: 2 } })).toThrow(/E302.*x.*a number from 0 to 1/);
  });
});

describe('loops that carry a sequence', () => {
  /** Collects x + 0, x + 1, … in a sequence, and their doubles as results. */
  const looped = (trip: Part, ...more: Part[]): Uint8Array => {
    const inner = sub(
      6,
      text(2, 'body'),
      node('Cast', ['i'], ['f'], attribute('to', FLOAT)),
      node('Add', ['x', 'f'], ['e']),
      node('SequenceInsert', ['s', 'e'], ['t']),
      node('Add', ['e', 'e'], ['d']),
      node('Identity', ['c'], ['k']),
      value(11, 'i', 7, []),
      value(11, 'c', 9, []),
      sequence(11, 's', tensorType(1)),
      value(12, 'k', 9, []),
      sequence(12, 't', tensorType(1)),
      value(12, 'd', FLOAT, [1]),
    );
    return model([
      node('SequenceEmpty', [], ['none']),
      node('Loop', ['n', '', 'none'], ['all', 'doubles'], sub(5, text(1, 'body'), inner, int(20, 5))),
      node('ConcatFromSequence', ['all'], ['y'], attribute('axis', 0)),
      trip,
      value(11, 'x', FLOAT, [1]),
      value(12, 'y', FLOAT, ['m']),
      value(12, 'doubles', FLOAT, ['k', 1]),
      ...more,
    ]);
  };
  it('are unrolled where the number of iterations is known', () => {
    const constant = sub(5, int(1, 1), int(2, 7), text(8, 'n'), int(7, 3));
    expect(run(looped(constant), {}, { x: f32(5) })).toEqual({ y: [5, 6, 7], doubles: [10, 12, 14] });
  });
  it('are refused where it is not', () => {
    expect(() => importOnnx(looped(value(11, 'n', 7, [1])))).toThrow(/E101.*Loop.*whose number of iterations is not known/);
  });
});

describe('positions that only data tell', () => {
  const I64 = 7;
  const sized = [value(11, 'a', FLOAT, [1]), value(11, 'b', FLOAT, [2]), value(11, 'c', FLOAT, [2])];
  const tensors = { a: f32(1), b: f32(2, 3), c: f32(4, 5) };
  const made = (nodes: readonly Part[], at: number): number[] | string => {
    const bytes = model([
      node('SequenceConstruct', ['a', 'b', 'c'], ['s']),
      ...nodes,
      ...sized,
      value(11, 'p', I64, []),
      value(12, 'y', FLOAT, ['n']),
    ]);
    try {
      return must(run(bytes, {}, { ...tensors, p: fromNumbers('i64', [], [at]) })['y']);
    } catch (e) {
      return e instanceof CompileError ? e.code : String(e);
    }
  };
  const joined = node('ConcatFromSequence', ['t'], ['y'], attribute('axis', 0));
  it.each([
    [0, [1]],
    [1, [2, 3]],
    [-1, [4, 5]],
    [-3, [1]],
    [3, 'E502'],
    [-4, 'E502'],
  ])('SequenceAt %d', (at, want) => {
    expect(made([node('SequenceAt', ['s', 'p'], ['y'])], at)).toEqual(want);
  });
  it.each([
    [0, [2, 3, 4, 5]],
    [1, [1, 4, 5]],
    [-1, [1, 2, 3]],
    [5, 'E502'],
  ])('SequenceErase %d', (at, want) => {
    expect(made([node('SequenceErase', ['s', 'p'], ['t']), joined], at)).toEqual(want);
  });
  it.each([
    [0, [4, 5, 1, 2, 3, 4, 5]],
    [1, [1, 4, 5, 2, 3, 4, 5]],
    [3, [1, 2, 3, 4, 5, 4, 5]],
    [-1, [1, 2, 3, 4, 5, 4, 5]],
    [-3, [4, 5, 1, 2, 3, 4, 5]],
    [4, 'E502'],
  ])('SequenceInsert %d', (at, want) => {
    expect(made([node('SequenceInsert', ['s', 'c', 'p'], ['t']), joined], at)).toEqual(want);
  });
  const branch = (name: string, ...items: readonly string[]): Part =>
    sub(
      5,
      text(1, name),
      sub(6, text(2, name), node('SequenceConstruct', items, [name]), sequence(12, name, tensorType('k'))),
      int(20, 5),
    );
  const chosen = (then: readonly string[], other: readonly string[]): ((on: number) => unknown) => {
    const bytes = model([
      node('If', ['q'], ['t'], branch('then_branch', ...then), branch('else_branch', ...other)),
      joined,
      ...sized,
      value(11, 'q', 9, []),
      value(12, 'y', FLOAT, ['n']),
    ]);
    return on => run(bytes, {}, { ...tensors, q: fromNumbers('bool', [], [on]) })['y'];
  };
  it('branches give sequences of one length', () => {
    const pick = chosen(['a', 'b'], ['c', 'a']);
    expect([pick(1), pick(0)]).toEqual([
      [1, 2, 3],
      [4, 5, 1],
    ]);
    expect(() => chosen(['a'], ['b', 'c'])(1)).toThrow(/E101.*a sequence of 1 tensors in one branch and of 2 in the other/s);
  });
});
