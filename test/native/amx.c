/*
 * AMX for processors that lack it: preloaded (LD_PRELOAD), it grants the tiles that a program asks Linux for, and carries out each
 * instruction that then traps, from its bytes, as Intel's manual (volume 2) says. So the machine code that a compiler made is what is
 * tried. It stops the program at whatever a processor would refuse: tiles that were not asked for, not configured, or of sizes that do
 * not fit. On a processor that has AMX nothing traps. At the end it writes how many products it did to the file that AMX_COUNT names.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

typedef struct { uint8_t palette, start, none[14]; uint16_t bytes[16]; uint8_t rows[16]; } config;
static _Thread_local config configured;
static _Thread_local uint8_t tiles[8][16][64];
static atomic_int granted;
static atomic_long products;

static _Noreturn void refuse(const char *why) {
  fprintf(stderr, "AMX: %s\n", why);
  _exit(99);
}

long syscall(long number, ...) {
  static long (*next)(long, ...);
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "syscall");
  const long result = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (number != SYS_arch_prctl || a[0] != 0x1023 || a[1] != 18) return result;
  granted = 1;
  return 0;
}

/* The general registers in the order of their numbers. */
static const int REGISTERS[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/* An operand in memory: the address without its index, what the index register adds for each row, and how many bytes tell it. */
typedef struct { uint8_t *base; ptrdiff_t stride; int length; } memory;
static memory memory_of(const uint8_t *modrm, const greg_t *g, int x, int b, uintptr_t after) {
  const int mod = modrm[0] >> 6, rm = modrm[0] & 7;
  memory m = {NULL, 0, 1};
  uintptr_t base = 0;
  int displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
  if (rm == 4) {
    const uint8_t sib = modrm[m.length++];
    const int index = ((sib >> 3) & 7) | x << 3, low = sib & 7;
    if (index != 4) m.stride = (ptrdiff_t)g[REGISTERS[index]] << (sib >> 6);
    if (low == 5 && mod == 0) displacement = 4;
    else base = (uintptr_t)g[REGISTERS[low | b << 3]];
  } else if (rm == 5 && mod == 0) {
    displacement = 4;
    base = after + 5; /* of the next instruction: ModRM and the displacement are what is left of this one */
  } else base = (uintptr_t)g[REGISTERS[rm | b << 3]];
  int32_t d = 0;
  if (displacement == 1) d = (int8_t)modrm[m.length];
  if (displacement == 4) memcpy(&d, modrm + m.length, 4);
  m.length += displacement;
  m.base = (uint8_t *)(base + (uintptr_t)(intptr_t)d);
  return m;
}

static void product(int to, int a, int b, int a_signed, int b_signed) {
  const config *c = &configured;
  if (c->rows[to] != c->rows[a] || c->bytes[to] != c->bytes[b] || c->bytes[a] != 4 * c->rows[b]) refuse("tiles of other sizes");
  if (to == a || to == b || a == b) refuse("a tile is used twice");
  for (int i = 0; i < c->rows[to]; i++)
    for (int j = 0; j < c->bytes[to] / 4; j++) {
      uint32_t sum;
      memcpy(&sum, &tiles[to][i][4 * j], 4);
      for (int k = 0; k < c->bytes[a]; k++) {
        const uint8_t x = tiles[a][i][k], y = tiles[b][k / 4][4 * j + k % 4];
        sum += (uint32_t)((a_signed ? (int8_t)x : x) * (b_signed ? (int8_t)y : y));
      }
      memcpy(&tiles[to][i][4 * j], &sum, 4);
    }
  products++;
}

static void trap(int signal_number, siginfo_t *info, void *context) {
  (void)info;
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  const uint8_t *const at = (const uint8_t *)g[REG_RIP];
  const int known = at[0] == 0xc4 && (at[1] & 0x1f) == 2 && (at[2] & 0x84) == 0; /* VEX.128.0F38.W0 */
  if (!known || (at[3] != 0x49 && at[3] != 0x4b && at[3] != 0x5e)) {
    signal(signal_number, SIG_DFL);
    return;
  }
  if (!granted) refuse("tiles that were not asked for");
  const int x = !(at[1] & 0x40), b = !(at[1] & 0x20), prefix = at[2] & 3, third = ~(at[2] >> 3) & 15;
  const int reg = (at[4] >> 3) & 7, rm = at[4] & 7, inside = at[4] >> 6 == 3;
  enum { NONE, P66, F3, F2 };
  int length = 1;
  if (at[3] == 0x49 && prefix == NONE && !inside) {
    const memory m = memory_of(at + 4, g, x, b, (uintptr_t)(at + 4));
    memcpy(&configured, m.base, sizeof configured);
    memset(tiles, 0, sizeof tiles);
    if (configured.palette != 1) refuse("an unknown palette");
    for (int i = 0; i < 8; i++)
      if (configured.rows[i] > 16 || configured.bytes[i] > 64) refuse("a tile that is too large");
    length = m.length;
  } else if (at[3] == 0x49 && prefix == NONE && at[4] == 0xc0) memset(&configured, 0, sizeof configured);
  else if (configured.palette != 1) refuse("tiles that are not configured");
  else if (at[3] == 0x49 && prefix == F2 && inside) memset(tiles[reg], 0, sizeof tiles[reg]);
  else if (at[3] == 0x4b && (prefix == F2 || prefix == F3) && !inside && rm == 4) {
    const memory m = memory_of(at + 4, g, x, b, 0);
    for (int i = 0; i < configured.rows[reg]; i++) {
      uint8_t *const row = m.base + i * m.stride;
      if (prefix == F2) memcpy(tiles[reg][i], row, configured.bytes[reg]);
      else memcpy(row, tiles[reg][i], configured.bytes[reg]);
    }
    length = m.length;
  } else if (at[3] == 0x5e && inside) product(reg, rm, third, prefix == F2 || prefix == F3, prefix == F2 || prefix == P66);
  else refuse("an instruction that is not known here");
  g[REG_RIP] += 4 + length;
}

__attribute__((constructor)) static void begin(void) {
  struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGILL, &action, NULL);
}
__attribute__((destructor)) static void end(void) {
  const char *const name = getenv("AMX_COUNT");
  FILE *const file = name ? fopen(name, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "%ld\n", (long)products);
  fclose(file);
}
