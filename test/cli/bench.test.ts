import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import type { BenchResult, CaseFigures, CaseResult, Runtime } from '../../bench/engine/result.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { PROGRAM } from '../../runtimes/packaging/binaryen.js';
import { chromium } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import { model, node, sub, tensor, value } from '../onnx-writer.ts';
import { document, json as treesJson } from '../trees/xgboost-writer.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-bench-test-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...p: string[]): string => join(root, ...p);
const F32 = 1;
const project = join(import.meta.dirname, '../..');

const floats = (n: number): Uint8Array => new Uint8Array(Float32Array.from({ length: n }, (_, i) => Math.sin(i)).buffer);
/** y = Relu(x · w), x: [batch, 64], named as an exporter would. */
writeFileSync(
  at('dense.onnx'),
  model([
    node('MatMul', ['x', 'w'], ['s']),
    node('Relu', ['s'], ['y']),
    sub(5, tensor({ name: 'w', dims: [64, 32], type: F32, raw: floats(64 * 32) })),
    value(11, 'x', F32, ['batch', 64]),
    value(12, 'y', F32, ['batch', 32]),
  ]),
);

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
// The command as it is installed: processes that translate TypeScript first would take most of the time of these tests.
const dist = join(project, 'node_modules/.cache', `sinter-bench-test-${process.pid}`);
afterAll(() => rmSync(dist, { recursive: true, force: true }));
const main = join(dist, 'compiler/cli/main.js');
/** The command in a process of its own. */
function sinterIn(cwd: string, ...argv: string[]): Ran {
  const r = spawnSync(process.execPath, [main, ...argv], { cwd, encoding: 'utf8' });
  return { code: r.status, out: r.stdout, err: r.stderr };
}
const sinter = (...argv: string[]): Ran => sinterIn(root, ...argv);
const QUICK = ['--rounds', '3', '--seconds', '0', '--processes', '1', '--cold-starts', '0'] as const;
const read = (file: string): BenchResult => JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
const figures = (c: CaseResult | undefined): CaseFigures => {
  if (c?.outcome.k !== 'done') throw new Error(c?.outcome.k === 'failed' ? c.outcome.message : 'no case');
  return c.outcome;
};
const runtime = (c: CaseFigures, name: string): Runtime | undefined => c.runtimes.find(x => x.name === name);

beforeAll(async () => {
  await build({
    entryPoints: [
      'compiler/cli/main.ts',
      'bench/engine/compile-worker.ts',
      'bench/engine/measure-worker.ts',
      'bench/engine/page.ts',
      'bench/engine/self.ts',
      'compiler/reference/litert.ts',
    ].map(f => join(project, f)),
    outbase: project,
    outdir: dist,
    // self.ts looks for programs beside its own file, so what it becomes a part of must lie there.
    chunkNames: 'bench/engine/[name]-[hash]',
    ...PROGRAM,
    logLevel: 'error',
  });
  expect(sinter('compile', at('dense.onnx'), '--out', at('dense')).code).toBe(0);
}, 60_000);

describe('a benchmark', () => {
  it('measures a model against both of onnxruntime, and writes what it shows', () => {
    const json = at('dense.json');
    const argv = [at('dense.onnx'), '--batch', '1,3', '--against', 'onnxruntime-web,onnxruntime-node,tfjs-wasm,xgboost-python'];
    const r = sinter('bench', ...argv, ...QUICK, '--cold-starts', '1', '--profile', '--json', json);
    expect(r.err).toBe('');
    expect(r.code).toBe(0);
    const result = read(json);
    expect(result).toMatchObject({ version: 2, settings: { rounds: 3, processes: 1, threads: 1 } });
    expect(result.command).toContain('sinter bench');
    const [c, more] = result.cases;
    expect(more).toBeUndefined();
    expect(c).toMatchObject({ name: 'dense', target: 'wasm-simd' });
    const f = figures(c);
    expect(f.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(f.runtimes.map(x => [x.name, x.k])).toEqual([
      ['sinter', 'ran'],
      ['onnxruntime-web', 'ran'],
      ['onnxruntime-node', 'ran'],
      ['tfjs-wasm', 'unsuited'],
      ['xgboost-python', 'unsuited'],
    ]);
    const versions = f.runtimes.flatMap(x => (x.k === 'ran' ? [x.version] : []));
    const peer = readFileSync(join(project, 'node_modules/onnxruntime-web/package.json'), 'utf8');
    expect(peer).toContain(`"version": "${versions[1]}"`);
    for (const x of f.runtimes) {
      if (x.k !== 'ran') continue;
      expect(x.coldStart?.median).toBeGreaterThan(0);
      expect(x.memory).toBeGreaterThanOrEqual(0);
      expect(x.size?.code.disk).toBeGreaterThan(1000);
      if (x.name !== 'onnxruntime-node') expect(x.size?.code.gzip).toBeLessThan(x.size?.code.disk ?? 0);
    }
    expect(f.runs.map(run => [run.label, run.inputs])).toEqual([
      ['1x64', { x: [1, 64] }],
      ['3x64', { x: [3, 64] }],
    ]);
    for (const run of f.runs) {
      expect(run.times.map(t => t.name)).toEqual(['sinter', 'onnxruntime-web', 'onnxruntime-node']);
      for (const t of run.times) {
        expect(t).toMatchObject({ count: 3 });
        expect(t.min).toBeGreaterThan(0);
        expect(t.lo).toBeLessThanOrEqual(t.median);
        expect(t.hi).toBeGreaterThanOrEqual(t.median);
      }
      expect(run.ratios.map(x => x.to)).toEqual(['onnxruntime-web', 'onnxruntime-node', 'calibration']);
      for (const d of run.differences) {
        expect(d.outputs.map(o => o.name)).toEqual(['y']);
        expect(d.outputs[0]?.relative).toBeLessThan(1e-5);
      }
      expect(run.differences).toHaveLength(2);
      expect(run.failures).toEqual([]);
    }
    const [p] = f.operatorTimes ?? [];
    expect(f.operatorTimes).toHaveLength(2);
    // One kernel: the product with the Relu in it. It reads x and w and writes y.
    expect(p?.rows).toHaveLength(1);
    expect(p?.rows[0]).toMatchObject({ calls: 1, flops: 2 * 64 * 32, bytes: 4 * (64 + 64 * 32 + 32), share: 1 });
    expect(p?.rows[0]?.what).toBe('MatMul + Relu');
    expect(p?.peak.gflops).toBeGreaterThan(0);
    for (const word of ['dense for wasm-simd', '1x64', '3x64', 'onnxruntime-web 1.', 'MatMul + Relu', 'geometric mean of 2'])
      expect(r.out).toContain(word);
    expect(r.out).toContain('tfjs-wasm did not run: it runs models of TensorFlow.js only');
  }, 120_000);

  it('measures a model of TensorFlow Lite against LiteRT.js, whose integers it gives, and says what is missing', () => {
    const tiny = tinyNetworks().find(n => n.name === 'keywords');
    writeFileSync(at('keywords.tflite'), networkTflite(must(tiny), 'int8-float-ends'));
    const json = at('keywords.json');
    const peers = ['--against', 'litert-js,litert-python,tfjs-wasm,onnxruntime-web', '--python', 'no-such-python'];
    const r = sinter('bench', at('keywords.tflite'), ...peers, ...QUICK, '--cold-starts', '1', '--json', json);
    expect(r.err).toBe('');
    const f = figures(read(json).cases[0]);
    expect(f.runtimes.map(x => [x.name, x.k])).toEqual([
      ['sinter', 'ran'],
      ['litert-js', 'ran'],
      ['litert-python', 'missing'],
      ['tfjs-wasm', 'unsuited'],
      ['onnxruntime-web', 'unsuited'],
    ]);
    expect(f.runs[0]?.differences).toMatchObject([{ to: 'litert-js', outputs: [{ name: 'y', abs: 0 }] }]);
    const [, litert] = f.runtimes;
    expect(litert?.k === 'ran' && (litert.size?.code.disk ?? 0)).toBeGreaterThan(9e6);
    expect(litert?.k === 'ran' && (litert.coldStart?.median ?? 0)).toBeGreaterThan(0);
    expect(r.out).toContain('pip install ai-edge-litert, for the Python that --python names (now no-such-python)');
    const verified = sinter('verify', compiledKeywords(), '--model', at('keywords.tflite'), '--against', 'litert-js');
    expect(verified.out).toMatch(/^compared with litert-js 2\.\d+\.\d+ on 2 samples .*: the outputs agree/);
    expect(verified.code).toBe(0);
  }, 120_000);
  const compiledKeywords = (): string => {
    expect(sinter('compile', at('keywords.tflite'), '--out', at('keywords')).code).toBe(0);
    return at('keywords');
  };

  it('takes a bundle, and peers for it by its model', () => {
    const json = at('bundle.json');
    expect(sinter('bench', at('dense'), '--against', 'onnxruntime-node', ...QUICK, '--json', json).code).toBe(0);
    const alone = figures(read(json).cases[0]);
    expect(runtime(alone, 'onnxruntime-node')).toMatchObject({ k: 'unsuited' });
    expect(alone.runs[0]?.times.map(t => t.name)).toEqual(['sinter']);
    expect(alone.compileMs).toBeUndefined();
    const argv = ['--against', 'onnxruntime-node', '--model', at('dense.onnx'), '--size', 'batch=5'];
    expect(sinter('bench', at('dense'), ...argv, ...QUICK, '--json', json).code).toBe(0);
    expect(figures(read(json).cases[0]).runs[0]).toMatchObject({ label: '5x64', failures: [] });
  }, 120_000);
});

needs('gcc').it(
  'native code runs behind its index.js, or without that in a program of its own',
  () => {
    const json = at('native.json');
    expect(sinter('compile', at('dense.onnx'), '--target', 'c-portable', '--out', at('native')).code).toBe(0);
    const argv = ['--against', 'onnxruntime-node', '--model', at('dense.onnx'), '--batch', '2', '--profile'];
    const measure = (): CaseFigures => {
      const r = sinter('bench', at('native'), ...argv, ...QUICK, '--json', json);
      expect(r).toMatchObject({ code: 0, err: '' });
      return figures(read(json).cases[0]);
    };
    const check = (f: CaseFigures): void => {
      expect(f.runs[0]?.times.map(t => t.name)).toEqual(['sinter', 'onnxruntime-node']);
      expect(f.runs[0]?.differences[0]?.outputs[0]?.relative).toBeLessThan(1e-5);
      const [p] = f.operatorTimes ?? [];
      expect(p?.rows.map(r => [r.what, r.calls, r.flops])).toEqual([['MatMul + Relu', 1, 2 * 2 * 64 * 32]]);
      expect(p?.rows[0]?.ms).toBeGreaterThan(0);
    };
    check(measure());
    rmSync(at('native/model.node'));
    check(measure());
    const threads = ['--threads', '2', '--against', 'onnxruntime-node', '--target', 'c-portable', '--target', 'linux-x64'];
    expect(
      sinter('bench', at('dense.onnx'), ...threads, ...QUICK, '--cold-starts', '1', '--profile', '--json', json),
    ).toMatchObject({
      code: 0,
      err: '',
    });
    const { cases } = read(json);
    expect(cases.map(c => c.target)).toEqual(['c-portable', 'linux-x64']);
    for (const f of cases.map(figures)) {
      expect(f.runs[0]?.differences[0]?.outputs[0]?.relative).toBeLessThan(1e-5);
      expect(f.operatorTimes?.[0]?.rows.map(r => r.what)).toEqual(['MatMul + Relu']);
      const [ours] = f.runtimes;
      expect(ours?.k === 'ran' && ours.coldStart?.median).toBeGreaterThan(0);
    }
  },
  120_000,
);

needs(chromium).it(
  'measures in a browser',
  () => {
    const json = at('browser.json');
    const argv = ['--browser', '--against', 'onnxruntime-web,onnxruntime-node', '--batch', '1,2', ...QUICK, '--json', json];
    const r = sinter('bench', at('dense.onnx'), ...argv);
    expect(r).toMatchObject({ code: 0, err: '' });
    const result = read(json);
    expect(result.machine.engine).toMatch(/^Chromium \d+/);
    const f = figures(result.cases[0]);
    expect(f.runtimes.map(c => [c.name, c.k])).toEqual([
      ['sinter', 'ran'],
      ['onnxruntime-web', 'ran'],
      ['onnxruntime-node', 'unsuited'],
    ]);
    expect(f.runs.map(x => x.label)).toEqual(['1x64', '2x64']);
    for (const run of f.runs) {
      expect(run.times.map(t => t.name)).toEqual(['sinter', 'onnxruntime-web']);
      expect(run.differences[0]?.outputs[0]?.relative).toBeLessThan(1e-5);
    }
    expect(sinter('bench', at('dense'), '--browser', '--profile', '--model', at('dense.onnx')).code).toBe(2);
  },
  60_000,
);

it('takes a suite', () => {
  const suite = {
    targets: ['wasm-mvp', { name: 'mine', extends: 'wasm-simd' }],
    against: ['onnxruntime-node'],
    models: [
      { name: 'dense', model: 'dense.onnx', runs: [{ sizes: { x: [2, 64] } }, { sizes: { x: [3, 64] }, only: 'accuracy' }] },
      { name: 'away', model: 'away.onnx' },
    ],
    missing: 'fetch it',
  };
  writeFileSync(at('suite.json'), JSON.stringify(suite));
  const r = sinter('bench', '--suite', at('suite.json'), ...QUICK, '--json', at('suite-result.json'));
  expect(r).toMatchObject({ code: 0, err: 'not here: away (fetch it)\n' });
  const { cases } = read(at('suite-result.json'));
  expect(cases.map(c => [c.name, figures(c).profile, figures(c).runs.map(x => x.label)])).toEqual([
    ['dense', 'wasm-mvp', ['2x64']],
    ['dense', 'mine', ['2x64']],
  ]);
}, 60_000);

describe('what goes wrong is a line of the result', () => {
  it('a model that does not compile and a bundle that is damaged, while others go on', () => {
    writeFileSync(
      at('unknown.onnx'),
      model([node('Frobnicate', ['x'], ['y']), value(11, 'x', F32, [1]), value(12, 'y', F32, [1])]),
    );
    mkdirSync(at('damaged'));
    for (const f of readdirSync(at('dense'))) writeFileSync(at('damaged', f), readFileSync(at('dense', f)));
    writeFileSync(at('damaged', 'model.wasm'), readFileSync(at('dense', 'model.wasm')).subarray(0, 100));
    const json = at('bad.json');
    const argv = [at('unknown.onnx'), at('damaged'), at('dense'), '--against', 'onnxruntime-node'];
    const r = sinter('bench', ...argv, ...QUICK, '--json', json);
    expect(r.code).toBe(1);
    const [unknown, damaged, good] = read(json).cases;
    expect(unknown?.outcome).toMatchObject({ k: 'failed' });
    expect(unknown?.outcome.k === 'failed' && unknown.outcome.message).toContain('Frobnicate');
    expect(damaged?.outcome.k === 'failed' && damaged.outcome.message).toMatch(/^E203: the module does not compile/);
    expect(good?.outcome.k).toBe('done');
    expect(r.out).toContain('2 of 3 failed');
  }, 120_000);

  it('a peer that ends its process in the middle', () => {
    // What is installed in the current folder is what its user wants to be compared with.
    const fake = at('project/node_modules/onnxruntime-web');
    mkdirSync(fake, { recursive: true });
    writeFileSync(join(fake, 'package.json'), JSON.stringify({ name: 'onnxruntime-web', version: '0.0.1', main: 'index.cjs' }));
    writeFileSync(
      join(fake, 'index.cjs'),
      `let calls = 0;
      exports.env = { wasm: {} };
      exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } };
      const run = async () => {
        if (++calls > 4) process.exit(7);
        return { y: new exports.Tensor('float32', new Float32Array(32), [1, 32]) };
      };
      exports.InferenceSession = { create: async () => ({ outputNames: ['y'], run, release: async () => {} }) };`,
    );
    const argv = ['bench', at('dense.onnx'), '--against', 'onnxruntime-web,onnxruntime-node', ...QUICK, '--json', 'crash.json'];
    const r = sinterIn(at('project'), ...argv);
    expect(r.code).toBe(1);
    const f = figures(read(at('project/crash.json')).cases[0]);
    expect(runtime(f, 'onnxruntime-web')).toEqual({
      k: 'failed',
      name: 'onnxruntime-web',
      version: '0.0.1',
      message: 'ended the process (exit code 7) while running',
    });
    expect(runtime(f, 'onnxruntime-node')).toMatchObject({ k: 'ran' });
    expect(f.runs[0]?.times.map(t => t.name)).toEqual(['sinter', 'onnxruntime-node']);
    expect(r.out).toContain('onnxruntime-web 0.0.1 failed: ended the process (exit code 7) while running');
  }, 120_000);

  it('Python without XGBoost is told how to get it', () => {
    const json = at('result.json');
    const trees = [{ f: 0, t: 0.5, missingLeft: true, l: 10, r: 20 }];
    writeFileSync(at('trees.json'), treesJson(document({ baseScore: '0E0', trees })));
    const argv = [at('trees.json'), '--python', at('no-such-python'), ...QUICK, '--json', json];
    const r = sinter('bench', ...argv);
    expect(r.code).toBe(0);
    const f = figures(read(json).cases[0]);
    expect(f.runtimes.map(c => c.name)).toEqual(['sinter', 'xgboost-python']);
    expect(runtime(f, 'xgboost-python')).toMatchObject({ k: 'missing' });
    expect(r.out).toContain('xgboost-python is not installed: pip install xgboost');
  }, 120_000);
});

it('Ctrl-C ends all processes and leaves no file', async () => {
  const dir = at('interrupted');
  mkdirSync(dir);
  const argv = [main, 'bench', at('dense.onnx'), '--against', 'onnxruntime-web', '--json', join(dir, 'result.json')];
  const env = { ...process.env, TMPDIR: dir };
  const child = spawn(process.execPath, argv, { env, stdio: 'ignore', cwd: dir });
  // The bundle is in the temporary folder as soon as the compiler is done: what follows are measurements.
  const measuring = (): boolean => readdirSync(dir).some(d => existsSync(join(dir, d, 'request.json')));
  while (!measuring() && child.exitCode === null) await new Promise(done => setTimeout(done, 50));
  await new Promise(done => setTimeout(done, 500));
  const ended = new Promise<number | null>(done => child.on('close', done));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  await new Promise(done => setTimeout(done, 300));
  expect(readdirSync(dir)).toEqual([]);
  const left = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout.split('\n');
  expect(left.filter(l => l.includes(dir))).toEqual([]);
}, 120_000);

it.each([
  [['bench'], 'give models or bundles, or a --suite'],
  [['bench', at('dense'), '--suite', at('suite.json')], 'give no others'],
  [['bench', at('dense'), '--json', at('dense.onnx')], 'this is a model; put --json after it'],
  [['bench', at('dense.onnx'), '--against', 'onnxruntime'], "there is no 'onnxruntime'; did you mean 'onnxruntime-web'?"],
  [['bench', at('dense.onnx'), '--rounds', '2'], 'must be a whole number of 3 or more'],
  [['bench', at('dense.onnx'), '--size', 'batch'], 'write NAME=N'],
  [['bench', at('dense'), '--size', 'rows=3'], 'the free dimensions of dense are batch (1 to 16)'],
  [['bench', at('dense'), '--size', 'batch=300'], 'the free dimensions of dense are batch (1 to 16)'],
  [['bench', at('dense.onnx'), '--batch', '0'], 'write whole numbers'],
  [['bench', at('dense.onnx'), '--target', 'wasm-smid'], 'E401: target wasm-smid: is none of'],
  [['bench', at('dense.onnx'), '--model', at('dense.onnx')], '--model is for bundles'],
  [['bench', at('dense'), '--target', 'wasm-mvp'], 'is compiled already'],
  [['bench', at('dense'), '--profile'], 'needs its --model'],
])('bad arguments: %j', (argv, said) => {
  const r = sinter(...argv);
  expect(r.code).toBe(2);
  expect(r.err).toContain(said);
});
it.each([
  [[at('nowhere.onnx')], 'E205: cannot read'],
  [[at('dense.onnx'), '--json', at('dense.onnx/x.json')], 'E206: cannot write'],
])('what is not there: %j', (argv, said) => {
  const r = sinter('bench', ...argv);
  expect(r.code).toBe(1);
  expect(r.err).toContain(said);
});
