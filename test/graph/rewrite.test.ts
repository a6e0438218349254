import { describe, expect, it } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { tensorType } from '../../compiler/core/shape.ts';
import { apply1, input, nodesOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { parseGraph } from '../../compiler/graph/parse.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { any, commutative, constantOf, num, op, rewriteGraph, rule, type Rule } from '../../compiler/graph/rewrite.ts';
import { complaints } from '../../compiler/graph/verify.ts';
import { Abs, Add, Mul, Neg, Relu, Sub } from '../../compiler/ops/elementwise/index.ts';
import { allOps } from '../../compiler/ops/index.ts';

const graph = (...lines: string[]): Graph =>
  parseGraph(['graph "g" {', '  input %x: f32[2]', '  input %z: f32[2]', ...lines, '}'].join('\n'), allOps);
/** The lines of a graph that compute something. */
const body = (g: Graph, ...rules: Rule[]): string[] => {
  const h = rewriteGraph(g, rules);
  expect(complaints(h)).toEqual([]);
  return printGraph(h)
    .split('\n')
    .filter(l => / = /.test(l))
    .map(l => l.trim().replaceAll(': f32[2]', ''));
};
const doubleNeg = rule('double negation', op(Neg, [op(Neg, [any('x')])]), m => m.value('x'));
const plusZero = rule('x + 0', commutative(Add, any('x'), num(0)), m =>
  m.value('x').type.shape.length === 1 ? m.value('x') : undefined,
);

describe('rules', () => {
  it('cascade upwards in one go', () => {
    const g = graph('  %a = Neg(%x)', '  %b = Neg(%a)', '  %c = Neg(%b)', '  %d = Neg(%c)', '  output "y" = %d');
    expect(body(g, doubleNeg)).toEqual(['output "y" = %x']);
  });
  it('leave a shared part for its other users', () => {
    const g = graph('  %a = Neg(%x)', '  %b = Neg(%a)', '  output "y" = %b', '  output "a" = %a');
    expect(body(g, doubleNeg)).toEqual(['%0 = Neg(%x)', 'output "y" = %x', 'output "a" = %0']);
    const once = rule('only unshared', op(Neg, [op(Neg, [any('x')], { once: true })]), m => m.value('x'));
    expect(body(g, once)).toHaveLength(4);
  });
  it('match either order where the operator commutes', () => {
    for (const args of ['%x, %o', '%o, %x'])
      expect(body(graph('  const %o: f32[1] {0}', `  %a = Add(${args})`, '  output "y" = %a'), plusZero)).toEqual([
        'output "y" = %x',
      ]);
    expect(body(graph('  const %o: f32[1] {0}', '  %a = Sub(%o, %x)', '  output "y" = %a'), plusZero)).toHaveLength(2);
  });
  it('a name twice is one value', () => {
    const self = rule('x - x', op(Sub, [any('x'), any('x')]), m => m.apply1(Mul, [m.value('x'), m.value('x')]));
    expect(body(graph('  %a = Sub(%x, %x)', '  output "y" = %a'), self)).toEqual(['%0 = Mul(%x, %x)', 'output "y" = %0']);
    expect(body(graph('  %a = Sub(%x, %z)', '  output "y" = %a'), self)).toEqual(['%0 = Sub(%x, %z)', 'output "y" = %0']);
  });
  it('give new nodes the places of all that they came from', () => {
    const fuse = rule('fused', op(Relu, [op(Abs, [any('x')])]), m => m.apply1(Neg, [m.value('x')]));
    const h = rewriteGraph(graph('  %a = Abs(%x)', '  %b = Relu(%a)', '  output "y" = %b'), [fuse]);
    expect(nodesOf(h)[0]?.loc).toMatchObject({ k: 'fused', by: 'fused', from: [{ line: 5 }, { line: 4 }] });
  });
  it('look into constants', () => {
    const half = rule('halves', op(Mul, [any('x'), constantOf('c', t => t.dims.length === 1)]), m =>
      m.apply1(Add, [m.value('x'), m.value('c')]),
    );
    expect(body(graph('  const %h: f32[2] {1, 2}', '  %a = Mul(%x, %h)', '  output "y" = %a'), half)).toEqual([
      '%0 = Add(%x, %h)',
      'output "y" = %0',
    ]);
  });
  it('apply in sub-graphs', () => {
    const g = graph(
      '  input %c: bool[]',
      '  %y = If(%c, %x, %z) {split: 1, shapes: [2], then: graph "t" {',
      '    input %p: f32[2]',
      '    %a = Neg(%p)',
      '    %b = Neg(%a)',
      '    output "r" = %b',
      '  }, else: graph "e" {',
      '    input %q: f32[2]',
      '    %a = Abs(%q)',
      '    output "r" = %a',
      '  }}',
      '  output "y" = %y',
    );
    expect(body(g, doubleNeg).filter(l => l.includes('Neg'))).toEqual([]);
  });
  it('must keep the type', () => {
    const bad = rule('bad', op(Neg, [any('x')]), () => input('other', tensorType('f32', [3])));
    expect(() => body(graph('  %a = Neg(%x)', '  output "y" = %a'), bad)).toThrow(
      /rule 'bad' puts a f32\[3\] in the place of a f32\[2\]/,
    );
  });
  it('visit each node a few times, however long the chain', () => {
    let visits = 0;
    const count = rule('count', op(Neg, [any('x')]), () => {
      visits++;
      return undefined;
    });
    const x = input('x', tensorType('f32', [2]));
    let v: Value = x;
    for (let i = 0; i < 20_000; i++) v = apply1(i % 2 === 0 ? Neg : Abs, [v], {}, noLoc);
    const g: Graph = { name: '', inputs: [x], outputs: [{ name: 'y', value: v }], symbolDefinitions: [] };
    expect(rewriteGraph(g, [count])).toBe(g);
    expect(visits).toBe(10_000);
  });
});
