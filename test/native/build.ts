import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNpy, writeNpy } from '../../compiler/cli/io/npy.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { emitC } from '../../compiler/emit/c.ts';
import { identifier } from '../../compiler/emit/c/types.ts';
import { namesOf } from '../../compiler/emit/c/names.ts';
import { runnerText } from '../../compiler/emit/c/runner.ts';
import { weightsOf } from '../../compiler/emit/bundle/module.ts';
import type { Profile } from '../../compiler/ops/profile.ts';
import type { MemoryPlan, Program } from '../../compiler/program/program.ts';

/** What every file of ours must pass without a word. */
export const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];

const made: string[] = [];
process.on('exit', () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

export interface NativeOptions {
  readonly cc?: string;
  readonly flags?: readonly string[];
  /** Whether denormals count as zero; default: true. */
  readonly flush?: boolean;
  /** A program that runs the executable, such as an emulator. */
  readonly under?: readonly string[];
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
  const c = emitC(program, plan, profile, { head: 'a test', flush: o.flush ?? true });
  const weights = weightsOf(program, plan);
  writeFileSync(join(dir, 'model.c'), c.source);
  writeFileSync(join(dir, 'model.h'), c.header);
  writeFileSync(join(dir, 'main.c'), runnerText(program, c.arena));
  writeFileSync(join(dir, 'model.weights'), weights);
  const sources = ['model.c', 'main.c'];
  if (weights.length > 0) {
    writeFileSync(
      join(dir, 'weights.S'),
      `.section .note.GNU-stack,"",%progbits\n.section .rodata\n.global ${c.prefix}_weights\n.balign 64\n${c.prefix}_weights:\n.incbin "model.weights"\n`,
    );
    sources.push('weights.S');
  }
  const flags = [...profile.toolchain.flags, '-ffp-contract=off', '-fno-math-errno', ...WARNINGS, ...(o.flags ?? ['-O0'])];
  run(o.cc ?? profile.toolchain.cc, [...flags, ...sources, '-o', 'model', '-lm'], dir);
  const names = namesOf(program);
  return inputs => {
    const args = program.inputs.map((p, i) => {
      writeFileSync(join(dir, `in${i}.npy`), writeNpy(plain(must(inputs.get(p.name)))));
      return `in${i}.npy`;
    });
    const [command, ...before] = [...(o.under ?? []), './model'];
    run(must(command), [...before, ...args, '--out', '.'], dir);
    return new Map(
      program.outputs.map(p => [
        p.name,
        { ...readNpy(readFileSync(join(dir, `${must(names.outputs.get(p))}.npy`)), p.name), dtype: p.type.dtype },
      ]),
    );
  };
}

/** NumPy has no bfloat16: the bits. */
const plain = (t: Tensor): Tensor => (t.dtype === 'bf16' ? { ...t, dtype: 'u16' } : t);
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
export const has = (command: string): boolean => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error;

/** Writes a bundle, builds it by its own Makefile without a warning, and gives a function that runs it on .npy files. */
export function buildBundle(
  files: ReadonlyMap<string, Uint8Array>,
  o: { readonly machine?: Machine; readonly flags?: readonly string[] } = {},
): { readonly dir: string; run(inputs: ReadonlyMap<string, Tensor>): Map<string, Tensor> } {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-native-'));
  made.push(dir);
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as {
    readonly inputs: readonly { readonly name: string }[];
    readonly outputs: readonly { readonly name: string }[];
    readonly native: { readonly flags: readonly string[] };
  };
  const cflags = [...manifest.native.flags, ...WARNINGS, ...(o.flags ?? [])].join(' ');
  run(
    'make',
    [
      'model',
      'libmodel.so',
      `CFLAGS=${cflags}`,
      ...(o.machine ? [`CC=${o.machine.cc}`, `AR=${o.machine.cc.replace(/gcc$/, 'ar')}`] : []),
    ],
    dir,
  );
  return {
    dir,
    run: inputs => {
      const args = manifest.inputs.map((p, i) => {
        writeFileSync(join(dir, `in${i}.npy`), writeNpy(plain(must(inputs.get(p.name)))));
        return `${p.name}=in${i}.npy`;
      });
      const out = mkdtempSync(join(dir, 'out-'));
      const [command, ...before] = [...(o.machine?.under ?? []), './model'];
      run(must(command), [...before, ...args, '--out', out], dir);
      const names = readdirSync(out);
      // The files are named by C identifiers; there is one for each output.
      return new Map(
        manifest.outputs.map(p => {
          const file = must(
            names.find(n => n === `${identifier(p.name)}.npy`),
            `the file of ${p.name}`,
          );
          return [p.name, readNpy(readFileSync(join(out, file)), file)];
        }),
      );
    },
  };
}
