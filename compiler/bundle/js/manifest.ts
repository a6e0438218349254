import { DTYPES } from '../../core/dtype.ts';
import { showDim } from '../../core/dim.ts';
import type { ModuleReport, PortReport } from '../../options.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { Port } from '../../program/program.ts';
import { callsOf } from '../../program/steps.ts';
import { functionSizes } from './code-size.ts';
import type { CompiledModule } from './module.ts';

export const portReport = (p: Port): PortReport => ({
  name: p.name,
  type: DTYPES[p.type.dtype].ort,
  shape: p.type.shape.map(d => (typeof d === 'number' ? d : showDim(d))),
});

/** Sizes of one module; code is told by kernel, the functions around them as one. */
export function moduleReport(m: CompiledModule): ModuleReport {
  const { program, plan } = m;
  const calls = callsOf(program.steps);
  const uses = new Map<Kernel, { what: string; calls: number }>();
  for (const c of calls) {
    const had = uses.get(c.kernel);
    if (had) had.calls++;
    else uses.set(c.kernel, { what: c.what, calls: 1 });
  }
  const sizes = functionSizes(m.wasm);
  let rest = 0;
  const code: ModuleReport['code'][number][] = [];
  m.functions.forEach((f, i) => {
    const bytes = sizes[i] ?? 0;
    const use = f.kernel && uses.get(f.kernel);
    if (f.kernel && use) code.push({ kernel: f.kernel.name, ...use, bytes });
    else rest += bytes;
  });
  code.sort((a, b) => b.bytes - a.bytes || (a.kernel < b.kernel ? -1 : 1));
  return {
    profile: m.profile.name,
    kernels: program.kernels.length,
    steps: calls.length,
    weights: plan.weightsBytes,
    arena: plan.arenaBytes,
    bytes: m.wasm.length,
    code: rest === 0 ? code : [...code, { kernel: 'run', what: 'calls of kernels, helpers', calls: 1, bytes: rest }],
  };
}
