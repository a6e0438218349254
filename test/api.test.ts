import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import * as sinter from '../compiler/node.ts';
import * as page from '../compiler/index.ts';
import { readModule } from './architecture/modules.ts';
import { bundled } from './bundled.ts';
import { model, node, value } from './onnx-writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'sinter-api-'));
jest.setTimeout(120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const path = join(dir, 'root.onnx');
writeFileSync(
  path,
  model([node('Abs', ['x'], ['a']), node('Sqrt', ['a'], ['y']), value(11, 'x', 1, [3]), value(12, 'y', 1, [3])]),
);
const x = { data: Float32Array.of(4, -9, 16), dims: [3] };
const y = { data: Float32Array.of(2, 3, 4), dims: [3], type: 'float32' };

describe('the package in Node', () => {
  const out = join(dir, 'bundle');
  it('compiles a model, writes the bundle, opens it and runs it', async () => {
    const { files, report } = await sinter.compile({ model: path, target: 'wasm-mvp' });
    expect(report).toMatchObject({ name: 'root', target: 'wasm-mvp', inputs: [{ name: 'x', type: 'float32', shape: [3] }] });
    sinter.writeBundle(out, files);
    expect(new Uint8Array(readFileSync(join(out, 'model.wasm')))).toEqual(files.get('model.wasm'));
    const bundle = await sinter.openBundle(out);
    expect(bundle.profile).toBe('wasm-mvp');
    expect(bundle.run({ x })).toEqual({ y });
    expect(() => bundle.run({})).toThrow('E501: input x: is missing');
    expect(() => bundle.run({ x: { data: Float64Array.of(1, 2, 3), dims: [3] } })).toThrow(
      'E501: input x: is float32: pass a Float32Array instead of Float64Array',
    );
  });
  it('writes over bundles, and over nothing else', async () => {
    const { files } = await sinter.compile({ model: path });
    writeFileSync(join(dir, 'mine.txt'), 'mine');
    expect(() => sinter.writeBundle(dir, files)).toThrow(/E206: cannot write .*: it holds other files than a bundle/);
    expect(readFileSync(join(dir, 'mine.txt'), 'utf8')).toBe('mine');
    // Jest keeps modules by their paths alone, so that Node itself has to load what took the place of another bundle.
    const script = `
      import { compile, openBundle, writeBundle } from './compiler/node.ts';
      const [model, out] = process.argv.slice(2);
      for (const target of ['wasm-simd', 'wasm-mvp']) {
        writeBundle(out, (await compile({ model, target })).files);
        console.log((await openBundle(out)).profile);
      }`;
    const argv = [await bundled('twice.ts', script), path, out];
    const r = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect(r.stderr).toBe('');
    expect(r.stdout).toBe('wasm-simd\nwasm-mvp\n');
  });
  it('verifies a bundle, and certifies it', async () => {
    const found = await sinter.verify({ bundle: out, model: path, against: 'evaluate', certify: true, perNode: true });
    expect(found).toMatchObject({ ok: true, files: undefined, certificate: { samples: 2, ok: true } });
    expect(found.answers).toMatchObject({
      parity: { ok: true, outputs: [{ name: 'y', abs: 0, ok: true }] },
      madeFrom: undefined,
      lost: undefined,
      divergence: { seen: 2, cause: { k: 'none' } },
    });
    expect(await sinter.verify({ bundle: out, model: path })).toMatchObject({ ok: true, answers: { lost: [] } });
    writeFileSync(join(out, 'index.d.ts'), '');
    const changed = await sinter.verify({ bundle: out, model: path });
    expect(changed).toMatchObject({ ok: false, files: { wrong: [{ file: 'index.d.ts' }] }, answers: undefined });
  });
  it('inspects and evaluates a model', () => {
    expect(sinter.inspect({ model: path })).toMatchObject({ format: 'onnx', file: 'root.onnx', problem: undefined });
    expect(sinter.evaluate({ model: path, inputs: { x } })).toEqual({ y });
    expect(() => sinter.evaluate({ model: path, inputs: {} })).toThrow('E501');
  });
  it('measures', async () => {
    const result = await sinter.bench([{ name: 'root', source: { k: 'model', path, options: {} }, against: [] }], {
      rounds: 3,
      seconds: 1,
      processes: 1,
      coldStarts: 0,
    });
    expect(result.cases.map(c => c.outcome.k)).toEqual(['done']);
  });
  it('has all that a page has', () => {
    expect(Object.keys(sinter)).toEqual(expect.arrayContaining(Object.keys(page)));
  });
});

describe('the package in a page', () => {
  it('compiles, inspects and evaluates bytes', async () => {
    const bytes = new Uint8Array(readFileSync(path));
    expect([...(await page.compile({ model: bytes })).files.keys()]).toContain('model.wasm');
    expect(page.inspect({ model: bytes })).toMatchObject({ format: 'onnx' });
    expect(page.evaluate({ model: bytes, inputs: { x } })).toEqual({ y });
  });
  it('reaches no module of Node', () => {
    const seen = new Set<string>();
    const open = ['compiler/index.ts'];
    for (let f = open.pop(); f !== undefined; f = open.pop()) {
      if (seen.has(f)) continue;
      seen.add(f);
      for (const i of readModule(f).imports) {
        if (i.onlyTypes) continue;
        expect(`${f}: ${i.specifier}`).not.toMatch(/: node:/);
        if (i.to !== undefined) open.push(i.to);
      }
    }
    expect(seen.size).toBeGreaterThan(100);
  });
});
