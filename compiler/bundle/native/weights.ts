import { utf8 } from '../../core/bytes.ts';

/** Weights as numbers of one byte each: every compiler reads them, but large ones take long. */
export function arrayText(symbol: string, bytes: Uint8Array): Uint8Array {
  const head = utf8(
    `#include <stdint.h>\n#if defined(__GNUC__)\n__attribute__((aligned(64)))\n#endif\nconst uint8_t ${symbol}[${bytes.length}] = {\n`,
  );
  const out = new Uint8Array(head.length + 4 * bytes.length + Math.ceil(bytes.length / 32) + 3);
  out.set(head);
  let at = head.length;
  bytes.forEach((b, i) => {
    for (const ch of String(b)) out[at++] = ch.charCodeAt(0);
    out[at++] = 44;
    if (i % 32 === 31) out[at++] = 10;
  });
  for (const ch of '};\n') out[at++] = ch.charCodeAt(0);
  return out.subarray(0, at);
}
/** weights.S: puts a file of weights into the object file. */
export const assembly = (
  symbol: string,
  align: number,
  bytes: number,
  file: string,
): string => `/* The weights, as they are in ${file}. */
#if defined(__APPLE__)
.section __TEXT,__const
#define NAME _${symbol}
#else
#define NAME ${symbol}
#if defined(__wasm__)
.section .rodata.NAME,"",@
.type NAME,@object
.size NAME, ${bytes}
#else
#if defined(_WIN32)
.section .rdata,"dr"
#else
.section .note.GNU-stack,"",%progbits
.section .rodata
#endif
#endif
#endif
.globl NAME
.balign ${align}
NAME:
.incbin "${file}"
`;
