/** How far integers of weights are from the nearest, as a plan has them: small numbers, of which most are 0, deflated, in base64. */
import { deflateSync, inflateSync } from 'fflate';
import { base64, fromBase64 } from '../core/bytes.ts';

/** Steps as text. */
export const movedText = (moved: Int8Array): string =>
  base64(deflateSync(new Uint8Array(moved.buffer, moved.byteOffset, moved.length), { level: 9 }));
/** The steps that a text says; undefined where it is not of so many. */
export function movedOf(text: string, count: number): Int8Array | undefined {
  const bytes = fromBase64(text);
  if (!bytes) return undefined;
  try {
    // One byte more than wanted shows what is longer; the array that is given never grows.
    const out = inflateSync(bytes, { out: new Uint8Array(count + 1) });
    return out.length === count ? new Int8Array(out.buffer, 0, count) : undefined;
  } catch {
    return undefined;
  }
}
