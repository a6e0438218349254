import { must } from '../../compiler/core/diagnostic.ts';
import { peakProgram } from '../operators/peak.ts';
import { emitWasm } from '../../compiler/backend/wasm/emit.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { takeTurns, timed } from '../engine/turns.ts';
import type { Compiled } from './compile.ts';

/**
 * Compares kernels with independent multiply-adds in registers, which is what the machine can do at most: each kernel in turns with those,
 * the best call of each. `macs` is how many multiply-adds are in a call of the kernel. Gives a line of text.
 */
export async function comparePeak(target: string): Promise<(name: string, c: Compiled, macs: number) => Promise<string>> {
  const profile = must(resolveTarget(target).profiles[0]);
  const { program, flops } = peakProgram(profile);
  const { bytes } = await emitWasm(program, planMemory(program, profile), profile, { outside: 0 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  const { run } = exports as unknown as { run: () => void };
  return async (name, c, macs) => {
    const turns = [run, c.run].map(timed);
    const samples = await takeTurns(turns, { rounds: 40, seconds: 60, sampleMs: 2, warmMs: [60, 1000] });
    const [peakMs = NaN, ms = NaN] = samples.map(s => Math.min(...s.ms));
    const [most, rate] = [flops / 2 / peakMs / 1e6, macs / ms / 1e6];
    return [
      name.padEnd(28),
      `${(ms * 1e3).toFixed(1).padStart(9)} us`,
      `${rate.toFixed(1).padStart(6)} GMAC/s`,
      `${((100 * rate) / most).toFixed(0).padStart(4)} % of ${most.toFixed(1)}, ${c.codeBytes} bytes ${c.kernels.join(' ')}`,
    ].join(' ');
  };
}
