/** CRC-32C (Castagnoli) by a table, as LevelDB and TensorFlow's checkpoints have it: rotated, and moved by a constant. */
const table = new Uint32Array(256);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  table[n] = c;
}
const DELTA = 0xa282ead8;
/** The masked checksum of some pieces in a row. */
export function maskedCrc(...pieces: readonly Uint8Array[]): number {
  let c = -1;
  for (const p of pieces) for (let i = 0; i < p.length; i++) c = (table[(c ^ (p[i] ?? 0)) & 255] ?? 0) ^ (c >>> 8);
  const crc = ~c >>> 0;
  return (((crc >>> 15) | (crc << 17)) + DELTA) >>> 0;
}
