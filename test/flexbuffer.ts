/** Writes FlexBuffers for tests (https://flatbuffers.dev/internals/#flexbuffers): options of custom operators of TensorFlow Lite. */

type Flex = number | boolean | { readonly float: number };
const NUL = '\0';

/** A map of numbers, four bytes an element. */
export function flexMap(map: Readonly<Record<string, Flex>>): Uint8Array {
  const keys = Object.keys(map).sort();
  const out: number[] = [];
  const word = (v: number): void => void out.push(v & 255, (v >> 8) & 255, (v >> 16) & 255, (v >>> 24) & 255);
  const places = keys.map(k => {
    const at = out.length;
    out.push(...new TextEncoder().encode(k + NUL));
    return at;
  });
  while (out.length % 4 !== 0) out.push(0);
  word(keys.length);
  const list = out.length;
  for (const at of places) word(out.length - at);
  word(out.length - list);
  word(4);
  word(keys.length);
  const start = out.length;
  const types = keys.map(k => {
    const v = map[k];
    if (typeof v === 'object') {
      out.push(...new Uint8Array(Float32Array.of(v.float).buffer));
      return 3;
    }
    word(Number(v));
    return typeof v === 'boolean' ? 26 : 1;
  });
  out.push(...types.map(t => (t << 2) | 2));
  while (out.length % 4 !== 0) out.push(0);
  word(out.length - start);
  return Uint8Array.from([...out, (9 << 2) | 2, 4]);
}

/** A list of texts or bytes. */
export function flexList(list: readonly (string | Uint8Array)[]): Uint8Array {
  const out: number[] = [];
  const word = (v: number): void => void out.push(v & 255, (v >> 8) & 255, (v >> 16) & 255, (v >>> 24) & 255);
  const places = list.map(x => {
    const data = typeof x === 'string' ? new TextEncoder().encode(x) : x;
    while (out.length % 4 !== 0) out.push(0);
    word(data.length);
    const at = out.length;
    out.push(...data, 0);
    return at;
  });
  while (out.length % 4 !== 0) out.push(0);
  word(list.length);
  const start = out.length;
  for (const at of places) word(out.length - at);
  out.push(...list.map(() => (5 << 2) | 2));
  while (out.length % 4 !== 0) out.push(0);
  word(out.length - start);
  return Uint8Array.from([...out, (10 << 2) | 2, 4]);
}
