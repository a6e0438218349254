import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { compile } from '../../compiler/node.ts';
import { writeNpy } from '../../compiler/data/npy.ts';
import { readBaseline, type Baseline, type Range, type TargetBaseline } from '../../bench/regress/baseline.ts';
import { regressCommand, type RegressFlags, type Ways } from '../../compiler/cli/regress.ts';
import { differences } from '../../bench/regress/difference.ts';
import { readSuite } from '../../bench/suite/suite.ts';
import { taskFigure } from '../../compiler/verify/task.ts';
import { fromNumbers } from '../../compiler/core/tensor.ts';
import { attribute, model, node, sub, tensor, value } from '../onnx-writer.ts';
import { captured, sinter, type Ran } from './captured.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-regress-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...p: string[]): string => join(root, ...p);
const F32 = 1;

/** p = softmax(x W), x: [batch, 8], three classes; the weights are `scale` times what they are. */
const classifier = (scale: number): Uint8Array =>
  model([
    node('MatMul', ['x', 'w'], ['l']),
    node('Softmax', ['l'], ['p'], attribute('axis', 1)),
    sub(
      5,
      tensor({
        name: 'w',
        dims: [8, 3],
        type: F32,
        raw: new Uint8Array(Float32Array.from({ length: 24 }, (_, i) => (i === 7 ? scale : 1) * Math.sin(i * 5.1)).buffer),
      }),
    ),
    value(11, 'x', F32, ['batch', 8]),
    value(12, 'p', F32, ['batch', 3]),
  ]);
writeFileSync(at('classifier.onnx'), classifier(1));

/** Few rounds: what is looked for is larger than their noise. */
const quick = { rounds: 5, seconds: 1, processes: 1 };
const regress = (o: Partial<RegressFlags>, ways: Ways = {}): Promise<Ran> =>
  captured(t =>
    regressCommand({ suite: at('suite.json'), baseline: at('base.json'), only: ['accuracy', 'size'], ...quick, ...o }, t, ways),
  );
const writeSuite = (json: unknown, name = 'suite.json'): string => {
  writeFileSync(at(name), JSON.stringify(json));
  return at(name);
};
const suite = {
  models: [
    {
      name: 'classifier',
      model: 'classifier.onnx',
      dims: { batch: '1..8' },
      inputs: { x: { k: 'uniform', lo: -3, hi: 3 } },
      runs: [{ sizes: { x: [1, 8] } }, { sizes: { x: [8, 8] } }],
    },
  ],
};
const baseline = (): Baseline => JSON.parse(readFileSync(at('base.json'), 'utf8')) as Baseline;

describe('a suite', () => {
  it.each<[unknown, string]>([
    [{}, 'models is missing'],
    [[], 'must be an object, not []'],
    [{ models: [] }, 'it has no models'],
    [{ models: [{ name: 'a' }] }, 'models[0].model is missing'],
    [{ models: [{ name: 'a/b', model: 'm' }] }, "models[0].name must be letters, digits, '-', '_', '.' and spaces"],
    [{ models: [{ name: 'a', model: 'm', size: {} }] }, "models[0] has no field 'size' (name, doc,"],
    [
      { models: [{ name: 'a', model: 'm', runs: [{ sizes: { x: [1, -2] } }] }] },
      'models[0].runs[0].sizes.x[1] must be a whole number',
    ],
    [{ models: [{ name: 'a', model: 'm', dims: { n: '4-8' } }] }, 'models[0].dims.n must be a size, or a range such as "1..64"'],
    [{ models: [{ name: 'a', model: 'm', inputs: { x: { k: 'pages' } } }] }, 'models[0].inputs.x.k must be one of uniform, page'],
    [{ models: [{ name: 'a', model: 'm', inputs: { x: { k: 'audio' } } }] }, 'models[0].inputs.x.peak is missing'],
    [{ models: [{ name: 'a', model: 'm', against: ['onnxruntime'] }] }, "did you mean 'onnxruntime-web'?"],
    [
      {
        models: [
          { name: 'a', model: 'm' },
          { name: 'a', model: 'n' },
        ],
      },
      "models[1] has the name of models[0], 'a'",
    ],
    [{ models: [{ name: 'a', model: 'm', targets: ['wasm-smid'] }] }, 'E401: target wasm-smid: is none of'],
    ['{', 'it is no JSON'],
  ])('%j is told to be wrong', (json, text) => {
    const file = at('bad.json');
    writeFileSync(file, json === '{' ? '{' : JSON.stringify(json));
    expect(() => readSuite(file)).toThrow(text);
  });
  it('of the project is one: real networks, trees and single operators', () => {
    const file = fileURLToPath(new URL('../../bench/suites/standard.json', import.meta.url));
    const names = (group: string): string[] => readSuite(file).models.flatMap(m => (m.group === group ? [m.name] : []));
    expect(names('Networks').length).toBeGreaterThanOrEqual(12);
    expect(names('Trees').length).toBeGreaterThanOrEqual(6);
    const wanted = [
      'gemm',
      'gemv',
      'conv-3x3',
      'conv-1x1',
      'conv-depthwise',
      'softmax',
      'layer-norm',
      'attention',
      'lstm',
      'resize',
    ];
    expect(names('Operators')).toEqual(expect.arrayContaining([...wanted, 'transpose-nchw', 'transpose-heads']));
    const { models } = readBaseline(file.replace('standard.json', 'baseline.json')) ?? { models: {} };
    expect(Object.keys(models).sort()).toEqual(
      readSuite(file)
        .models.map(m => m.name)
        .sort(),
    );
  });
  it('has paths beside its file, and defaults', () => {
    const [m] = readSuite(
      writeSuite({ targets: ['wasm-mvp'], models: [{ name: 'a', model: 'x.onnx', dims: { n: 3, m: '1..9:2' } }] }, 's.json'),
    ).models;
    expect(m).toMatchObject({ path: at('x.onnx'), here: false, group: 'Models' });
    expect(m?.options.dims).toEqual({ n: 3, m: { min: 1, max: 9, step: 2 } });
    expect(m?.targets.map(t => t.name)).toEqual(['wasm-mvp']);
    expect(m?.runs).toEqual([expect.objectContaining({ label: 'default', only: undefined })]);
  });
});

describe('regress', () => {
  beforeAll(async () => {
    writeSuite(suite);
    const r = await regress({ update: true });
    expect(r).toMatchObject({ code: 0, err: '' });
  });
  afterEach(() => void writeSuite(suite));
  it('keeps accuracy and size, the same each time', async () => {
    const before = readFileSync(at('base.json'), 'utf8');
    const part = baseline().models['classifier']?.targets['wasm-simd'];
    expect(part?.accuracy).toMatchObject({ reference: 'float64', samples: 2 });
    expect(part?.accuracy?.outputs['p']).toMatchObject({ classes: { rows: 9, same: 9 } });
    expect(part?.accuracy?.outputs['p']?.abs).toBeLessThan(1e-6);
    expect(part?.accuracy?.framework?.by).toMatch(/^onnxruntime-node \d/);
    expect(part?.size?.code).toBeGreaterThan(100);
    const r = await regress({});
    expect(r.out).toMatch(/^classifier for wasm-simd: diverges from float64 by .*\nnothing is worse in 1 compiled model\n$/);
    expect(r.code).toBe(0);
    await regress({ update: true });
    expect(readFileSync(at('base.json'), 'utf8')).toBe(before);
  });
  it('catches a wrong weight', async () => {
    const r = await regress({}, { compile: o => compile({ ...o, model: classifier(1.01), file: 'classifier.onnx' }) });
    expect(r.out).toMatch(/worse +'p': largest absolute difference +\d\.\d\de-\d +\d\.\d\de-[123]\n/);
    expect(r.out).toMatch(/worse +diverges from its framework/);
    expect(r.code).toBe(3);
  });
  it('catches code that is larger by a byte', async () => {
    const r = await regress(
      {},
      {
        compile: async o => {
          const { files, report } = await compile(o);
          const wasm = files.get('model.wasm') ?? new Uint8Array();
          // A custom section without a name: engines pass it over.
          files.set('model.wasm', Uint8Array.from([...wasm, 0, 1, 0]));
          return { files, report };
        },
      },
    );
    expect(r.out).toMatch(/worse +code +\d\.\d\d KB \(\d+\) +\d\.\d\d KB \(\d+\)\n/);
    expect(r.code).toBe(3);
  });
  it('catches memory that grows', async () => {
    writeSuite({ models: suite.models.map(m => ({ ...m, dims: { batch: '1..9' } })) });
    const r = await regress({});
    expect(r.out).toMatch(/worse +arena/);
    expect(r.code).toBe(3);
    expect((await regress({ only: ['accuracy'] })).code).toBe(0);
  });
  it('is content with what is better, and tells it', async () => {
    writeSuite({ models: suite.models.map(m => ({ ...m, dims: { batch: '1..4' }, runs: [{ sizes: { x: [1, 8] } }] })) });
    await regress({ update: true, baseline: at('small.json') });
    writeSuite({ models: suite.models.map(m => ({ ...m, dims: { batch: 1 }, runs: [{ sizes: { x: [1, 8] } }] })) });
    const r = await regress({ baseline: at('small.json') });
    expect(r.out).toMatch(/better +arena/);
    expect(r.out).toMatch(/nothing is worse in 1 compiled model; \d figures? better, which --update keeps\n/);
    expect(r.code).toBe(0);
  });
  it('notices another model, a model that is new and one that is gone', async () => {
    writeFileSync(at('other.onnx'), classifier(2));
    writeSuite({ models: [{ ...suite.models[0], model: 'other.onnx' }] });
    expect((await regress({})).out).toMatch(/worse +the model itself/);
    writeSuite({ models: [{ ...suite.models[0], name: 'renamed' }] });
    const r = await regress({});
    expect(r.out).toContain('classifier: is in the baseline, and not in the suite');
    expect(r.out).toContain('1 figure worse, 1 model gone. If that is meant, --update makes it the baseline.');
    expect(r.code).toBe(3);
  });
  it('compares with the answers of another framework', async () => {
    const x = fromNumbers('f32', [1, 8], [1, 2, 3, 4, 5, 6, 7, 8]);
    const logits = [0, 1, 2].map(c => [1, 2, 3, 4, 5, 6, 7, 8].reduce((s, v, i) => s + v * Math.sin((3 * i + c) * 5.1), 0));
    const sum = logits.reduce((s, l) => s + Math.exp(l), 0);
    writeFileSync(at('x.npy'), writeNpy(x));
    writeFileSync(at('y.csv'), `${logits.map(l => Math.exp(l) / sum).join()}\n`);
    writeFileSync(at('labels.txt'), `${logits.indexOf(Math.max(...logits))}\n`);
    const run = { inputs: 'x.npy', expected: { file: 'y.csv', by: 'this test' }, labels: 'labels.txt' };
    writeSuite({ models: [{ ...suite.models[0], runs: [run], task: { k: 'classify' } }] });
    const r = await regress({ update: true, baseline: at('expected.json') });
    expect(r.out).toMatch(/diverges from this test by \d\.\de-(?:[789]|\d\d) .*, classes right 1 \(reference 1\)/);
    expect(r.code).toBe(0);
  });
  it('goes on where a model fails', async () => {
    writeFileSync(at('broken.onnx'), classifier(1).subarray(0, 100));
    writeSuite({ models: [{ name: 'broken', model: 'broken.onnx' }, ...suite.models] });
    const r = await regress({});
    expect(r.out).toMatch(/broken for wasm-simd: failed: .*E203.*\nclassifier for wasm-simd: diverges/);
    expect(r.out).toContain('1 model failed');
    expect(r.code).toBe(3);
  });
  it('passes over a model whose file something else brings, but never in CI', async () => {
    const models = [{ name: 'far', model: 'far.onnx' }, ...suite.models];
    writeSuite({ models });
    await expect(regress({})).rejects.toThrow('far.onnx: there is no such file');
    writeSuite({ missing: 'npm run fixtures', models });
    const ci = process.env['CI'];
    delete process.env['CI'];
    try {
      expect((await regress({})).out).toContain('far: not measured, its file is not here: npm run fixtures\nnothing is worse');
      process.env['CI'] = '1';
      await expect(regress({})).rejects.toThrow('npm run fixtures brings it');
    } finally {
      if (ci === undefined) delete process.env['CI'];
      else process.env['CI'] = ci;
    }
  });
  it('is a command', async () => {
    const flags = ['regress', '--suite', at('suite.json'), '--baseline'];
    expect(await sinter(...flags, at('base.json'))).toMatchObject({ code: 0, err: '' });
    expect((await sinter(...flags, at('none.json'))).err).toContain('there is none yet; --update makes it');
    writeFileSync(at('damaged.json'), '{"version":1,"models":{"m":{"sha256":"x","targets":{"t":{"size":{"code":-1}}}}}}');
    const damaged = await sinter(...flags, at('damaged.json'));
    expect(damaged.err).toContain('it is not a baseline: models.m.targets.t.size.code must be a whole number');
    expect(damaged.code).toBe(1);
    expect((await sinter(...flags, at('base.json'), '--only', 'sped')).err).toContain('must be some of accuracy, size, speed');
    expect((await sinter(...flags, at('base.json'), '--filter', 'zzz')).code).toBe(2);
    expect((await sinter('regress', '--help')).out).toContain('In your CI:');
  });
});

describe('speed', () => {
  it('catches that vectors are gone: the schedules of scalar code in the place of those of SIMD', async () => {
    // A product large enough that its time is not that of the call.
    const size = 256;
    const w = new Float32Array(size * size).map((_, i) => Math.sin(i));
    const product = model([
      node('MatMul', ['x', 'w'], ['y']),
      sub(5, tensor({ name: 'w', dims: [size, size], type: F32, raw: new Uint8Array(w.buffer) })),
      value(11, 'x', F32, [64, size]),
      value(12, 'y', F32, [64, size]),
    ]);
    writeFileSync(at('product.onnx'), product);
    const models = [{ name: 'product', model: 'product.onnx' }];
    const flags = { suite: writeSuite({ targets: ['wasm-simd'], models }, 'speed.json'), baseline: at('speed-base.json') };
    const made = await regress({ ...flags, only: ['speed'], update: true });
    expect(made.out).toMatch(/product for wasm-simd: the calibration loop takes [\d.e-]+ times as long\n/);
    writeSuite({ targets: [{ name: 'wasm-simd', extends: 'wasm-mvp' }], models }, 'speed.json');
    const r = await regress({ ...flags, only: ['speed'] });
    expect(r.out).toMatch(/worse +default: time of the calibration loop over ours +[\d.e-]+ \(.* to .*\) +[\d.e-]+ \(/);
    expect(r.code).toBe(3);
  }, 120_000);
  const speed = (r: Range, machine = 'a', compiling = 100): TargetBaseline => ({
    speed: { machine, compile: compiling, runs: { '1x8': { calibration: r, 'onnxruntime-web': r } } },
  });
  const near = (x: number): Range => ({ median: x, lo: 0.9 * x, hi: 1.1 * x });
  it('is worse beyond the noise only, and the loop is of one machine', () => {
    expect(differences(speed(near(2)), speed(near(1.9)))).toEqual([]);
    expect(differences(speed(near(2)), speed(near(1))).map(f => f.worse)).toEqual([true, true]);
    expect(differences(speed(near(2)), speed(near(4))).map(f => f.worse)).toEqual([false, false]);
    const elsewhere = differences(speed(near(2)), speed(near(1), 'b', 900));
    expect(elsewhere.map(f => f.what)).toEqual(['1x8: time of onnxruntime-web over ours']);
    expect(differences(speed(near(2)), speed(near(2), 'a', 200)).map(f => f.what)).toEqual([
      'time of compilation over the calibration loop',
    ]);
  });
});

describe('tasks', () => {
  const labels = (text: string): string => {
    writeFileSync(at('l.txt'), text);
    return at('l.txt');
  };
  it.each([
    [{ k: 'classify' } as const, [0.1, 0.9, 0.8, 0.2], '1\n1\n', 0.5],
    [{ k: 'regress' } as const, [1, 0, 3, 0], '1\n5\n', Math.sqrt(2)],
    [{ k: 'nearest' } as const, [1, 0, 1, 0.1, 0, 1], '1\n0\n1\n', 1],
  ])('%j', (task, values, text, want) => {
    const output = fromNumbers('f32', [values.length / 2, 2], values);
    expect(taskFigure(task, [{ output, labels: labels(text) }]).value).toBeCloseTo(want, 12);
  });
  it('reads text', () => {
    writeFileSync(at('keys.txt'), 'A\nB\n');
    // Blank, A, A, blank, A, B: "AAB"; the label has a C.
    const steps = [0, 1, 1, 0, 1, 2].flatMap(c => [0, 1, 2].map(i => (i === c ? 1 : 0)));
    const output = fromNumbers('f32', [1, 6, 3], steps);
    const f = taskFigure({ k: 'read', keys: at('keys.txt') }, [{ output, labels: labels('AACB\n') }]);
    expect(f).toEqual({ what: 'characters read right', value: 0.75 });
  });
  it('does not take labels for other rows', () => {
    const output = fromNumbers('f32', [2, 1], [1, 2]);
    expect(() => taskFigure({ k: 'regress' }, [{ output, labels: labels('1\n') }])).toThrow(
      'it has 1 labels, and the output 2 rows',
    );
  });
});
