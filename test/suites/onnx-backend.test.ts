import { expect, it } from '@jest/globals';
import { toNumbers } from '../../compiler/core/tensor.ts';
import { needs, onnxTests } from '../needs.ts';
import { backendCases, findBackendTests, type BackendCase } from './onnx-backend.ts';

const root = findBackendTests() ?? '';
const one = (name: string): BackendCase => {
  const [c] = [...backendCases(root, ['node'], new RegExp(`^${name}$`))];
  if (c === undefined) throw new Error(`no case ${name}`);
  return c;
};

needs(onnxTests).describe("ONNX's backend tests", () => {
  it('every model decodes, and every data set is read or refused with a reason', () => {
    const count = { models: 0, data: 0 };
    const reasons = new Set<string>();
    for (const c of backendCases(root)) {
      count.models++;
      for (const set of c.dataSets) {
        if (set.k === 'data') {
          count.data++;
          expect([set.inputs.length, set.outputs.length]).toEqual([c.inputNames.length, c.outputNames.length]);
        } else reasons.add(/type (\w+)/.exec(set.why)?.[1] ?? set.why);
      }
    }
    expect(count.models).toBeGreaterThan(1800);
    expect(count.data).toBeGreaterThan(1600);
    for (const r of reasons) expect(r).toMatch(/^(string|map)$/);
  });
  it('inputs and outputs belong together', () => {
    const set = one('test_abs').dataSets[0];
    if (set?.k !== 'data') throw new Error('no data');
    const [x, y] = [set.inputs[0], set.outputs[0]];
    if (!x || !y || !('dtype' in x) || !('dtype' in y)) throw new Error('no tensors');
    expect(toNumbers(y)).toEqual(toNumbers(x).map(Math.abs));
  });
});
