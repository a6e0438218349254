import { concatBytes } from '../../compiler/core/bytes.ts';

/** An entry of an archive; `size` is what it claims. */
export interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly size?: number;
  /** '0' a file, '2' a symbolic link, '5' a folder, 'x' a pax header, 'L' a long name of GNU. */
  readonly type?: string;
}
/** A ustar archive. Sizes beyond the octal field are written in binary, as GNU tar does. */
export function tarOf(entries: readonly Entry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const e of entries) {
    const h = new Uint8Array(512);
    const put = (s: string, at: number): void => h.set(new TextEncoder().encode(s), at);
    const size = e.size ?? e.bytes.length;
    put(e.name.slice(0, 100), 0);
    put('0000644\0', 100);
    if (size < 8 ** 11) put(`${size.toString(8).padStart(11, '0')}\0`, 124);
    else for (let i = 0, v = size; i < 12; i++, v = Math.floor(v / 256)) h[135 - i] = i === 11 ? 0x80 : v % 256;
    put(`${'0'.repeat(11)}\0`, 136);
    put(e.type ?? '0', 156);
    put('ustar\x0000', 257);
    h.fill(32, 148, 156);
    put(
      `${h
        .reduce((a, b) => a + b)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    parts.push(h, e.bytes, new Uint8Array((512 - (e.bytes.length % 512)) % 512));
  }
  parts.push(new Uint8Array(1024));
  return concatBytes(parts);
}
export const tar = (name: string, bytes: Uint8Array): Uint8Array => tarOf([{ name, bytes }]);
