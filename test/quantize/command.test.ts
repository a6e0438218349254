import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromTyped, typed } from '../../compiler/core/tensor.ts';
import { writeNpy } from '../../compiler/data/npy.ts';
import { writeNpz } from '../../compiler/data/npz.ts';
import { sinter } from '../cli/captured.ts';
import { smallInput, smallModel } from './model.ts';

const dir = mkdtempSync(join(tmpdir(), 'sinter-quantize-'));
const at = (name: string): string => join(dir, name);
const seeds = [1, 2, 3, 4];
beforeAll(() => {
  writeFileSync(at('small.onnx'), smallModel());
  const all = new Float32Array(seeds.flatMap(s => [...typed(smallInput(s))].map(Number)));
  writeFileSync(at('data.npz'), writeNpz(new Map([['x', fromTyped('f32', [4, 4, 6, 7], all)]])));
  mkdirSync(at('folder'));
  for (const s of seeds) writeFileSync(join(dir, 'folder', `${s}.npy`), writeNpy(smallInput(s)));
  const lines = seeds.map(s => JSON.stringify({ x: { dims: [1, 4, 6, 7], data: [...typed(smallInput(s))].map(Number) } }));
  writeFileSync(at('data.jsonl'), `${lines.join('\n')}\n`);
  writeFileSync(at('bad.jsonl'), `${lines[0] ?? ''}\n{"z": [1]}\n`);
  mkdirSync(at('empty'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('sinter quantize', () => {
  it('gives the same plan for the same samples in a .npz, a folder and JSON lines', async () => {
    const plans = [];
    for (const data of ['data.npz', 'folder', 'data.jsonl']) {
      const r = await sinter('quantize', at('small.onnx'), '--calibrate', at(data), '--out', at('p.quant.json'), '--no-smooth');
      expect([r.err, r.code]).toEqual(['', 0]);
      const plan = JSON.parse(readFileSync(at('p.quant.json'), 'utf8')) as { calibration: { data: string; samples: number } };
      expect(plan.calibration).toMatchObject({ data, samples: 4 });
      plans.push(JSON.stringify({ ...plan, calibration: { ...plan.calibration, data: '' } }));
    }
    expect(new Set(plans).size).toBe(1);
  });
  it('writes a report, and what it makes is compiled and verified against the float model', async () => {
    const q = await sinter(
      'quantize',
      at('small.onnx'),
      '--calibrate',
      at('data.npz'),
      '--out',
      at('q.json'),
      '--html',
      at('q.html'),
      '--report',
      at('r.json'),
    );
    expect(q.out).toMatch(/small\.onnx: 4 nodes as int8\n +weights +3\.33 KB → 1\.06 KB/);
    expect(readFileSync(at('q.html'), 'utf8')).toMatch(/<h2>All nodes with weights/);
    expect(JSON.parse(readFileSync(at('r.json'), 'utf8'))).toMatchObject({ scheme: 'int8' });
    const c = await sinter('compile', at('small.onnx'), '--quantization', at('q.json'), '--out', at('bundle'), '--verify');
    expect([c.err, c.code]).toEqual(['', 0]);
    expect(c.out).toMatch(/quantized, relative error by its plan: y /);
    const manifest = JSON.parse(readFileSync(at('bundle/manifest.json'), 'utf8')) as { quantization: object };
    expect(manifest.quantization).toEqual({ scheme: 'int8', nodes: 4, float: 0 });
    const v = await sinter('verify', at('bundle'), '--model', at('small.onnx'));
    expect([v.err, v.code]).toEqual(['', 0]);
    expect((await sinter('verify', at('bundle'), '--model', at('small.onnx'), '--per-node')).err).toMatch(/E403/);
  });
  it.each([
    [['--calibrate', at('none.npz')], /E205.*no such file/],
    [['--calibrate', at('empty')], /E205.*no pictures/],
    [['--calibrate', at('bad.jsonl')], /E501: input z/],
    [[], /E403: option calibrate/],
  ])('refuses %j', async (flags, says) => {
    const r = await sinter('quantize', at('small.onnx'), ...flags, '--out', at('never.json'), '--no-smooth');
    expect([r.code, existsSync(at('never.json'))]).toEqual([flags.length === 0 ? 2 : 1, false]);
    expect(r.err).toMatch(says);
  });
  /** Plans and data that do not fit, and what is said of them. */
  const bad: readonly (readonly [what: string, flags: () => string[], says: RegExp])[] = [
    [
      'a plan for another model',
      () => ['--quantization', planWith({ model: { file: 'other.onnx', sha256: 'f'.repeat(64) } })],
      /E208.*other\.onnx/,
    ],
    [
      'a plan with an unknown node',
      () => ['--quantization', planWith({ nodes: { c9: { scheme: 'w8', per: 'channel' } } })],
      /E208.*no node 'c9'/,
    ],
    [
      'a plan with a range of no width',
      () => ['--quantization', planWith({ values: { x: { min: 0, max: 0, scale: 1, zero: 0 } } })],
      /E208.*without a width/,
    ],
    ['a plan cut off', () => ['--quantization', written('cut.json', readFileSync(planWith({}), 'utf8').slice(0, 150))], /E208/],
    ['a plan that is none', () => ['--quantization', at('data.npz')], /E208/],
    ['no plan', () => ['--quantization', at('nothing.json')], /E205/],
    ['data of another name', () => ['--quantize', 'int8', '--calibrate', npz('name.npz', 'z', [1, 4, 6, 7])], /E501.*'?z/],
    ['data of another shape', () => ['--quantize', 'int8', '--calibrate', npz('shape.npz', 'x', [1, 4, 7, 6])], /E501/],
    ['NaN', () => ['--quantize', 'int8', '--calibrate', npz('nan.npz', 'x', [1, 4, 6, 7], NaN)], /E501.*NaN/],
    ['no samples', () => ['--quantize', 'int8', '--calibrate', npz('none.npz', 'x', [0, 4, 6, 7])], /E205.*no samples/],
    ['a limit without data', () => ['--quantize', 'w4', '--max-drop', '0.01'], /E403.*max-drop/],
    ['zero points for bytes', () => ['--quantize', 'w8', '--asymmetric'], /E403.*asymmetric/],
  ];
  const written = (name: string, text: string): string => {
    writeFileSync(at(name), text);
    return at(name);
  };
  const planWith = (more: object): string => {
    const plan = {
      quantization: 1,
      model: { file: 'small.onnx', sha256: digest },
      scheme: 'int8',
      values: {},
      nodes: {},
      float: {},
    };
    return written('bad.quant.json', JSON.stringify({ ...plan, ...more }));
  };
  const digest = createHash('sha256').update(smallModel()).digest('hex');
  const npz = (file: string, name: string, dims: readonly number[], value = 1): string => {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value);
    writeFileSync(at(file), writeNpz(new Map([[name, fromTyped('f32', dims, data)]])));
    return at(file);
  };
  it.each(bad)('refuses to compile by %s, and leaves nothing behind', async (_, flags, says) => {
    const given = flags();
    const before = readdirSync(dir).sort();
    const r = await sinter('compile', at('small.onnx'), ...given, '--out', at('never'), '--no-smooth');
    expect([r.code === 0, readdirSync(dir).sort()]).toEqual([false, before]);
    expect(r.err).toMatch(says);
  });
  it('compiles by one sample, and warns', async () => {
    const one = npz('one.npz', 'x', [1, 4, 6, 7]);
    const r = await sinter(
      'compile',
      at('small.onnx'),
      '--quantize',
      'int8',
      '--calibrate',
      one,
      '--out',
      at('one'),
      '--no-smooth',
    );
    expect([r.code, r.err]).toEqual([0, expect.stringMatching(/one sample/)]);
  });
  it('warns of random data', async () => {
    const r = await sinter(
      'quantize',
      at('small.onnx'),
      '--calibrate',
      'random:3',
      '--samples',
      '2',
      '--out',
      at('r.quant.json'),
      '--no-smooth',
    );
    expect([r.code, r.err]).toEqual([0, expect.stringMatching(/random data are not those of real data/)]);
  });
});
