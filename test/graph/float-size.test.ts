import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { digitalLine } from '../../compiler/core/digital-line.ts';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { evalDim, showDim, symbol, type Dim } from '../../compiler/core/dim.ts';
import { boundsOf } from '../../compiler/core/float-size.ts';
import { scalar, toNumbers, zeros } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, symbolicOf, type Value } from '../../compiler/graph/graph.ts';
import * as e from '../../compiler/ops/elementwise/index.ts';
import { Sizes } from '../../compiler/ops/movement/shape.ts';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe('digital lines', () => {
  it('are found through all points of one, with the least denominator that will do', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -200, max: 200 }),
        fc.integer({ min: -500, max: 500 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: -40, max: 40 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        (a, b, c, from, count, step) => {
          const x = upTo(count).map(i => from + i * step);
          const at = (l: { a: number; b: number; c: number }, v: number): number => Math.floor((l.a * v + l.b) / l.c);
          const y = x.map(v => at({ a, b, c }, v));
          const line = must(digitalLine(x, y));
          expect(x.map(v => at(line, v))).toEqual(y);
          expect(line.c).toBeLessThanOrEqual(c);
        },
      ),
    );
  });
  it('are not found through other points', () => {
    const x = upTo(40);
    expect(
      digitalLine(
        x,
        x.map(i => i * i),
      ),
    ).toBeUndefined();
    expect(
      digitalLine(
        x,
        x.map(i => Math.floor(i * 0.7) + (i === 23 ? 1 : 0)),
      ),
    ).toBeUndefined();
    expect(digitalLine([1, 1], [2, 3])).toBeUndefined();
  });
});

/** A size as a float. */
const floatOf = (d: Dim, to: 'f32' | 'f64' = 'f32'): Value =>
  apply1(e.Cast, [apply1(Sizes, [], { values: [d], shape: [], dtype: 'i64' }, noLoc)], { to }, noLoc);
const number = (v: number): Value => constant(scalar('f32', v));
const op = (o: typeof e.Mul, ...ins: Value[]): Value => apply1(o, ins, {}, noLoc);
const whole = (v: Value): Value => apply1(e.Cast, [v], { to: 'i64' }, noLoc);
const known = (v: Value): string | undefined => symbolicOf(whole(v))?.map(showDim).join();
/** What the integer part of a float is for a value of the input's size, by the operators themselves. */
const computed = (v: Value, x: Value, n: number): number => {
  const g = { name: 'g', inputs: [x], outputs: [{ name: 'y', value: whole(v) }], symbolDefinitions: [] };
  return toNumbers(must(evaluate(g, new Map([['x', zeros('f32', [n])]])).get('y')))[0] ?? NaN;
};

describe('sizes that pass through floats', () => {
  const h = symbol('h', 1, 640);
  const w = symbol('w', 1, 640);
  it('are expressions of the sizes where exact arithmetic gives the same', () => {
    const f = floatOf(h);
    expect(known(f)).toBe('h');
    expect(known(op(e.Mul, f, number(2)))).toBe('2*h');
    expect(known(op(e.Mul, f, number(0.5)))).toBe('floor((h)/(2))');
    expect(known(op(e.Ceil, op(e.Div, f, number(32))))).toBe(
      showDim(symbolicOf(whole(op(e.Ceil, op(e.Mul, f, number(1 / 32)))))?.[0] ?? 0),
    );
    expect(known(op(e.Mul, f, floatOf(w)))).toBe('h*w');
    expect(known(op(e.Floor, op(e.Div, op(e.Mul, f, floatOf(w)), floatOf(symbol('k', 1, 7)))))).toBe('floor((h*w)/(k))');
    // A product of several factors is one of the sizes where it is whole.
    expect(known(op(e.Div, op(e.Mul, f, floatOf(w)), f))).toBe('w');
  });
  it('are so where float32 gives the same for each value in range', () => {
    expect(known(op(e.Sqrt, op(e.Mul, floatOf(h), floatOf(h))))).toBe('h');
    const seven = known(op(e.Floor, op(e.Mul, floatOf(h), number(0.7))));
    expect(seven).toBe('floor((7*h)/(10))');
    const range: [number, number] = [8, 1024];
    expect(known(op(e.Mul, floatOf(symbol('s', ...range)), number(1.37)))).toMatch(/^floor\(\(\d+\*s\+?\d*\)\/\(\d+\)\)$/);
  });
  it('are symbols of their own where no expression is the same, with bounds from the ranges', () => {
    const root = op(e.Sqrt, floatOf(h));
    expect(known(root)).toBeUndefined();
    expect(boundsOf(must(must(root.floats)[0]))).toEqual({ lo: 1, hi: Math.fround(Math.sqrt(640)) });
    // Of two sizes the ends of their ranges bound what rises and falls with them.
    const share = op(e.Div, number(1024), op(e.Max, floatOf(h), floatOf(w)));
    expect(boundsOf(must(must(op(e.Mul, floatOf(h), share).floats)[0]))).toEqual({ lo: Math.fround(1.6), hi: 655360 });
    expect(boundsOf(must(must(op(e.Div, floatOf(h), op(e.Sub, floatOf(w), floatOf(h))).floats)[0]))).toBeUndefined();
  });
  it('do not outgrow the bits of their type', () => {
    const long = symbol('n', 1, 2 ** 30);
    expect(known(floatOf(long))).toBeUndefined();
    expect(known(floatOf(long, 'f64'))).toBe('n');
    expect(known(op(e.Add, floatOf(symbol('n', 1, 2 ** 24)), number(1)))).toBeUndefined();
  });
  it('are what the operators compute, for each value', () => {
    const unary = [e.Floor, e.Ceil, e.Round, e.Sqrt, e.Trunc, e.Neg] as const;
    const binary = [e.Add, e.Sub, e.Mul, e.Div, e.Min, e.Max] as const;
    const step = fc.oneof(
      fc.record({ k: fc.constant('unary' as const), op: fc.constantFrom(...unary) }),
      fc.record({
        k: fc.constant('binary' as const),
        op: fc.constantFrom(...binary),
        by: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0.01, max: 3, noNaN: true })),
        swapped: fc.boolean(),
      }),
    );
    let expressions = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 60 }), (steps, lo) => {
        const hi = lo + 15;
        const n = symbol('n', lo, hi);
        const x = input('x', { dtype: 'f32', shape: [n] });
        let v = floatOf(n);
        for (const s of steps) {
          if (s.k === 'unary') v = op(s.op, v);
          else v = s.swapped ? op(s.op, number(s.by), v) : op(s.op, v, number(s.by));
        }
        const [content] = v.floats ?? [];
        if (content === undefined) return;
        const d = symbolicOf(whole(v))?.[0];
        const bounds = boundsOf(content);
        if (d !== undefined) expressions++;
        for (let i = lo; i <= hi; i++) {
          const got = computed(v, x, i);
          if (d !== undefined) expect(evalDim(d, new Map([['n', i]]))).toBe(got);
          if (bounds) expect(got >= Math.trunc(bounds.lo) && got <= Math.trunc(bounds.hi)).toBe(true);
        }
      }),
      { numRuns: 80 },
    );
    expect(expressions).toBeGreaterThan(20);
  });
});
