import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readCsv } from '../../compiler/data/csv.ts';
import { readNpy } from '../../compiler/data/npy.ts';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { toNumbers } from '../../compiler/core/tensor.ts';
import { filesOf } from '../trees/cases.ts';
import { document, json } from '../trees/xgboost-writer.ts';
import { sinter } from './captured.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-trees-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...p: string[]): string => join(root, ...p);
const fields = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

/** 10 for temp below 0.5, else 20; and 100 for wind below 3, else 200; three more rounds of 1000 each. */
const model = json(
  document({
    version: [1, 7, 6],
    baseScore: '0E0',
    names: ['temp', 'wind'],
    trees: [{ f: 0, t: 0.5, missingLeft: true, l: 10, r: 20 }, { f: 1, t: 3, l: 100, r: 200 }, 1000, 1000, 1000],
  }),
);
const out = at('bundle');
beforeAll(() => {
  const newest = filesOf('xgboost-3.2.0.tar.gz');
  // The name says nothing.
  writeFileSync(at('model.onnx'), model);
  const stump = { f: 0, t: 0.5, l: 1, r: 2 };
  writeFileSync(at('forest.json'), json(document({ features: 1, trees: Array.from({ length: 400 }, () => stump) })));
  writeFileSync(at('linear.ubj'), must(newest.get('linear.ubj')));
  writeFileSync(at('folds.tar.gz'), must(newest.get('folds.tar.gz')));
  writeFileSync(at('regressor.pkl'), must(newest.get('regressor.pkl')));
  writeFileSync(at('early.json'), must(newest.get('early.json')));
  writeFileSync(at('classes.txt'), must(filesOf('lightgbm-4.7.0.tar.gz').get('classes.txt')));
  writeFileSync(at('linear.txt'), must(filesOf('lightgbm-4.7.0.tar.gz').get('linear.txt')));
});

describe('tree models on the command line', () => {
  it('compile, with rounds and outputs chosen, and are verified', async () => {
    const flags = ['--iterations', '0..2', '--outputs', 'contributions,margin,prediction,leaf', '--dim', 'batch=1..64'];
    const r = await sinter('compile', at('model.onnx'), '-o', out, ...flags, '--verify');
    expect(r).toMatchObject({ code: 0, err: '' });
    expect(r.out).toMatch(/trees +3 of 7 nodes, 5 of them leaves, depth 1; 2 features, 2 used\n/);
    expect(r.out).not.toContain('multiply-adds');
    expect(r.out).toMatch(/contributions +0\.00e\+0 +0\.00e\+0 {2}ok\n/);
    const manifest = fields(readFileSync(join(out, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({
      options: {
        dims: { batch: { min: 1, max: 64 } },
        iterations: { first: 0, last: 2 },
        outputs: ['contributions', 'margin', 'leaf'],
      },
      featureNames: ['temp', 'wind'],
      trees: { trees: 3, nodes: 7, leaves: 5, depth: 1, features: 2, used: 2 },
      outputs: [{ name: 'prediction' }, { name: 'margin' }, { name: 'leaf' }, { name: 'contributions', shape: ['batch', 3] }],
    });
  }, 60_000);
  it('verify against what the bundle was asked for', async () => {
    const r = await sinter('verify', out, '--model', at('model.onnx'), '--per-node', '--samples', '3');
    expect(r).toMatchObject({ code: 0, err: '' });
    expect(r.out).toMatch(/compared with Sinter's reference evaluator \S+ on 3 samples/);
    expect(r.out).toMatch(/each of \d values inside the model agrees/);
    const ort = await sinter('verify', out, '--model', at('model.onnx'), '--against', 'onnxruntime-node');
    expect(ort.code).toBe(2);
    expect(ort.err).toContain('is no ONNX model');
  }, 60_000);
  it('find a bundle of another model out by its thresholds', async () => {
    writeFileSync(at('other.json'), new TextDecoder().decode(model).replace('0.5,', '0.500001,'));
    const r = await sinter('verify', out, '--model', at('other.json'));
    expect(r.code).toBe(3);
    expect(r.out).toMatch(/prediction .* differs/);
  }, 60_000);
  it('run on CSV', async () => {
    writeFileSync(at('rows.csv'), '\uFEFFday,wind,temp\r\n"mon, tue",2.5,0.5\r\nwed,,\r\n');
    const r = await sinter('run', out, '--input', `features=${at('rows.csv')}`, '--out', at('results'));
    expect(r.err).toContain("not used, as the model has no such features: 'day'");
    expect(r.out).toContain('prediction  float32 [2]  min 1120  max 1210');
    expect(r.out).toContain('  1120, 1210\n');
    expect([...toNumbers(readNpy(readFileSync(at('results', 'margin.npy')), 'margin.npy'))]).toEqual([1120, 1210]);
  });
  it('run on more rows than a batch', async () => {
    writeFileSync(at('many.csv'), Array.from({ length: 150 }, (_, i) => `${i / 100},${i % 5}`).join('\n'));
    const r = await sinter('run', out, '-i', `features=${at('many.csv')}`, '--out', at('results'));
    expect(r.err).toContain('for 3 runs of as many rows as the bundle takes');
    const got = toNumbers(readNpy(readFileSync(at('results', 'prediction.npy')), 'p'));
    expect([...got]).toEqual(Array.from({ length: 150 }, (_, i) => 1000 + (i < 50 ? 10 : 20) + (i % 5 < 3 ? 100 : 200)));
    const leaf = readNpy(readFileSync(at('results', 'leaf.npy')), 'leaf');
    expect(leaf.dims).toEqual([150, 3]);
  });
  it('are inspected', async () => {
    const r = await sinter('inspect', at('model.onnx'));
    expect(r).toMatchObject({ code: 0, err: '' });
    expect(r.out).toMatch(/^model\.onnx: XGBoost 1\.7\.6, JSON, /);
    expect(r.out).toMatch(
      /objective +reg:squarederror\noutputs +1\nbooster +gbtree\nrounds +5\nfeatures +2\nfeature names +temp, wind\n/,
    );
    expect(r.out).toMatch(/missing +NaN: the default side of each split\ntrees +5 of 9 nodes[^]*\nsupported +yes\n/);
    expect(r.out).toContain("batch  axis 0 of 'features'");
    const j = fields((await sinter('inspect', at('model.onnx'), '--json')).out);
    expect(j).toMatchObject({ format: 'xgboost', trees: { trees: 5, depth: 1 } });
    expect(j['facts']).toMatchObject({ objective: 'reg:squarederror', rounds: 5, 'feature names': ['temp', 'wind'] });
    expect((await sinter('inspect', at('linear.ubj'))).out).toMatch(/booster +gblinear\n/);
    expect((await sinter('inspect', at('folds.tar.gz'))).out).toMatch(
      /archive of 3 folds, UBJSON, [^]*gbtree\nrounds +2\nfolds +3\n/,
    );
    const pickle = (await sinter('inspect', at('regressor.pkl'))).out;
    expect(pickle).toMatch(/XGBoost 3\.2\.0, pickle of XGBRegressor, UBJSON inside/);
    expect(pickle).toContain('NaN and -1.5: the default side of each split');
    expect((await sinter('inspect', at('early.json'))).out).toContain('warning: training stopped early');
    expect((await sinter('inspect', at('classes.txt'))).out).toMatch(
      /LightGBM \(format v4\), text[^]*multiclass num_class:3\noutputs +3\n/,
    );
  });
  it.each([
    // The two trees that split, whole; and the number of all.
    [
      'model.onnx',
      /trees: 5 of 9 nodes.*\. /,
      ['temp &lt; 0.5', 'wind &lt; 3', 'missing: yes', 'missing: no', '>yes<', '>no<', '>200<'],
    ],
    ['classes.txt', /trees: \d+ of \d+ nodes/, [' ≤ ', '>leaf<']],
    ['forest.json', /trees: 400 of 1200 nodes.*Trees 0 to 99 of 400 are drawn\./, ['>tree 99<']],
    ['linear.ubj', /operators/, ['LinearRows']],
  ])('are drawn: %s', async (name, about, words) => {
    const r = await sinter('inspect', at(name), '--html', at('x.html'));
    expect(r).toMatchObject({ code: 0 });
    const page = readFileSync(at('x.html'), 'utf8');
    expect(page).toMatch(about);
    const text = page.replaceAll('&#45;', '-');
    for (const w of words) expect(text).toContain(w);
    expect(page.match(/<g id="node/g)?.length).toBeLessThanOrEqual(330);
  });
  it.each([
    [['--iterations', '3'], 2, '--iterations 3: write A..B for the rounds from A to B'],
    [['--iterations', '-1..3'], 2, 'write A..B'],
    [['--iterations', '0..5'], 2, "E403: option iterations: 0..5 is no range of the model's 5 rounds, 0..4"],
    [['--iterations', '2..1'], 2, 'E403: option iterations'],
    [
      ['--outputs', 'margins'],
      2,
      "there is no output 'margins'; did you mean 'margin'? (margin, leaf, contributions, besides prediction)",
    ],
    [['--dim', 'rows=5'], 1, 'E302: dimension rows: the only free dimension of this model is batch'],
    [['--format', 'onnx'], 1, 'E202'],
    [['--format', 'coreml'], 2, 'Allowed choices are onnx, tflite, tensorflow, keras, xgboost, lightgbm'],
  ] as const)('are told what is wrong with %j', async (flags, code, words) => {
    const r = await sinter('compile', at('model.onnx'), '-o', at('none'), ...flags);
    expect(r.err).toContain(words);
    expect(r.code).toBe(code);
  });
  it('have no leaves where they have no trees, and no contributions of linear leaves', async () => {
    const r = await sinter('compile', at('linear.ubj'), '-o', at('none'), '--outputs', 'leaf');
    expect(r.err).toContain('E403: option outputs: a linear booster has no leaves');
    const folds = await sinter('compile', at('folds.tar.gz'), '-o', at('none'), '--outputs', 'leaf');
    expect(folds.err).toContain('E403: option outputs: the folds of a cross-validation have a leaf each');
    const linear = await sinter('compile', at('linear.txt'), '-o', at('none'), '--outputs', 'contributions');
    expect(linear.err).toContain('E403: option outputs: linear trees have no contributions');
  });
});

describe('CSV', () => {
  const notes: string[] = [];
  const read = (text: string, names: readonly string[] | null = ['a', 'b c']): number[] => {
    notes.length = 0;
    const want = { name: 'x', dtype: 'f32', count: 2, names: names ?? undefined } as const;
    return [...toNumbers(readCsv(new TextEncoder().encode(text), 'f.csv', want, t => notes.push(t)))];
  };
  it.each([
    ['names in any order', 'b c,a\n1,2\n', [2, 1]],
    ['no names', '1,2\n3,4', [1, 2, 3, 4]],
    ['a first row with missing values is none of names', ',2\n3,NaN', [NaN, 2, 3, NaN]],
    ['semicolons', 'a;b c\n1;2\n', [1, 2]],
    ['tabs', 'a\tb c\r\n1\t2\r\n', [1, 2]],
    ['quotes, blanks and empty lines', '"a" , "b c"\n\n "1" ,2\n\n', [1, 2]],
    ['what stands for missing', 'a,b c\nNA,null\n"",None\n', [NaN, NaN, NaN, NaN]],
    ['numbers of all kinds', 'a,b c\n-1e3,+.5\ninf,-Infinity\ntrue,FALSE\n', [-1000, 0.5, Infinity, -Infinity, 1, 0]],
    ['more columns than wanted', 'z,a,b c,"a, b"\n9,1,2,9\n', [1, 2]],
  ])('%s', (_, text, want) => {
    expect(read(text)).toEqual(want);
  });
  it('tells what is passed over', () => {
    read('z,a,b c\n9,1,2\n');
    expect(notes).toEqual(["f.csv: not used, as the model has no such features: 'z'"]);
    expect(read('u,v\n1,2\n', null)).toEqual([1, 2]);
    expect(notes[0]).toContain('does not name its features; the columns are taken in their order');
    // Names that are numbers are names all the same.
    expect(read('1,0\n7,8\n', ['0', '1'])).toEqual([8, 7]);
  });
  it.each([
    ['', 'E205', 'it has no lines'],
    ['a,b c\n', 'E205', 'it has a line of names and no rows'],
    ['a,bc\n1,2\n', 'E501', "f.csv has no column 'b c' (cells may be empty where values are missing); did you mean 'bc'?"],
    ['1,2,3\n', 'E205', "it has 3 columns and no line of names, but the model has 2 features ('a', 'b c')"],
    ['a,b c\n1,2\n3\n', 'E205', 'line 3 has 1 columns, the first line 2'],
    ['a,b c\n1,2\n"3\n4",5\n', 'E205', "line 4, column 'a': '3\n4' is not a number"],
    ['a,b c\n1,2\n3,0x10\n', 'E205', "line 3, column 'b c': '0x10' is not a number"],
    ['a;b c\n1,5;2\n', 'E205', "line 2, column 'a': '1,5' is not a number"],
    ['a,b c,a\n1,2,3\n', 'E205', "it has two columns 'a'"],
    ['a,b c\n"1,2\n', 'E205', 'it is no sound CSV: Quote Not Closed'],
  ])('%j is refused', (text, code, words) => {
    try {
      read(text);
    } catch (e) {
      expect(e).toBeInstanceOf(CompileError);
      expect((e as CompileError).message).toContain(words);
      expect((e as CompileError).code).toBe(code);
      return;
    }
    throw new Error('it was read');
  });
});
