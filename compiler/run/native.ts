import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail, must } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { asSpelt, asTexts, listed, relisted, textList } from '../core/texts.ts';
import { outputNames } from '../backend/c/names.ts';
import { productsOf } from '../bundle/native/toolchain.ts';
import { numpyBits, readNpy, writeNpy } from '../data/npy.ts';
import { buildProgram, isHere, type NativeBuild } from '../host/build.ts';
import { temporaryFolder } from '../host/files.ts';
import type { Bundle } from './bundle.ts';
import { dtypeOf, type Manifest } from './manifest.ts';

/**
 * Opens a native bundle: builds the program that runs it on .npy files in a temporary folder. E207 where the compiler is missing or fails,
 * or where its programs do not run on this machine. `threads`: with at most so many.
 */
export function openNative(dir: string, manifest: Manifest, n: NativeBuild, threads?: number): Bundle {
  const work = temporaryFolder();
  const broken = (why: string): never => fail('E207', { dir, why: `it is C, and building it went wrong: ${why}` });
  if (n.system === 'bare') broken('it is for a machine without an operating system; c-portable gives the same results here');
  if (!isHere(n.cc)) broken(`${n.cc} is not here; on a machine that has it: make`);
  const program = join(work, productsOf(n.system).program?.file ?? broken('it makes no program'));
  const bad = buildProgram(resolve(dir), work, n, { main: 'main.c', program });
  if (bad !== undefined) broken(bad);
  const more = threads === undefined ? [] : ['--threads', String(threads)];
  return {
    dir,
    manifest,
    profile: manifest.target,
    run: inputs => {
      const list = textList(manifest.texts);
      const args = manifest.inputs.map((p, i) => {
        const t = inputs.get(p.name) ?? fail('E501', { input: p.name, why: 'is missing' });
        writeFileSync(join(work, `in${i}.npy`), writeNpy(numpyBits(p.bytes === undefined ? relisted(t, list) : asSpelt(t))));
        return `in${i}.npy`;
      });
      const r = spawnSync(program, [...args, ...more, '--out', work], { cwd: work, encoding: 'utf8' });
      if (r.error) fail('E207', { dir, why: `its program does not run here: ${r.error.message}` });
      if (r.status !== 0 && machineOf(program) !== machineOf(process.execPath))
        fail('E207', {
          dir,
          why: 'its program is for another processor; run it there, or under an emulator that is set up for it',
        });
      if (r.status !== 0)
        fail('E502', {
          why: r.stderr.trim() === '' ? `the program ended with ${r.signal ?? String(r.status)}` : r.stderr.trim(),
        });
      const files = outputNames(manifest.outputs.map(p => p.name));
      return new Map(
        manifest.outputs.map((p, i): [string, Tensor] => {
          const file = `${must(files[i])}.npy`;
          const made = readNpy(readFileSync(join(work, file)), file);
          return [p.name, p.bytes === undefined ? listed({ ...made, dtype: dtypeOf(p.type) }, list) : asTexts(made)];
        }),
      );
    },
  };
}
/** The format of a program, and of an ELF file its machine too (e_machine of the ELF header). */
function machineOf(program: string): string {
  const head = readFileSync(program).subarray(0, 20);
  const format = head.toString('latin1', 0, 4);
  return format === '\x7fELF' ? `${format}${head.readUInt16LE(18)}` : format;
}
