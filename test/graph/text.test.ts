import { readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { complaints } from '../../compiler/graph/verify.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { allOps } from '../../compiler/ops/index.ts';
import { needs, onnxTests } from '../needs.ts';
import { backendCases, findBackendTests } from '../suites/onnx-backend.ts';
import { randomInputs } from '../random-inputs.ts';

const parse = (text: string): ReturnType<typeof parseGraph> => parseGraph(text, allOps, 'g.graph');
const roundTrip = (text: string): void => {
  const once = printGraph(parse(text));
  expect(printGraph(parse(once))).toBe(once);
};

describe('the text of a graph', () => {
  it('comes back as it was', () => {
    const text = `graph "a \\"quoted\\" name" {
  dim batch: 1..16
  dim n: 0..9
  input %x_0 "x:0": f32[batch,3,2*n+1]
  input %k: i64[2] = [batch, 2*n+1]
  const %w: f32[3,1] {0.5, -inf, nan}
  const %big: i64[2] {9007199254740993, -9223372036854775808}
  const %u: u64[1] {18446744073709551615}
  const %r: f32[64,64] random(7)
  const %z: i8[1,100] zeros
  const %s: f32[5,5] splat(0.25)
  %0: f32[batch,3,2*n+1] = Mul(%x_0, %w)
  %1: f32[batch,3,2*n+1] = Clip(%0) {lo: -1, hi: inf}
  output "y" = %1
  output "w" = %w
  output "big" = %big
  output "u" = %u
  output "r" = %r
  output "z" = %z
}
`;
    roundTrip(text);
    const again = printGraph(parse(text));
    for (const line of [
      'input %x_0 "x:0": f32[batch,3,1+2*n]',
      'dim n: 0..9',
      '{9007199254740993, -9223372036854775808}',
      'hi: inf',
    ])
      expect(again.replaceAll('2*n+1', '1+2*n')).toContain(line);
  });
  it('says where it is wrong', () => {
    const wrong = (text: string, says: RegExp): void => {
      try {
        parse(text);
      } catch (e) {
        if (!(e instanceof CompileError)) throw e;
        expect(e.message).toMatch(says);
        return;
      }
      throw new Error('it was parsed');
    };
    wrong('graph "g" {\n  input %x: f32[2]\n  %y = Nag(%x)\n}', /g\.graph:3:8: E201: .*no operator Nag; did you mean 'Neg'/);
    wrong('graph "g" {\n  input %x: f32[n]\n}', /:2:.*dimension n is not declared/);
    wrong('graph "g" {\n  input %x: f33[2]\n}', /f33 is no element type/);
    wrong('graph "g" {\n  input %x: f32[2]\n  %y: f32[3] = Neg(%x)\n}', /%y is f32\[2\], not f32\[3\]/);
    wrong('graph "g" {\n  output "y" = %x\n}', /%x is not defined/);
    wrong('graph "g" {\n  input %x: f32[2]\n  input %x: f32[2]\n}', /%x is defined twice/);
    wrong('graph "g" {\n  const %x: f32[2] {1}\n}', /1 elements for 2/);
    wrong('graph "g" {\n  const %x: f32[99999,99999] zeros\n}', /too large/);
    wrong('graph "g" {\n  const %x: f32[-1] zeros\n}', /E201/);
    wrong('graph "g" {\n  input %x: f32[2]\n  %y = Add(%x)\n}', /E102.*'b' is missing/);
    wrong('graph "g" {\n} x', /expected the end/);
  });
  it('elided contents are random ones of the same text', () => {
    const text = printGraph(
      parse('graph "g" {\n  const %w: f32[40] random(1)\n  input %x: f32[40]\n  %y = Add(%x, %w)\n  output "y" = %y\n}'),
    );
    expect(text).toContain('random(1)');
    const full = printGraph(parse(text), { data: true });
    const g = parse(text);
    expect(full).toContain('random(1)');
    const inputs = randomInputs(g, 3);
    expect(evaluate(parse(full), inputs)).toEqual(evaluate(g, inputs));
  });
});

it('the parser knows every operator', async () => {
  const folder = new URL('../../compiler/ops/', import.meta.url);
  const known = new Set<unknown>(allOps);
  const names = new Set(allOps.map(o => o.name));
  expect(names.size).toBe(allOps.length);
  const missing: string[] = [];
  for (const f of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(f => f.endsWith('.ts'))) {
    const all = (await import(new URL(f, folder).href)) as Readonly<Record<string, unknown>>;
    for (const [name, x] of Object.entries(all))
      if (typeof x === 'object' && x !== null && 'infer' in x && 'eval' in x && !known.has(x)) missing.push(`${f}: ${name}`);
  }
  expect(missing).toEqual([]);
});

needs(onnxTests).describe("ONNX's backend tests", () => {
  it('every graph that is imported is valid, and its text comes back', () => {
    let count = 0;
    for (const c of backendCases(must(findBackendTests()))) {
      let g;
      try {
        ({ graph: g } = importOnnx(c.modelBytes));
      } catch (e) {
        if (e instanceof CompileError) continue;
        throw e;
      }
      expect([c.name, ...complaints(g)]).toEqual([c.name]);
      const text = printGraph(g);
      expect(printGraph(parse(text))).toBe(text);
      count++;
    }
    expect(count).toBeGreaterThan(1400);
  }, 300_000);
});
