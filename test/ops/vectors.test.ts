/**
 * Operators that ONNX's own tests leave out, against what onnxruntime answered (fixtures/ml/make.py): on the evaluator and as compiled
 * WebAssembly.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { DTYPES, isDType, type DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, fromTyped, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { textsOf } from '../../compiler/core/texts.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { runner, type Way } from '../conformance/runners.ts';

interface Stored {
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly data: readonly (number | string)[];
  readonly labels?: readonly string[];
}
interface Vector {
  readonly model: string;
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
}
const file = new URL('../../fixtures/ml/vectors.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Record<string, Vector> };

const dtypeOf = (name: string): DType => {
  const t = Object.keys(DTYPES).find(k => isDType(k) && DTYPES[k].ort === name);
  if (t === undefined || !isDType(t)) throw new Error(`no dtype ${name}`);
  return t;
};
function tensor(s: Stored): Tensor {
  const dtype = dtypeOf(s.dtype);
  if (dtype === 'i64')
    return fromTyped(
      dtype,
      s.dims,
      BigInt64Array.from(s.data, v => BigInt(v)),
    );
  return fromNumbers(dtype, s.dims, s.data.map(Number));
}
/** Results of integers must be equal; floats agree to what f32 and onnxruntime's own approximations allow. */
function check(name: string, got: Tensor | undefined, want: Stored): void {
  expect(got?.dims).toEqual(want.dims);
  if (!got) return;
  const values = [...toNumbers(got)];
  if (want.dtype === 'string') {
    expect(textsOf(got)).toEqual(want.data);
    return;
  }
  const expected = want.data.map(Number);
  const float = want.dtype.startsWith('float');
  values.forEach((v, i) => {
    const w = expected[i] ?? NaN;
    const fits = Object.is(v, w) || v === w || (float && Math.abs(v - w) <= 2e-6 + 2e-5 * Math.abs(w));
    if (!fits) throw new Error(`${name}[${i}] is ${v}, onnxruntime says ${w}`);
  });
}

async function runCase(name: string, v: Vector, way: Way, size: (n: number) => Dim): Promise<void> {
  const inputs = new Map(Object.entries(v.inputs).map(([k, s]) => [k, tensor(s)]));
  const shapes = Object.fromEntries(Object.entries(v.inputs).map(([k, s]) => [k, s.dims.map((d, i) => (i === 0 ? size(d) : d))]));
  const { graph, labels } = importOnnx(Buffer.from(v.model, 'base64'), { file: name, inputSizes: shapes });
  const outs = (await runner(way, graph))(inputs);
  for (const [out, want] of Object.entries(v.outputs)) {
    check(`${name}.${out}`, outs.get(out), want);
    if (want.labels) expect(labels).toEqual(want.labels);
  }
}
describe.each(['evaluate', 'wasm'] satisfies Way[])('what onnxruntime answers, on %s', way => {
  it.each(Object.entries(cases))('%s', (name, v) => runCase(name, v, way, n => n));
});
describe('the same with a first size that stays open', () => {
  it.each(Object.entries(cases))('%s', (name, v) => runCase(name, v, 'program', n => (n > 1 ? symbol(`n${n}`, 1, 2 * n) : n)));
});
