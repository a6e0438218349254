import { describe, expect, it } from '@jest/globals';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { noise } from '../ops/problems.ts';
import { attribute, encode, int, node, sub, text, value, type Part } from '../onnx-writer.ts';

const F64 = 11;
const out = (name: string): Part => sub(12, text(1, name), sub(2, sub(1, int(1, F64))));
/** y = sum(nodes' `z`), and its derivatives by the inputs. */
function model(shapes: Readonly<Record<string, readonly number[]>>, nodes: readonly Part[]): Uint8Array {
  const names = Object.keys(shapes);
  const xs = sub(5, text(1, 'xs'), ...names.map(n => text(9, n)), int(20, 8));
  return encode(
    int(1, 8),
    text(2, 'test'),
    sub(
      7,
      ...nodes,
      node('ReduceSum', ['z'], ['y'], attribute('keepdims', 0)),
      node(
        'Gradient',
        names,
        names.map(n => `d_${n}`),
        xs,
        attribute('y', 'y'),
        text(7, 'ai.onnx.preview.training'),
      ),
      text(2, 'g'),
      ...names.map(n => value(11, n, F64, shapes[n] ?? [])),
      out('y'),
      ...names.map(n => out(`d_${n}`)),
    ),
    sub(8, int(2, 17)),
    sub(8, text(1, 'ai.onnx.preview.training'), int(2, 1)),
  );
}
/** The derivatives are what central differences say. */
function check(shapes: Readonly<Record<string, readonly number[]>>, nodes: readonly Part[], positive = false): void {
  const { graph } = importOnnx(model(shapes, nodes));
  const inputs = new Map<string, Tensor>(
    Object.entries(shapes).map(([name, dims], i) => {
      const t = noise('f64', dims, i + 1);
      return [
        name,
        positive
          ? fromNumbers(
              'f64',
              dims,
              toNumbers(t).map(v => Math.abs(v) + 0.5),
            )
          : t,
      ];
    }),
  );
  const y = (given: ReadonlyMap<string, Tensor>): number =>
    toNumbers(evaluate(graph, given).get('y') ?? noise('f64', [1], 1))[0] ?? NaN;
  const got = evaluate(graph, inputs);
  for (const [name, t] of inputs) {
    const d = got.get(`d_${name}`);
    expect(d?.dims).toEqual(t.dims);
    const at = (i: number, by: number): number =>
      y(
        new Map([
          ...inputs,
          [
            name,
            fromNumbers(
              'f64',
              t.dims,
              toNumbers(t).map((v, j) => (i === j ? v + by : v)),
            ),
          ],
        ]),
      );
    const want = Array.from({ length: numel(t.dims) }, (_, i) => (at(i, 1e-5) - at(i, -1e-5)) / 2e-5);
    const found = d ? [...toNumbers(d)] : [];
    want.forEach((w, i) => expect(found[i]).toBeCloseTo(w, 6));
  }
}

describe('Gradient', () => {
  it('of a layer, with a bias that is broadcast', () =>
    check({ x: [2, 3], w: [3, 4], b: [4] }, [
      node('MatMul', ['x', 'w'], ['p']),
      node('Add', ['p', 'b'], ['q']),
      node('Tanh', ['q'], ['t']),
      node('Mul', ['t', 't'], ['z']),
    ]));
  it('of quotients, roots, logarithms and exponents', () =>
    check(
      { a: [3], b: [1] },
      [
        node('Div', ['a', 'b'], ['p']),
        node('Sqrt', ['p'], ['q']),
        node('Log', ['a'], ['l']),
        node('Sub', ['q', 'l'], ['s']),
        node('Neg', ['s'], ['m']),
        node('Exp', ['m'], ['z']),
      ],
      true,
    ));
  it('through transpositions, means and activations', () =>
    check({ x: [2, 3] }, [
      node('Transpose', ['x'], ['t']),
      node('Sigmoid', ['t'], ['s']),
      node('ReduceMean', ['s'], ['m'], attribute('axes', [1])),
      node('Relu', ['t'], ['r']),
      node('Mul', ['m', 'r'], ['z']),
    ]));
  it('says what it cannot derive', () =>
    expect(() => importOnnx(model({ x: [2] }, [node('Sin', ['x'], ['z'])]))).toThrow(/E101.*derivative of Sin/));
});
