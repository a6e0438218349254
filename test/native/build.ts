import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { relisted, textList } from '../../compiler/core/texts.ts';
import { speltInputs, told } from '../../compiler/program/interpret.ts';
import { numpyBits, readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { emitC } from '../../compiler/backend/c/emit.ts';
import { namesOf, outputNames } from '../../compiler/backend/c/names.ts';
import { POOL } from '../../compiler/bundle/native/pool.data.ts';
import { runnerText } from '../../compiler/bundle/native/runner.ts';
import { weightsOf } from '../../compiler/program/weights.ts';
import { flagsOf, toolOf } from '../../compiler/bundle/native/toolchain.ts';
import { assembly, insideText } from '../../compiler/bundle/native/weights.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import type { MemoryPlan, Program } from '../../compiler/program/program.ts';

/** What every file of ours must pass without a word. */
export const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];

const made: string[] = [];
process.on('exit', () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

export interface NativeOptions {
  /** Whether denormals count as zero; default: true. */
  readonly flushDenormals?: boolean;
  /** Whether a warning is an error; default: true. */
  readonly strict?: boolean;
  /** More flags of the compiler. */
  readonly flags?: readonly string[];
}
/** Builds a program with a C compiler and runs it on .npy files, as a user would. */
export function native(
  program: Program,
  plan: MemoryPlan,
  profile: Profile,
  o: NativeOptions = {},
): (inputs: ReadonlyMap<string, Tensor>) => Map<string, Tensor> {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-c-'));
  made.push(dir);
  const c = emitC(runKernelPasses(program, profile), plan, profile, { head: 'a test', flushDenormals: o.flushDenormals ?? true });
  const weights = weightsOf(program, plan);
  writeFileSync(join(dir, 'model.c'), c.source);
  writeFileSync(join(dir, 'model.h'), c.header);
  writeFileSync(join(dir, 'main.c'), runnerText(program, c.arena, profile.threads));
  writeFileSync(join(dir, 'model.weights'), weights);
  const sources = ['model.c', 'main.c'];
  if (profile.threads > 1) {
    for (const [name, text] of Object.entries(POOL)) writeFileSync(join(dir, name), text);
    sources.push('pool.c');
  }
  if (weights.length > 0) {
    writeFileSync(join(dir, 'weights.S'), assembly(`${c.prefix}_weights`, profile.memory.align, weights.length, 'model.weights'));
    writeFileSync(join(dir, 'inside.c'), insideText(`${c.prefix}_weights`, [{ name: `${c.prefix}_find_weights`, at: 0 }]));
    sources.push('inside.c', 'weights.S');
  }
  // Without optimization GCC has macros for some instructions of AVX-512, and they make it warn.
  const flags = [...flagsOf(profile), ...((o.strict ?? true) ? WARNINGS : ['-w']), profile.vector.bits > 256 ? '-O1' : '-O0'];
  run(profile.toolchain.cc, [...flags, ...(o.flags ?? []), ...sources, '-o', 'model', '-lm'], dir);
  const names = namesOf(program);
  return given => {
    const inputs = speltInputs(program, given);
    const list = textList(program.texts);
    const args = program.inputs.map((p, i) => {
      writeFileSync(join(dir, `in${i}.npy`), writeNpy(numpyBits(relisted(must(inputs.get(p.name)), list))));
      return `in${i}.npy`;
    });
    run('./model', [...args, '--out', '.'], dir);
    return new Map(
      program.outputs.map(p => [
        p.name,
        told(p, { ...readNpy(readFileSync(join(dir, `${must(names.outputs.get(p))}.npy`)), p.name), dtype: p.type.dtype }, list),
      ]),
    );
  };
}

/** Fails with what the program says. */
function run(command: string, args: readonly string[], cwd: string): void {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (r.error) throw r.error;
  if (r.status !== 0) throw new Error(`${command}: ${r.stderr.slice(0, 2000)}`);
}

/** The machines that bundles are tried on: a compiler, and what runs its programs here. */
export interface Machine {
  readonly cc: string;
  readonly under: readonly string[];
}
/** Writes a bundle to a folder that goes when the tests end. */
export function folderOf(files: ReadonlyMap<string, Uint8Array>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-native-'));
  made.push(dir);
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  return dir;
}
/** Writes a bundle, builds it by its own Makefile without a warning, and gives a function that runs it on .npy files. */
export function buildBundle(
  files: ReadonlyMap<string, Uint8Array>,
  o: { readonly machine?: Machine; readonly flags?: readonly string[] } = {},
): { readonly dir: string; run(inputs: ReadonlyMap<string, Tensor>, under?: readonly string[]): Map<string, Tensor> } {
  const dir = folderOf(files);
  const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as {
    readonly inputs: readonly { readonly name: string }[];
    readonly outputs: readonly { readonly name: string }[];
    readonly native: { readonly flags: readonly string[] };
  };
  const cflags = [...manifest.native.flags, ...WARNINGS, ...(o.flags ?? [])].join(' ');
  run(
    'make',
    [
      // What other machines run is the program.
      ...(o.machine ? ['model'] : ['model', 'libmodel.so']),
      `CFLAGS=${cflags}`,
      ...(o.machine ? [`CC=${o.machine.cc}`, `AR=${toolOf(o.machine.cc, 'ar')}`] : []),
    ],
    dir,
  );
  return {
    dir,
    run: (inputs, under = o.machine?.under ?? []) => {
      const args = manifest.inputs.map((p, i) => {
        writeFileSync(join(dir, `in${i}.npy`), writeNpy(numpyBits(must(inputs.get(p.name)))));
        return `${p.name}=in${i}.npy`;
      });
      const out = mkdtempSync(join(dir, 'out-'));
      const [command, ...before] = [...under, './model'];
      run(must(command), [...before, ...args, '--out', out], dir);
      const words = outputNames(manifest.outputs.map(p => p.name));
      return new Map(
        manifest.outputs.map((p, i) => {
          const file = `${must(words[i])}.npy`;
          return [p.name, readNpy(readFileSync(join(out, file)), file)];
        }),
      );
    },
  };
}
