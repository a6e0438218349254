import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { nodesOf } from '../../compiler/graph/graph.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { compiled } from '../conformance/compiled.ts';
import { attribute, model, node, sub, tensor, value } from '../onnx-writer.ts';
import { expectClose } from '../ops/problems.ts';
import { modelOf, numbers, peer, type Problem } from './peer.ts';

/** Models whose data decide what must hold: they give what onnxruntime gives, or the run stops. */
interface Case {
  readonly title: string;
  /** The last input is not told. */
  readonly problem: Problem;
  /** The last input in runs that must be right. */
  readonly right: readonly Tensor[];
  /** The same in runs that must stop. */
  readonly wrong: readonly Tensor[];
}
/** Nearest elements where single precision decides: what onnxruntime gives, at known sizes and at free ones. */
describe.each(['known', 'free'] as const)('nearest elements at %s sizes', sizes => {
  it.each([
    ['half_pixel', 0.7, [0, 2, 3, 4, 6, 7], 9],
    ['half_pixel', 0.35, [1, 4, 7, 9, 12], 16],
    ['half_pixel', 2.1, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7], 8],
    ['asymmetric', 0.9, [0, 1, 2, 3, 4, 6, 7, 8, 9], 10],
    ['asymmetric', 5 / 3, [0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 7, 7, 8, 8], 9],
  ])('%s, %d times', async (coordinates, scale, want, n) => {
    const { graph } = importOnnx(
      model(
        [
          node('Resize', ['x', '', 's'], ['y'], attribute('coordinate_transformation_mode', coordinates)),
          sub(5, tensor({ name: 's', dims: [1], type: 1, raw: new Uint8Array(Float32Array.of(scale).buffer) })),
          value(11, 'x', 1, [sizes === 'known' ? n : 'n']),
          value(12, 'y', 1, ['m']),
        ],
        19,
      ),
      { dims: sizes === 'known' ? {} : { n: { lo: 1, hi: 20 } } },
    );
    const x = new Map([
      [
        'x',
        fromNumbers(
          'f32',
          [n],
          Array.from({ length: n }, (_, i) => i),
        ),
      ],
    ]);
    for (const way of ['program', 'wasm'] as const)
      expect([...toNumbers(must((await compiled(way, graph))(x).get('y')))]).toEqual(want);
    expect([...toNumbers(must(evaluate(graph, x).get('y')))]).toEqual(want);
  });
});

const f = (dims: readonly number[]): Tensor => numbers('f32', dims, 3);
const i64 = (...values: number[]): Tensor => fromNumbers('i64', [values.length], values);
const one = (v: number): Tensor => fromNumbers('i64', [], [v]);
const scales = (...values: number[]): Tensor => fromNumbers('f32', [values.length], values);
const known = { constants: [0] };

const declared: readonly Case[] = [
  {
    title: 'Tile',
    problem: { op: 'Tile', inputs: [f([2, 3])], outputs: ['f32'], declares: [[4, 3]] },
    right: [i64(2, 1)],
    wrong: [i64(3, 1), i64(1, 1), i64(2, 2), i64(0, 1)],
  },
  {
    title: 'Reshape',
    problem: { op: 'Reshape', inputs: [f([4, 6])], outputs: ['f32'], declares: [[4, 2, 3]] },
    right: [i64(4, 2, 3), i64(0, 2, 3), i64(-1, 2, 3), i64(0, -1, 3)],
    wrong: [i64(2, 4, 3), i64(0, 3, 2), i64(4, -1, 2), i64(4, 0, 1)],
  },
  {
    title: 'Squeeze',
    problem: { op: 'Squeeze', inputs: [f([1, 3, 1])], outputs: ['f32'], declares: [[3, 1]] },
    right: [i64(0), i64(-3)],
    wrong: [i64(2), i64(1), i64(3), i64(-4)],
  },
  {
    title: 'Unsqueeze',
    problem: { op: 'Unsqueeze', inputs: [f([3, 2])], outputs: ['f32'], declares: [[3, 1, 2, 1]] },
    right: [i64(1, 3), i64(-1, 1)],
    wrong: [i64(0, 3), i64(1, 2), i64(1, 4)],
  },
  {
    title: 'Expand',
    problem: { op: 'Expand', inputs: [f([3, 1])], outputs: ['f32'], declares: [[2, 3, 4]] },
    right: [i64(2, 3, 4), i64(2, 1, 4)],
    wrong: [i64(2, 3, 1), i64(2, 2, 4), i64(1, 3, 4)],
  },
  {
    title: 'Pad',
    problem: { op: 'Pad', inputs: [f([2, 3])], outputs: ['f32'], declares: [[4, 3]] },
    right: [i64(1, 0, 1, 0), i64(2, 0, 0, 0)],
    wrong: [i64(1, 0, 2, 0), i64(1, 1, 1, 0), i64(0, 0, 0, 0)],
  },
  {
    title: 'ConstantOfShape',
    problem: { op: 'ConstantOfShape', inputs: [], outputs: ['f32'], declares: [[2, 3]] },
    right: [i64(2, 3)],
    wrong: [i64(3, 2), i64(2, 4), i64(-2, 3)],
  },
  {
    title: 'CenterCropPad',
    problem: { op: 'CenterCropPad', opset: 18, inputs: [f([4, 3])], outputs: ['f32'], declares: [[2, 5]] },
    right: [i64(2, 5)],
    wrong: [i64(2, 4), i64(4, 5)],
  },
  {
    title: 'Resize to sizes',
    problem: { op: 'Resize', inputs: [f([1, 1, 4, 4]), undefined, undefined], outputs: ['f32'], declares: [[1, 1, 6, 2]] },
    right: [i64(1, 1, 6, 2)],
    wrong: [i64(1, 1, 2, 6), i64(1, 2, 6, 2)],
  },
  {
    title: 'Resize by scales',
    problem: { op: 'Resize', inputs: [f([1, 1, 4, 4]), undefined], outputs: ['f32'], declares: [[1, 1, 6, 2]] },
    right: [scales(1, 1, 1.5, 0.5), scales(1, 1, 1.6, 0.6)],
    wrong: [scales(1, 1, 1.75, 0.5), scales(1, 1, 0.5, 1.5)],
  },
  {
    title: 'Split',
    problem: { op: 'Split', inputs: [f([6])], outputs: ['f32', 'f32'], declares: [[2], [4]] },
    right: [i64(2, 4)],
    wrong: [i64(3, 3), i64(2, 5)],
  },
  {
    title: 'Split of parts that nothing declares',
    problem: { op: 'Split', inputs: [f([6])], outputs: ['f32', 'f32'] },
    right: [i64(2, 4), i64(6, 0)],
    wrong: [i64(2, 3), i64(5, 6)],
  },
  {
    title: 'Range',
    problem: { op: 'Range', inputs: [one(0), one(9)], outputs: ['i64'], declares: [[3]], constants: [0, 1] },
    right: [one(3), one(4)],
    wrong: [one(2), one(1)],
  },
  {
    title: 'Col2Im',
    problem: {
      op: 'Col2Im',
      opset: 18,
      inputs: [f([1, 4, 6]), i64(3, 4)],
      outputs: ['f32'],
      declares: [[1, 1, 3, 4]],
      constants: [1],
    },
    right: [i64(2, 2)],
    wrong: [i64(1, 4)],
  },
  {
    title: 'DFT along an axis of the data',
    problem: { op: 'DFT', opset: 20, inputs: [f([3, 4, 4, 1]), undefined], outputs: ['f32'], declares: [[3, 4, 4, 2]] },
    right: [one(0), one(1), one(2), one(-2), one(-4)],
    wrong: [one(3), one(-1), one(4), one(-5)],
  },
  {
    title: 'DFT of which the declared sizes tell the axis',
    problem: {
      op: 'DFT',
      opset: 20,
      inputs: [f([4, 6, 1]), undefined],
      outputs: ['f32'],
      declares: [[4, 4, 2]],
      attrs: { onesided: 1 },
    },
    right: [one(1), one(-2)],
    wrong: [one(0), one(2)],
  },
  {
    title: 'CumSum along an axis of the data',
    problem: { op: 'CumSum', inputs: [f([3, 4])], outputs: ['f32'] },
    right: [one(0), one(1), one(-2)],
    wrong: [one(2), one(-3)],
  },
  {
    title: 'ReduceSum over axes of the data',
    problem: { op: 'ReduceSum', inputs: [f([3, 4, 2])], outputs: ['f32'], attrs: { keepdims: 0 } },
    right: [i64(0, 2), i64(-1, 1)],
    wrong: [i64(0, 3), i64(-4, 0)],
  },
];

const indices: readonly Case[] = [
  {
    title: 'Gather',
    problem: { op: 'Gather', inputs: [f([5, 2])], outputs: ['f32'], ...known },
    right: [i64(0, 4), i64(-5, -1)],
    wrong: [i64(0, 5), i64(-6, 0), i64(2 ** 32 + 1, 0), i64(-(2 ** 40), 0)],
  },
  {
    title: 'GatherElements',
    problem: { op: 'GatherElements', inputs: [f([3])], outputs: ['f32'] },
    right: [i64(2, -3, 0)],
    wrong: [i64(3), i64(0, -4)],
  },
  {
    title: 'GatherND',
    problem: { op: 'GatherND', inputs: [f([2, 3])], outputs: ['f32'] },
    right: [i64(1, 2), i64(-2, -3)],
    wrong: [i64(2, 2), i64(1, 3), i64(0, -4)],
  },
  {
    title: 'ReverseSequence',
    problem: { op: 'ReverseSequence', inputs: [f([3, 2])], outputs: ['f32'] },
    right: [i64(3, 1)],
    wrong: [i64(4, 1), i64(-1, 1)],
  },
];
/** The evaluator, the interpreted kernels and the compiled module give what onnxruntime gives, or all stop. */
async function check(p: Problem, right: readonly (readonly Tensor[])[], wrong: readonly (readonly Tensor[])[]): Promise<void> {
  for (const last of [...right, ...wrong]) {
    const all: Problem = { ...p, inputs: [...p.inputs, ...last] };
    const bytes = modelOf(all);
    const feeds = new Map(all.inputs.flatMap((t, i) => (t && !p.constants?.includes(i) ? [[`x${i}`, t] as const] : [])));
    const { graph } = importOnnx(bytes);
    const ways = [(x: typeof feeds) => evaluate(graph, x), await compiled('program', graph), await compiled('wasm', graph)];
    if (wrong.includes(last)) {
      for (const run of ways) expect(() => run(feeds)).toThrow(/E502|unreachable/);
      continue;
    }
    const want = await peer(bytes, feeds);
    for (const run of ways) for (const [name, y] of want) expectClose(run(feeds).get(name), y, 1e-3, 1e-5);
  }
}

describe('sizes and axes that data give meet what the file declares, or the run stops', () => {
  it.each(declared)('$title', ({ problem, right, wrong }) =>
    check(
      problem,
      right.map(t => [t]),
      wrong.map(t => [t]),
    ),
  );
});
describe('indices that are outside of their axis stop the run', () => {
  it.each(indices)('$title', ({ problem, right, wrong }) =>
    check(
      problem,
      right.map(t => [t]),
      wrong.map(t => [t]),
    ),
  );
  it.each(['ScatterElements', 'ScatterND'])('%s', op => {
    const at = (...values: number[]): readonly Tensor[] => {
      const dims = op === 'ScatterND' ? [2, 1] : [2];
      return [fromNumbers('i64', dims, values), f([2])];
    };
    return check({ op, inputs: [f([4])], outputs: ['f32'] }, [at(0, 3), at(-4, -1)], [at(4, 0), at(0, -5)]);
  });
  it('RoiAlign', () =>
    check(
      {
        op: 'RoiAlign',
        inputs: [f([2, 1, 4, 4]), fromNumbers('f32', [1, 4], [0, 0, 3, 3])],
        outputs: ['f32'],
        attrs: { output_height: 2, output_width: 2, sampling_ratio: 2 },
      },
      [[i64(1)]],
      [[i64(2)], [i64(-1)]],
    ));
  it('but mean the nearest where a profile has them clamped', () => {
    const p: Problem = { op: 'Gather', inputs: [f([5, 2]), i64(0, 9, -9)], outputs: ['f32'], constants: [0] };
    const { graph } = importOnnx(modelOf(p));
    const profile = must(resolveTarget({ name: 'mine', extends: 'wasm-simd', indices: 'clamped' }).profiles[0]);
    const y = interpretProgram(lowerGraph(graph, profile), new Map([['x1', i64(0, 9, -9)]])).get('y0');
    expectClose(y, evaluate(graph, new Map([['x1', i64(0, 4, 0)]])).get('y0') ?? i64());
  });
  it('and no check is made where they are known to be inside', () => {
    const p: Problem = { op: 'Gather', inputs: [f([5, 2]), i64(0, 4, -5)], outputs: ['f32'], constants: [1] };
    expect(nodesOf(importOnnx(modelOf(p)).graph).map(n => n.op.name)).toEqual(['Gather']);
  });
});
