import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { compile } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers, zeros, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importModel } from '../../compiler/import/index.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { runsCases, type RunsCase } from '../tflite-runs.ts';
import { writeTflite } from '../tflite-writer.ts';

/** What LiteRT 2.3.0 gave, run after run (test/tflite-expected.ts). */
const answers = JSON.parse(readFileSync(new URL('tflite-runs.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, readonly Readonly<Record<string, readonly number[]>>[]>
>;
const cases = runsCases();
/** Elements of outputs by name. */
type Outputs = ReadonlyMap<string, Iterable<number>>;

/** Runs a case, what one run leaves given to the next; gives what differs. */
async function differences(
  c: RunsCase,
  run: (inputs: ReadonlyMap<string, Tensor>) => Outputs | Promise<Outputs>,
): Promise<string[]> {
  const { graph } = importModel(writeTflite(c.model), { file: c.name });
  const held = new Map<string, Tensor>();
  const wrong: string[] = [];
  for (const [k, given] of c.runs.entries()) {
    const inputs = new Map<string, Tensor>();
    for (const v of graph.inputs) {
      const name = v.def.k === 'input' ? v.def.name : '';
      const dims = v.type.shape.map(Number);
      const values = given[name] ?? (k === 0 ? c.first?.[name] : undefined);
      inputs.set(name, values ? fromNumbers(v.type.dtype, dims, values) : (held.get(name) ?? zeros(v.type.dtype, dims)));
    }
    const outs = await run(inputs);
    for (const o of graph.outputs) {
      const got = [...must(outs.get(o.name))];
      if (o.name.endsWith(':next'))
        held.set(o.name.slice(0, -':next'.length), fromNumbers(o.value.type.dtype, o.value.type.shape.map(Number), got));
      const want = must(answers[c.name])[k]?.[o.name];
      if (!want) continue;
      const off = want.findIndex(
        (v, i) => Math.abs(v - (got[i] ?? NaN)) > c.tolerance + 1e-5 * Math.abs(v) || got[i] === undefined,
      );
      if (off >= 0 || got.length !== want.length)
        wrong.push(`${c.name}, run ${k}, ${o.name}[${off}]: ${got[off]}, not ${want[off]} (${got.length} of ${want.length})`);
    }
  }
  return wrong;
}

test('states and boxes are those of LiteRT, run after run', async () => {
  const wrong: string[] = [];
  for (const c of cases) {
    const { graph } = importModel(writeTflite(c.model), { file: c.name });
    wrong.push(
      ...(await differences(c, inputs => new Map([...evaluate(graph, inputs)].map(([name, t]) => [name, toNumbers(t)])))),
    );
  }
  expect(Object.keys(answers)).toEqual(cases.map(c => c.name));
  expect(wrong).toEqual([]);
});

test('a state that does not begin with zeros is told', () => {
  const c = must(cases.find(x => x.first !== undefined));
  const { warnings } = importModel(writeTflite(c.model), { file: c.name });
  expect(warnings.map(w => w.message)).toEqual(["the state 'sum' begins as 10, 20: give it this in the first run"]);
});

/** One of each kind. */
const COMPILED = [
  'lstm whose cell is clipped',
  'lstm with everything',
  'lstm both ways with a second sequence',
  'rnn both ways, each its own sequence',
  'svdf of integers 1',
  'boxes of two classes each',
  'boxes class by class',
];
test('compiled, they are the same', async () => {
  const wrong: string[] = [];
  for (const name of COMPILED) {
    const c = must(cases.find(x => x.name === name));
    const model = await loadBundle((await compile({ model: writeTflite(c.model) })).files);
    wrong.push(
      ...(await differences(
        c,
        inputs => new Map(Object.entries(model.run(feed(inputs))).map(([k, t]) => [k, Array.from(t.data, Number)])),
      )),
    );
  }
  expect(wrong).toEqual([]);
}, 60_000);
