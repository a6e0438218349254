import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Sym } from '../../compiler/core/dim.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { verifyGraph } from '../../compiler/graph/verify.ts';
import { allOps } from '../../compiler/ops/index.ts';
import { graphPasses, passNamed } from '../../compiler/passes/index.ts';
import { difference } from '../conformance/compare.ts';
import { randomInputs, type InputRange } from '../random-inputs.ts';
import { bless, blessing, fileTests, type FileTest, type Section } from './filetest.ts';

const sizes: readonly ((s: Sym) => number)[] = [s => s.lo, s => Math.min(s.hi, s.lo + 2), s => Math.min(s.hi, s.lo + 5)];

/** `; INPUT x: 0..3` bounds the random elements of an input. */
function ranges(s: Section): Map<string, InputRange> {
  const out = new Map<string, InputRange>();
  for (const n of s.notes) {
    const m = /^INPUT (\S+): (-?[\d.]+?)\.\.(-?[\d.]+)$/.exec(n);
    if (m) out.set(must(m[1]), { lo: Number(m[2]), hi: Number(m[3]) });
  }
  return out;
}
/** The graph before and after, and the text of the graph after. */
function run(
  s: Section,
  { name: file, profile }: FileTest,
): { readonly before: Graph; readonly after: Graph; readonly text: string } {
  const before = parseGraph(s.text, allOps, file);
  verifyGraph(before, 'parsing');
  let after = before;
  for (const name of s.run) {
    const pass = passNamed(name);
    if (!pass) throw new Error(`${file}: no pass ${name}`);
    after = pass.run(after, { profile });
    verifyGraph(after, name);
    expect(printGraph(pass.run(after, { profile }))).toBe(printGraph(after));
  }
  return { before, after, text: printGraph(after) };
}

const folder = fileURLToPath(new URL('./graph', import.meta.url));
for (const f of fileTests(folder, '.graph'))
  describe(f.name, () => {
    const results = f.sections.map(s => run(s, f));
    if (blessing)
      bless(
        f,
        results.map(r => r.text),
      );
    f.sections.forEach((s, i) => {
      const title = s.notes.find(n => !n.startsWith('INPUT')) ?? s.run.join(' ');
      const r = must(results[i]);
      it(`${title}: the text`, () => {
        if (!blessing) expect(r.text.trim()).toBe(s.expect);
        expect(printGraph(parseGraph(r.text, allOps))).toBe(r.text);
      });
      it(`${title}: the meaning`, () => {
        sizes.forEach((size, seed) => {
          const inputs = randomInputs(r.before, 100 * seed, size, ranges(s));
          const want = evaluate(r.before, inputs);
          const got = evaluate(r.after, inputs);
          expect([...got.keys()]).toEqual([...want.keys()]);
          for (const [name, t] of want) expect(difference(got.get(name), t, { rtol: 1e-5, atol: 1e-6 })).toBeUndefined();
        });
      });
    });
  });
it('every pass has a section', () => {
  const tried = new Set(fileTests(folder, '.graph').flatMap(f => f.sections.flatMap(s => s.run)));
  expect(graphPasses.map(p => p.name).filter(n => !tried.has(n))).toEqual([]);
});
