import { describe, expect, it } from '@jest/globals';
import { CompileError, InternalError, noLoc } from '../../compiler/core/diagnostic.ts';
import { dimAdd, dimMul, symbol } from '../../compiler/core/dim.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { bindAll, bindDim, showMisfit, type Bindings } from '../../compiler/core/bind.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, input, type Graph } from '../../compiler/graph/graph.ts';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { tensorType } from '../../compiler/core/shape.ts';
import { defineOp } from '../../compiler/ops/define.ts';
import { allOps } from '../../compiler/ops/index.ts';

const never = (): never => {
  throw new Error('it does not fit');
};
const n = symbol('n', 1, 8);
const m = symbol('m', 0, 4);

describe('binding sizes', () => {
  it('solves what is linear in one symbol, in whatever order', () => {
    const env: Bindings = new Map();
    const pairs = [
      { want: dimAdd(n, m), got: 7 },
      { want: dimAdd(dimMul(2, n), 1), got: 11 },
    ];
    const left = bindAll(pairs, env, (_, w) => {
      throw new Error(showMisfit(w));
    });
    expect(left).toEqual([]);
    expect([...env]).toEqual([
      ['n', 5],
      ['m', 2],
    ]);
  });
  it('leaves what cannot be solved', () => {
    expect(bindAll([{ want: dimMul(n, m), got: 6 }], new Map(), never)).toHaveLength(1);
  });
  it('says what does not fit', () => {
    const says = (want: typeof n, got: number, env: Bindings = new Map()): string => {
      const w = bindDim(want, got, env);
      return w === undefined || w === 'later' ? '' : showMisfit(w);
    };
    expect(says(3, 4)).toBe('is 4, must be 3');
    expect(says(dimMul(2, n), 5)).toBe('is 5, which is not of the form 2*n');
    expect(says(n, 9)).toBe('gives n = 9, outside its range 1..8');
    expect(says(dimMul(2, n), 8, new Map([['n', 3]]))).toBe('is 8, must be 2*n = 6');
  });
});

const parse = (text: string): Graph => parseGraph(text, allOps);
const f32 = (...values: number[]): Tensor => fromNumbers('f32', [values.length], values);
const failure = (run: () => unknown): CompileError => {
  try {
    run();
  } catch (e) {
    if (e instanceof CompileError) return e;
    throw e;
  }
  throw new Error('it ran');
};

describe('the evaluator', () => {
  const two = parse(
    'graph "g" {\n  dim n: 1..4\n  dim m: 1..9\n  input %a: f32[n]\n  input %b: f32[m]\n  %y = Add(%a, %b)\n  output "y" = %y\n}',
  );
  it('says which input is wrong', () => {
    const run = (inputs: readonly (readonly [string, Tensor])[]): string => failure(() => evaluate(two, new Map(inputs))).message;
    expect(run([['a', f32(1)]])).toBe("E501: input 'b': it is missing");
    expect(
      run([
        ['a', f32(1)],
        ['b', f32(1)],
        ['c', f32(1)],
      ]),
    ).toMatch(/^E501: input 'c': the model has no such input; it has a, b/);
    expect(
      run([
        ['a', fromNumbers('i64', [1], [1])],
        ['b', f32(1)],
      ]),
    ).toBe("E501: input 'a': has type i64, must be f32");
    expect(
      run([
        ['a', fromNumbers('f32', [1, 1], [1])],
        ['b', f32(1)],
      ]),
    ).toMatch(/has shape \[1,1\], must be f32\[n\]/);
    expect(
      run([
        ['a', f32(1, 2, 3, 4, 5)],
        ['b', f32(1)],
      ]),
    ).toBe("E501: input 'a': size 0 gives n = 5, outside its range 1..4");
  });
  it('checks at run time what inference took for granted', () => {
    const e = failure(() =>
      evaluate(
        two,
        new Map([
          ['a', f32(1, 2)],
          ['b', f32(1, 2, 3)],
        ]),
      ),
    );
    expect(e.code).toBe('E502');
    expect(e.message).toMatch(/must be equal; they are [23] and [32]/);
    expect([
      ...toNumbers(
        evaluate(
          two,
          new Map([
            ['a', f32(1, 2)],
            ['b', f32(3, 4)],
          ]),
        ).get('y') ?? f32(),
      ),
    ]).toEqual([4, 6]);
  });
  it('a size out of data that is too large', () => {
    const g = parse(`graph "g" {
  dim k: 0..4
  input %x: f32[8]
  input %n: i64[1]
  %d = DimOf(%n) {symbol: "k", lo: 0, hi: 4}
  %y = Slice(%x) {starts: [0], sizes: [k], steps: [1]}
  output "y" = %y
}`);
    const run = (k: number): Tensor | undefined =>
      evaluate(
        g,
        new Map([
          ['x', f32(1, 2, 3, 4, 5, 6, 7, 8)],
          ['n', fromNumbers('i64', [1], [k])],
        ]),
      ).get('y');
    expect(run(3)?.dims).toEqual([3]);
    expect(run(0)?.dims).toEqual([0]);
    expect(failure(() => run(5)).code).toBe('E502');
  });
  it('finds operators whose results are not what they infer', () => {
    const lies = (eval_: () => Tensor[], known?: number) =>
      defineOp({
        name: 'Lies',
        doc: '',
        inputs: ['x'],
        attrs: {},
        infer: () => [tensorType('i64', [2])],
        ...(known === undefined ? {} : { symbolic: () => [[known, known]] }),
        eval: eval_,
        lower: { k: 'kernel', build: () => undefined },
      });
    const run = (op: ReturnType<typeof lies>): unknown => {
      const x = input('x', tensorType('f32', [1]));
      const y = apply1(op, [x], {}, noLoc);
      return evaluate(
        { name: '', inputs: [x], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] },
        new Map([['x', f32(1)]]),
      );
    };
    const i64 = (...values: number[]): Tensor => fromNumbers('i64', [values.length], values);
    expect(() => run(lies(() => [i64(1, 2)]))).not.toThrow();
    expect(() => run(lies(() => []))).toThrow(InternalError);
    expect(() => run(lies(() => [f32(1, 2)]))).toThrow(/has type f32/);
    expect(() => run(lies(() => [i64(1, 2, 3)]))).toThrow(/size 0 is 3, must be 2/);
    expect(() => run(lies(() => [i64(1, 2)], 1))).toThrow(/contents of result 0 is 2, must be 1/);
    expect(() => run(lies(() => [i64(1, 1)], 1))).not.toThrow();
  });
  it('lets go of what is not needed any more', () => {
    // 4000 results of 4 MB each: kept, they would be 16 GB.
    const lines = Array.from(
      { length: 4000 },
      (_, i) => `  %v${i + 1} = Reshape(%v${i}) {shape: [${i % 2 === 0 ? '1000, 1000' : '1000000'}]}`,
    );
    const g = parse(
      `graph "g" {\n  input %v0: f32[1000000]\n  %n = Neg(%v0)\n${lines.join('\n').replace('%v0)', '%n)')}\n  output "y" = %v4000\n}`,
    );
    expect(
      evaluate(g, new Map([['v0', fromNumbers('f32', [1_000_000], new Float64Array(1_000_000).fill(1))]])).get('y')?.dims,
    ).toEqual([1_000_000]);
  });
});
