import { must } from '../../compiler/core/diagnostic.ts';
import { emitKernels } from '../../compiler/emit/wasm.ts';
import { KernelBuilder, type Buffer } from '../../compiler/kernel/builder.ts';
import { add, f32, fma, mul, splat } from '../../compiler/kernel/ir.ts';
import { lanesOf } from '../../compiler/ops/loops.ts';
import { resolveTarget } from '../../compiler/targets.ts';
import { noLoc } from '../../compiler/core/diagnostic.ts';

/** Multiply-adds per run of the loop below. */
export const PEAK_MACS = (lanes: number): number => 10 * lanes * 200_000;

/** Independent multiply-adds in registers: what the machine can do at most. */
export async function peak(target: string): Promise<() => void> {
  const profile = must(resolveTarget(target).profiles[0]);
  const lanes = lanesOf(profile);
  const k = new KernelBuilder();
  const out: Buffer = { name: 'out', dtype: 'f32' };
  const x = k.var(splat(k.load(out, 0), lanes));
  const y = k.var(splat(k.load(out, 1), lanes));
  const acc = Array.from({ length: 10 }, () => k.var(splat(f32(0), lanes)));
  k.for(0, 200_000, () => {
    for (const a of acc) k.set(a, profile.vector.fma === 'none' ? add(a, mul(x, y)) : fma(x, y, a));
  });
  acc.forEach((a, i) => k.store(out, i * lanes, a));
  const { kernel } = k.finish('peak', noLoc);
  const { bytes } = await emitKernels([kernel], profile, 1);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  const f = (exports as unknown as { peak: (at: number) => void }).peak;
  return () => f(1024);
}
