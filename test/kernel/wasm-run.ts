import { bytesOf, type DType, DTYPES, type TypedArray } from '../../compiler/core/dtype.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { emitKernels } from '../../compiler/backend/wasm/emit.ts';
import type { InterpretArg } from '../../compiler/kernel/interpret.ts';
import type { Kernel } from '../../compiler/kernel/ir.ts';
import { programOf, runKernelPasses } from '../../compiler/program/passes/index.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { runsHere } from '../../fixtures/engine.ts';

export const profileNamed = (name: string): Profile => must(resolveTarget(name).profiles[0]);
/** The profiles whose modules this engine takes. */
export const MVP = profileNamed('wasm-mvp');
export const SIMD = profileNamed('wasm-simd');
export const RELAXED = profileNamed('wasm-relaxed-simd');

export const DOTS = ['wasm-relaxed-dot-u8', 'wasm-relaxed-dot-i8'].map(profileNamed);

export const runnable = (profiles: readonly Profile[]): Profile[] => profiles.filter(runsHere);

const PAGES = 4;
/** A kernel as a function of the arguments that the interpreter takes; buffers are copied in and out. */
export async function wasmKernel(kernel: Kernel, profile: Profile): Promise<(args: readonly InterpretArg[]) => void> {
  const [one] = await wasmKernels([kernel], profile);
  return must(one);
}
export async function wasmKernels(
  kernels: readonly Kernel[],
  profile: Profile,
): Promise<((args: readonly InterpretArg[]) => void)[]> {
  const { bytes } = await emitKernels(runKernelPasses(programOf('test', kernels), profile).kernels, profile, PAGES);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  const { memory } = exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new Error('no memory');
  return kernels.map(k => {
    const run: unknown = exports[k.name];
    if (typeof run !== 'function') throw new Error(`no export ${k.name}`);
    return args => {
      // Buffers lie as low as they can, so that an address before one is an address before memory.
      let next = 0;
      const places = new Map<ArrayBufferLike, number>();
      const views: { readonly at: number; readonly data: TypedArray }[] = [];
      const actual = args.map((a, i) => {
        if (typeof a === 'number') return a;
        const p = must(k.params[i]);
        const dtype: DType = p.k === 'buf' ? p.dtype : a.dtype;
        let at = places.get(a.data.buffer);
        if (at === undefined) {
          at = next;
          places.set(a.data.buffer, at);
          views.push({ at, data: a.data });
          next = (at + a.data.byteLength + 7) & ~7;
        }
        return at + (a.offset ?? 0) * bytesOf(dtype);
      });
      if (next > memory.buffer.byteLength) throw new Error('the test needs more memory');
      const bytesAt = (v: { readonly at: number; readonly data: TypedArray }): Uint8Array =>
        new Uint8Array(memory.buffer, v.at, v.data.byteLength);
      for (const v of views) bytesAt(v).set(new Uint8Array(v.data.buffer, v.data.byteOffset, v.data.byteLength));
      Reflect.apply(run, undefined, actual);
      for (const v of views) new Uint8Array(v.data.buffer, v.data.byteOffset, v.data.byteLength).set(bytesAt(v));
    };
  });
}
export const arrayOf = (dtype: DType, n: number): TypedArray => new DTYPES[dtype].array(n);
/** Where two results differ, or undefined. NaNs are equal to each other. */
export function firstDifference(dtype: DType, a: TypedArray, b: TypedArray): string | undefined {
  const half = (v: number | bigint | undefined): boolean =>
    (dtype === 'f16' && (Number(v) & 0x7fff) > 0x7c00) || (dtype === 'bf16' && (Number(v) & 0x7fff) > 0x7f80);
  for (let i = 0; i < a.length; i++)
    if (!Object.is(a[i], b[i]) && !(half(a[i]) && half(b[i]))) return `[${i}]: ${String(a[i])} and ${String(b[i])}`;
  return undefined;
}
