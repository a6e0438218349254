/*
 * A program around a bundle's main.c that takes orders from its input, a line each: `load N` and, for each input, a line with its sizes and
 * one with the file that holds N of them; `run CALLS` gives nanoseconds; `answer DIR` writes the outputs for the first inputs. With -DSTEPS=N,
 * for sources whose N steps call `sinter_tick`, `ticks` gives nanoseconds and count of each since it was asked last.
 */
#define _POSIX_C_SOURCE 200112L
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
  line[strcspn(line, "\n")] = 0;
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
      printf("0\n");
#ifdef STEPS
    } else if (strcmp(order, "ticks") == 0) {
      for (int i = 0; i < STEPS; i++) {
        printf("%lld %ld ", spent[i], ran[i]);
        spent[i] = 0;
        ran[i] = 0;
      }
      printf("\n");
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
        snprintf(path, sizeof path, "%s/%s.npy", order + 7, OUTPUT_PORTS[j].word);
        write_npy(path, &OUTPUT_PORTS[j], &outputs[j]);
      }
      printf("%lld\n", taken);
    }
    fflush(stdout);
  }
}
