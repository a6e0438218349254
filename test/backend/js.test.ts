import { describe, expect, it } from '@jest/globals';
import { CompileError, must, noLoc } from '../../compiler/core/diagnostic.ts';
import { evalDim, symbol } from '../../compiler/core/dim.ts';
import { DTYPES, isFloat, type DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { compile, compileGraph } from '../../compiler/compile.ts';
import { apply, input, type Graph } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Conv } from '../../compiler/ops/conv/conv.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { elementwiseOps } from '../../compiler/ops/elementwise/index.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { GatherElements } from '../../compiler/ops/movement/gather.ts';
import { AveragePool, MaxPool } from '../../compiler/ops/pool/pool.ts';
import { Recurrent } from '../../compiler/ops/recurrent/recurrent.ts';
import { LayerNorm, Softmax } from '../../compiler/ops/reduce/norm.ts';
import { ArgReduce, Cumulative, Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { NonZero } from '../../compiler/ops/sort/select.ts';
import { TopK } from '../../compiler/ops/sort/topk.ts';
import { bindSymbols } from '../../compiler/program/bind.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { importBundle, put } from '../bundle/hand-made.ts';
import { model, node, value } from '../onnx-writer.ts';
import { noise, single, type Operand } from '../ops/problems.ts';
import { randomGraph } from '../passes/random-graph.ts';
import { randomInputs } from '../random-inputs.ts';
import { JS, JS_TARGET } from './js.ts';

const profile = must(resolveTarget(JS_TARGET, [JS]).profiles[0]);

interface Code {
  readonly memory: Uint8Array;
  run(...sizes: readonly number[]): void;
  symbol(i: number): number;
}
/** Floats as numbers, which are equal where their bits are, but for those of NaN; what else there is as bytes. */
const shown = (t: Tensor): object =>
  isFloat(t.dtype) ? { dims: t.dims, numbers: [...toNumbers(t)] } : { dims: t.dims, bytes: Buffer.from(t.bytes).toString('hex') };
/** The bits that the printed JavaScript gives are those of the interpreter. */
async function expectSameBits(g: Graph, inputs: ReadonlyMap<string, Tensor>): Promise<void> {
  const want = interpretProgram(lowerGraph(g, profile), inputs);
  const module = await compileGraph(g, profile);
  const { program, plan } = module;
  const source = String(module.artifact);
  const code = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as Code;
  for (const s of program.slots) {
    const at = plan.offsets.get(s);
    if (s.bytes && at !== undefined) code.memory.set(s.bytes, at);
  }
  for (const p of program.inputs) code.memory.set(must(inputs.get(p.name)).bytes, must(plan.offsets.get(p.slot)));
  const env = bindSymbols(program, name => inputs.get(name));
  code.run(...program.symbols.flatMap(s => (s.from === 'input' ? [must(env.get(s.name))] : [])));
  program.symbols.forEach((s, i) => env.set(s.name, code.symbol(i)));
  for (const p of program.outputs) {
    const from = must(plan.offsets.get(p.slot));
    const dims = p.type.shape.map(d => evalDim(d, env));
    const bytes = code.memory.slice(from, from + numel(dims) * DTYPES[p.type.dtype].bytes);
    const got: Tensor = { dtype: p.type.dtype, dims, bytes };
    expect({ name: p.name, ...shown(got) }).toEqual({ name: p.name, ...shown(must(want.get(p.name))) });
  }
}

const EDGES = [-Infinity, -1e30, -130, -1.5, -0.5, -0, 0, 1e-4, 0.5, 1, 2, 2.5, 3, 80, 200, 3e9, Infinity, NaN];
/** An elementwise operator on all pairs of numbers; undefined where it does not take the type. */
function everyPair(op: Op, dtype: DType): { readonly graph: Graph; readonly inputs: Map<string, Tensor> } | undefined {
  const n = EDGES.length;
  const xs = op.inputs.map((_, i) => input(`x${i}`, { dtype, shape: [n * n] }));
  const data = xs.map((_, i) => Array.from({ length: n * n }, (_v, j) => must(EDGES[(i % 2 === 0 ? j : Math.floor(j / n)) % n])));
  try {
    const outputs = apply(op, xs, {}, noLoc).map((v, i) => ({ name: `y${i}`, value: v }));
    const inputs = new Map(data.map((v, i) => [`x${i}`, fromNumbers(dtype, [n * n], v)]));
    return { graph: { name: op.name, inputs: xs, outputs, symbolDefinitions: [] }, inputs };
  } catch (e) {
    if (e instanceof CompileError) return undefined;
    throw e;
  }
}
const f32 = (...shape: readonly number[]): Operand => ({ shape });
const POOL = { kernel: [3, 2], strides: [2, 1], dilations: [1, 1], pads: [1, 0, 0, 1] };
const PROBLEMS: readonly (readonly [string, Op, readonly Operand[], Attrs])[] = [
  ['MatMul of f32', MatMul, [f32(5, 7), f32(7, 9)], {}],
  [
    'MatMul of f64',
    MatMul,
    [
      { shape: [3, 4], dtype: 'f64' },
      { shape: [4, 3], dtype: 'f64' },
    ],
    {},
  ],
  [
    'MatMul of i32',
    MatMul,
    [
      { shape: [3, 4], dtype: 'i32' },
      { shape: [4, 3], dtype: 'i32' },
    ],
    {},
  ],
  [
    'MatMul of f16',
    MatMul,
    [
      { shape: [3, 4], dtype: 'f16' },
      { shape: [4, 3], dtype: 'f16' },
    ],
    {},
  ],
  [
    'Conv',
    Conv,
    [f32(1, 4, 6, 7), { shape: [6, 2, 3, 3], constant: noise('f32', [6, 2, 3, 3], 4) }],
    { strides: [1, 2], dilations: [1, 1], pads: [1, 1, 1, 1], group: 2 },
  ],
  ['MaxPool', MaxPool, [f32(1, 3, 8, 8)], POOL],
  ['AveragePool', AveragePool, [f32(1, 3, 8, 8)], POOL],
  ['Softmax', Softmax, [f32(3, 11)], { axis: 1 }],
  ['LayerNorm', LayerNorm, [f32(3, 11)], { axes: [1], epsilon: 1e-5 }],
  ['Reduce', Reduce, [f32(3, 4, 5)], { of: 'sum', axes: [0, 2], keep: false }],
  ['ArgReduce', ArgReduce, [f32(3, 4, 5)], { of: 'max', axis: 1 }],
  ['Cumulative', Cumulative, [f32(3, 9)], { of: 'sum', axis: 1, reverse: true }],
  ['GatherElements', GatherElements, [f32(4, 5), { shape: [2, 5], dtype: 'i64' }], { axis: 0 }],
  ['TopK', TopK, [f32(4, 60)], { k: 3, axis: 1 }],
  ['NonZero', NonZero, [{ shape: [4, 5], dtype: 'i32' }], { count: symbol('count', 0, 20) }],
  [
    'Recurrent',
    Recurrent,
    [f32(4, 2, 12), f32(12, 3)],
    { cell: 'lstm', reverse: true, resetAfter: false, activations: 'Sigmoid,Tanh,Tanh' },
  ],
];

describe('a back end of a test', () => {
  it('prints every elementwise operator with the bits of the interpreter', async () => {
    let tried = 0;
    for (const op of elementwiseOps)
      for (const dtype of ['f32', 'f64', 'f16', 'i32', 'u32', 'i64', 'u64', 'i8', 'u8', 'bool'] as const) {
        const p = everyPair(op, dtype);
        if (!p) continue;
        await expectSameBits(p.graph, p.inputs);
        tried++;
      }
    expect(tried).toBeGreaterThan(300);
  });
  it.each(PROBLEMS)('%s', async (_, op, operands, attrs) => {
    const g = single(op, operands, attrs);
    const defines = op === NonZero ? g.outputs.map(o => o.value) : [];
    const graph: Graph = { ...g, symbolDefinitions: defines };
    await expectSameBits(graph, randomInputs(graph, 3));
  });
  it('prints random graphs', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const graph = randomGraph(seed, 20);
      await expectSameBits(graph, randomInputs(graph, seed));
    }
  });
  it('makes a bundle that the loader runs', async () => {
    const bytes = model([value(11, 'x', 1, ['n', 2]), value(12, 'y', 1, ['n', 2]), node('Relu', ['x'], ['y'])]);
    const { files, report } = await compile({ model: bytes, target: JS_TARGET, backEnds: [JS] });
    expect(report.modules.map(m => m.profile)).toEqual(['js']);
    const loaded = await (await importBundle(put(files))).load();
    const { y } = loaded.run({ x: Float32Array.of(-1, 2, 3, -4) });
    expect([y?.dims, [...must(y).data]]).toEqual([
      [2, 2],
      [0, 2, 3, 0],
    ]);
  });
});

describe('a profile', () => {
  it('names a back end that there is', () => {
    expect(() => resolveTarget(JS_TARGET)).toThrow('\'emit\' must be one of wasm, c, not "js"');
  });
  it('is checked by its back end', () => {
    expect(() => resolveTarget({ name: 'wide', extends: 'wasm-simd', emit: 'js' }, [JS])).toThrow(
      "'vector.bits' of JavaScript is 0",
    );
  });
});
