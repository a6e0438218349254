import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail, must } from '../../core/diagnostic.ts';
import { outputNames } from '../../emit/c/names.ts';
import { dtypeOf, type Manifest } from '../bundle.ts';
import { temporaryFolder, writeFile } from '../files.ts';
import { readNpy } from '../io/npy.ts';
import { writeFeeds, type Feed } from './job.ts';
import type { Runner } from './runner.ts';
import { talk } from './talk.ts';

/**
 * A program around a bundle's main.c that takes orders from its input, a line each: `load N` and, for each input, a line with its sizes and
 * one with the file that holds N of them; `run CALLS` gives nanoseconds; `answer DIR` writes the outputs for the first inputs.
 */
const DRIVER = `#define _POSIX_C_SOURCE 199309L
#define main other_main
#include "main.c"
#undef main
static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}
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
    } else {
      const int answer = strncmp(order, "answer ", 7) == 0;
      const long calls = answer ? 1 : strtol(order + 4, NULL, 10);
      int code = 0;
      if (answer) at = 0;
      const long long start = now();
      for (long k = 0; k < calls && code == 0; k++, at = at + 1 < feeds ? at + 1 : 0) {
        for (int i = 0; i < INPUTS; i++) inputs[i].data = base[i] + (size_t)at * count(&inputs[i]) * INPUT_PORTS[i].bytes;
        code = run_model(inputs, outputs, arena);
      }
      const long long taken = now() - start;
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

/** Builds the program of a native bundle in a folder and gives its path. E205 where that does not work here. */
export function buildDriver(dir: string, manifest: Manifest, work: string): string {
  const n = must(manifest.native, 'native part of the manifest');
  const source = join(work, 'driver.c');
  const program = join(work, 'driver');
  writeFile(source, DRIVER);
  const args = [...n.flags, '-I', '.', source, ...n.sources, '-o', program, '-lm'];
  const r = spawnSync(n.cc, args, { cwd: resolve(dir), encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (r.error) fail('E205', { file: dir, why: `${n.cc}, which builds it, does not run here: ${r.error.message}` });
  if (r.status !== 0) fail('E205', { file: dir, why: `building it went wrong: ${r.stderr.slice(0, 2000)}` });
  return program;
}
/** A native bundle that has no index.js: its own program, which takes its turns in a process beside this one. */
export function openNativeOurs(dir: string, manifest: Manifest): Runner & { readonly profile: string } {
  const work = temporaryFolder();
  const program = talk(buildDriver(dir, manifest, work), [], {}, work);
  const give = async (feeds: readonly Feed[]): Promise<void> => {
    const { inputs } = writeFeeds(join(work, 'in'), '', feeds);
    const ports = manifest.inputs.map(p =>
      must(
        inputs.find(i => i.name === p.name),
        p.name,
      ),
    );
    await program.ask([`load ${feeds.length}`, ...ports.flatMap(p => [p.dims.join(' '), p.file])].join('\n'));
  };
  const files = outputNames(manifest.outputs.map(p => p.name));
  return {
    profile: manifest.target,
    turn: async feeds => {
      await give(feeds);
      return { sample: async calls => Number(await program.ask(`run ${calls}`)) / 1e6 };
    },
    answer: async feed => {
      await give([feed]);
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
