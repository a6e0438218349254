/** The size of a function of a module, with the name that the module gives it (in its name section or its exports), if any. */
export interface FunctionSize {
  readonly index: number;
  readonly name: string | undefined;
  readonly bytes: number;
}

/** Sizes of the functions of a valid WebAssembly module, in its order. */
export function functionSizes(wasm: Uint8Array): FunctionSize[] {
  let at = 8;
  const u32 = (): number => {
    let n = 0;
    for (let shift = 0; ; shift += 7) {
      const b = wasm[at++] ?? 0;
      n |= (b & 0x7f) << shift;
      if (b < 0x80) return n >>> 0;
    }
  };
  const text = (): string => {
    const n = u32();
    at += n;
    return new TextDecoder().decode(wasm.subarray(at - n, at));
  };
  const sizes: number[] = [];
  const names = new Map<number, string>();
  let imported = 0;
  while (at < wasm.length) {
    const id = wasm[at++] ?? 0;
    const size = u32();
    const end = at + size;
    if (id === 0 && text() === 'name')
      while (at < end) {
        const sub = wasm[at++];
        const next = u32() + at;
        if (sub === 1) for (let n = u32(); n > 0; n--) names.set(u32(), text());
        at = next;
      }
    if (id === 2 && u32() > 0) imported = -1;
    if (id === 7)
      for (let n = u32(); n > 0; n--) {
        const name = text();
        const kind = wasm[at++];
        const index = u32();
        if (kind === 0 && !names.has(index)) names.set(index, name);
      }
    if (id === 10)
      for (let n = u32(); n > 0; n--) {
        const body = u32();
        sizes.push(body);
        at += body;
      }
    at = end;
  }
  // Modules of ours import nothing, so function i is body i; names of a module that does would be of other functions.
  return sizes.map((bytes, index) => ({ index, name: imported < 0 ? undefined : names.get(index), bytes }));
}
