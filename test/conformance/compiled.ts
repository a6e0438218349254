import { must } from '../../compiler/core/diagnostic.ts';
import { evalDim } from '../../compiler/core/dim.ts';
import { DTYPES } from '../../compiler/core/dtype.ts';
import { numel } from '../../compiler/core/tensor.ts';
import { relisted, textList } from '../../compiler/core/texts.ts';
import { emitWasm } from '../../compiler/backend/wasm/emit.ts';
import { flushesDenormals } from '../../compiler/compile.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { bindSymbols } from '../../compiler/program/bind.ts';
import { interpretProgram, speltInputs, told } from '../../compiler/program/interpret.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import type { MemoryPlan, Program } from '../../compiler/program/program.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import type { LowerSettings } from '../../compiler/ops/lowering.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import { races } from '../kernel/races.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { native } from '../native/build.ts';
import type { Run } from './runners.ts';

/** A graph compiled for a target, without the bundle around it. As C, the environment may name another target, and flags: C_TARGET, C_FLAGS. */
export async function compiled(
  way: 'program' | 'wasm' | 'c',
  g: Graph,
  target = way === 'c' ? (process.env['C_TARGET'] ?? 'c-portable') : 'wasm-simd',
  settings: LowerSettings = {},
): Promise<Run> {
  const profile = must(resolveTarget(target).profiles[0]);
  const program = lowerGraph(runPasses(g, profile), profile, settings);
  verifyProgram(program);
  const plan = planMemory(program, profile);
  switch (way) {
    case 'program':
      return inputs => interpretProgram(program, inputs, races());
    case 'wasm':
      return await wasm(program, plan, profile);
    case 'c':
      // As `compile` does: trees compare numbers of any size.
      return native(program, plan, profile, {
        flushDenormals: flushesDenormals(g),
        flags: (process.env['C_FLAGS'] ?? '').split(' ').filter(f => f !== ''),
      });
  }
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  prepare?(): void;
  run(...sizes: readonly number[]): void;
  readonly symbol?: (i: number) => number;
}
async function wasm(program: Program, plan: MemoryPlan, profile: Profile): Promise<Run> {
  const { bytes } = await emitWasm(runKernelPasses(program, profile), plan, profile, { outside: 0 });
  return wasmRun(program, plan, bytes);
}
/** Runs a module whose weights are all inside. */
export function wasmRun(program: Program, plan: MemoryPlan, bytes: Uint8Array): Run {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  const x = instance.exports as unknown as Exports;
  x.prepare?.();
  return given => {
    const inputs = speltInputs(program, given);
    const env = bindSymbols(program, name => inputs.get(name));
    const memory = new Uint8Array(x.memory.buffer);
    const list = textList(program.texts);
    for (const p of program.inputs) memory.set(relisted(must(inputs.get(p.name)), list).bytes, must(plan.offsets.get(p.slot)));
    x.run(...program.symbols.filter(s => s.from === 'input').map(s => must(env.get(s.name))));
    const { symbol } = x;
    program.symbols.forEach((s, i) => {
      if (s.from === 'run') env.set(s.name, must(symbol)(i));
    });
    return new Map(
      program.outputs.map(p => {
        const dims = p.type.shape.map(d => evalDim(d, env));
        const from = must(plan.offsets.get(p.slot));
        const size = numel(dims) * DTYPES[p.type.dtype].bytes;
        return [p.name, told(p, { dtype: p.type.dtype, dims, bytes: memory.slice(from, from + size) }, list)];
      }),
    );
  };
}
