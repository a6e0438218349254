import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { openBundle } from '../../compiler/run/bundle.ts';
import { buildLibraries, type NativeBuild } from '../../compiler/host/build.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { compile } from '../../compiler/index.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { needs, type Need } from '../needs.ts';
import { buildBundle } from './build.ts';
import { keywordNetwork } from './keywords.ts';

/** What a run must not do, as Valgrind sees it; and what is left when a compiler is not there or fails. */
const MODELS = [
  { name: 'a keyword network', model: keywordNetwork(), inputs: new Map([['features', randomTensor('f32', [1, 1, 49, 10], 7)]]) },
  {
    name: '150 trees',
    model: readFileSync(join(projectDir, 'fixtures/bike/model.json')),
    inputs: new Map([['features', randomTensor('f32', [140, 13], 7, 0, 40)]]),
  },
];
needs('cc', 'make', 'valgrind').describe('a run', () => {
  it.each(MODELS)(
    'allocates nothing, and reads nothing that was not written: $name',
    async ({ model, inputs }) => {
      const { files } = await compile({ model, target: 'linux-x64-v2' });
      const built = buildBundle(files, { flags: ['-O1', '-g'] });
      const { dir } = built;
      built.run(inputs);
      // The program allocates for its files. Twenty more runs must not add to that.
      const allocations = (repeat: string): number => {
        const args = ['--error-exitcode=9', './model', 'in0.npy', '--repeat', repeat];
        const r = spawnSync('valgrind', args, { cwd: dir, encoding: 'utf8' });
        expect([r.status, r.stderr]).toEqual([0, expect.stringContaining('ERROR SUMMARY: 0 errors')]);
        return Number(must(/total heap usage: ([\d,]+) allocs/.exec(r.stderr)?.[1]).replaceAll(',', ''));
      };
      expect(allocations('20')).toBe(allocations('1'));
    },
    120_000,
  );
});

describe('without a compiler that works', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-failing-'));
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  it('the sources stay, and a text tells the command and what the compiler said', async () => {
    const { files } = await compile({ model: keywordNetwork(), target: 'c-portable' });
    for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
    const { native } = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as { readonly native: NativeBuild };
    expect(buildLibraries(dir, { ...native, cc: 'no-such-gcc' })).toEqual({
      why: 'no-such-gcc is not here; on a machine that has it: make',
    });
    const failing = join(dir, 'failing-gcc');
    writeFileSync(failing, '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "model.c:1: error: out of ideas" >&2\nexit 1\n');
    chmodSync(failing, 0o755);
    const built = buildLibraries(dir, { ...native, cc: failing });
    expect('why' in built && built.why.startsWith(`${failing} -O3 `)).toBe(true);
    expect('why' in built && built.why.endsWith('-c model.c -o model.o\nmodel.c:1: error: out of ideas')).toBe(true);
    rmSync(failing);
    expect(readdirSync(dir).sort()).toEqual([...files.keys()].sort());
  });
});

// Where the system starts an emulator by itself, such programs run.
const noEmulator: Need = {
  name: 'no emulator that starts by itself',
  here: process.arch === 'x64' && !existsSync('/proc/sys/fs/binfmt_misc/qemu-aarch64'),
};
needs('aarch64-linux-gnu-gcc', noEmulator).it('a program for another processor is told to be one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-foreign-'));
  const { files } = await compile({ model: must(MODELS[1]).model, target: 'linux-arm64' });
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  const bundle = await openBundle(dir);
  expect(() => bundle.run(must(MODELS[1]).inputs)).toThrow(/its program is for another processor/);
  rmSync(dir, { recursive: true, force: true });
});
