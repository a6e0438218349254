import { must } from '../core/diagnostic.ts';
import { didYouMean } from '../core/suggest.ts';
import { parseGraph } from '../graph/parse.ts';
import { printGraph } from '../graph/print.ts';
import { verifyGraph } from '../graph/verify.ts';
import { allOps } from '../ops/index.ts';
import { graphPasses } from '../passes/index.ts';
import { resolveTarget } from '../target/resolve.ts';
import { readText } from '../host/files.ts';
import { UsageError, type Terminal } from './terminal.ts';

export interface OptFlags {
  readonly pass: readonly string[];
  readonly target: string;
}

/** `sinter opt --pass NAME FILE.graph`: runs passes over a graph in text form, in the order given, and prints the graph. */
export function optCommand(file: string, o: OptFlags, t: Terminal): void {
  const profile = must(resolveTarget(o.target).profiles[0]);
  const passes = graphPasses(profile);
  const known = passes.map(p => p.name);
  let g = parseGraph(readText(file), allOps, file);
  for (const name of o.pass) {
    const pass = passes.find(p => p.name === name);
    if (!pass) throw new UsageError(`--pass ${name}: there is no such pass${didYouMean(name, known)} (${known.join(', ')})`);
    g = pass.run(g, { profile });
    verifyGraph(g, name);
  }
  t.out(printGraph(g, { data: true }));
}
