import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { runCommand } from '../../compiler/cli/command.ts';
import { readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { model, node, sub, tensor, value } from '../onnx-writer.ts';
import { sinter } from './captured.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...p: string[]): string => join(root, ...p);
const F32 = 1;

/** y = max(x + w, 0), x: [batch, 4]. */
const small = (w: readonly number[]): Uint8Array =>
  model([
    node('Add', ['x', 'w'], ['s']),
    node('Relu', ['s'], ['y']),
    sub(5, tensor({ name: 'w', dims: [4], type: F32, raw: new Uint8Array(Float32Array.from(w).buffer) })),
    value(11, 'x', F32, ['batch', 4]),
    value(12, 'y', F32, ['batch', 4]),
  ]);
writeFileSync(at('small.onnx'), small([1, 2, 3, 4]));
writeFileSync(at('unknown.onnx'), model([node('Frobnicate', ['x'], ['y']), value(11, 'x', F32, [1]), value(12, 'y', F32, [1])]));
writeFileSync(at('cut.onnx'), small([1, 2, 3, 4]).subarray(0, 60));

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('usage', () => {
  it.each([
    [[], 2, 'Usage: sinter'],
    [['--help'], 0, 'Usage: sinter'],
    [['compile', '--help'], 0, '--stop-after <phase>'],
    [['--version'], 0, '0.1.0'],
    [['complie', 'x'], 2, "unknown command 'complie'"],
    [['complie', 'x'], 2, 'Did you mean compile?'],
    [['compile'], 2, "missing required argument 'model'"],
    [['compile', 'x.onnx', '--dim', 'batch'], 2, '--dim batch: write NAME=N, NAME=A..B or NAME=A..B:STEP'],
    [['compile', 'x.onnx', '--dim', 'n=1', '--dim', 'n=2'], 2, 'n is given twice'],
    [['compile', 'x.onnx', '--shape', 'x=1xax3'], 2, '--shape x=1xax3: write NAME=AxBxC, such as x=1x3x48x160..320'],
    [['compile', 'x.onnx', '--shape', 'x=1', '--shape', 'x=2'], 2, 'x is given twice'],
    [['compile', 'x.onnx', '--stop-after', 'lunch'], 2, 'Allowed choices are import, passes'],
    [['compile', 'x.onnx', '--print-after', 'ces'], 2, "there is no such pass; did you mean 'cse'?"],
    [['compile', 'x.onnx', '--target', 'wasm-smid'], 2, 'E401: target wasm-smid: is none of'],
    [['compile', 'x.onnx', '--target', 'wasm-mvp', '--target', 'wasm-mvp'], 2, 'is given twice'],
    [['compile', 'x.onnx', '--embed-below', '-1'], 2, 'must be a whole number of 0 or more'],
    [['compile', 'x.onnx', '--out', '.'], 2, 'give a folder of its own'],
    [['verify', 'b'], 1, 'E207: bundle b: it has no manifest.json of Sinter'],
    [['verify', 'b', '--model', 'm', '--rtol', 'x'], 2, 'must be a number of 0 or more'],
    [['opt', at('small.onnx'), '--pass', 'x'], 1, 'E201'],
    [['targets', 'wasm-mv'], 2, "did you mean 'wasm-mvp'?"],
  ] as const)('sinter %j gives %i', async (argv, code, text) => {
    const r = await sinter(...argv);
    expect(r.out + r.err).toContain(text);
    expect(r.code).toBe(code);
  });
  it('lists the targets and tells what one means', async () => {
    expect((await sinter('targets')).out).toMatch(/wasm-auto .*wasm-mvp .*wasm-relaxed-simd .*wasm-simd /s);
    expect((await sinter('targets', 'wasm-simd')).out).toMatch(/vector.bits +128 \(4 floats\)/);
    expect((await sinter('targets', 'wasm-auto')).out).toContain('Modules, best first');
  });
  it('says how to reproduce a bug, and exits with 70', async () => {
    let err = '';
    const broken = {
      out: (): void => {
        throw new TypeError('broken promise');
      },
      err: (t: string): void => void (err += t),
      live: false,
    };
    expect(await runCommand(['targets', "wasm simd'"], broken)).toBe(2);
    expect(await runCommand(['targets', 'wasm-simd'], broken)).toBe(70);
    expect(err).toMatch(/TypeError: broken promise\n.*\n[^]*This is a bug of Sinter.*\n {2}sinter targets wasm-simd\n/);
  });
  it('runs as a program', () => {
    const main = fileURLToPath(new URL('../../compiler/cli/main.ts', import.meta.url));
    const r = spawnSync(process.execPath, ['--import', 'tsx', main, 'targets', 'nowhere'], { encoding: 'utf8' });
    expect(r.stderr).toContain('E401: target nowhere');
    expect(r.status).toBe(2);
  }, 60_000);
});

describe('compile', () => {
  it('writes a bundle that runs, and replaces it', async () => {
    const out = at('bundle');
    const first = await sinter('compile', at('small.onnx'), '--out', out);
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toMatch(/^small for wasm-simd in .*bundle\n {2}operators +2 → 2, in 1 fused group of 1 kernel\n/);
    expect(first.out).toMatch(
      /\n {2}model +\d+ B, \d+ B with gzip, \d+ B with brotli\n {2}download +[\d.]+ KB, [\d.]+ KB with gzip, [\d.]+ KB with brotli\n {2}larger by +[\d.]+ KB with gzip: code [\d.]+ KB\n/,
    );
    expect(first.err).toContain('warning: small.onnx: dimension batch is free and taken for a batch of 1 to 16');
    expect(readdirSync(out).sort()).toEqual(
      ['README.md', 'demo.html', 'demo.js', 'index.d.ts', 'index.js', 'manifest.json', 'model.wasm', 'package.json'].sort(),
    );
    writeFileSync(join(out, 'stale'), '');
    expect(await sinter('compile', at('small.onnx'), '--out', out, '--dim', 'batch=2', '--embed-below', '0')).toMatchObject({
      code: 0,
    });
    expect(existsSync(join(out, 'stale'))).toBe(false);
    expect(readFileSync(join(out, 'model.weights'))).toHaveLength(64);
    expect(readdirSync(root).filter(f => f.startsWith('.'))).toEqual([]);
  }, 60_000);
  it('gives the same bytes each time', async () => {
    for (const d of ['one', 'two'])
      expect((await sinter('compile', at('small.onnx'), '--out', at(d), '-t', 'wasm-auto')).code).toBe(0);
    const files = readdirSync(at('one'));
    expect(readdirSync(at('two'))).toEqual(files);
    for (const f of files) expect(readFileSync(at('one', f)).equals(readFileSync(at('two', f)))).toBe(true);
  });
  it('puts several targets into folders of their names, one from a file', async () => {
    writeFileSync(at('mine.json'), JSON.stringify({ name: 'mine', extends: 'wasm-mvp', memory: { embedBelow: 0 } }));
    const out = at('several');
    const r = await sinter('compile', at('small.onnx'), '-o', out, '-t', 'wasm-simd', '-t', at('mine.json'), '--json');
    expect(r).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(out)).toEqual(['mine', 'wasm-simd']);
    expect(existsSync(join(out, 'mine', 'model.weights'))).toBe(true);
    const reports = JSON.parse(r.out) as { target: string; files: object; operators: object }[];
    expect(reports.map(x => x.target)).toEqual(['wasm-simd', 'mine']);
    expect(reports[0]?.operators).toEqual({ before: 2, after: 2 });
  });
  it('takes shapes, cuts, and verifies what is left', async () => {
    const flags = ['--shape', 'x=2..3x4', '--outputs-at', 's', '--verify'];
    const r = await sinter('compile', at('small.onnx'), '-o', at('part'), ...flags);
    expect(r).toMatchObject({ code: 0, err: '' });
    expect(r.out).toContain("compared with Sinter's reference evaluator");
    const manifest = json(readFileSync(at('part', 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ outputs: [{ name: 's' }], symbols: [{ name: 'batch', lo: 2, hi: 3 }] });
  });
  it('says the whole command where a size is missing', async () => {
    const bytes = model([node('Neg', ['x'], ['y']), value(11, 'x', F32, [2, 'seq len']), value(12, 'y', F32, [2, 'seq len'])]);
    writeFileSync(at('open one.onnx'), bytes);
    const r = await sinter('compile', at('open one.onnx'), '-t', 'wasm-mvp');
    expect(r.code).toBe(1);
    expect(r.err).toContain(`\ntry: sinter compile '${at('open one.onnx')}' -t wasm-mvp --dim seq_len=1..512\n`);
  });
  it.each([
    ['unknown.onnx', 'E103: the model uses 1 operator that Sinter does not support:\n  Frobnicate; first'],
    ['cut.onnx', 'E203'],
    ['nothing.onnx', 'E205: cannot read'],
    ['mine.json', 'E202: mine.json is not a model that Sinter reads: this looks like a JSON file'],
  ])('%s gives an error and no folder', async (file, text) => {
    const r = await sinter('compile', at(file), '--out', at('none'));
    expect(r.err).toContain(text);
    expect(r).toMatchObject({ code: 1, out: '' });
    expect(existsSync(at('none'))).toBe(false);
    expect(readdirSync(root).filter(f => f.startsWith('.'))).toEqual([]);
  });
  it('leaves alone what is no bundle, and says where it cannot write', async () => {
    mkdirSync(at('precious'));
    writeFileSync(at('precious', 'thesis.txt'), 'text');
    const r = await sinter('compile', at('small.onnx'), '--out', at('precious'));
    expect(r.code).toBe(1);
    expect(r.err).toContain('E206: cannot write');
    expect(readdirSync(at('precious'))).toEqual(['thesis.txt']);
    const file = await sinter('compile', at('small.onnx'), '--out', at('small.onnx'));
    expect(file.err).toContain('it is a file');
    const below = await sinter('compile', at('small.onnx'), '--out', at('small.onnx', 'deep', 'er'));
    expect(below).toMatchObject({ code: 1 });
    expect(below.err).toContain('a part of its path is not a folder');
  });
  it('shows kernels after each of their passes, by name, and stops after them', async () => {
    const r = await sinter('compile', at('small.onnx'), '--stop-after', 'kernels', '--print-after', 'hoist', '--time-passes');
    expect(r.code).toBe(0);
    expect(r.out).toMatch(/; after hoist for wasm-simd\nprogram "small" \{/);
    expect(r.out).toMatch(/\n {2}kernels: inline +[\d.]+ m?s\n/);
    const wrong = await sinter('compile', at('small.onnx'), '--print-after', 'adresses');
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.err).toContain("did you mean 'addresses'?");
  });
  it('stops after a phase, and shows the stages', async () => {
    const stopped = await sinter(
      'compile',
      at('small.onnx'),
      '-o',
      at('none'),
      '--stop-after',
      'passes',
      '--print-after',
      'dce',
      '--time-passes',
    );
    expect(stopped.code).toBe(0);
    expect(stopped.out).toMatch(/; after dce for wasm-simd\ngraph "small" \{/);
    expect(stopped.out).toMatch(/passes\n(?: {2}[\w-]+ +[\d.]+ m?s\n)+/);
    expect(existsSync(at('none'))).toBe(false);
    expect((await sinter('compile', at('small.onnx'), '-o', at('dumped'), '--dump', at('dump'), '--verify-ir')).code).toBe(0);
    const stages = readdirSync(at('dump'));
    expect(stages[0]).toBe('01-import.graph');
    expect(stages.at(-1)).toMatch(/^\d+-emit-wasm-simd\.wat$/);
    const opt = await sinter('opt', at('dump', '01-import.graph'), '--pass', 'dce');
    expect(opt).toMatchObject({ code: 0 });
    expect(opt.out).toContain('= Relu(');
    const lowered = at('dump', must(stages.find(f => f.includes('-lower-'))));
    const hoisted = await sinter('opt', lowered, '--pass', 'hoist', '--pass', 'cse');
    expect(hoisted).toMatchObject({ code: 0 });
    expect(hoisted.out).toMatch(/^program "small" \{/);
    const wrong = await sinter('opt', lowered, '--pass', 'hoits');
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("did you mean 'hoist'");
  });
});

describe('run', () => {
  it('runs a bundle on files and made inputs', async () => {
    await sinter('compile', at('small.onnx'), '-o', at('r'));
    writeFileSync(at('x.npy'), writeNpy(fromNumbers('f32', [2, 4], [0, 0, 0, 0, -9, -9, 9, 9])));
    const r = await sinter('run', at('r'), '--input', `x=${at('x.npy')}`, '--out', at('results'));
    expect(r.out).toBe('y  float32 [2, 4]  min 0  max 13  mean 4.375  argmax 7\n  1, 2, 3, 4, 0, 0, 12, 13\n');
    expect(r.code).toBe(0);
    const y = readNpy(readFileSync(at('results', 'y.npy')), 'y.npy');
    expect([...toNumbers(y)]).toEqual([1, 2, 3, 4, 0, 0, 12, 13]);
    expect((await sinter('run', at('r'), '--input', 'x=zeros')).out).toContain('  1, 2, 3, 4\n');
    expect((await sinter('run', at('r'), '--input', 'x=random:7')).out).toBe(
      (await sinter('run', at('r'), '--input', 'x=random:7')).out,
    );
  });
  it('says what is wrong', async () => {
    writeFileSync(at('bad.npy'), writeNpy(fromNumbers('f32', [2, 5], new Array<number>(10).fill(0))));
    for (const [args, text] of [
      [[at('r'), '--input', 'z=zeros'], 'E501: input z: there is no such input; the inputs are x'],
      [[at('r'), '--input', 'zeros'], "E403: option input: 'zeros' is not NAME=FILE"],
      [[at('r'), '--input', `x=${at('bad.npy')}`], 'E501: input x: size'],
      [[at('r'), '--input', `x=${at('no.npy')}`], 'E205: cannot read'],
      [[root], 'E207: bundle'],
      [[at('several')], 'it holds the bundles mine, wasm-simd'],
    ] as const) {
      const r = await sinter('run', ...args);
      expect(r.err).toContain(text);
      expect([1, 2]).toContain(r.code);
    }
  });
});

describe('run FILE.kernel', () => {
  const text =
    'kernel double(int n0, read b0: f32, write b1: f32) {\n  for i0 in 0..n0 {\n    b1.f32[i0] = (b0.f32[i0] * 2:f32)\n  }\n}\n';
  it('interprets a kernel on files', async () => {
    writeFileSync(at('double.kernel'), text);
    writeFileSync(at('b.npy'), writeNpy(fromNumbers('f32', [3], [1, 2, 3])));
    writeFileSync(at('o.npy'), writeNpy(fromNumbers('f32', [3], [0, 0, 0])));
    const files = ['--input', `b0=${at('b.npy')}`, '--input', `b1=${at('o.npy')}`];
    const r = await sinter('run', at('double.kernel'), '--input', 'n0=2', ...files);
    expect(r).toEqual({ code: 0, err: '', out: 'b1  float32 [3]  min 0  max 4  mean 2  argmax 1\n  2, 4, 0\n' });
    const beyond = await sinter('run', at('double.kernel'), '--input', 'n0=4', ...files);
    expect(beyond).toMatchObject({ code: 1, out: '' });
    expect(beyond.err).toContain('E502');
  });
  it('asks for sizes, and tells where the text is wrong', async () => {
    expect(await sinter('run', at('double.kernel'))).toMatchObject({
      code: 2,
      err: 'error: --input n0=N: give the size n0 as a number\n',
    });
    expect((await sinter('run', at('double.kernel'), '--input', 'z=1')).err).toContain('the parameters are n0, b0, b1');
    writeFileSync(at('wrong.kernel'), text.replace('0..n0', '0..'));
    expect((await sinter('run', at('wrong.kernel'))).err).toMatch(/wrong\.kernel:2:\d+: E201/);
  });
});

describe('inspect', () => {
  it('tells what a model is made of', async () => {
    const r = await sinter('inspect', at('small.onnx'));
    expect(r.code).toBe(0);
    expect(r.out).toContain('small.onnx: ONNX, ');
    expect(r.out).toContain('x  float32 [batch, 4]');
    expect(r.out).toContain("batch  axis 0 of 'x'");
    expect(r.out).toContain('Add 1, Relu 1');
    expect(r.out).toMatch(/supported +yes/);
    const j = json((await sinter('inspect', at('small.onnx'), '--json')).out);
    expect(j['parameters']).toEqual({ tensors: 1, elements: 4, bytes: 16 });
  });
  it('works for models that cannot be compiled', async () => {
    const r = await sinter('inspect', at('unknown.onnx'), '--html', at('u.html'));
    expect(r.code).toBe(0);
    expect(r.out).toMatch(/supported +no: .*E103/);
    expect(readFileSync(at('u.html'), 'utf8')).toContain('class="node bad"');
  });
  it('draws large graphs without hanging, with a note of what is left out', async () => {
    const nodes = Array.from({ length: 5000 }, (_, i) =>
      node('Add', [i === 0 ? 'x' : `v${i - 1}`, `v${Math.max(0, i - 3)}`], [`v${i}`]),
    );
    writeFileSync(
      at('large.onnx'),
      model([node('Relu', ['x'], ['v0']), ...nodes.slice(1), value(11, 'x', F32, [4]), value(12, 'v4999', F32, [4])]),
    );
    const r = await sinter('inspect', at('large.onnx'), '--html', at('large.html'));
    expect(r.code).toBe(0);
    const page = readFileSync(at('large.html'), 'utf8');
    expect(page).toMatch(/5000 operators.*The first \d+ are drawn\./);
    expect(page.match(/<g id="node/g)?.length).toBeLessThanOrEqual(1202);
    // Nothing is loaded from elsewhere.
    expect(page.replaceAll(/xmlns(:xlink)?="[^"]*"/g, '')).not.toMatch(/(?:src|href)\s*=\s*"(?!#)/);
  }, 120_000);
});
