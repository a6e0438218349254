import { fail } from '../core/diagnostic.ts';

/** Sound: the mean of all channels, from -1 to 1. */
interface Sound {
  readonly rate: number;
  readonly data: Float32Array;
}
const [PCM, FLOAT, EXTENSIBLE] = [1, 3, 0xfffe];

/**
 * Reads a WAV file (RIFF) of integers of 8 to 32 bits or floats: http://soundfile.sapp.org/doc/WaveFormat/. E205 where it is not sound, or
 * compressed.
 */
export function readWav(bytes: Uint8Array, file: string): Sound {
  const bad = (why: string): never => fail('E205', { file, why });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') return bad('it is no WAV file');
  let format: { readonly code: number; readonly channels: number; readonly rate: number; readonly bits: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    // Writers that do not know the length in advance leave the size of the last chunk open.
    const end = Math.min(bytes.length, start + size);
    if (tag(at) === 'fmt ' && end - start >= 16) {
      const code = view.getUint16(start, true);
      format = {
        code: code === EXTENSIBLE && end - start >= 26 ? view.getUint16(start + 24, true) : code,
        channels: view.getUint16(start + 2, true),
        rate: view.getUint32(start + 4, true),
        bits: view.getUint16(start + 14, true),
      };
    }
    if (tag(at) === 'data') {
      if (!format) return bad('its data come before their format');
      const { code, channels, rate, bits } = format;
      const read = sampleReader(view, code, bits);
      if (!read || channels === 0) return bad(`samples of format ${code} with ${bits} bits in ${channels} channels`);
      const width = bits / 8;
      const data = new Float32Array(Math.floor((end - start) / (width * channels)));
      for (let i = 0; i < data.length; i++) {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += read(start + (i * channels + c) * width);
        data[i] = sum / channels;
      }
      return { rate, data };
    }
    at = start + size + (size % 2);
  }
  return bad('it has no data');
}
function sampleReader(v: DataView, code: number, bits: number): ((at: number) => number) | undefined {
  if (code === FLOAT && bits === 32) return at => v.getFloat32(at, true);
  if (code === FLOAT && bits === 64) return at => v.getFloat64(at, true);
  if (code !== PCM) return undefined;
  switch (bits) {
    case 8:
      return at => (v.getUint8(at) - 128) / 2 ** 7;
    case 16:
      return at => v.getInt16(at, true) / 2 ** 15;
    case 24:
      return at => (v.getInt16(at + 1, true) * 256 + v.getUint8(at)) / 2 ** 23;
    case 32:
      return at => v.getInt32(at, true) / 2 ** 31;
  }
  return undefined;
}
