import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/node.ts';
import { NOTHING, readCache, withSteps, writeCache } from '../../compiler/tune/cache.ts';
import { machineOf } from '../../compiler/tune/machine.ts';
import { tune, type Meter } from '../../compiler/tune/tune.ts';
import { sinter } from '../cli/captured.ts';
import { model, node, sub, tensor, value } from '../onnx-writer.ts';
import { target } from '../ops/problems.ts';

jest.setTimeout(60_000);
const dir = mkdtempSync(join(tmpdir(), 'sinter-tune-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string): string => join(dir, name);

const F32 = 1;
const w = tensor({
  dims: [16, 32],
  type: F32,
  name: 'w',
  raw: new Uint8Array(Float32Array.from({ length: 512 }, (_, i) => (i % 7) - 3).buffer),
});
const onnx = model([node('MatMul', ['x', 'w'], ['y']), sub(5, w), value(11, 'x', F32, [24, 16]), value(12, 'y', F32, [24, 32])]);
writeFileSync(at('m.onnx'), onnx);
const STEP = 'MatMul(f32[24,16], const f32[16,32])';
const here = machineOf(target('wasm-simd'));
/** Everything takes a millisecond but blocks of this name, which take half of one. */
function meter(best: string, opened: string[] = []): Meter {
  let now = 0;
  return {
    clock: () => now,
    open: () => (_, tuned) => {
      const blocks = must(must(Object.values(tuned.steps)[0]).blocks);
      opened.push(blocks);
      return Promise.resolve(() => void (now += blocks === best ? 0.5 : 1));
    },
  };
}
const bundle = async (options: object): Promise<Map<string, Uint8Array>> =>
  (await compile({ model: onnx, file: 'm.onnx', ...options })).files;

describe('tune', () => {
  it('keeps what it finds, and measures nothing again', async () => {
    const cache = at('found.json');
    const first = await tune({ model: onnx, cache }, meter('2x16'));
    expect(first).toEqual({ file: cache, steps: { 'wasm-simd': { [STEP]: { blocks: '2x16' } } } });
    expect(readCache(readFileSync(cache, 'utf8'), '')).toEqual(
      withSteps(NOTHING, here, 'wasm-simd', first.steps['wasm-simd'] ?? {}),
    );
    const opened: string[] = [];
    expect(await tune({ model: onnx, cache }, meter('2x8', opened))).toEqual(first);
    expect(opened).toEqual([]);
  });
  it('measures several profiles, each by itself, with panels of one width', async () => {
    const opened: string[] = [];
    const r = await tune({ model: onnx, target: 'wasm-auto', cache: at('auto.json') }, meter('2x16', opened));
    expect(Object.keys(r.steps).length).toBeGreaterThan(1);
    expect(new Set(opened.map(b => b.split('x')[1]))).toEqual(new Set(['8']));
  });
  it('does not touch a file that it cannot read', async () => {
    writeFileSync(at('bad.json'), '{"tuning": 1, "fo');
    await expect(tune({ model: onnx, cache: at('bad.json') }, meter('2x8'))).rejects.toThrow('E209');
    expect(readFileSync(at('bad.json'), 'utf8')).toBe('{"tuning": 1, "fo');
  });
  it('says where code cannot be measured', async () => {
    await expect(tune({ model: onnx, target: 'linux-arm64', cache: at('arm.json'), seconds: 5 })).rejects.toThrow(
      /E403: option tune: code for linux-arm64 cannot be measured here/,
    );
    expect(existsSync(at('arm.json'))).toBe(false);
  });
});
describe('compile with what was tuned', () => {
  const tuning = (blocks: string): object => ({ tuning: { file: 'f', steps: { 'wasm-simd': { [STEP]: { blocks } } } } });
  it('uses it, and gives the same bytes each time', async () => {
    const [plain, tuned, again] = [await bundle({}), await bundle(tuning('2x16')), await bundle(tuning('2x16'))];
    expect(tuned).toEqual(again);
    expect(tuned.get('model.wasm')).not.toEqual(plain.get('model.wasm'));
    expect(await bundle(tuning('4x8'))).toEqual(plain);
  });
  it('refuses what is no candidate', async () => {
    await expect(bundle(tuning('9x9'))).rejects.toThrow(
      `E209: what was tuned in f: blocks of ${STEP} are 9x9, which is none of 4x8, 2x8, 5x8, 3x12, 2x16`,
    );
  });
});
describe('sinter compile', () => {
  const run = (out: string, ...argv: string[]): ReturnType<typeof sinter> =>
    sinter('compile', at('m.onnx'), '-o', at(out), ...argv);
  const wasm = (out: string): Buffer => readFileSync(join(at(out), 'model.wasm'));
  it('measures here, and from the file makes the same bundle without measuring', async () => {
    const cache = at('cli.json');
    expect((await run('a', '--tune', '2', '--tune-cache', cache)).code).toBe(0);
    const text = readFileSync(cache, 'utf8');
    expect(readCache(text, '').found).toMatchObject([{ ...here, profile: 'wasm-simd' }]);
    expect((await run('b', '--tune-cache', cache)).code).toBe(0);
    expect(wasm('a')).toEqual(wasm('b'));
    expect(readFileSync(cache, 'utf8')).toBe(text);
    expect(readdirSync(dir).filter(f => f.startsWith('.'))).toEqual([]);
  });
  it('takes what was measured on another processor only where that is named', async () => {
    const other = at('other.json');
    const found = withSteps(NOTHING, { processor: 'Slow 100', engine: 'V8 1.0' }, 'wasm-simd', { [STEP]: { blocks: '2x16' } });
    writeFileSync(other, writeCache(found));
    expect(await run('c', '--tune-cache', other)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/E209: .*it has wasm-simd on Slow 100 \(V8 1\.0\), and this is /),
    });
    expect(existsSync(at('c'))).toBe(false);
    expect((await run('c', '--tune-cache', other, '--tuned-on', 'slow')).code).toBe(0);
    const want = await bundle({ tuning: { file: '', steps: { 'wasm-simd': { [STEP]: { blocks: '2x16' } } } } });
    expect(new Uint8Array(wasm('c'))).toEqual(want.get('model.wasm'));
  });
  it('refuses flags that say two things', async () => {
    expect(await run('d', '--tune', '--tuned-on', 'x')).toMatchObject({ code: 2 });
    expect(await run('d', '--tuned-on', 'x')).toMatchObject({ code: 2 });
  });
});
