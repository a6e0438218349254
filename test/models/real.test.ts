import { describe, expect } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as ort from 'onnxruntime-node';
import { DTYPES } from '../../compiler/core/dtype.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { compile } from '../../compiler/index.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { makeInputs } from '../../fixtures/inputs.ts';
import { locate, REAL_MODELS, type RealModel } from '../../fixtures/models.ts';
import { modelFile, needs, relaxedSimd } from '../needs.ts';
import { feed, loadBundle, type OutTensor } from './bundle.ts';

/** What `npm run regress` compares with onnxruntime as well, models of one size and without state, is not compared twice. */
const targets = [
  ['wasm-simd', [], (m: RealModel): boolean => m.runs.length > 1 || m.state !== undefined],
  ['wasm-relaxed-simd', [relaxedSimd], (): boolean => true],
] as const;
const RTOL = 1e-3;
const ATOL = 1e-5;
/** Networks that another entry has in a smaller size, of which float64 takes half a minute: they may differ by a part of the largest value. */
const LARGER = ['mlsd-tiny-512'];
const PART = 1e-3;

const toOrt = (t: Tensor): ort.Tensor => new ort.Tensor(DTYPES[t.dtype].ort as 'float32', typed(t) as Float32Array, t.dims);
const numbers = (a: ArrayLike<number | bigint>): number[] => Array.from(a, Number);
function argMax(values: readonly number[], row: number): number[] {
  return Array.from({ length: values.length / row }, (_, r) => {
    const part = values.slice(r * row, (r + 1) * row);
    return part.indexOf(Math.max(...part));
  });
}
/** The worst excess over the tolerance: at most 1 where all agree. */
function excess(got: readonly number[], want: readonly number[]): number {
  return want.reduce((worst, w, i) => {
    const e = Math.abs((got[i] ?? NaN) - w) / (ATOL + RTOL * Math.abs(w));
    return Number.isNaN(e) && !(Number.isNaN(w) && Number.isNaN(got[i])) ? Infinity : Math.max(worst, e || 0);
  }, 0);
}
/**
 * Every element agrees within the tolerance. Outputs in pixels cancel to values near 0, where two float32 programs cannot agree to 1e-5:
 * there ours must be about as near to the model in float64 (`exact`) as onnxruntime is, which says more.
 */
function expectAgreement(
  model: RealModel,
  got: Readonly<Record<string, OutTensor>>,
  want: ort.InferenceSession.OnnxValueMapType,
  exact: () => ReadonlyMap<string, Tensor>,
): void {
  for (const [name, t] of Object.entries(want)) {
    const mine = got[name];
    expect([name, mine?.dims]).toEqual([name, [...t.dims]]);
    const w = numbers(t.data as ArrayLike<number | bigint>);
    const g = numbers(mine?.data ?? []);
    if (LARGER.includes(model.name)) {
      const largest = w.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
      const worst = w.reduce((m, x, i) => Math.max(m, Math.abs((g[i] ?? NaN) - x)), 0);
      expect(worst / largest).toBeLessThan(PART);
    } else if (excess(g, w) > 1) {
      const reference = [...toNumbers(must(exact().get(name)))];
      const [ours, theirs] = [excess(g, reference), excess(w, reference)];
      expect([name, ours <= Math.max(1, 2 * theirs) ? 'agrees' : { ours, theirs }]).toEqual([name, 'agrees']);
    }
    const row = t.dims.at(-1) ?? 1;
    if (model.classes === true) expect(argMax(g, row)).toEqual(argMax(w, row));
  }
}

const importedGraph = (model: RealModel, bytes: Uint8Array): Graph =>
  importOnnx(bytes, {
    file: model.name,
    dims: Object.fromEntries(
      Object.entries(dimOptions(model, bytes)).map(([k, d]) => [k, typeof d === 'number' ? d : { lo: d.min, hi: d.max }]),
    ),
  }).graph;

/** All runs of a model, with the state carried on where it has one. */
async function check(model: RealModel, path: string, target: string): Promise<void> {
  const bytes = readFileSync(path);
  const { files } = await compile({ model: bytes, file: basename(path), target, dims: dimOptions(model, bytes) });
  const ours = await loadBundle(files);
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 3 });
  for (const shapes of model.runs) {
    let mineState = new Map<string, Tensor>();
    let peerState = new Map<string, Tensor>();
    for (let step = 0; step < (model.state?.steps ?? 1); step++) {
      const inputs = makeInputs(model, shapes, 1, step);
      const got = ours.run(feed(new Map([...inputs, ...mineState])));
      const want = await session.run(Object.fromEntries([...inputs, ...peerState].map(([k, t]) => [k, toOrt(t)])));
      expectAgreement(model, got, want, () => evaluate(importedGraph(model, bytes), inputs));
      const carry = Object.entries(model.state?.from ?? {});
      const state = (from: (output: string) => ArrayLike<number | bigint>): Map<string, Tensor> =>
        new Map(
          carry.map(([input, output]) => [
            input,
            fromTyped('f32', inputs.get(input)?.dims ?? [], (from(output) as Float32Array).slice()),
          ]),
        );
      mineState = state(o => got[o]?.data ?? []);
      peerState = state(o => want[o]?.data as Float32Array);
    }
  }
  await session.release();
}

for (const [target, more, here] of targets)
  describe(`${target} agrees with onnxruntime`, () => {
    for (const model of REAL_MODELS.filter(here))
      needs(modelFile(model.name), ...more).it(model.name, () => check(model, must(locate(model.name)), target), 600_000);
  });
