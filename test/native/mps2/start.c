/* Start-up code for ARM's MPS2 boards (and QEMU's), for programs that talk to the outside through semihosting; measures the stack that a
 * run of the model takes. Build with -DRUN=NAME_run -Wl,--wrap=NAME_run --specs=rdimon.specs. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

extern void _start(void);
extern uint32_t stack_top;

static void reset(void) {
  /* Access to the floating-point unit. */
  *(volatile uint32_t *)0xe000ed88u |= 0xf00000u;
  __asm__ volatile("dsb\n isb");
  _start();
}
static void fault(void) {
  fprintf(stderr, "fault: CFSR %08lx, at address %08lx\n", (unsigned long)*(volatile uint32_t *)0xe000ed28u,
          (unsigned long)*(volatile uint32_t *)0xe000ed38u);
  register uint32_t operation __asm__("r0") = 0x18, reason __asm__("r1") = 0x20023;
  __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(reason));
  for (;;) {
  }
}
typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const struct { uint32_t *stack; handler reset, faults[6]; } vectors = {
  &stack_top, reset, {fault, fault, fault, fault, fault, fault},
};

#define JOIN(a, b) a##b
#define NAME(a, b) JOIN(a, b)
int NAME(__real_, RUN)(const void *inputs, const void *outputs, void *arena, size_t arena_bytes);
int NAME(__wrap_, RUN)(const void *inputs, const void *outputs, void *arena, size_t arena_bytes);

/* Paints the stack below this function, runs the model, and looks how much of the paint is gone. */
#define PAINTED 4096u
__attribute__((noinline)) int NAME(__wrap_, RUN)(const void *inputs, const void *outputs, void *arena, size_t arena_bytes) {
  uint32_t *top;
  __asm__ volatile("mov %0, sp" : "=r"(top));
  volatile uint32_t *const low = top - PAINTED / 4;
  for (volatile uint32_t *p = low; p < top; p++) *p = 0xc5c5c5c5u;
  const int code = NAME(__real_, RUN)(inputs, outputs, arena, arena_bytes);
  const volatile uint32_t *p = low;
  while (p < top && *p == 0xc5c5c5c5u) p++;
  printf("stack %lu\n", (unsigned long)((const char *)top - (const char *)p));
  return code;
}
