import { concatBytes, equalBytes, sha256, utf8 } from '../../core/bytes.ts';
import { BESIDE } from './beside.data.ts';

/** The weights of all versions of a model, one after the other; equal ones once. */
export interface Weights {
  readonly bytes: Uint8Array;
  /** Of each version where those that it shares with others begin, and its own. */
  readonly starts: readonly { readonly common: number; readonly own: number }[];
  /** By this a library knows its file: the end of it. */
  readonly id: string;
}
/** What a version has: its weights, of which the first `commonBytes` may be those of others. */
interface Version {
  readonly weights: Uint8Array;
  readonly commonBytes: number;
}
/** Each part begins at a multiple of `align`. */
export async function joinWeights(versions: readonly Version[], align: number): Promise<Weights> {
  const parts: { readonly bytes: Uint8Array; readonly at: number }[] = [];
  let end = 0;
  const place = (bytes: Uint8Array): number => {
    if (bytes.length === 0) return 0;
    const had = parts.find(p => equalBytes(p.bytes, bytes));
    if (had) return had.at;
    const at = Math.ceil(end / align) * align;
    parts.push({ bytes, at });
    end = at + bytes.length;
    return at;
  };
  const starts = versions.map(v => ({
    common: place(v.weights.subarray(0, v.commonBytes)),
    own: place(v.weights.subarray(v.commonBytes)),
  }));
  const bytes = new Uint8Array(end);
  for (const p of parts) bytes.set(p.bytes, p.at);
  return { bytes, starts, id: (await sha256(bytes)).slice(0, 16) };
}
/** A function that gives a place in the weights; null where there are none. */
export interface Finder {
  readonly name: string;
  readonly at: number;
}
const findersText = (finders: readonly Finder[], weights: string): string =>
  finders
    .map(
      ({ name, at }) =>
        `const uint8_t *${name}(void);\nconst uint8_t *${name}(void) { return ${at === 0 ? weights : `${weights} + ${at}`}; }\n`,
    )
    .join('');
/** A source for weights that are inside of the code, as the array `symbol`. */
export const insideText = (symbol: string, finders: readonly Finder[]): string => `/* The weights are inside of the library. */
#include <stdint.h>
extern const uint8_t ${symbol}[];
${findersText(finders, symbol)}`;
/** The file beside a library. */
export const besideBytes = ({ bytes, id }: Weights): Uint8Array => concatBytes([bytes, utf8(id)]);
/** A source for weights that lie in a file beside the library. */
export const besideText = (
  { bytes, id }: Weights,
  file: string,
  finders: readonly Finder[],
): string => `#define _GNU_SOURCE /* dladdr */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define FILE_NAME "${file}"
#define BYTES ${bytes.length}u
#define ID "${id}"
${BESIDE}
${finders.map(({ name, at }) => `const uint8_t *${name}(void);\nconst uint8_t *${name}(void) { return ${at === 0 ? 'weights' : `weights == NULL ? NULL : weights + ${at}`}; }\n`).join('')}`;

/** Weights as numbers of one byte each: every compiler reads them, but large ones take long. */
export function arrayText(symbol: string, bytes: Uint8Array, finders: readonly Finder[]): Uint8Array {
  const head = utf8(
    `#include <stdint.h>\n#if defined(__GNUC__)\n__attribute__((aligned(64)))\n#endif\nconst uint8_t ${symbol}[${bytes.length}] = {\n`,
  );
  const tail = utf8(`};\n${findersText(finders, symbol)}`);
  const out = new Uint8Array(head.length + 4 * bytes.length + Math.ceil(bytes.length / 32) + tail.length);
  out.set(head);
  let at = head.length;
  bytes.forEach((b, i) => {
    for (const ch of String(b)) out[at++] = ch.charCodeAt(0);
    out[at++] = 44;
    if (i % 32 === 31) out[at++] = 10;
  });
  out.set(tail, at);
  return out.subarray(0, at + tail.length);
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
.incbin "${file}", 0, ${bytes}
`;
