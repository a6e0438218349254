import type { Kernel } from '../../kernel/ir.ts';
import { walk } from '../../kernel/passes/rewrite.ts';
import { HAS_AMX } from './mma.ts';

/** Whether some kernel needs tiles. */
export function usesTiles(kernels: readonly Kernel[]): boolean {
  let found = false;
  for (const k of kernels)
    walk(k.body, s => {
      found ||= s.k === 'mma';
    });
  return found;
}
/** How the processor is set while a model runs, and put back after. */
export interface FloatEnvironment {
  /** FTZ and DAZ: numbers so small that they lose precision count as zero. */
  readonly flushDenormals: boolean;
  /** Tiles for `mma` are configured. */
  readonly tiles: boolean;
}

/** `run_mode`, `enter_run` and `leave_run`, and for tiles `may_use_tiles`, which asks the system for them. */
export const environmentText = ({ flushDenormals, tiles }: FloatEnvironment): string => `${tiles ? TILES : ''}
${flushDenormals ? '/* Numbers so small that they lose precision take many times as long: they count as zero while the model runs. */\n' : ''}${
  flushDenormals
    ? `#if defined(__SSE2__)
typedef unsigned run_mode;
INLINE run_mode enter_run(void) { const run_mode m = _mm_getcsr(); _mm_setcsr(m | 0x8040u);${tiles ? ' configure_tiles();' : ''} return m; }
INLINE void leave_run(run_mode m) {${tiles ? ' release_tiles();' : ''} _mm_setcsr(m); }
#elif defined(__aarch64__) && defined(__GNUC__)
typedef uint64_t run_mode;
INLINE run_mode enter_run(void) { run_mode m; __asm__ volatile("mrs %0, fpcr" : "=r"(m)); __asm__ volatile("msr fpcr, %0" : : "r"(m | (UINT64_C(1) << 24))); return m; }
INLINE void leave_run(run_mode m) { __asm__ volatile("msr fpcr, %0" : : "r"(m)); }
#else
`
    : ''
}typedef int run_mode;
INLINE run_mode enter_run(void) {${tiles ? ' configure_tiles();' : ''} return 0; }
INLINE void leave_run(run_mode m) {${tiles ? ' release_tiles();' : ''} (void)m; }
${flushDenormals ? '#endif\n' : ''}`;

/**
 * Asks for the tiles of AMX. Linux gives them to a process that asks, because they make what a switch between threads saves ten times as
 * large (Documentation/arch/x86/xstate.rst: ARCH_REQ_XCOMP_PERM for XTILEDATA); to ask again costs no more than a system call.
 */
export const ASK_FOR_TILES = `
#if ${HAS_AMX}
#include <sys/syscall.h>
long syscall(long number, ...);
static inline int may_use_tiles(void) { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }
#else
static inline int may_use_tiles(void) { return 1; }
#endif
`;
/** Eight tiles of 16 rows of 64 bytes. */
const TILES = `${ASK_FOR_TILES}
#if ${HAS_AMX}
INLINE void configure_tiles(void) {
  const struct { uint8_t palette, start, none[14]; uint16_t bytes[16]; uint8_t rows[16]; } tiles = {
    1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
  __asm__ volatile("ldtilecfg %0" : : "m"(tiles));
}
INLINE void release_tiles(void) { __asm__ volatile("tilerelease" : : : "memory"); }
#else
INLINE void configure_tiles(void) { }
INLINE void release_tiles(void) { }
#endif
`;
