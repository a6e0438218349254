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
import { writeFeeds, type Feed } from '../engine/request.ts';
import type { Runner } from '../engine/runner.ts';
import { talk, type Talk } from './talk.ts';

/**
 * A program around a bundle's main.c that takes orders from its input, a line each: `load N` and, for each input, a line with its sizes and
 * one with the file that holds N of them; `run CALLS` gives nanoseconds; `answer DIR` writes the outputs for the first inputs. With -DSTEPS=N,
 * for sources whose N steps call `sinter_tick`, `ticks` gives nanoseconds and count of each since it was asked last.
 */
const DRIVER = `#define _POSIX_C_SOURCE 200112L
#define main other_main
#include "main.c"
#undef main
static long long clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}
#ifdef STEPS
static long long spent[STEPS], last;
static long ran[STEPS];
void sinter_tick(int step);
void sinter_tick(int step) {
  spent[step] += clock_ns() - last;
  ran[step]++;
  last = clock_ns();
}
#endif
static char line[8192];
static char *read_line(void) {
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
  line[strcspn(line, "\\n")] = 0;
  return line;
}
int main(void) {
  static tensor inputs[INPUTS + 1], outputs[OUTPUTS + 1];
  static char *base[INPUTS + 1];
  void *arena = aligned(ARENA);
  long feeds = 0, at = 0;
  (void)other_main;
#if THREADS > 1
  pool = sinter_pool_create(THREADS);
#endif
  for (int j = 0; j < OUTPUTS; j++) outputs[j].data = aligned(OUTPUT_PORTS[j].most * OUTPUT_PORTS[j].bytes);
  for (;;) {
    char *order = read_line();
    if (strncmp(order, "load ", 5) == 0) {
      feeds = strtol(order + 5, NULL, 10);
      at = 0;
      for (int i = 0; i < INPUTS; i++) {
        tensor *t = &inputs[i];
        char *from = read_line();
        for (t->rank = 0;; t->rank++) {
          char *end;
          const long long n = strtoll(from, &end, 10);
          if (end == from) break;
          if (t->rank == MAX_RANK) die("too many dimensions");
          t->shape[t->rank] = n;
          from = end;
        }
        const size_t bytes = count(t) * INPUT_PORTS[i].bytes * (size_t)feeds;
        FILE *f = fopen(read_line(), "rb");
        base[i] = aligned(bytes);
        if (f == NULL || fread(base[i], 1, bytes, f) != bytes) die("cannot read the inputs");
        fclose(f);
      }
      printf("0\\n");
#ifdef STEPS
    } else if (strcmp(order, "ticks") == 0) {
      for (int i = 0; i < STEPS; i++) {
        printf("%lld %ld ", spent[i], ran[i]);
        spent[i] = 0;
        ran[i] = 0;
      }
      printf("\\n");
#endif
    } else {
      const int answer = strncmp(order, "answer ", 7) == 0;
      const long calls = answer ? 1 : strtol(order + 4, NULL, 10);
      int code = 0;
      if (answer) at = 0;
      const long long start = clock_ns();
      for (long k = 0; k < calls && code == 0; k++, at = at + 1 < feeds ? at + 1 : 0) {
        for (int i = 0; i < INPUTS; i++) inputs[i].data = base[i] + (size_t)at * count(&inputs[i]) * INPUT_PORTS[i].bytes;
#ifdef STEPS
        last = clock_ns();
#endif
        code = run_model(inputs, outputs, arena);
      }
      const long long taken = clock_ns() - start;
      if (code != 0) die("%s", error_text(code));
      for (int j = 0; answer && j < OUTPUTS; j++) {
        char path[9000];
        snprintf(path, sizeof path, "%s/%s.npy", order + 7, OUTPUT_PORTS[j].file);
        write_npy(path, &OUTPUT_PORTS[j], &outputs[j]);
      }
      printf("%lld\\n", taken);
    }
    fflush(stdout);
  }
}
`;

/** The program of a native bundle, built in a folder and started. `steps`: of how many it tells the time. */
export interface Driver {
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
  writeFile(source, DRIVER);
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
  const source = join(work, 'level.c');
  const program = join(work, 'level');
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
