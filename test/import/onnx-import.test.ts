import { describe, expect, it } from '@jest/globals';
import { CompileError, type Code } from '../../compiler/core/diagnostic.ts';
import { showDim } from '../../compiler/core/dim.ts';
import { showType } from '../../compiler/core/shape.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { nodesOf, type Graph } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { verifyGraph } from '../../compiler/graph/verify.ts';
import { importOnnx, type OnnxOptions } from '../../compiler/import/onnx/import.ts';
import { attribute, encode, float, int, model, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';

const F32 = 1;
const I64 = 7;
const BOOL = 9;
const x = value(11, 'x', F32, [3]);
const y = value(12, 'y', F32, [3]);
const f32s = (name: string, values: readonly number[]): Part =>
  sub(5, tensor({ name, dims: [values.length], type: F32, raw: new Uint8Array(Float32Array.from(values).buffer) }));

function load(bytes: Uint8Array, o: OnnxOptions = {}): Graph {
  const { graph } = importOnnx(bytes, { file: 'm.onnx', ...o });
  verifyGraph(graph, 'import');
  return graph;
}
function failure(bytes: Uint8Array, o: OnnxOptions = {}): CompileError {
  try {
    importOnnx(bytes, { file: 'm.onnx', ...o });
  } catch (e) {
    if (e instanceof CompileError) return e;
    throw e;
  }
  throw new Error('it was imported');
}
const fails = (bytes: Uint8Array, code: Code, says: RegExp, o: OnnxOptions = {}): void => {
  const e = failure(bytes, o);
  expect(e.code).toBe(code);
  expect(e.message).toMatch(says);
};
/** The first output for one input of three floats. */
const run = (g: Graph, values: readonly number[] = [1, -2, 3], more: Record<string, number> = {}): number[] => {
  const inputs = new Map([['x', fromNumbers('f32', [values.length], values)]]);
  for (const [name, v] of Object.entries(more)) inputs.set(name, fromNumbers('bool', [], [v]));
  const [out] = evaluate(g, inputs).values();
  return out ? [...toNumbers(out)] : [];
};

/** A function of domain `local` (field 25 of a model): its nodes carry field 7. */
const fnNode = (op: string, inputs: readonly string[], outputs: readonly string[], ...more: Part[]): Part =>
  sub(7, ...inputs.map(i => text(1, i)), ...outputs.map(o => text(2, o)), text(4, op), ...more);
interface Fn {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: readonly string[];
  readonly more?: readonly Part[];
  readonly nodes: readonly Part[];
}
const fn = (f: Fn): Part =>
  sub(
    25,
    text(1, f.name),
    ...f.inputs.map(i => text(4, i)),
    ...f.outputs.map(o => text(5, o)),
    ...(f.attributes ?? []).map(a => text(6, a)),
    ...(f.more ?? []),
    ...f.nodes,
    sub(9, int(2, 17)),
    text(10, 'local'),
  );
const local = text(7, 'local');
const withFunctions = (graph: readonly Part[], ...functions: readonly Part[]): Uint8Array =>
  encode(int(1, 8), sub(7, ...graph, text(2, 'g')), sub(8, int(2, 17)), sub(8, text(1, 'local'), int(2, 1)), ...functions);

describe('names', () => {
  it('nodes in any order', () => {
    expect(
      run(load(model([node('Neg', ['b'], ['y']), node('Abs', ['a'], ['b']), node('Exp', ['x'], ['a']), x, y]))).map(v => v < 0),
    ).toEqual([true, true, true]);
  });
  it('a chain of 50,000 nodes, backwards', () => {
    const n = 50_000;
    const chain = Array.from({ length: n }, (_, i) => node('Neg', [i === n - 1 ? 'x' : `v${i + 1}`], [i === 0 ? 'y' : `v${i}`]));
    expect(run(load(model([...chain, x, y])))).toEqual([1, -2, 3]);
  });
  it('a cycle', () => {
    fails(
      model([node('Add', ['x', 'b'], ['a']), node('Neg', ['a'], ['b']), node('Neg', ['b'], ['y']), x, y]),
      'E104',
      /'[ab]' \((Add|Neg)\)/,
    );
  });
  it('a branch that waits for its own result', () => {
    const g = attribute('then_branch', { graph: w => [node('Neg', ['y'], ['r']), value(12, 'r', F32, [3])].forEach(p => p(w)) });
    fails(model([node('If', ['c'], ['y'], g), value(11, 'c', BOOL, []), x, y]), 'E104', /'y' \(If\)/);
  });
  it('a name that nothing defines', () => {
    fails(model([node('Neg', ['nowhere'], ['y']), x, y]), 'E105', /m\.onnx#y \(Neg\).*'nowhere'/);
    fails(model([node('Neg', ['x'], ['z']), x, y]), 'E105', /'y'/);
  });
  it('a name for two values', () => {
    fails(model([node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y']), x, y]), 'E202', /'y'/);
    fails(model([node('Neg', ['y'], ['x']), x, y]), 'E202', /'x'/);
    fails(model([node('Neg', ['x'], ['y']), x, x, y]), 'E202', /inputs/);
    fails(model([node('Neg', ['x'], ['y']), x, y, y]), 'E202', /outputs/);
  });
  it('outputs that are inputs or constants', () => {
    const g = load(model([x, f32s('w', [1, 2]), value(12, 'x', F32, [3]), value(12, 'w', F32, [2])]));
    expect([...evaluate(g, new Map([['x', fromNumbers('f32', [3], [7, 8, 9])]])).values()].map(t => [...toNumbers(t)])).toEqual([
      [7, 8, 9],
      [1, 2],
    ]);
  });
  it('initialisers that are inputs too are constants, unused inputs stay', () => {
    const g = load(
      model([
        x,
        value(11, 'w', F32, [3]),
        value(11, 'unused', F32, [2]),
        f32s('w', [1, 2, 3]),
        node('Add', ['x', 'w'], ['y']),
        y,
      ]),
    );
    expect(g.inputs.map(v => (v.def.k === 'input' ? v.def.name : ''))).toEqual(['x', 'unused']);
  });
});

describe('sub-graphs', () => {
  const branch = (name: string, ...parts: Part[]): Part =>
    attribute(name, { graph: w => [...parts, value(12, 'r', F32, [3])].forEach(p => p(w)) });
  it('take values around them as captures, and share constants', () => {
    const g = load(
      model([
        x,
        value(11, 'c', BOOL, []),
        f32s('w', [10, 20, 30]),
        node('Neg', ['x'], ['n']),
        node(
          'If',
          ['c'],
          ['y'],
          branch('then_branch', node('Add', ['n', 'w'], ['r'])),
          branch('else_branch', node('Mul', ['n', 'x'], ['r'])),
        ),
        y,
      ]),
    );
    expect(printGraph(g)).toMatch(/input %capture0/);
    expect(run(g, [1, 2, 3], { c: 1 })).toEqual([9, 18, 27]);
    expect(run(g, [1, 2, 3], { c: 0 })).toEqual([-1, -4, -9]);
  });
  it('two levels down', () => {
    const inner = node(
      'If',
      ['c'],
      ['r'],
      branch('then_branch', node('Neg', ['x'], ['r'])),
      branch('else_branch', node('Abs', ['x'], ['r'])),
    );
    const g = load(
      model([
        x,
        value(11, 'c', BOOL, []),
        node('If', ['c'], ['y'], branch('then_branch', inner), branch('else_branch', node('Exp', ['x'], ['r']))),
        y,
      ]),
    );
    expect(run(g, [1, 2, 3], { c: 1 })).toEqual([-1, -2, -3]);
  });
  it('the branch that is known to be taken is all that is imported', () => {
    const c = sub(5, tensor({ name: 'c', dims: [], type: BOOL, raw: Uint8Array.of(1) }));
    const g = load(
      model([
        x,
        c,
        node(
          'If',
          ['c'],
          ['y'],
          branch('then_branch', node('Neg', ['x'], ['r'])),
          branch('else_branch', node('NoSuchOp', ['x'], ['r'])),
        ),
        y,
      ]),
    );
    expect(nodesOf(g).map(n => n.op.name)).toEqual(['Neg']);
  });
});

describe('functions', () => {
  it('are put in the place of their calls, with attributes and their defaults', () => {
    const scaled: Fn = {
      name: 'Leaky',
      inputs: ['a'],
      outputs: ['b'],
      attributes: ['slope'],
      nodes: [fnNode('LeakyRelu', ['a'], ['b'], sub(5, text(1, 'alpha'), text(21, 'slope'), int(20, 1)))],
    };
    const call = (out: string, ...more: Part[]): Part => node('Leaky', ['x'], [out], local, ...more);
    const half = sub(5, text(1, 'slope'), float(2, 0.5), int(20, 1));
    expect(run(load(withFunctions([x, call('y', half), y], fn(scaled))), [1, -2, 3])).toEqual([1, -1, 3]);
    const fallback: Fn = { ...scaled, attributes: [], more: [sub(11, text(1, 'slope'), float(2, 0.25), int(20, 1))] };
    expect(run(load(withFunctions([x, call('y'), y], fn(fallback))), [1, -2, 3])).toEqual([1, -0.5, 3]);
  });
  it('see nothing of their caller', () => {
    const f = fn({ name: 'F', inputs: ['a'], outputs: ['b'], nodes: [fnNode('Neg', ['x'], ['b'])] });
    fails(withFunctions([x, node('F', ['x'], ['y'], local), y], f), 'E105', /F\/b.*'x'/);
    const g = fn({ name: 'F', inputs: ['a'], outputs: ['b'], nodes: [fnNode('Neg', ['a'], ['t']), fnNode('Exp', ['t'], ['b'])] });
    expect(nodesOf(load(withFunctions([x, node('F', ['x'], ['t'], local), node('F', ['t'], ['y'], local), y], g)))).toHaveLength(
      4,
    );
  });
  it('that call themselves', () => {
    const f = fn({ name: 'F', inputs: ['a'], outputs: ['b'], nodes: [fnNode('G', ['a'], ['b'], local)] });
    const g = fn({ name: 'G', inputs: ['a'], outputs: ['b'], nodes: [fnNode('F', ['a'], ['b'], local)] });
    fails(withFunctions([x, node('F', ['x'], ['y'], local), y], f, g), 'E104', /calls itself/);
  });
  it('that unfold without end', () => {
    const level = (i: number): Part => {
      const op = i === 0 ? 'Neg' : `F${i - 1}`;
      const more = i === 0 ? [] : [local];
      return fn({
        name: `F${i}`,
        inputs: ['a'],
        outputs: ['b'],
        nodes: [fnNode(op, ['a'], ['t'], ...more), fnNode(op, ['t'], ['b'], ...more)],
      });
    };
    fails(
      withFunctions([x, node('F40', ['x'], ['y'], local), y], ...Array.from({ length: 41 }, (_, i) => level(i))),
      'E202',
      /unfold/,
    );
  });
});

describe('what is not supported', () => {
  it('is listed all at once, in sub-graphs and functions too', () => {
    const f = fn({ name: 'F', inputs: ['a'], outputs: ['b'], nodes: [fnNode('OpC', ['a'], ['b'])] });
    const branch = (name: string, op: string): Part =>
      attribute(name, { graph: w => [node(op, ['x'], ['r']), value(12, 'r', F32, [3])].forEach(p => p(w)) });
    const graph = [
      x,
      value(11, 'c', BOOL, []),
      node('OpA', ['x'], ['a']),
      node('OpA', ['a'], ['b']),
      node('If', ['c'], ['d'], branch('then_branch', 'OpB'), branch('else_branch', 'Neg')),
      node('F', ['x'], ['e'], local),
      node('OpD', ['e'], ['y'], text(7, 'com.example')),
      y,
    ];
    const e = failure(withFunctions(graph, f));
    expect(e.code).toBe('E103');
    expect(e.message.split('\n')).toEqual([
      'm.onnx: E103: the model uses 4 operators that Sinter does not support:',
      "  OpA (2 times); first 'a'",
      "  OpC; first 'b'",
      "  com.example.OpD; first 'y'",
      "  OpB; first 'r'",
      '  what comes behind can be compiled with --inputs-at a',
    ]);
  });
  it('has no part behind it to compile where it is the end of the model', () => {
    expect(failure(model([x, node('Nothing', ['x'], ['y']), y])).message).not.toContain('--inputs-at');
  });
  it('inputs of a type that Sinter has not, or of a number of tensors that nobody chose', () => {
    fails(model([value(11, 'x', 14, [3]), node('Identity', ['x'], ['y']), y]), 'E106', /complex64 of input 'x'/);
    fails(
      model([sub(11, text(1, 'x'), sub(2, sub(4, sub(1, sub(1, int(1, 1)))))), node('Identity', ['x'], ['y']), y]),
      'E301',
      /number of tensors in a sequence/,
    );
  });
  it('attributes of the wrong type, inputs that are missing', () => {
    fails(
      model([x, node('LeakyRelu', ['x'], ['y'], attribute('alpha', 'much')), y]),
      'E102',
      /m\.onnx#y.*LeakyRelu: attribute 'alpha' is of type string/,
    );
    fails(model([x, node('Add', ['x'], ['y']), y]), 'E102', /Add/);
  });
  it('element types that do not go together', () => {
    fails(model([value(11, 'i', I64, [3]), x, node('Clip', ['i', 'x'], ['y']), y]), 'E102', /Clip.*a bound is of f32/);
    fails(model([x, value(11, 'i', I64, [3]), node('Add', ['x', 'i'], ['y']), y]), 'E102', /Add/);
  });
});

describe('free dimensions', () => {
  const shapes = (g: Graph): string[] => g.inputs.map(v => showType(v.type));
  const net = (...inputs: readonly (readonly (number | string)[])[]): Uint8Array =>
    model([...inputs.map((s, i) => value(11, `x${i}`, F32, s)), node('Neg', ['x0'], ['y']), value(12, 'y', F32, [])]);
  it('the first of several is a batch, with a warning', () => {
    const { graph, warnings } = importOnnx(net(['N', 3], ['N', 4]));
    expect(shapes(graph)).toEqual(['f32[N,3]', 'f32[N,4]']);
    expect(graph.inputs[0]?.type.shape.map(d => (typeof d === 'object' ? d.terms[0]?.atoms[0] : d))).toMatchObject([
      { lo: 1, hi: 16 },
      3,
    ]);
    expect(warnings.map(w => w.message)).toEqual([expect.stringContaining('--dim N=')]);
  });
  it('others are asked for, all of them', () => {
    fails(
      net(['N', 3, 'height', 'width'], [-1, 'seq']),
      'E301',
      /height, width, seq.*--dim height=224 --dim width=224 --dim seq=1\.\.512/,
    );
    fails(net(['samples']), 'E301', /samples/);
  });
  it('a choice fixes or bounds them', () => {
    expect(shapes(load(net(['N', 'seq']), { dims: { N: 2, seq: { lo: 1, hi: 64 } } }))).toEqual(['f32[2,seq]']);
    const g = load(net([1, 3, 'h', 'h']), { dims: { h: { lo: 32, hi: 96, step: 32 } } });
    expect(shapes(g)).toEqual(['f32[1,3,32*h,32*h]']);
    const out = evaluate(g, new Map([['x0', fromNumbers('f32', [1, 3, 64, 64], new Float64Array(3 * 4096))]])).get('y');
    expect(out?.dims).toEqual([1, 3, 64, 64]);
  });
  it('nameless ones are named after input and axis', () => {
    expect(shapes(load(net([2, '']), { dims: { x0_1: 5 } }))).toEqual(['f32[2,5]']);
    expect(shapes(load(net([2, -1]), { dims: { x0_1: 5 } }))).toEqual(['f32[2,5]']);
  });
  it('names that are sums and products of others are computed', () => {
    const g = load(net(['b', 'past'], ['b', 'past + seq'], ['b', 'seq']), {
      dims: { b: 1, past: { lo: 0, hi: 8 }, seq: { lo: 1, hi: 4 } },
    });
    expect(g.inputs[1]?.type.shape.map(showDim)).toEqual(['1', 'past+seq']);
  });
  it('choices that make no sense', () => {
    fails(net(['N', 3]), 'E302', /M.*free dimensions are N/, { dims: { M: 1 } });
    fails(net([2, 3]), 'E302', /no free dimension/, { dims: { M: 1 } });
    fails(net(['N', 3]), 'E302', /empty/, { dims: { N: { lo: 4, hi: 2 } } });
    fails(net(['N', 3]), 'E302', /not a size/, { dims: { N: -1 } });
    fails(net([2 ** 40, 3]), 'E302', /1099511627776 is not a size/);
  });
  it('an input of unknown rank', () => {
    const bare = sub(11, text(1, 'x'), sub(2, sub(1, int(1, 1))));
    fails(model([bare, node('Neg', ['x'], ['y']), y]), 'E301', /how many axes/);
  });
});
