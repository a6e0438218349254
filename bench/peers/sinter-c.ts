import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail, must } from '../../compiler/core/diagnostic.ts';
import { outputNames } from '../../compiler/backend/c/names.ts';
import { isHere } from '../../compiler/bundle/native/multiversion.ts';
import type { ProfileData } from '../../compiler/target/profile.ts';
import { dtypeOf, type Manifest } from '../../compiler/run/manifest.ts';
import { temporaryFolder, writeFile } from '../../compiler/host/files.ts';
import { readNpy } from '../../compiler/data/npy.ts';
import { buildProgram } from '../../compiler/host/build.ts';
import { writeFeeds, type Feed } from '../../compiler/run/feeds.ts';
import type { Runner } from '../engine/runner.ts';
import { DRIVER_C } from './programs.data.ts';
import { talk, type Talk } from '../../compiler/host/talk.ts';

/** The program of a native bundle, built in a folder and started. `steps`: of how many it tells the time. */
interface Driver {
  /** Loads inputs for the calls that follow. */
  load(feeds: readonly Feed[]): Promise<void>;
  readonly ask: Talk['ask'];
  readonly end: Talk['end'];
}
/** E205 where it cannot be built here. */
export function openDriver(dir: string, manifest: Manifest, work: string, steps?: number): Driver {
  const n = must(manifest.native, 'native part of the manifest');
  const source = join(work, 'driver.c');
  const program = join(work, 'driver');
  writeFile(source, DRIVER_C);
  const define = steps === undefined ? [] : [`-DSTEPS=${steps}`];
  const bad = buildProgram(resolve(dir), work, n, { main: source, program, flags: [...define, '-I', '.'] });
  if (bad !== undefined) fail('E207', { dir, why: `building it went wrong: ${bad}` });
  const { ask, end } = talk(program, [], {}, work);
  return {
    ask,
    end,
    load: async feeds => {
      const { inputs } = writeFeeds(join(work, 'in'), '', feeds);
      const ports = manifest.inputs.map(p =>
        must(
          inputs.find(i => i.name === p.name),
          p.name,
        ),
      );
      await ask([`load ${feeds.length}`, ...ports.flatMap(p => [p.dims.join(' '), p.file])].join('\n'));
    },
  };
}
/** Of the profiles of a native bundle the one that its library picks on this processor. */
export function profileHere(manifest: Manifest): ProfileData {
  const all = Object.values(manifest.profiles);
  const work = temporaryFolder();
  const source = join(work, 'version.c');
  const program = join(work, 'version');
  writeFile(
    source,
    `int main(void) {\n${all.map((p, i) => `  if (${isHere(p)}) return ${i};\n`).join('')}  return ${all.length};\n}\n`,
  );
  const { cc } = must(manifest.native, 'native part of the manifest');
  const here = spawnSync(cc, [source, '-o', program]).status === 0 ? spawnSync(program).status : 0;
  return must(all[here ?? 0] ?? all.at(-1), 'profile');
}
/** A native bundle that has no index.js: its own program, which takes its turns in a process beside this one. */
export function openNativeOurs(dir: string, manifest: Manifest): Runner & { readonly profile: string } {
  const work = temporaryFolder();
  const program = openDriver(dir, manifest, work);
  const files = outputNames(manifest.outputs.map(p => p.name));
  return {
    profile: manifest.target,
    turn: async feeds => {
      await program.load(feeds);
      return { sample: async calls => Number(await program.ask(`run ${calls}`)) / 1e6 };
    },
    answer: async feed => {
      await program.load([feed]);
      await program.ask(`answer ${work}`);
      return new Map(
        manifest.outputs.map((p, i) => {
          const file = `${must(files[i])}.npy`;
          return [p.name, { ...readNpy(readFileSync(join(work, file)), file), dtype: dtypeOf(p.type) }];
        }),
      );
    },
    close: () => {
      program.end();
      return Promise.resolve();
    },
  };
}
