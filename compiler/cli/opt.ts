import { must } from '../core/diagnostic.ts';
import type { Pass, PassContext } from '../core/pass.ts';
import { didYouMean } from '../core/suggest.ts';
import { parseGraph } from '../graph/parse.ts';
import { printGraph } from '../graph/print.ts';
import { verifyGraph } from '../graph/verify.ts';
import { parseKernels } from '../kernel/parse.ts';
import { showKernel } from '../kernel/print.ts';
import { allOps } from '../ops/index.ts';
import { graphPasses } from '../passes/index.ts';
import { parseProgram } from '../program/parse.ts';
import { programOf } from '../program/passes/index.ts';
import { printProgram } from '../program/print.ts';
import { verifyProgram } from '../program/verify.ts';
import { resolveTarget } from '../target/resolve.ts';
import { readText } from '../host/files.ts';
import { UsageError, type Terminal } from './terminal.ts';

interface OptFlags {
  readonly pass: readonly string[];
  readonly target: string;
}

/**
 * `sinter opt --pass NAME FILE`: runs passes over an IR in text form, in the order given, and prints what becomes of it. A file that ends in
 * `.program` or `.kernel` is for the passes over kernels, any other is a graph. UsageError where there is no such pass, E201 where the text
 * is wrong.
 */
export function optCommand(file: string, o: OptFlags, t: Terminal): void {
  const profile = must(resolveTarget(o.target).profiles[0]);
  const { kernelPasses } = profile.backEnd;
  const text = readText(file);
  if (file.endsWith('.program'))
    t.out(printProgram(run(parseProgram(text, file), o.pass, kernelPasses, verifyProgram, { profile }), { data: true }));
  else if (file.endsWith('.kernel')) {
    const { kernels } = run(programOf(file, parseKernels(text, file)), o.pass, kernelPasses, verifyProgram, { profile });
    t.out(kernels.map(showKernel).join(''));
  } else t.out(printGraph(run(parseGraph(text, allOps, file), o.pass, graphPasses, verifyGraph, { profile }), { data: true }));
}
function run<IR>(
  ir: IR,
  names: readonly string[],
  passes: readonly Pass<IR>[],
  verify: (ir: IR, after: string) => void,
  ctx: PassContext,
): IR {
  const known = [...new Set(passes.map(p => p.name))];
  return names.reduce((before, name) => {
    const pass = passes.find(p => p.name === name);
    if (!pass) throw new UsageError(`--pass ${name}: there is no such pass${didYouMean(name, known)} (${known.join(', ')})`);
    const after = pass.run(before, ctx);
    verify(after, name);
    return after;
  }, ir);
}
