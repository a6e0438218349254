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

/** Modules in base64 that an engine runs only if it has a feature. The dot products end in a trap where they are another. */
const PROBES = {
  'bulk memory': 'AGFzbQEAAAABBQFgAX8AAwIBAAUDAQABChIBEAAgACAAQwAAAAD8APwLAAs=',
  SIMD: 'AGFzbQEAAAABBQFgAAF7AwIBAAoIAQYAQQD9EQs=',
  'relaxed SIMD': 'AGFzbQEAAAABBgFgAXsBewMCAQAKDQELACAAIAAgAP2FAgs=',
  // relaxed_dot of 127 and 255 in each byte is 4 x 127 x 255.
  'exact dot product of int8 by uint8': 'AGFzbQEAAAABBAFgAAADAgEACAEACiABHgBB/wD9D0F//Q9BAP0R/ZMC/RsAQYT0B0cEQAALCw==',
  // relaxed_dot of -128 and -128 in each byte is 4 x 128 x 128.
  'exact dot product of int8 by int8': 'AGFzbQEAAAABBAFgAAADAgEACAEACiEBHwBBgH/9D0GAf/0PQQD9Ef2TAv0bAEGAgARHBEAACws=',
} as const;
/** What an engine must have for a profile: in words, and the module that tells. */
export function needsOf(p: Profile): Readonly<Record<string, string>> {
  const { bits, fma, intDot } = p.vector;
  const need = (name: keyof typeof PROBES, when: boolean): Record<string, string> => (when ? { [name]: PROBES[name] } : {});
  return {
    // An engine that has threads has it; whether a page may use them the loader knows.
    ...(p.threads > 1 && { threads: PROBES['bulk memory'] }),
    ...need('exact dot product of int8 by uint8', intDot === 'i8u8'),
    ...need('exact dot product of int8 by int8', intDot === 'i8i8'),
    ...need('relaxed SIMD', fma === 'relaxed'),
    ...need('SIMD', bits > 0 && fma !== 'relaxed'),
    ...need('bulk memory', p.features.length > 0 && bits === 0),
  };
}
