import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { dimMul } from '../../compiler/core/dim.ts';
import { VERSION } from '../../compiler/core/version.data.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { bundleOf, dim, handMade } from './hand-made.ts';
import { typeErrors } from './type-errors.ts';

const text = (files: ReadonlyMap<string, Uint8Array>, name: string): string => new TextDecoder().decode(files.get(name));
const s = dim('seq', 1, 16);
const model = handMade({
  symbols: [s.info],
  inputs: [
    ['input ids', 'i64', [1, dimMul(8, s.d)]],
    ['mask', 'f32', [1, 4]],
  ],
  outputs: [['logits', 'f32', [1, 3]]],
  name: 'Bert */ tiny',
  wat: '(func (export "run") (param i32))',
});

describe('the files of a bundle', () => {
  it('are the same bytes for the same input', async () => {
    expect(await bundleOf([model])).toEqual(await bundleOf([model]));
  });
  it('declare the types of this very model', async () => {
    const dts = text(await bundleOf([model], { labels: ['yes', 'no', "don't know"] }), 'index.d.ts');
    const good = `import { load, labels } from './bundle/index.js';
      const model = await load(new URL('https://example.org/m/'));
      const out = model.run({ 'input ids': { data: BigInt64Array.of(1n), dims: [1, 1] }, mask: new Float32Array(4) }, { into: { logits: new Float32Array(3) } });
      const classes: 3 = out.logits.dims[1];
      const data: Float32Array = out.logits.data;
      const type: 'float32' = out.logits.type;
      model.run({ 'input ids': [1, 2n], mask: model.inputs.mask.data }, { into: model.outputs });
      const no: 'no' = labels[1];
      export default [classes, data, type, no];`;
    expect(typeErrors(dts, good)).toEqual([]);
    const bad = `import { load } from './bundle/index.js';
      const model = await load();
      model.run({ mask: new Float32Array(4) });
      model.run({ 'input ids': new Int32Array(4), mask: [] });
      model.run({ 'input ids': [], mask: [] }).label;`;
    const errors = typeErrors(dts, bad);
    expect(errors).toHaveLength(3);
    expect(errors[0]).toContain('input ids"\' is missing in type');
    expect(errors[1]).toContain("Type 'Int32Array<ArrayBuffer>' is not assignable");
    expect(errors[2]).toContain("Property 'label' does not exist");
    expect(dts).toContain('/** int64 [1, 8*seq]; dimension 1 is 8 to 128 in steps of 8 */');
  });
  it('tell in the manifest what was compiled', async () => {
    const files = await bundleOf([model]);
    const manifest = JSON.parse(text(files, 'manifest.json')) as Record<string, unknown>;
    expect(manifest['sinter']).toBe(VERSION);
    expect(manifest['inputs']).toEqual([
      {
        name: 'input ids',
        type: 'int64',
        shape: [1, '8*seq'],
        sizes: [{ axis: 1, dim: '8*seq', min: 8, max: 128, step: 8, start: 64 }],
      },
      { name: 'mask', type: 'float32', shape: [1, 4], sizes: [] },
    ]);
    const bytes = files.get('model.wasm')?.length;
    expect(manifest['modules']).toMatchObject([
      { profile: 'wasm-mvp', wasm: { file: 'model.wasm', bytes }, weights: { file: null, bytes: 0 } },
    ]);
  });
  it('have a small loader: under 4 KB packed', async () => {
    expect(gzipSync(text(await bundleOf([model]), 'index.js')).length).toBeLessThan(4096);
  });
  it('give bundlers nothing to resolve, and policies nothing to forbid', async () => {
    const { build } = await import('esbuild');
    const source = text(await bundleOf([model]), 'index.js');
    const stdin = { contents: source, loader: 'js' as const };
    const built = await build({ stdin, bundle: true, format: 'esm', platform: 'browser', write: false, logLevel: 'silent' });
    expect(built.warnings).toEqual([]);
    expect(source).not.toMatch(/\beval\b|new Function|\bimport\(|\bimport\s*[{*]|\brequire\(/);
  });
  it('hold no script in the page, and no text that ends a comment or a tag', async () => {
    const evil = handMade({
      inputs: [],
      outputs: [['y', 'f32', [1]]],
      name: '<img src=x onerror=alert(1)>*/',
      wat: '(func (export "run"))',
    });
    const files = await bundleOf([evil]);
    const html = text(files, 'demo.html');
    expect(html).not.toContain('<img');
    expect(html.match(/<script[^>]*>/g)).toEqual(['<script type="module" src="demo.js">']);
    expect(html).not.toMatch(/<[^>]*\son\w+=/);
    expect(typeErrors(text(files, 'index.d.ts'), '')).toEqual([]);
  });
});

describe('what the compiler carries as text', () => {
  it('is what runtimes/, targets/ and package.json hold (npm run inline)', () => {
    const args = ['--import', 'tsx', 'runtimes/inline.ts', '--check'];
    const r = spawnSync(process.execPath, args, { cwd: projectDir, encoding: 'utf8' });
    expect(r.stderr).toBe('');
    expect(r.status).toBe(0);
  });
});
