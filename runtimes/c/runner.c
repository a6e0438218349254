/* The part of main.c that is the same for every model: reads .npy files, runs the model, writes .npy files. What stands before it
 * describes the model at hand: INPUTS and OUTPUTS with their ports, and run_model. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}
static void *aligned(size_t bytes) {
  /* Room for the alignment of any arena; freed by the end of the program. */
  char *p = malloc(bytes + 4096);
  if (p == NULL) die("no memory for %lu bytes", (unsigned long)bytes);
  return p + (4096 - (uintptr_t)p % 4096);
}
/* Milliseconds: of the processor where one thread works, else of the clock. */
static double now(void) {
#if THREADS > 1
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
#else
  return 1e3 * (double)clock() / CLOCKS_PER_SEC;
#endif
}
/* A name as it may be shown on a terminal: none of its control characters does anything. */
static const char *shown(const char *name) {
  static char text[256];
  size_t n = 0;
  for (; name[n] != 0 && n + 1 < sizeof text; n++) text[n] = name[n];
  text[n] = 0;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)text[i] < 32 || text[i] == 127) text[i] = '?';
  return text;
}
static size_t count(const tensor *t) {
  size_t n = 1;
  for (int i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
  return n;
}

/* The format of NumPy: magic, version, length of the header, a Python dictionary, the data. */
static void read_npy(const char *path, const port *p, tensor *t) {
  FILE *f = fopen(path, "rb");
  unsigned char head[12];
  char text[4096];
  if (f == NULL) die("cannot read %s: %s", path, strerror(errno));
  if (fread(head, 1, 10, f) != 10 || memcmp(head, "\x93NUMPY", 6) != 0) die("%s is not an .npy file", path);
  size_t length = (size_t)head[8] | (size_t)head[9] << 8;
  if (head[6] > 1) {
    if (fread(head + 10, 1, 2, f) != 2) die("%s is cut off", path);
    length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
  }
  if (length >= sizeof text || fread(text, 1, length, f) != length) die("%s has no header that makes sense", path);
  text[length] = 0;
  const char *descr = strstr(text, "'descr'");
  const char *shape = strstr(text, "'shape'");
  if (descr == NULL || shape == NULL || strstr(text, "'fortran_order': False") == NULL)
    die("%s: only arrays in C order can be read", path);
  descr = strchr(descr + 7, '\'');
  if (descr == NULL || strlen(p->descr) > strlen(descr + 1) ||
      strncmp(descr + 2, p->descr + 1, strlen(p->descr) - 1) != 0)
    die("%s is not of type %s, which input %s needs", path, p->descr, shown(p->name));
  shape = strchr(shape, '(');
  if (shape == NULL) die("%s has no shape", path);
  t->rank = 0;
  for (char *at = (char *)shape + 1; *at != ')' && *at != 0;) {
    char *end;
    const long long n = strtoll(at, &end, 10);
    if (end == at) {
      at++;
      continue;
    }
    if (t->rank == MAX_RANK || n < 0) die("%s has a shape that makes no sense", path);
    t->shape[t->rank++] = n;
    at = end;
  }
  if (t->rank != p->rank) die("%s has %d dimensions, input %s has %d", path, t->rank, shown(p->name), p->rank);
  const size_t bytes = count(t) * p->bytes;
  if (bytes > p->most * p->bytes) die("%s is larger than input %s may be", path, shown(p->name));
  t->data = aligned(bytes);
  if (fread(t->data, 1, bytes, f) != bytes) die("%s is cut off", path);
  fclose(f);
}
static void write_npy(const char *path, const port *p, const tensor *t) {
  FILE *f = fopen(path, "wb");
  char text[1024];
  if (f == NULL) die("cannot write %s: %s", path, strerror(errno));
  int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", p->descr);
  for (int i = 0; i < t->rank; i++)
    n += snprintf(text + n, sizeof text - (size_t)n, t->rank == 1 ? "%lld," : i > 0 ? ", %lld" : "%lld", (long long)t->shape[i]);
  n += snprintf(text + n, sizeof text - (size_t)n, "), }");
  while ((10 + n + 1) % 64 != 0) text[n++] = ' ';
  text[n++] = '\n';
  const unsigned char head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(n & 255), (unsigned char)(n >> 8)};
  const size_t bytes = count(t) * p->bytes;
  if (fwrite(head, 1, 10, f) != 10 || fwrite(text, 1, (size_t)n, f) != (size_t)n || fwrite(t->data, 1, bytes, f) != bytes || fclose(f) != 0)
    die("cannot write %s: %s", path, strerror(errno));
}

int main(int argc, char **argv) {
  static tensor inputs[INPUTS + 1], outputs[OUTPUTS + 1];
  const char *out = NULL;
  long repeat = 1;
#if THREADS > 1
  long threads = THREADS;
#define OPTIONS "[--out DIR] [--repeat N] [--threads N]"
#else
#define OPTIONS "[--out DIR] [--repeat N]"
#endif
  int next = 0;
  for (int i = 1; i < argc; i++) {
    const char *a = argv[i];
    if (strcmp(a, "--out") == 0 && i + 1 < argc) out = argv[++i];
    else if (strcmp(a, "--repeat") == 0 && i + 1 < argc) repeat = strtol(argv[++i], NULL, 10);
#if THREADS > 1
    else if (strcmp(a, "--threads") == 0 && i + 1 < argc) threads = strtol(argv[++i], NULL, 10);
#endif
    else if (strncmp(a, "--", 2) == 0) die("usage: %s [NAME=]FILE.npy ... " OPTIONS, argv[0]);
    else {
      /* NAME=FILE, by the longest name that fits, else by its word in C; or files in the order of the inputs. */
      int which = next;
      size_t longest = 0;
      for (int j = 0; j < 2 * INPUTS; j++) {
        const char *name = j < INPUTS ? INPUT_PORTS[j].name : INPUT_PORTS[j - INPUTS].word;
        const size_t n = strlen(name);
        if (n + 1 > longest && strncmp(a, name, n) == 0 && a[n] == '=') {
          which = j < INPUTS ? j : j - INPUTS;
          longest = n + 1;
        }
      }
      const char *file = a + longest;
      if (which >= INPUTS) die("the model has %d inputs", INPUTS);
      read_npy(file, &INPUT_PORTS[which], &inputs[which]);
      next = which + 1;
    }
  }
  for (int j = 0; j < INPUTS; j++)
    if (inputs[j].data == NULL) die("input %s is missing: give an .npy file", shown(INPUT_PORTS[j].name));
  for (int j = 0; j < OUTPUTS; j++) outputs[j].data = aligned(OUTPUT_PORTS[j].most * OUTPUT_PORTS[j].bytes);
  void *arena = aligned(ARENA);
#if THREADS > 1
  pool = sinter_pool_create(threads < THREADS ? (int)threads : THREADS);
#endif
  double best = 1e300;
  for (long r = 0; r < (repeat < 1 ? 1 : repeat); r++) {
    const double from = now();
    const int code = run_model(inputs, outputs, arena);
    const double ms = now() - from;
    if (code != 0) die("%s", error_text(code));
    if (ms < best) best = ms;
  }
  for (int j = 0; j < OUTPUTS; j++) {
    const tensor *t = &outputs[j];
    printf("%s  %s (", shown(OUTPUT_PORTS[j].name), OUTPUT_PORTS[j].descr + 1);
    for (int i = 0; i < t->rank; i++) printf(i > 0 ? ", %lld" : "%lld", (long long)t->shape[i]);
    printf(")\n");
    if (out != NULL) {
      char path[4096];
      if (snprintf(path, sizeof path, "%s/%s.npy", out, OUTPUT_PORTS[j].word) >= (int)sizeof path) die("the path is too long");
      write_npy(path, &OUTPUT_PORTS[j], t);
    }
  }
  printf("%.3f ms\n", best);
#if THREADS > 1
  sinter_pool_destroy(pool);
#endif
  return 0;
}
