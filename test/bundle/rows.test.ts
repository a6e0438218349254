import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { bundleOf, dim, handMade, importBundle, put, type Loaded } from './hand-made.ts';
import { typeErrors } from './type-errors.ts';
import type { RowsOfFeatures } from '../../compiler/import/importer.ts';

const batch = dim('batch', 1, 8);
/** y is a copy of the rows as they arrive. */
const copy = handMade({
  symbols: [batch.info],
  inputs: [['features', 'f32', [batch.d, 3]]],
  outputs: [['y', 'f32', [batch.d, 3]]],
  name: 'copy',
  wat: `(func (export "run") (param i32) (local i32)
    (loop (if (i32.lt_s (local.get 1) (i32.mul (local.get 0) (i32.const 12))) (then
      (f32.store (i32.add $y (local.get 1)) (f32.load (i32.add $features (local.get 1))))
      (local.set 1 (i32.add (local.get 1) (i32.const 4)))
      (br 1)))))`,
});
const text = (files: ReadonlyMap<string, Uint8Array>, name: string): string => new TextDecoder().decode(files.get(name));
const named: RowsOfFeatures = { input: 'features', columns: 3, names: ['temp', 'wind speed', 'data'] };

describe('rows of features', () => {
  let model: Loaded;
  let names: unknown;
  beforeAll(async () => {
    const index = (await importBundle(put(await bundleOf([copy], { rows: named })))) as Awaited<
      ReturnType<typeof importBundle>
    > & {
      readonly featureNames: unknown;
    };
    model = await index.load();
    names = index.featureNames;
  });
  const run = (features: unknown): number[] => [...(model.run({ features })['y']?.data ?? [])];

  it('come with the names of their columns', () => {
    expect(names).toEqual(['temp', 'wind speed', 'data']);
  });
  it.each([
    ['a typed array', Float32Array.of(1, 2, 3, 4, 5, 6), [1, 2, 3, 4, 5, 6]],
    ['a tensor', { data: Float32Array.of(1, 2, 3), dims: [1, 3] }, [1, 2, 3]],
    ['a tensor of a list', { data: [1, null, 3] }, [1, NaN, 3]],
    ['one row', [1, 2, 3], [1, 2, 3]],
    ['one row, some of it missing', [null, undefined, NaN], [NaN, NaN, NaN]],
    [
      'lists',
      [
        [1, 2, 3],
        [4, null, true],
      ],
      [1, 2, 3, 4, NaN, 1],
    ],
    ['typed rows', [Float32Array.of(1, 2, 3), Float64Array.of(4, 5, 6)], [1, 2, 3, 4, 5, 6]],
    ['an object', { 'wind speed': 2, temp: 1 }, [1, 2, NaN]],
    ['objects', [{ data: 3 }, { temp: 1, data: null }], [NaN, NaN, 3, 1, NaN, NaN]],
    ['objects and lists', [{ temp: 1n, 'wind speed': undefined }, [4, 5, 6]], [1, NaN, NaN, 4, 5, 6]],
    ['an object with a feature called data', { data: 7 }, [NaN, NaN, 7]],
  ])('may be %s', (_, given, want) => {
    expect(run(given)).toEqual(want);
  });
  it('may be the memory of the model', () => {
    model.inputs['features']?.data.set([1, 2, 3]);
    expect(run(model.inputs['features']).slice(0, 3)).toEqual([1, 2, 3]);
  });
  it.each([
    [{ tmep: 1 }, "E501: input features: row 0 has 'tmep', which is no feature; the nearest names are temp, data, wind speed"],
    [{ toString: 1 }, "row 0 has 'toString', which is no feature"],
    [JSON.parse('[{"temp":1},{"__proto__":1}]'), "row 1 has '__proto__', which is no feature"],
    [
      [
        [1, 2, 3],
        [1, 2],
      ],
      'row 1 has 2 columns instead of 3 features (temp, wind speed, data)',
    ],
    [[1, 2, 3, 4], 'has 4 values, which is no whole number of rows of 3 features (temp, wind speed, data)'],
    [new Float32Array(5), 'has 5 values, which is no whole number of rows of 3 features'],
    [{ data: new Float32Array(4), dims: [1, 4] }, 'has rows of 4 columns instead of 3 features'],
    [[[1, '2', 3]], 'row 0, wind speed, is "2" and no number; leave out what is missing'],
    [{ temp: {} }, 'row 0, temp, is of type object and no number'],
    [{ temp: [1] }, 'row 0, temp, is a list and no number'],
    [[[1, 2, 3], 4], 'row 1 is neither a list of numbers nor an object'],
    [[], 'dimension 0 (batch) is 0, but must be 1 to 8'],
    [new Float32Array(27), 'dimension 0 (batch) is 9, but must be 1 to 8'],
    [5, 'pass a Float32Array instead of number'],
    [null, 'is missing'],
  ])('are refused with words: %j', (given, why) => {
    expect(() => run(given)).toThrow(why);
  });

  it('have names of their own where the model has none', async () => {
    const index = await importBundle(put(await bundleOf([copy], { rows: { ...named, names: undefined } })));
    expect(index).toMatchObject({ featureNames: ['f0', 'f1', 'f2'] });
    const out = (await index.load()).run({ features: [{ f2: 3, f0: 1 }] });
    expect([...(out['y']?.data ?? [])]).toEqual([1, NaN, 3]);
  });
  it('are typed by the names', async () => {
    const dts = text(await bundleOf([copy], { rows: named }), 'index.d.ts');
    const good = `import { load, featureNames, type Row } from './bundle/index.js';
      const model = await load();
      const row: Row = { temp: 1, 'wind speed': null, data: undefined };
      for (const features of [row, [row, [1, null, 3]], [[1, 2, 3]], [1, 2, 3], new Float32Array(3), { data: new Float32Array(3), dims: [1, 3] }])
        model.run({ features });
      const second: 'wind speed' = featureNames[1];
      export default second;`;
    expect(typeErrors(dts, good)).toEqual([]);
    const bad = `import { load, type Row } from './bundle/index.js';
      const row: Row = { tmep: 1 };
      const model = await load();
      model.run({ features: [{ temp: 'warm' }] });
      export default row;`;
    const errors = typeErrors(dts, bad);
    expect(errors).toHaveLength(2);
    expect(errors[0]).toContain("'tmep' does not exist in type 'Row'");
    const free = text(await bundleOf([copy], { rows: { ...named, names: undefined } }), 'index.d.ts');
    expect(free).toContain('readonly [feature: `f${number}`]: Feature;');
  }, 60_000);
  it('are in the manifest and in README.md', async () => {
    const files = await bundleOf([copy], { rows: named });
    expect(JSON.parse(text(files, 'manifest.json'))).toMatchObject({ rows: { input: 'features' }, featureNames: named.names });
    expect(text(files, 'README.md')).toContain('model.run({ features: [{ temp: 0.5, "wind speed": 0.5, /* … */ }] })');
  });
  it('take a kilobyte of bundles that have them, and nothing of others', async () => {
    const size = async (rows?: RowsOfFeatures): Promise<number> =>
      gzipSync(text(await bundleOf([copy], rows && { rows }), 'index.js')).length;
    expect((await size(named)) - (await size())).toBeLessThan(1300);
    expect(text(await bundleOf([copy]), 'index.js')).not.toContain('rowsOf');
  });
});
