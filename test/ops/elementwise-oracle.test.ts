/** Elementwise operators against numpy and high precision (test/data/elementwise/make.py): an oracle that knows none of our formulas. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { DTYPES, isDType, isFloat } from '../../compiler/core/dtype.ts';
import { toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { apply1, input, type Graph } from '../../compiler/graph/graph.ts';
import type { Attrs } from '../../compiler/ops/define.ts';
import { elementwiseOps } from '../../compiler/ops/elementwise/index.ts';
import type { MathOp } from '../../compiler/kernel/ir.ts';
import { runner } from '../conformance/runners.ts';
import { MATH_OPS } from '../kernel/random-expr.ts';
import { ULPS } from '../kernel/ulps.ts';

interface Packed {
  readonly dtype: string;
  readonly data: string;
}
interface Case {
  readonly op: string;
  readonly attrs?: Attrs;
  readonly inputs: readonly number[];
  readonly want: Packed;
}
const { inputs, cases } = JSON.parse(readFileSync(new URL('../data/elementwise/elementwise.json', import.meta.url), 'utf8')) as {
  readonly inputs: readonly Packed[];
  readonly cases: readonly Case[];
};

function unpack(p: Packed): Tensor {
  if (!isDType(p.dtype)) throw new Error(p.dtype);
  const bytes = Uint8Array.from(Buffer.from(p.data, 'base64'));
  return { dtype: p.dtype, dims: [bytes.length / DTYPES[p.dtype].bytes], bytes };
}

/** Largest errors in units of the last place; the evaluator's are 1 where nothing else is said. */
interface Bound {
  readonly f32: number;
  readonly f64: number;
  readonly evaluator?: number;
  /** Smaller results count as this one: where digits cancel, the error is one of what was subtracted. */
  readonly of?: number;
}
const name = (op: MathOp): string => `${op[0]?.toUpperCase() ?? ''}${op.slice(1)}`;
/** All other operators give exactly what numpy does. */
const BOUNDS: Readonly<Record<string, Bound>> = {
  ...Object.fromEntries(MATH_OPS.map(op => [name(op), op === 'erf' ? { ...ULPS[op], evaluator: 2 } : ULPS[op]])),
  Softplus: { f32: 2, f64: 2 },
  Softsign: { f32: 2, f64: 2 },
  Mish: { f32: 2, f64: 2, evaluator: 2 },
  Swish: { f32: 2, f64: 2 },
  Gelu: { f32: 1, f64: 1, of: 1 },
  'Gelu tanh': { f32: 4, f64: 8, evaluator: 8 },
  Elu: { f32: 1, f64: 1, of: 1 },
  HardSigmoid: { f32: 1, f64: 1 },
  HardSwish: { f32: 1, f64: 1 },
  Shrink: { f32: 1, f64: 1 },
  // The exponential of a product, of which float64 has no wider type.
  Pow: { f32: 1, f64: 16, evaluator: 16 },
};
/** Where ONNX leaves open which zero it is, or where a cast to half floats loses the sign of a zero. */
const ANY_ZERO = ['Sign', 'Relu', 'Min', 'Max', 'Mod', 'Cast'];

/** The distance of a result from the exact one, in units of the last place of the larger of the result and `of`. */
function ulps(got: number, want: number, dtype: 'f32' | 'f64', of = 0): number {
  const near = dtype === 'f32' ? Math.fround(want) : want;
  if (got === near || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  const [unit, least] = dtype === 'f32' ? [2 ** -23, 2 ** -126] : [2 ** -52, 2 ** -1022];
  return Math.abs(got - want) / (unit * Math.max(Math.abs(want), of, least));
}
function graphOf(c: Case, xs: readonly Tensor[]): Graph {
  const op = must(elementwiseOps.find(o => o.name === c.op));
  const values = xs.map((t, i) => input(`x${i}`, { dtype: t.dtype, shape: t.dims }));
  const y = apply1(op, values, c.attrs ?? {}, noLoc);
  return { name: c.op, inputs: values, outputs: [{ name: 'y', value: y }], symbolDefinitions: [] };
}
const numbersOf = (t: Tensor): ArrayLike<number | bigint> => (isFloat(t.dtype) ? toNumbers(t) : typed(t));
/** Elements that are wrong, each with its inputs. */
function wrong(c: Case, xs: readonly Tensor[], got: Tensor, way: 'evaluate' | 'program' | 'wasm'): string[] {
  const bound = BOUNDS[c.attrs?.['approximate'] === 'tanh' ? 'Gelu tanh' : c.op];
  const want = unpack(c.want);
  expect(got.dims).toEqual(want.dims);
  if (!bound) expect(got.dtype).toBe(want.dtype);
  const [a, b] = [numbersOf(got), numbersOf(want)];
  const right = (x: number | bigint | undefined, y: number | bigint): boolean => {
    if (!bound) return Object.is(x, y) || (ANY_ZERO.includes(c.op) && x === y);
    const dtype = got.dtype === 'f32' ? 'f32' : 'f64';
    return ulps(Number(x), Number(y), dtype, bound.of) <= (way === 'evaluate' ? (bound.evaluator ?? 1) : bound[dtype]);
  };
  return Array.from(b, (y, i) =>
    right(a[i], y) ? '' : `${xs.map(x => String(numbersOf(x)[i])).join()}: ${a[i]}, not ${y}`,
  ).filter(s => s !== '');
}
const titleOf = (c: Case): string =>
  `${c.op} ${c.inputs.map(i => must(inputs[i]).dtype).join()}${c.attrs ? ` ${JSON.stringify(c.attrs)}` : ''}`;

describe.each(['evaluate', 'program', 'wasm'] as const)('%s', way => {
  it.each(cases.map(c => [titleOf(c), c] as const))(
    '%s',
    async (title, c) => {
      const xs = c.inputs.map(i => unpack(must(inputs[i])));
      const run = await runner(way, graphOf(c, xs));
      const got = must(run(new Map(xs.map((t, i) => [`x${i}`, t]))).get('y'));
      expect(wrong(c, xs, got, way)).toEqual(KNOWN[title] ?? []);
    },
    60_000,
  );
});
/** What is wrong: a cast from f64 to f16 rounds twice, by way of f32. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  'Cast f64 {"to":"f16"}': ['2049.000000000001: 2048, not 2050', '1.0004882812509095: 1, not 1.0009765625'],
};
it('every operator has a case', () => {
  const tried = new Set(cases.map(c => c.op));
  expect(elementwiseOps.map(o => o.name).filter(n => !tried.has(n))).toEqual(['BitCast']);
});
