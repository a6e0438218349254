/** Bundles whose runs several threads share. They run in a program of their own: the workers are Node's. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WASM } from '../../compiler/backend/wasm/index.ts';
import { compile, evaluate } from '../../compiler/node.ts';
import { runsHere } from '../../fixtures/engine.ts';
import { locate } from '../../fixtures/models.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import { parseProgram } from '../../compiler/program/parse.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { bundleOf, put } from './hand-made.ts';

const HEAD = `import { createHash } from 'node:crypto';
import { load } from './index.js';
const x = Float32Array.from({ length: 3 * 48 * 192 }, (_, i) => ((i * 37) % 101) / 101);
const bits = y => createHash('sha256').update(Buffer.from(Object.values(y)[0].data.buffer)).digest('hex');
const say = v => console.log(JSON.stringify(v));
`;
const folders: string[] = [];
afterAll(() => folders.forEach(d => rmSync(d, { recursive: true, force: true })));
/** What a program beside the files of a bundle says on its two channels; it ends by itself. */
function program(dir: string, text: string): { said: unknown[]; warned: string } {
  const file = join(dir, 'program.mjs');
  writeFileSync(file, HEAD + text);
  const r = spawnSync(process.execPath, ['--expose-gc', file], { encoding: 'utf8', timeout: 60_000 });
  expect([r.status, r.signal]).toEqual([0, null]);
  return {
    said: r.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as unknown),
    warned: r.stderr,
  };
}
async function folder(target: string): Promise<string> {
  const { files } = await compile({
    model: must(locate('ppocr-cls')),
    target,
    dims: { 'p2o.DynamicDimension.0': 1, 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 192 },
  });
  const dir = put(files);
  folders.push(dir);
  return dir;
}

/** y = 1000 / x as integers, where 0 stops the thread that meets it; a program's text, since no operator divides so. */
const DIVIDE = `program "divide" {
  slot %0 "x": input i32[1000000]
  slot %1 "y": output i32[1000000]
  input "x" = %0: i32[1000000]
  output "y" = %1: i32[1000000]
  kernel divide(read a: i32, write b: i32, int count) {
    for i in 0..count parallel {
      b.i32[i] = (1000 / a.i32[i])
    }
  }
  run {
    divide(%0, %1, 1000000)
  }
}`;
async function divide(): Promise<string> {
  const profile = must(resolveTarget('wasm-threads-simd').profiles[0]);
  const parsed = parseProgram(DIVIDE, 'divide.program');
  const program = runKernelPasses(parsed, profile);
  const module = await WASM.emit({
    program,
    plan: planMemory(program, profile),
    profile,
    file: 'divide',
    embedBelow: 0,
    flushDenormals: false,
  });
  const dir = put(await bundleOf([module]));
  folders.push(dir);
  return dir;
}

describe('a model for several threads', () => {
  let dir = '';
  let plain: unknown;
  beforeAll(async () => {
    dir = await folder('wasm-threads-simd');
    [plain] = program(await folder('wasm-simd'), 'say(bits((await load()).run({ x })));').said;
  }, 120_000);

  it('gives the same bits with any number of them, run at once or led by a worker', () => {
    const text = `for (const threads of [1, 2, 3, 8]) {
      const model = await load(undefined, { threads });
      say([bits(model.run({ x })), bits(await model.runAsync({ x })), bits(model.run({ x }))]);
    }`;
    expect(program(dir, text)).toEqual({ said: new Array(4).fill([plain, plain, plain]), warned: '' });
  });
  it('has weights inside of its module too', async () => {
    const trees = async (target: string): Promise<unknown> => {
      const { files } = await compile({ model: join(projectDir, 'fixtures/bike/model.json'), target });
      const dir = put(files);
      folders.push(dir);
      const text = `const rows = Float32Array.from({ length: 13 * 5000 }, (_, i) => ((i * 7919) % 1009) / 40);
        say(bits((await load(undefined, { threads: 2 })).run({ features: rows })));`;
      return program(dir, text).said;
    };
    expect(await trees('wasm-threads-simd')).toEqual(await trees('wasm-simd'));
  }, 60_000);
  it('multiplies bytes by dot products where the engine has them', async () => {
    const model = networkTflite(must(tinyNetworks()[0]), 'int8');
    const { files } = await compile({ model, file: 'keywords.tflite', target: 'wasm-threads' });
    const dir = put(files);
    folders.push(dir);
    const data = Int8Array.from({ length: 490 }, (_, i) => ((i * 37) % 255) - 128);
    const want = evaluate({ model, file: 'keywords.tflite', inputs: { x: { dims: [1, 49, 10, 1], data } } });
    const text = `const bytes = Int8Array.from({ length: 490 }, (_, i) => ((i * 37) % 255) - 128);
      const model = await load(undefined, { threads: 2 });
      say([model.profile, ...model.run({ x: bytes }).y.data, ...(await model.runAsync({ x: bytes })).y.data]);`;
    const best = resolveTarget('wasm-threads').profiles.find(p => runsHere(p) && files.has(`model.${p.name}.wasm`));
    const numbers = [...(must(want['y']).data as Int8Array)];
    expect(program(dir, text).said).toEqual([[best?.name, ...numbers, ...numbers]]);
  }, 60_000);
  it('lets runs wait for each other, and refuses one in the middle of another', () => {
    const text = `const [a, b] = [await load(undefined, { threads: 2 }), await load(undefined, { threads: 2 })];
      const runs = [a.runAsync({ x }), b.runAsync({ x }), a.runAsync({ x })];
      say(bits(b.run({ x })).length);
      say((await Promise.all(runs)).map(bits));
      const run = a.runAsync({ x });
      await new Promise(setImmediate);
      try { a.run({ x }); say('ran'); } catch (e) { say(e.message); }
      say(bits(await run));
      try { await a.runAsync({ x: [1] }); say('ran'); } catch (e) { say(e.code); }
      say(bits(a.run({ x })));`;
    const { said } = program(dir, text);
    expect(said).toEqual([64, [plain, plain, plain], 'E502: another run is not done', plain, 'E501', plain]);
  });
  it('stops where a thread does, whichever it is, and runs again', async () => {
    const text = `const model = await load(undefined, { threads: 2 });
      const numbers = new Int32Array(1e6).fill(8);
      for (const zero of [undefined, 1, 999_999, undefined]) {
        const x = numbers.slice();
        if (zero) x[zero] = 0;
        for (const run of [model.run, model.runAsync])
          try {
            say((await run({ x })).y.data.every(v => v === 125));
          } catch (e) {
            say(e.code);
          }
      }`;
    const { said } = program(await divide(), text);
    expect(said).toEqual([true, true, 'E502', 'E502', 'E502', 'E502', true, true]);
  });
  it('leaves nothing behind of a hundred models', () => {
    const text = `const sizes = [];
      for (let i = 0; i < 100; i++) {
        const model = await load(undefined, { threads: 2 });
        if (bits(model.run({ x })) !== ${JSON.stringify('PLAIN')}) say('differs');
        if (i % 10 === 9) {
          for (let k = 0; k < 3; k++) { gc(); await new Promise(done => setTimeout(done, 20)); }
          sizes.push(process.memoryUsage().rss / 2 ** 20);
        }
      }
      say(Math.max(...sizes.slice(5)) - Math.max(...sizes.slice(0, 5)));`;
    const [growth, ...more] = program(dir, text.replace('PLAIN', String(plain))).said;
    expect(more).toEqual([]);
    // A model takes 4 MB of memory of its own.
    expect(growth).toBeLessThan(100);
  }, 60_000);
  it('goes on where a worker ends, also in the middle of a run, and says so once', () => {
    const text = `const [a, b] = [await load(undefined, { threads: 3 }), await load(undefined, { threads: 2 })];
      say([bits(a.run({ x })), bits(await a.runAsync({ x }))]);
      const run = a.runAsync({ x });
      await new Promise(setImmediate);
      globalThis[Symbol.for('sinter.pool.1')].workers[0].end();
      say([bits(await run), bits(await b.runAsync({ x })), bits(a.run({ x })), bits(b.run({ x }))]);
      say(bits((await load()).run({ x })));`;
    expect(program(dir, text)).toEqual({
      said: [[plain, plain], [plain, plain, plain, plain], plain],
      warned: 'Sinter: models run on one thread, since a worker has ended\n',
    });
  });
  it('says what a page lacks that may not share memory', () => {
    const text = `globalThis.crossOriginIsolated = false;
      const alone = await import('./index.js?alone');
      try { await alone.load(); say('loaded'); } catch (e) { say(e.message); }`;
    const { said } = program(dir, text);
    expect(said).toEqual([
      'E401: threads need a page with COOP and COEP; compile with --target wasm-threads, which has other modules too',
    ]);
  });
  it('runs on one thread where no worker starts, and says so once', () => {
    writeFileSync(join(dir, 'worker.js'), 'throw new Error("no such thing");');
    const text = `const [a, b] = [await load(undefined, { threads: 2 }), await load()];
      say([bits(a.run({ x })), bits(await b.runAsync({ x }))]);`;
    expect(program(dir, text)).toEqual({
      said: [[plain, plain]],
      warned: 'Sinter: models run on one thread, since workers do not start: no such thing\n',
    });
  });
});
