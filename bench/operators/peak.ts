import { noLoc } from '../../compiler/core/diagnostic.ts';
import { KernelBuilder, type Buffer } from '../../compiler/kernel/builder.ts';
import { add, f32, fma, mul, splat } from '../../compiler/kernel/ir.ts';
import { lanesOf } from '../../compiler/ops/loops.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import type { Program, Slot } from '../../compiler/program/program.ts';
import { timed, type Turn } from '../engine/turns.ts';

/** Sums that do not wait for each other: enough to keep two units busy that take four cycles. */
const SUMS = 10;
const ITERATIONS = 200_000;

/** A program of independent multiply-adds in registers, which nothing can be faster than, and the operations of one run. */
export function peakProgram(profile: Profile): { readonly program: Program; readonly flops: number } {
  const lanes = lanesOf(profile);
  const size = Math.max(2, SUMS * lanes);
  const k = new KernelBuilder();
  const out: Buffer = { name: 'out', dtype: 'f32' };
  const x = k.var(splat(k.load(out, 0), lanes));
  const y = k.var(splat(k.load(out, 1), lanes));
  const sums = Array.from({ length: SUMS }, () => k.var(splat(f32(0), lanes)));
  k.for(0, ITERATIONS, () => {
    for (const s of sums) k.set(s, profile.vector.fma === 'none' ? add(s, mul(x, y)) : fma(x, y, s));
  });
  sums.forEach((s, i) => k.store(out, i * lanes, s));
  const { kernel } = k.finish('peak', noLoc);
  const slot: Slot = { name: 'y', dtype: 'f32', size, where: 'output' };
  const program: Program = {
    name: 'peak',
    kernels: [kernel],
    slots: [slot],
    prepare: [],
    steps: [{ k: 'call', kernel, args: [{ k: 'buf', slot, offset: 0 }], loc: noLoc, what: 'peak' }],
    inputs: [],
    outputs: [{ name: 'y', type: { dtype: 'f32', shape: [size] }, slot }],
    symbols: [],
    guards: [],
    traps: [],
  };
  return { program, flops: 2 * SUMS * lanes * ITERATIONS };
}

/** Copies between two halves of as much memory as a model touches, since caches are faster; `bytes` are read and written. */
export function copyTurn(touched: number): { readonly turn: Turn; readonly bytes: number } {
  const n = Math.min(1 << 26, Math.max(1 << 16, touched >> 1));
  const [from, to] = [new Uint8Array(n).fill(1), new Uint8Array(n)];
  return { turn: timed(() => to.set(from)), bytes: 2 * n };
}
