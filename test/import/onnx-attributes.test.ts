/** Nodes are read through a class, and their lists are as long as the axes that they are for. */
import { describe, expect, it } from '@jest/globals';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import type { OnnxNode } from '../../compiler/import/onnx/node.ts';
import { attribute, encode, int, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';

const longs = (name: string, values: readonly number[], dims: readonly number[] = [values.length]): Part =>
  sub(5, tensor({ name, dims, type: 7, raw: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }));
const file = (...graph: readonly Part[]): Uint8Array =>
  encode(int(1, 8), sub(7, ...graph, text(2, 'g')), sub(8, int(2, 18)), sub(8, text(1, 'com.microsoft'), int(2, 1)));
const codeOf = (bytes: Uint8Array): string => {
  try {
    importOnnx(bytes);
    return 'imported';
  } catch (e) {
    return e instanceof CompileError ? e.bare : String(e);
  }
};

it('a node cannot be copied by spreading', () => {
  const copied = (n: OnnxNode): OnnxNode => {
    // @ts-expect-error What is read by methods is lost.
    // oxlint-disable-next-line typescript/no-misused-spread
    return { ...n, opset: 11 };
  };
  expect(typeof copied).toBe('function');
});
it('com.microsoft.Pad takes its pads as an input, whatever the operator set is', () => {
  const { graph } = importOnnx(
    file(
      node('Pad', ['x', 'p', 'v'], ['y'], text(7, 'com.microsoft')),
      longs('p', [1, 0]),
      sub(5, tensor({ name: 'v', dims: [1], type: 1, raw: new Uint8Array(Float32Array.of(7).buffer) })),
      value(11, 'x', 1, [2]),
      value(12, 'y', 1, [3]),
    ),
  );
  const y = evaluate(graph, new Map([['x', fromNumbers('f32', [2], [1, 2])]])).get('y');
  expect(y && [...toNumbers(y)]).toEqual([7, 1, 2]);
});
it('a float that is left out is rounded as one that is there', () => {
  // onnxruntime gives -0.009999999776482582: attributes are single floats, also where the tensors are doubles.
  const { graph } = importOnnx(file(node('LeakyRelu', ['x'], ['y']), value(11, 'x', 11, [1]), value(12, 'y', 11, [1])));
  const y = evaluate(graph, new Map([['x', fromNumbers('f64', [1], [-1])]])).get('y');
  expect(y && [...toNumbers(y)]).toEqual([-Math.fround(0.01)]);
});
describe('lists of another length than the axes', () => {
  const unpool = (...attributes: readonly Part[]): Uint8Array =>
    file(
      node('MaxUnpool', ['x', 'i'], ['y'], ...attributes),
      longs('i', [0, 1, 2, 3], [1, 1, 2, 2]),
      value(11, 'x', 1, [1, 1, 2, 2]),
      value(12, 'y', 1, [1, 1, 'h', 'w']),
    );
  const col2im = (...attributes: readonly Part[]): Uint8Array =>
    file(
      node('Col2Im', ['x', 'i', 'b'], ['y'], ...attributes),
      longs('i', [3, 3]),
      longs('b', [2, 2]),
      value(11, 'x', 1, [1, 4, 4]),
      value(12, 'y', 1, [1, 1, 3, 3]),
    );
  const pool = (...attributes: readonly Part[]): Uint8Array =>
    file(
      node('MaxRoiPool', ['x', 'r'], ['y'], ...attributes),
      value(11, 'x', 1, [1, 1, 4, 4]),
      value(11, 'r', 1, [1, 5]),
      value(12, 'y', 1, [1, 1, 'h', 'w']),
    );
  it.each([
    ['MaxUnpool: kernel_shape', unpool(attribute('kernel_shape', [2])), 'kernel_shape has 1 values for 2 axes'],
    ['MaxUnpool: no kernel_shape', unpool(), "attribute 'kernel_shape' is missing"],
    ['MaxUnpool: pads', unpool(attribute('kernel_shape', [2, 2]), attribute('pads', [1])), 'pads has 1 values for 4 axes'],
    ['Col2Im: strides', col2im(attribute('strides', [1])), 'strides has 1 values for 2 axes'],
    ['Col2Im: pads', col2im(attribute('pads', [0, 0])), 'pads has 2 values for 4 axes'],
    ['MaxRoiPool: pooled_shape', pool(attribute('pooled_shape', [1])), 'pooled_shape has 1 values for 2 axes'],
  ])('%s', (_, bytes, why) => {
    expect(codeOf(bytes)).toContain(why);
  });
  it('as they should be', () => {
    expect(codeOf(unpool(attribute('kernel_shape', [2, 2]), attribute('strides', [2, 2])))).toBe('imported');
    expect(codeOf(col2im())).toBe('imported');
    expect(codeOf(pool(attribute('pooled_shape', [2, 2])))).toBe('imported');
  });
});
describe('the greatest element of none', () => {
  const model = (...shape: readonly (number | string)[]): Uint8Array =>
    file(node('ArgMax', ['x'], ['y'], attribute('axis', 1)), value(11, 'x', 1, shape), value(12, 'y', 7, ['a', 'b']));
  const of = (bytes: Uint8Array, dims: readonly number[]): string => {
    try {
      const { graph } = importOnnx(bytes, { dims: bytes === free ? { n: { lo: 0, hi: 3 } } : {} });
      const x = fromNumbers('f32', dims, new Float64Array(dims.reduce((a, b) => a * b, 1)));
      return String(evaluate(graph, new Map([['x', x]])).get('y')?.dims);
    } catch (e) {
      return e instanceof CompileError ? e.code : String(e);
    }
  };
  const free = model(2, 'n');
  it('is refused, or stops the run, as in onnxruntime', () => {
    expect([of(model(2, 0), [2, 0]), of(free, [2, 0])]).toEqual(['E102', 'E502']);
  });
  it('is of no matter where none is asked for', () => {
    expect([of(model(0, 0), [0, 0]), of(model(0, 3), [0, 3]), of(free, [2, 3])]).toEqual(['0,1', '0,1', '2,1']);
  });
});
