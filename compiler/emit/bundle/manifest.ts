import { DTYPES } from '../../core/dtype.ts';
import { showDim } from '../../core/dim.ts';
import type { ModuleReport, PortReport } from '../../options.ts';
import type { Port, Program, Step } from '../../program/program.ts';
import { functionSizes } from './code-size.ts';
import type { CompiledModule } from './module.ts';

export const portReport = (p: Port): PortReport => ({
  name: p.name,
  type: DTYPES[p.type.dtype].ort,
  shape: p.type.shape.map(d => (typeof d === 'number' ? d : showDim(d))),
});

/** The steps of a program, those inside loops and branches too. */
export function* allSteps(steps: readonly Step[]): Generator<Step> {
  const stack: Step[] = [...steps].reverse();
  for (let s = stack.pop(); s; s = stack.pop()) {
    yield s;
    if (s.k === 'loop') stack.push(...[...s.body].reverse());
    if (s.k === 'branch') stack.push(...[...s.then, ...s.else].reverse());
  }
}

/** Sizes of one module; code is told by kernel where the module names its functions. */
export function moduleReport(m: CompiledModule): ModuleReport {
  const { program, plan } = m;
  const uses = kernelUses(program);
  const code = functionSizes(m.wasm).flatMap(f => {
    if (f.name === undefined) return [];
    const use = uses.get(f.name);
    return [{ kernel: f.name, what: use?.what ?? '', calls: use?.calls ?? 0, bytes: f.bytes }];
  });
  code.sort((a, b) => b.bytes - a.bytes || (a.kernel < b.kernel ? -1 : 1));
  return {
    profile: m.profile.name,
    kernels: program.kernels.length,
    steps: [...allSteps(program.steps)].filter(s => s.k === 'call').length,
    weights: plan.weightsBytes,
    arena: plan.arenaBytes,
    wasm: m.wasm.length,
    code,
  };
}
function kernelUses(p: Program): Map<string, { what: string; calls: number }> {
  const out = new Map<string, { what: string; calls: number }>();
  for (const s of allSteps(p.steps)) {
    if (s.k !== 'call') continue;
    const had = out.get(s.kernel.name);
    if (had) had.calls++;
    else out.set(s.kernel.name, { what: s.what, calls: 1 });
  }
  return out;
}
