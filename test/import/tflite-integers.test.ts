import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { compile } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { TFLITE_ROUNDINGS, type TfliteRounding } from '../../compiler/import/importer.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { integerCases, type IntegerCase } from '../tflite-cases.ts';
import { writeTflite } from '../tflite-writer.ts';

/** The integers that LiteRT 2.3.0 gave, by XNNPACK and by its reference kernels (test/tflite-expected.ts). */
const answers = JSON.parse(readFileSync(new URL('tflite-integers.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Readonly<Record<TfliteRounding, readonly number[]>>>
>;
const cases = integerCases();
const imported = (c: IntegerCase, tfliteRounding: TfliteRounding): Graph =>
  importModel(writeTflite({ graphs: [c.graph] }), { file: c.name, tfliteRounding }).graph;
const inputsOf = (c: IntegerCase, g: Graph): Map<string, Tensor> =>
  new Map(
    g.inputs.map(v => {
      const name = v.def.k === 'input' ? v.def.name : '';
      return [name, fromNumbers(v.type.dtype, v.type.shape.map(Number), must(c.inputs[name]))];
    }),
  );

test.each(TFLITE_ROUNDINGS)('operators give the integers of LiteRT: %s', rounding => {
  const wrong = cases.flatMap(c => {
    const g = imported(c, rounding);
    const got = [...toNumbers(must(evaluate(g, inputsOf(c, g)).get('y')))];
    const want = must(answers[c.name])[rounding];
    const off = got.filter((v, i) => v !== want[i]).length;
    return off === 0 && got.length === want.length ? [] : [`${c.name}: ${off} of ${want.length}`];
  });
  expect(cases.length).toBeGreaterThan(150);
  expect(wrong).toEqual([]);
});

test('compiled, they give the same', async () => {
  const wrong: string[] = [];
  // One of each operator and type, with either rounding in turn.
  const some = cases.filter((c, i) => /[02]$/.test(c.name) === (i % 2 === 0)).filter((_, i) => i % 4 === 0);
  for (const [i, c] of some.entries()) {
    const tfliteRounding = must(TFLITE_ROUNDINGS[i % 2]);
    const model = await loadBundle((await compile({ model: writeTflite({ graphs: [c.graph] }), tfliteRounding })).files);
    const out = model.run(feed(inputsOf(c, imported(c, tfliteRounding))));
    const got = Array.from(must(out['y']).data, Number);
    if (got.some((v, k) => v !== must(answers[c.name])[tfliteRounding][k])) wrong.push(c.name);
  }
  expect(some.length).toBeGreaterThan(15);
  expect(wrong).toEqual([]);
}, 120_000);
