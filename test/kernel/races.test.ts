import { describe, expect, it } from '@jest/globals';
import { interpret } from '../../compiler/kernel/interpret.ts';
import { parseKernel } from '../../compiler/kernel/parse.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { races } from './races.ts';

/** A kernel over a, read, and b, written, of eight floats each, and scratch memory s. */
const kernel = (body: string) => parseKernel(`kernel k(read a: f32, both b: f32, scratch both s: f32) {\n${body}\n}`, 'test');
const run = (body: string, watch = true): Float32Array => {
  const k = kernel(body);
  verifyKernel(k);
  const memory = () => ({ dtype: 'f32' as const, data: new Float32Array(16).fill(7) });
  const b = memory();
  interpret(k, [memory(), b, memory()], watch ? races() : undefined);
  return b.data;
};

describe('the check of parallel loops', () => {
  it('lets independent iterations pass', () => {
    run('for i in 0..8 parallel { b.f32[i] = a.f32[(7 - i)] }');
    run('for i in 0..8 parallel { b.f32[i] = a.f32[0] b.f32[i] = b.f32[i] }');
    run('for i in 0..2 parallel { for j in 0..4 parallel { b.f32[((i * 4) + j)] = 1:f32 } }');
    const own = 'for i in 0..8 parallel { s.f32[0] = a.f32[i] b.f32[i] = s.f32[0] }';
    expect(run(own)).toEqual(run(own, false));
  });
  it.each([
    ['two write one place', 'for i in 0..8 parallel { b.f32[(i / 2)] = 1:f32 }'],
    ['the next reads what the one before wrote', 'for i in 0..8 parallel { b.f32[(i + 1)] = b.f32[i] }'],
    ['the next writes what the one before has read', 'for i in 1..8 parallel { b.f32[(i - 1)] = b.f32[i] }'],
    ['vectors that overlap', 'for i in 0..8 parallel { b.f32[i] = f32x4.splat(1:f32) }'],
    ['the inner of two loops', 'for i in 0..2 parallel { for j in 0..4 parallel { b.f32[i] = 1:f32 } }'],
    ['the outer of two loops', 'for i in 0..2 parallel { for j in 0..4 parallel { b.f32[j] = 1:f32 } }'],
  ])('finds: %s', (_, body) => {
    expect(() => run(body)).toThrow('race');
  });
  it.each([
    ['scratch from outside', 's.f32[0] = 1:f32 for i in 0..8 parallel { b.f32[i] = s.f32[0] }'],
    [
      'scratch of the loop around',
      'for i in 0..2 parallel { s.f32[0] = 1:f32 for j in 0..4 parallel { b.f32[((i * 4) + j)] = s.f32[0] } }',
    ],
    ['scratch after the loop', 'for i in 0..8 parallel { s.f32[i] = 1:f32 } b.f32[0] = s.f32[7]'],
    ['scratch of the iteration before', 'for i in 0..8 parallel { b.f32[i] = s.f32[i] s.f32[(i + 1)] = 1:f32 }'],
  ])('finds by its result: %s', (_, body) => {
    expect(run(body)).not.toEqual(run(body, false));
  });
  it('belongs to what a verifier can tell: variables from outside are not set', () => {
    const shared = 'let x: i32 = 0 for i in 0..8 parallel { x = i b.f32[i] = 1:f32 }';
    expect(() => verifyKernel(kernel(shared))).toThrow('set of x in a parallel loop');
    verifyKernel(kernel('for i in 0..8 parallel { let x: i32 = 0 x = i b.f32[x] = 1:f32 }'));
  });
  it('text keeps scratch', () => {
    const k = kernel('for i in 0..8 parallel { b.f32[i] = 1:f32 }');
    expect(showKernel(k)).toContain('scratch both s: f32');
    expect(showKernel(parseKernel(showKernel(k), 'test'))).toBe(showKernel(k));
  });
});
