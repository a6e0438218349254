/** Sizes of the bodies of the functions of a valid WebAssembly module, in its order. */
export function functionSizes(wasm: Uint8Array): number[] {
  let at = 8;
  const u32 = (): number => {
    let n = 0;
    for (let shift = 0; ; shift += 7) {
      const b = wasm[at++] ?? 0;
      n |= (b & 0x7f) << shift;
      if (b < 0x80) return n >>> 0;
    }
  };
  while (at < wasm.length) {
    const code = wasm[at++] === 10;
    const end = u32() + at;
    if (code)
      return Array.from({ length: u32() }, () => {
        const body = u32();
        at += body;
        return body;
      });
    at = end;
  }
  return [];
}
