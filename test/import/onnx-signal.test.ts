import { describe, expect, it } from '@jest/globals';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol } from '../../compiler/core/dim.ts';
import { tensorType } from '../../compiler/core/shape.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply, input } from '../../compiler/graph/graph.ts';
import { Dft } from '../../compiler/ops/signal/signal.ts';
import { expectAgreement, expectClose, noise, target } from '../ops/problems.ts';
import { expectPeer, numbers } from './peer.ts';
import { cosTurn, sinTurn } from '../../compiler/ops/signal/dft.ts';

const f = (dims: readonly number[], seed: number): Tensor => numbers('f32', dims, seed);
const i64 = (v: number): Tensor => fromNumbers('i64', [], [v]);

describe('transforms of signals give what onnxruntime gives', () => {
  for (const [dims, axis] of [
    [[2, 16, 1], 1],
    [[2, 15, 1], 1],
    [[1, 6, 10, 2], 1],
    [[1, 6, 10, 2], 2],
  ] as const)
    for (const onesided of dims[3] === 2 ? [0] : [0, 1])
      it(`DFT of [${dims.join()}] along ${axis}, onesided ${onesided}`, () =>
        expectPeer({ op: 'DFT', opset: 17, inputs: [f(dims, 1)], outputs: ['f32'], attrs: { axis, onesided } }));
  it('inverse DFT', () =>
    expectPeer({ op: 'DFT', opset: 17, inputs: [f([2, 12, 2], 2)], outputs: ['f32'], attrs: { inverse: 1 } }));
  for (const length of [8, 20])
    it(`DFT of ${length} of 16 samples`, () =>
      expectPeer({ op: 'DFT', opset: 17, inputs: [f([2, 16, 1], 3), i64(length)], constants: [1], outputs: ['f32'] }));
  for (const onesided of [0, 1])
    it(`STFT with a window, onesided ${onesided}`, () =>
      expectPeer({
        op: 'STFT',
        opset: 17,
        inputs: [f([2, 60, 1], 4), i64(5), f([16], 5), i64(16)],
        constants: [1, 2, 3],
        outputs: ['f32'],
        attrs: { onesided },
      }));
  for (const op of ['HannWindow', 'HammingWindow', 'BlackmanWindow'])
    for (const periodic of [0, 1])
      it(`${op}, periodic ${periodic}`, () =>
        expectPeer({ op, opset: 17, inputs: [i64(13)], constants: [0], outputs: ['f32'], attrs: { periodic } }, {}, 1e-3, 1e-6));
});

describe('Dft', () => {
  it('of lengths known only when the model runs', () => {
    const n = symbol('n', 1, 40);
    for (const [inverse, onesided, parts] of [
      [false, false, 1],
      [false, true, 1],
      [true, false, 2],
      [true, true, 2],
    ] as const) {
      const x = input('x', tensorType('f32', [2, n, 3, parts]));
      const outs = apply(Dft, [x], { axis: 1, length: n, inverse, onesided }, noLoc);
      const g = { name: 'g', inputs: [x], outputs: outs.map(value => ({ name: 'y', value })), symbolDefinitions: [] };
      for (const size of [1, 7, 12, 32])
        expectAgreement(g, new Map([['x', noise('f32', [2, size, 3, parts], size)]]), target('wasm-simd'), 1e-4, 1e-4);
    }
  });
  it('gives back what it was given, inverted', () => {
    const x = input('x', tensorType('f32', [1, 17, 2]));
    const [spectrum] = apply(Dft, [x], { axis: 1, length: 17 }, noLoc);
    const outs = apply(Dft, [spectrum], { axis: 1, length: 17, inverse: true }, noLoc);
    const data = noise('f32', [1, 17, 2], 9);
    const g = { name: 'g', inputs: [x], outputs: outs.map(value => ({ name: 'y', value })), symbolDefinitions: [] };
    const inputs = new Map([['x', data]]);
    expectClose(evaluate(g, inputs).get('y'), data, 1e-5, 1e-6);
    expectAgreement(g, inputs, target('wasm-simd'));
  });
  it('knows cosines and sines of whole turns exactly', () => {
    expect([0, 1, 2, 3].map(k => cosTurn(k, 4) + 0)).toEqual([1, 0, -1, 0]);
    expect([0, 1, 2, 3].map(k => sinTurn(k, 4) + 0)).toEqual([0, 1, 0, -1]);
    for (let k = -9; k < 30; k++) {
      expect(cosTurn(k, 7)).toBeCloseTo(Math.cos((2 * Math.PI * k) / 7), 12);
      expect(sinTurn(k, 7)).toBeCloseTo(Math.sin((2 * Math.PI * k) / 7), 12);
    }
  });
});
