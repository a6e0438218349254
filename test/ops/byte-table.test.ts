import { describe, expect, it } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, nodesOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Add, Div, Mul, Relu, Sigmoid } from '../../compiler/ops/elementwise/index.ts';
import { allBytes, ByteTable } from '../../compiler/ops/quant/byte-table.ts';
import { DequantizeLinear, QuantizeLinear } from '../../compiler/ops/quant/quant.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { compiled } from '../conformance/compiled.ts';
import { target } from './problems.ts';

const number = (dtype: DType, v: number): Value => constant(fromNumbers(dtype, [], [v]));
const f = (v: number): Value => number('f32', v);
/** Functions of one byte, quantized on the way, for all bytes: a curve, a clamp, one that falls, and one that ends in floats. */
function functions(type: 'u8' | 'i8'): Graph {
  const x = input('x', { dtype: type, shape: [256] });
  const zero = number(type, type === 'u8' ? 128 : 3);
  const real = apply1(DequantizeLinear, [x, f(0.05), zero], { to: 'f32' }, noLoc);
  const again = (v: Value, to: DType, scale: number, z: number): Value =>
    apply1(QuantizeLinear, [v, f(scale), number(to, z)], {}, noLoc);
  const plus = again(apply1(Add, [real, f(3)], {}, noLoc), 'u8', 0.04, 0);
  const back = apply1(DequantizeLinear, [plus, f(0.04), number('u8', 0)], { to: 'f32' }, noLoc);
  const outputs = {
    curve: again(apply1(Div, [apply1(Mul, [real, back], {}, noLoc), f(6)], {}, noLoc), 'i8', 0.02, -100),
    clamp: apply1(QuantizeLinear, [apply1(Relu, [real], {}, noLoc), f(0.05), zero], {}, noLoc),
    falls: again(apply1(Mul, [real, f(-1)], {}, noLoc), 'u8', 0.05, 100),
    floats: apply1(Sigmoid, [real], {}, noLoc),
  };
  return {
    name: 'functions',
    inputs: [x],
    outputs: Object.entries(outputs).map(([name, value]) => ({ name, value })),
    symbolDefinitions: [],
  };
}
const numbers = (o: ReadonlyMap<string, Tensor>): (readonly [string, number[]])[] =>
  [...o].map(([name, t]) => [name, [...toNumbers(t)]]);

describe.each(['u8', 'i8'] as const)('tables of %s', type => {
  const g = functions(type);
  const inputs = new Map([['x', allBytes(type)]]);
  const want = numbers(evaluate(g, inputs));
  it.each(['wasm-mvp', 'wasm-simd', 'linux-x64-v4', 'cortex-m4'])('have the results of what they stand for, for %s', profile => {
    const made = runPasses(g, target(profile));
    // Where memory is scarce, floats are computed.
    const others = nodesOf(made).filter(n => n.op !== ByteTable);
    expect(others.map(n => n.op.name)).toEqual(profile === 'cortex-m4' ? ['DequantizeLinear', 'Sigmoid'] : []);
    const got = numbers(interpretProgram(lowerGraph(made, target(profile)), inputs));
    if (profile !== 'cortex-m4') expect(got).toEqual(want);
    else expect(got.slice(0, 3)).toEqual(want.slice(0, 3));
  });
  it.each(['wasm', 'c'] as const)('are looked up in compiled code: %s', async way => {
    const run = await compiled(way, runPasses(g, target('wasm-simd')));
    expect(numbers(run(inputs))).toEqual(want);
  });
});
