import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeBuild } from '../../compiler/host/build.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { WARNINGS } from './build.ts';

export const CC = 'arm-none-eabi-gcc';

/** Runs a bundle's main.c on a board; gives the outputs and the stack that the run took. */
export function onBoard(
  dir: string,
  board: string,
  n: NativeBuild,
  inputs: readonly Tensor[],
): { stack: number; file: (name: string) => Tensor } {
  cpSync(new URL('./mps2', import.meta.url), dir, { recursive: true });
  const link = [
    '-std=c11',
    `-DRUN=${n.prefix}_run`,
    `-Wl,--wrap=${n.prefix}_run`,
    '--specs=rdimon.specs',
    '-Wl,--gc-sections',
    '-T',
    'board.ld',
  ];
  call(CC, [...n.flags, ...link, ...WARNINGS, 'start.c', 'main.c', 'libmodel.a', '-lm', '-o', 'model.elf'], dir);
  inputs.forEach((t, i) => writeFileSync(join(dir, `in${i}.npy`), writeNpy(t)));
  const args = ['model', ...inputs.map((_, i) => `in${i}.npy`), '--out', '.'].map(a => `arg=${a}`);
  const semihosting = ['enable=on', 'target=native', ...args].join(',');
  const machine = ['-M', board, '-nographic', '-monitor', 'none', '-serial', 'none'];
  const said = call('qemu-system-arm', [...machine, '-semihosting-config', semihosting, '-kernel', 'model.elf'], dir);
  return {
    stack: Number(must(/^stack (\d+)$/m.exec(said)?.[1], said)),
    file: name => readNpy(readFileSync(join(dir, name)), name),
  };
}
function call(command: string, args: readonly string[], cwd: string): string {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 120_000 });
  if (r.status !== 0) throw new Error(`${command}: ${r.error?.message ?? ''}${r.stderr}${r.stdout}`.slice(0, 4000));
  return r.stdout;
}
