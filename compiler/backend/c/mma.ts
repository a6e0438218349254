import { InternalError } from '../../core/diagnostic.ts';
import { MMA } from '../../kernel/ir.ts';

/** Whether the compiler is told of AMX; Clang before 16 says it in its own way. */
export const HAS_AMX = 'defined(__AMX_INT8__) || defined(__AMXINT8__)';
/**
 * AMX: sums in tiles 0 to 3, A in 4 and 5, B in 6 and 7. In assembler, because the intrinsics of GCC 12 do not tell it that tiles are
 * read from memory.
 */
export function mmaAmx(rows: number, columns: number): string {
  const [tall, wide] = [rows / MMA, columns / MMA];
  if (tall > 2 || wide > 2) throw new InternalError(`mma of ${rows} x ${columns}`);
  const each = (n: number, f: (i: number) => string): string => Array.from({ length: n }, (_, i) => f(i)).join(' ');
  const asm = (text: string, operands = ''): string => `__asm__ volatile("${text}"${operands});`;
  const memory = (text: string, base: string, stride: string): string =>
    asm(text, ` : : "r"(${base}), "r"(4 * ${stride}) : "memory"`);
  const sums = (f: (tile: number, i: number, j: number) => string): string =>
    each(tall, i => each(wide, j => f(2 * i + j, i, j)));
  return [
    sums(t => asm(`tilezero %%tmm${t}`, ' : :')),
    `for (int32_t w = 0; w < words; w += ${MMA}, a += ${MMA}, b += ${MMA} * b_stride) {`,
    each(wide, j => memory(`tileloadd (%0,%1,1), %%tmm${6 + j}`, `b + ${MMA * j}`, 'b_stride')),
    each(tall, i => memory(`tileloadd (%0,%1,1), %%tmm${4 + i}`, `a + ${MMA * i} * a_stride`, 'a_stride')),
    sums((t, i, j) => asm(`tdpbusd %%tmm${6 + j}, %%tmm${4 + i}, %%tmm${t}`, ' : :')),
    '}',
    sums((t, i, j) => memory(`tilestored %%tmm${t}, (%0,%1,1)`, `to + ${MMA * i} * to_stride + ${MMA * j}`, 'to_stride')),
  ].join('\n  ');
}
/** The same for any compiler. */
export function mmaPortable(rows: number, columns: number): string {
  return [
    `for (int i = 0; i < ${rows}; i++) for (int j = 0; j < ${columns}; j++) {`,
    '  uint32_t sum = 0;',
    '  for (int32_t w = 0; w < words; w++) for (int q = 0; q < 32; q += 8) {',
    `    const int32_t x = (uint8_t)((uint32_t)a[i * a_stride + w] >> q);`,
    '    sum += (uint32_t)(x * (int8_t)((uint32_t)b[w * b_stride + j] >> q));',
    '  }',
    '  to[i * to_stride + j] = (int32_t)sum;',
    '}',
  ].join('\n  ');
}
