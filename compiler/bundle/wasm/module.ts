import type { Profile } from '../../target/profile.ts';

/** A checksum over some of the bytes: what `sample` in runtimes/js/wasm.js computes. */
export function sampleSum(bytes: Uint8Array): number {
  const step = Math.ceil(bytes.length / 1024);
  let h = 0;
  for (let i = 0; i < bytes.length; i += step) h = (Math.imul(h, 31) + (bytes[i] ?? 0)) | 0;
  return h;
}

const ascii = (s: string): number[] => Array.from(s, c => c.charCodeAt(0));
function leb(n: number): number[] {
  const out: number[] = [];
  do {
    const low = n & 0x7f;
    n >>>= 7;
    out.push(n === 0 ? low : low | 0x80);
  } while (n !== 0);
  return out;
}
/** The module with a custom section 'sinter' that holds an id, by which index.js knows its own. */
export function withId(wasm: Uint8Array, id: string): Uint8Array {
  const name = [...leb(6), ...ascii('sinter')];
  const section = [0, ...leb(name.length + id.length), ...name, ...ascii(id)];
  const out = new Uint8Array(wasm.length + section.length);
  out.set(wasm);
  out.set(section, wasm.length);
  return out;
}

/** What an engine must have for a profile, in the words of the loader's probes. */
export function needsOf(p: Profile): string[] {
  const relaxed = p.vector.fma === 'relaxed' || p.vector.intDot === 'i8u7';
  return [
    ...(p.threads > 1 ? ['threads'] : []),
    ...(relaxed ? ['relaxed SIMD'] : []),
    ...(p.vector.bits > 0 && !relaxed ? ['SIMD'] : []),
    ...(p.features.length > 0 && p.vector.bits === 0 ? ['bulk memory'] : []),
  ];
}
