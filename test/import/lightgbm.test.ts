import { describe, expect, it } from '@jest/globals';
import { compile, importFor } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers } from '../../compiler/core/tensor.ts';
import { loadBundle } from '../models/bundle.ts';
import { archives, casesOf, filesOf, type TreeCase } from '../trees/cases.ts';
import { differences } from '../trees/check.ts';
import { byBundle, byEvaluator, optionsOf } from '../trees/ways.ts';
import { importModel } from '../../compiler/import/index.ts';

const all = archives('lightgbm');
const DOUBLES = 'lightgbm-4.7.0-doubles.tar.gz';
const PICKLES = 'lightgbm-4.7.0-pickles.tar.gz';

describe('what LightGBM predicts', () => {
  it.each(all)('is what the evaluator gives: %s', archive => {
    const cases = casesOf(archive);
    expect(cases.length).toBeGreaterThan(0);
    expect(cases.flatMap(c => differences(c, byEvaluator(c)))).toEqual([]);
  });
  it.each(all)(
    'is what bundles give: %s',
    async archive => {
      // `npm run trees` compiles all.
      const cases = casesOf(archive).filter((_, i) => archive === all.at(-1) || archive === DOUBLES || i % 4 === 0);
      const found: string[] = [];
      for (const c of cases) found.push(...differences(c, await byBundle(c)));
      expect(found).toEqual([]);
    },
    120_000,
  );
  it('takes doubles where float32 would lose what the model tells apart', () => {
    const dtypeOf = (c: TreeCase): unknown => importFor(optionsOf(c)).graph.inputs[0]?.type.dtype;
    expect(new Set(casesOf(DOUBLES).map(dtypeOf))).toEqual(new Set(['f64']));
    // The others were trained on float32; linear leaves compute with what they are given.
    const others = all.filter(a => a !== DOUBLES).flatMap(casesOf);
    const of = (linear: boolean): Set<unknown> => new Set(others.filter(c => /linear/.test(c.name) === linear).map(dtypeOf));
    expect([of(false), of(true)]).toEqual([new Set(['f32']), new Set(['f64'])]);
  });
  it.each(['interleave', 'gather', 'walk', 'quickscorer'] as const)('of doubles by %s', async treeStrategy => {
    const found: string[] = [];
    for (const c of casesOf(DOUBLES)) found.push(...differences(c, await byBundle(c, { treeStrategy })));
    expect(found).toEqual([]);
  });
  it('reads rows of plain numbers as doubles', async () => {
    const c = must(casesOf(DOUBLES).find(x => x.name === 'seconds'));
    const model = await loadBundle((await compile({ model: c.bytes, file: c.file })).files);
    const [count = 0, columns = 1] = c.rows.dims;
    const rows = Array.from({ length: count }, (_, r) => [...toNumbers(c.rows)].slice(r * columns, (r + 1) * columns));
    const want = [...toNumbers(c.prediction)];
    const predicted = (features: unknown): unknown[] => Array.from(must(model.run({ features })['prediction']).data);
    expect(predicted(rows)).toEqual(want);
    expect(predicted(rows.flat())).toEqual(want);
    const named = rows.map(([a, b]) => ({ Column_0: a, Column_1: b }));
    expect(predicted(named)).toEqual(want);
    // Floats are doubles too.
    const floats = Float32Array.from(rows.flat());
    expect(predicted(floats)).toEqual(predicted(Float64Array.from(floats)));
  });
  it('has the rounds and the classes of pickled wrappers', async () => {
    const cases = casesOf(PICKLES);
    const labels = cases.map(c => importFor(optionsOf(c)).labels);
    expect(cases.map(c => (c.labels?.every((l, i) => l === String(i)) === true ? undefined : c.labels))).toEqual(labels);
    expect(labels.filter(l => l !== undefined)).toHaveLength(4);
    const { files } = await compile(optionsOf(must(cases.find(c => c.name === 'classes-objects'))));
    expect(new TextDecoder().decode(files.get('index.js'))).toContain('export const labels = ["hêgh","low","mid"];');
    const words = cases.flatMap(c => importFor(optionsOf(c)).warnings.map(w => w.message));
    expect(words).toHaveLength(3);
    expect(words[0]).toMatch(/^the pickled booster predicts with \d+ of its \d+ rounds, and so does the compiled model/);
  });
  it('may lie in a pickle beside generators, metrics and callbacks, which stay names', () => {
    const text = must(filesOf('lightgbm-4.7.0.tar.gz').get('constant.txt'));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(text.length);
    const beside = [
      'numpy.random._pickle __randomstate_ctor',
      'sklearn.metrics._regression mean_absolute_error',
      'collections defaultdict',
    ];
    const state = beside.map(n => `X\x01\0\0\0kc${n.replace(' ', '\n')}\n)R`).join('');
    const head = Buffer.from(`\x80\x02clightgbm.basic\nBooster\n)\x81}(${state}X\x07\0\0\0_handleX`, 'latin1');
    const bytes = Buffer.concat([head, size, text, Buffer.from('ub.', 'latin1')]);
    const m = importModel(new Uint8Array(bytes), { file: 'm' });
    expect(m.format).toBe('lightgbm');
    expect(m.rows?.columns).toBe(4);
  });
});
