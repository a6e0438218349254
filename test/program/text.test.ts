import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { allOps } from '../../compiler/ops/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { parseProgram } from '../../compiler/program/parse.ts';
import { printProgram } from '../../compiler/program/print.ts';
import type { Program } from '../../compiler/program/program.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';

/** Doubles its numbers `trip` times if `go`, and gives back those that are not zero; there must be three. */
const TEXT = `program "all kinds of steps" {
  dim n: 1..8 input
  dim i: 0..4 run
  dim count: 0..8 run
  slot %0 "x": input f32[n]
  slot %1 "go": input bool[1]
  slot %2 "factor": weights f32[2] {1, 2}
  slot %3 "y": arena f32[n]
  slot %4 "found": arena i32[2]
  slot %5 "out": output f32[count]
  input "x" = %0: f32[n]
  input "go" = %1: bool[1]
  output "out" = %5: f32[count]
  guard min(5,n) = n "n is at most 5"
  trap "too many"
  trap "there must be three"
  kernel scale(read a: f32, read f: f32, write b: f32, int n0) {
    for i0 in 0..n0 {
      b.f32[i0] = (a.f32[i0] * f.f32[0])
    }
  }
  kernel pick(read a: f32, write b: f32, write k: i32, int n0) {
    let m: i32 = 0
    for i0 in 0..n0 {
      if (a.f32[i0] != 0:f32) {
        b.f32[m] = a.f32[i0]
        m = (m + 1)
      }
    }
    k.i32[0] = m
  }
  run {
    scale(%0, %2, %3, n)
    if %1[0] {
      loop i to floor((2*n+2)/(n+1)) {
        scale(%3, %2[1], %3, n)
      }
    } else {
      scale(%0, %2, %3, n)
    }
    pick(%3, %5, %4[1], n)
    read count = %4[1] else 0
    check count = 3 else 1
  }
}
`;
const run = (p: Program, x: readonly number[], go: boolean): number[] => [
  ...toNumbers(
    must(
      interpretProgram(
        p,
        new Map([
          ['x', fromNumbers('f32', [x.length], x)],
          ['go', fromNumbers('bool', [1], [go ? 1 : 0])],
        ]),
      ).get('out'),
    ),
  ),
];

describe('the text of a program', () => {
  it('is read, checked, run and written again', () => {
    const p = parseProgram(TEXT);
    verifyProgram(p);
    expect(printProgram(p)).toBe(TEXT);
    expect(run(p, [1, 0, 2, 3], true)).toEqual([4, 8, 12]);
    expect(run(p, [1, 0, 2, 3], false)).toEqual([1, 2, 3]);
    expect(() => run(p, [1, 2], true)).toThrow('there must be three');
  });
  it('holds what lowering makes of a graph', () => {
    const g = parseGraph(
      `graph "g" {
        dim n: 1..16
        input %x: f32[n,8]
        const %w: f32[8,4] random(1)
        const %c: f32[300] random(2)
        %0 = MatMul(%x, %w)
        %1 = Relu(%0)
        %2 = Softmax(%1) {axis: 1}
        output "y" = %2
        output "c" = %c
      }`,
      allOps,
    );
    for (const target of ['wasm-mvp', 'wasm-simd']) {
      const p = lowerGraph(g, must(resolveTarget(target).profiles[0]));
      verifyProgram(p);
      const again = parseProgram(printProgram(p, { data: true }));
      verifyProgram(again);
      expect(printProgram(again, { data: true })).toBe(printProgram(p, { data: true }).replaceAll(/ ;.*$/gm, ''));
      const inputs = new Map([
        [
          'x',
          fromNumbers(
            'f32',
            [3, 8],
            Array.from({ length: 24 }, (_, i) => Math.sin(i)),
          ),
        ],
      ]);
      expect(interpretProgram(again, inputs)).toEqual(interpretProgram(p, inputs));
    }
  });
  it.each([
    ['scale(%0, %9', 'scale(%0, %2', 'slot %9 is not declared'],
    ['else 7', 'else 1', 'there is no trap 7'],
    ['sale(%0', 'scale(%0', 'kernel sale is not declared'],
    ['f32[m]', 'f32[count]', 'dimension m is not declared'],
  ])('%s is an error with its place', (bad, good, why) => {
    expect(() => parseProgram(TEXT.replace(good, bad), 'p.program')).toThrow(expect.objectContaining({ code: 'E201' }));
    expect(() => parseProgram(TEXT.replace(good, bad), 'p.program')).toThrow(why);
  });
  it.each([
    ['scale(%3, %2[1], %3, n)', 'scale(%3, %2[1], %2, n)', 'scale writes factor'],
    ['scale(%0, %2, %3, n)', 'scale(%0, %2, %3)', 'scale is called with 3 of 4 arguments'],
    ['scale(%0, %2, %3, n)', 'scale(%0, %2, n, %3)', 'argument 2 is no buf'],
    ['scale(%0, %2, %3, n)', 'scale(%0, %2, %3, count)', 'count has no value yet'],
    ['check count = 3 else 1', 'check count = i else 1', 'i has no value yet'],
    ['b.f32[m] = a', 'a.f32[m] = a', 'a is declared read'],
    ['output "out" = %5', 'output "out" = %3', 'it lies in slot y'],
  ])('%s may not be %s', (good, bad, why) => {
    expect(() => {
      verifyProgram(parseProgram(TEXT.replace(good, bad)));
    }).toThrow(why);
  });
  it.each([
    ['%6', '', 'slot spare is no scratch, and only one parallel loop uses it'],
    ['%6[i]', '', undefined],
    ['%6', ' scratch', undefined],
  ])("what one parallel loop writes to %s, declared arena%s, is each thread's own", (to, scratch, why) => {
    const p = parseProgram(
      TEXT.replace('loop i to', 'parallel loop i to')
        .replace('scale(%3, %2[1], %3, n)', `scale(%3, %2[1], ${to}, 1)`)
        .replace('  input "x"', `  slot %6 "spare": arena${scratch} f32[99]\n  input "x"`),
    );
    const verified = expect(() => verifyProgram(p));
    if (why === undefined) verified.not.toThrow();
    else verified.toThrow(why);
  });
});
