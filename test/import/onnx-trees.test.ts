/**
 * ONNX's tree operators against what onnxruntime and the libraries that trained the models answered (fixtures/trees/make-onnx.py), on the
 * evaluator and as compiled WebAssembly.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import { textsOf } from '../../compiler/core/texts.ts';
import { fromTyped, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { readTar, unpack } from '../../compiler/import/shared/archive.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { runner, type Way } from '../conformance/runners.ts';

interface Stored {
  readonly dtype: 'float32' | 'float64' | 'int64' | 'int32' | 'string';
  readonly dims: readonly number[];
  readonly data?: string;
  readonly text?: readonly string[];
  readonly labels?: readonly string[];
}
interface Case {
  readonly name: string;
  /** Sums without a transform: the same bits. */
  readonly exact: boolean;
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
  readonly library?: Readonly<Record<string, Stored>>;
}
const path = new URL('../../fixtures/trees/onnx.tar.gz', import.meta.url);
const files = new Map(readTar(unpack(readFileSync(path), 'onnx.tar.gz'), 'onnx.tar.gz').map(f => [f.name, f.bytes]));
const { cases } = JSON.parse(Buffer.from(files.get('expected.json') ?? []).toString()) as { readonly cases: readonly Case[] };

function tensor(s: Stored): Tensor {
  const bytes = new Uint8Array(Buffer.from(s.data ?? '', 'base64')).buffer;
  switch (s.dtype) {
    case 'float32':
      return fromTyped('f32', s.dims, new Float32Array(bytes));
    case 'float64':
      return fromTyped('f64', s.dims, new Float64Array(bytes));
    case 'int64':
      return fromTyped('i64', s.dims, new BigInt64Array(bytes));
    case 'int32':
      return fromTyped('i32', s.dims, new Int32Array(bytes));
    case 'string':
      throw new Error('text is no tensor');
  }
}
function check(name: string, got: Tensor | undefined, want: Stored, near: number): void {
  if (!got) throw new Error(`${name} is missing`);
  expect(got.dims).toEqual(want.dims);
  if (want.dtype === 'string') {
    expect(textsOf(got)).toEqual(want.text);
    return;
  }
  const expected = toNumbers(tensor(want));
  toNumbers(got).forEach((v, i) => {
    const w = expected[i] ?? NaN;
    const float = want.dtype.startsWith('float');
    const fits = Object.is(v, w) || v === w || (float && Math.abs(v - w) <= near * (1 + Math.abs(w)));
    if (!fits) throw new Error(`${name}[${i}] is ${v}, must be ${w}`);
  });
}
async function run(t: Case, way: Way, size: (n: number) => Dim): Promise<void> {
  const inputs = new Map(Object.entries(t.inputs).map(([k, s]) => [k, tensor(s)]));
  const shapes = Object.fromEntries([...inputs].map(([k, s]) => [k, s.dims.map((d, i) => (i === 0 ? size(d) : d))]));
  const { graph, labels } = importOnnx(files.get(`${t.name}.onnx`) ?? new Uint8Array(), { file: t.name, inputSizes: shapes });
  const outs = (await runner(way, graph))(inputs);
  // onnxruntime's exponentials are approximations.
  for (const [out, want] of Object.entries(t.outputs)) {
    check(`${t.name}.${out}`, outs.get(out), want, t.exact ? 0 : 1e-6);
    if (want.labels) expect(labels).toEqual(want.labels);
  }
  for (const [out, want] of Object.entries(t.library ?? {})) check(`${t.name}.${out} of the library`, outs.get(out), want, 2e-6);
}
it('has the cases', () => expect(cases.length).toBeGreaterThan(200));
describe.each(['evaluate', 'wasm'] satisfies Way[])('what onnxruntime answers, on %s', way => {
  it.each(cases.map(t => [t.name, t] as const))('%s', (_, t) =>
    run(t, way, n => (way === 'wasm' ? symbol(`n${n}`, 1, 2 * n) : n)),
  );
});
