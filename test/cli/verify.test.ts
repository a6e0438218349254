import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readCertificate, worse, type Certificate } from '../../compiler/verify/certificate.ts';
import { classesOf } from '../../compiler/verify/compare.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers } from '../../compiler/core/tensor.ts';
import { attribute, model, node, sub, tensor, value } from '../onnx-writer.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { sinter } from './captured.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-verify-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...p: string[]): string => join(root, ...p);
const F32 = 1;
const initialiser = (name: string, dims: readonly number[], values: readonly number[]): ReturnType<typeof sub> =>
  sub(5, tensor({ name, dims, type: F32, raw: new Uint8Array(Float32Array.from(values).buffer) }));

/** y = max(x + w, 0), x: [batch, 4]. */
const small = (w: readonly number[]): Uint8Array =>
  model([
    node('Add', ['x', 'w'], ['s']),
    node('Relu', ['s'], ['y']),
    initialiser('w', [4], w),
    value(11, 'x', F32, ['batch', 4]),
    value(12, 'y', F32, ['batch', 4]),
  ]);
/** p = softmax(x W), x: [batch, 8], three classes. */
const classifier = model([
  node('MatMul', ['x', 'w'], ['l']),
  node('Softmax', ['l'], ['p'], attribute('axis', 1)),
  initialiser(
    'w',
    [8, 3],
    Array.from({ length: 24 }, (_, i) => Math.sin(i * 5.1)),
  ),
  value(11, 'x', F32, ['batch', 8]),
  value(12, 'p', F32, ['batch', 3]),
]);
writeFileSync(at('small.onnx'), small([1, 2, 3, 4]));
writeFileSync(at('other.onnx'), small([1, 2, 3, 5]));
writeFileSync(at('classifier.onnx'), classifier);

const sha256 = (b: Uint8Array): string => createHash('sha256').update(b).digest('hex');

describe('verify without a certificate', () => {
  it.each(['evaluate', 'onnxruntime-node'])('agrees with %s', async against => {
    await sinter('compile', at('small.onnx'), '-o', at('v'));
    const r = await sinter('verify', at('v'), '--model', at('small.onnx'), '--against', against, '--samples', '3', '--per-node');
    expect(r.err).toBe('');
    expect(r.out).toMatch(
      /the outputs agree\n.*\n {2}y +0\.00e\+0 +0\.00e\+0 {2}ok\neach of 2 values inside the model agrees on its own/,
    );
    expect(r.code).toBe(0);
  });
  it('finds that a bundle is of another model, with exit code 3', async () => {
    writeFileSync(at('zeros.json'), JSON.stringify({ x: [[0, 0, 0, 0]] }));
    const flags = ['--model', at('other.onnx'), '--against', 'evaluate', '--inputs', at('zeros.json')];
    const r = await sinter('verify', at('v'), ...flags, '--per-node');
    expect(r.err).toContain('the bundle was made from another file (small.onnx)');
    expect(r.out).toMatch(/y +1\.00e\+0 +2\.00e-1 {2}differs: 4 instead of 5 at \[0, 3\]/);
    expect(r.out).toContain('compiled anew they agree');
    expect(r.code).toBe(3);
    expect((await sinter('verify', at('v'), ...flags, '--rtol', '0.3')).code).toBe(0);
  });
  it('says what a framework does not run, and what is not installed', async () => {
    writeFileSync(at('keywords.tflite'), networkTflite(must(tinyNetworks()[0]), 'int8'));
    expect((await sinter('compile', at('keywords.tflite'), '-o', at('t'))).code).toBe(0);
    const ask = (...flags: string[]): ReturnType<typeof sinter> =>
      sinter('verify', at('t'), '--model', at('keywords.tflite'), ...flags);
    const missing = await ask('--against', 'litert-python', '--python', 'no-such-python');
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.err).toContain('pip install ai-edge-litert, for the Python that --python names (now no-such-python)');
    expect((await ask('--against', 'tfjs-wasm')).err).toContain('it runs models of TensorFlow.js only');
    expect((await ask('--against', 'onnxruntime-node')).err).toContain('is no ONNX model');
    // Nobody asked for a framework: what is not here is not told.
    const auto = await ask('--python', 'no-such-python');
    expect(auto.out).toContain('the outputs agree');
    expect(auto.code).toBe(0);
  });
  it('needs the model, and can certify afterwards', async () => {
    expect(await sinter('verify', at('v'))).toMatchObject({ code: 2, out: '' });
    const other = await sinter('verify', at('v'), '--model', at('other.onnx'), '--certify');
    expect(other.code).toBe(3);
    expect(readCertificate(at('v'))).toBeUndefined();
    const r = await sinter('verify', at('v'), '--model', at('small.onnx'), '--samples', '5', '--certify');
    expect(r.out).toContain('the certificate is in manifest.json');
    expect(readCertificate(at('v'))).toMatchObject({ samples: 5, seed: 1 });
    expect((await sinter('verify', at('v'))).code).toBe(0);
  });
});

describe('a certificate', () => {
  beforeAll(async () => {
    // Weights apart, so that they are a file.
    const r = await sinter('compile', at('classifier.onnx'), '-o', at('proved'), '--verify', '--embed-below', '0', '--json');
    expect(r.code).toBe(0);
    expect((JSON.parse(r.out) as { parity: object }).parity).toMatchObject({ ok: true, samples: 2 });
  });
  const certificate = (): Certificate => must(readCertificate(at('proved')));
  it('says what was compared with what, and holds the digests of all files', () => {
    const c = certificate();
    expect(c.reference.name).toBe('onnxruntime-node');
    expect(c.reference.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(c.model).toBe(sha256(classifier));
    const files = readdirSync(at('proved')).filter(f => f !== 'manifest.json');
    expect(Object.keys(c.files)).toEqual(files.sort());
    for (const f of files) expect(c.files[f]).toBe(sha256(readFileSync(at('proved', f))));
    const [p] = c.outputs;
    expect(p).toMatchObject({ name: 'p', ok: true });
    expect(p?.abs).toBeLessThan(1e-6);
    expect(p?.classes?.same).toBe(p?.classes?.rows);
    expect(p?.classes?.rows).toBeGreaterThan(0);
  });
  it('is the same each time', async () => {
    await sinter('compile', at('classifier.onnx'), '-o', at('again'), '--verify', '--embed-below', '0');
    for (const f of readdirSync(at('proved')))
      expect(readFileSync(at('again', f)).equals(readFileSync(at('proved', f)))).toBe(true);
  });
  it('is checked again, with the model and without', async () => {
    const files = await sinter('verify', at('proved'));
    expect(files).toMatchObject({ code: 0, err: '' });
    expect(files.out).toMatch(
      /^files: all \d+ have the digests of the certificate\ncertified when it was made: compared with onnx/,
    );
    expect(files.out).toContain('not checked now: the answers');
    const answers = await sinter('verify', at('proved'), '--model', at('classifier.onnx'));
    expect(answers).toMatchObject({ code: 0, err: '' });
    expect(answers.out).toContain('they are as near as certified\n');
    expect(answers.out).toMatch(/arg-max agrees (\d+) of \1 times/);
  });
  const tampered = (how: (dir: string) => void): string => {
    const dir = mkdtempSync(at('tampered-'));
    cpSync(at('proved'), dir, { recursive: true });
    how(dir);
    return dir;
  };
  const flip = (file: string, byte: number): void => {
    const b = readFileSync(file);
    b[byte] = (b[byte] ?? 0) ^ 0x40;
    writeFileSync(file, b);
  };
  it.each<[string, (dir: string) => void, RegExp]>([
    ['weights', d => flip(join(d, 'model.weights'), 7), /model\.weights +has the digest [0-9a-f]{16}…, not [0-9a-f]{16}…/],
    ['the module', d => flip(join(d, 'model.wasm'), 60), /model\.wasm +has the digest/],
    ['the loader', d => appendFileSync(join(d, 'index.js'), 'globalThis.ranTampered = true;\n'), /index\.js +has the digest/],
    ['a file that is gone', d => rmSync(join(d, 'index.d.ts')), /index\.d\.ts +is missing/],
    [
      'the manifest',
      d => {
        const f = join(d, 'manifest.json');
        writeFileSync(f, readFileSync(f, 'utf8').replace('"target": "wasm-simd"', '"target": "wasm-mvp"'));
      },
      /manifest\.json +is not what was certified/,
    ],
  ])('does not cover other %s', async (_, how, what) => {
    const dir = tampered(how);
    for (const flags of [[], ['--model', at('classifier.onnx')]]) {
      const r = await sinter('verify', dir, ...flags);
      expect(r.out).toMatch(what);
      expect(r.code).toBe(3);
    }
    // Nothing of it ran.
    expect(globalThis).not.toHaveProperty('ranTampered');
  });
  it('tells files that came later, and does not mind them', async () => {
    const r = await sinter(
      'verify',
      tampered(d => writeFileSync(join(d, 'notes.txt'), 'mine')),
    );
    expect(r.out).toContain('not certified, for they came later: notes.txt');
    expect(r.code).toBe(0);
  });
  it('does not hold for figures that are too good', async () => {
    const dir = tampered(d => {
      const f = join(d, 'manifest.json');
      const m = JSON.parse(readFileSync(f, 'utf8')) as { parity: Certificate };
      const outputs = m.parity.outputs.map(o => ({ ...o, abs: 0, rel: 0, largest: 1e-30 }));
      writeFileSync(f, JSON.stringify({ ...m, parity: { ...m.parity, outputs } }));
    });
    const r = await sinter('verify', dir, '--model', at('classifier.onnx'));
    expect(r.out).toMatch(/worse than certified\n {2}p +diverges by \d\.\d\de-\d, certified were 0\.00e\+0/);
    expect(r.code).toBe(3);
  });
  it('that is damaged is told so', async () => {
    const dir = tampered(d => {
      const f = join(d, 'manifest.json');
      const m = JSON.parse(readFileSync(f, 'utf8')) as object;
      writeFileSync(f, JSON.stringify({ ...m, parity: { ok: true, files: 3 } }));
    });
    const r = await sinter('verify', dir);
    expect(r).toMatchObject({ code: 1, out: '' });
    expect(r.err).toContain('the certificate in its manifest.json is damaged');
  });
});

describe('figures', () => {
  const parity = (abs: number, same = 10): Certificate => ({
    reference: { name: 'onnxruntime-node', version: '1' },
    samples: 1,
    seed: 1,
    rtol: 0,
    atol: 0,
    ok: true,
    model: '',
    files: {},
    manifest: '',
    outputs: [{ name: 'y', abs, rel: 0, largest: 1, classes: { rows: 10, same }, ok: true }],
  });
  it('get worse exactly, or beyond what machines differ by', () => {
    expect(worse(parity(1e-6), parity(1e-6), true)).toEqual([]);
    expect(worse(parity(1.01e-6), parity(1e-6), true)).toHaveLength(1);
    expect(worse(parity(1.01e-6), parity(1e-6), false)).toEqual([]);
    expect(worse(parity(1e-4), parity(1e-6), false)).toHaveLength(1);
    expect(worse(parity(NaN), parity(1e-6), false)).toHaveLength(1);
    expect(worse(parity(0, 9), parity(0), true)).toHaveLength(1);
    expect(worse({ ...parity(0), outputs: [] }, parity(0), true)).toEqual([{ name: 'y', what: 'is gone' }]);
  });
  it('know distributions by their sums', () => {
    const t = (...v: number[]) => fromNumbers('f32', [v.length / 2, 2], v);
    expect(classesOf(t(0.4, 0.6, 0.7, 0.3), t(0.6, 0.4, 0.7, 0.3))).toEqual({ rows: 2, same: 1 });
    expect(classesOf(t(1, 0), t(1, 1))).toBeUndefined();
    expect(classesOf(t(1, 0), t(2, -1))).toBeUndefined();
  });
});
