import { must } from '../../compiler/core/diagnostic.ts';
import { peakProgram } from '../operators/peak.ts';
import { emitWasm } from '../../compiler/backend/wasm/emit.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';

/** Independent multiply-adds in registers: what the machine can do at most. `macs` of them are in a run. */
export async function peak(target: string): Promise<{ readonly run: () => void; readonly macs: number }> {
  const profile = must(resolveTarget(target).profiles[0]);
  const { program, flops } = peakProgram(profile);
  const { bytes } = await emitWasm(runKernelPasses(program, profile), planMemory(program, profile), profile, { embed: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  return { run: (exports as unknown as { run: () => void }).run, macs: flops / 2 };
}
