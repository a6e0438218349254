import type { Kernel } from '../../kernel/ir.ts';
import type { ModuleReport } from '../../options.ts';
import type { Program } from '../../program/program.ts';
import { callsOf } from '../../program/steps.ts';
import type { WasmFunction } from './module.ts';

/** Bytes of code by kernel, largest first; the functions around them count as one. */
export function codeSizes(program: Program, wasm: Uint8Array, functions: readonly WasmFunction[]): ModuleReport['code'] {
  const uses = new Map<Kernel, { what: string; calls: number }>();
  for (const s of callsOf([...program.prepare, ...program.steps])) {
    const had = uses.get(s.kernel);
    if (had) had.calls++;
    else uses.set(s.kernel, { what: s.what, calls: 1 });
  }
  const sizes = functionSizes(wasm);
  let rest = 0;
  const code: ModuleReport['code'][number][] = [];
  functions.forEach((f, i) => {
    const bytes = sizes[i] ?? 0;
    const use = f.kernel && uses.get(f.kernel);
    if (f.kernel && use) code.push({ kernel: f.kernel.name, ...use, bytes });
    else rest += bytes;
  });
  code.sort((a, b) => b.bytes - a.bytes || (a.kernel < b.kernel ? -1 : 1));
  return rest === 0 ? code : [...code, { kernel: 'run', what: 'calls of kernels, helpers', calls: 1, bytes: rest }];
}

/** Sizes of the bodies of the functions of a valid WebAssembly module, in its order. */
function functionSizes(wasm: Uint8Array): number[] {
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
