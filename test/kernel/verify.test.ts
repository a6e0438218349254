import { describe, expect, it } from '@jest/globals';
import { CompileError, InternalError, noLoc } from '../../compiler/core/diagnostic.ts';
import { interpret } from '../../compiler/kernel/interpret.ts';
import { F32, I32, int, vtype, type Expr, type Kernel, type Stmt, type WordRows } from '../../compiler/kernel/ir.ts';
import { parseKernel } from '../../compiler/kernel/parse.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';

const kernel = (body: readonly Stmt[]): Kernel => ({
  name: 'k',
  params: [
    { k: 'buf', name: 'a', dtype: 'f32', access: 'read' },
    { k: 'buf', name: 'b', dtype: 'f32', access: 'write' },
    { k: 'buf', name: 'h', dtype: 'u8', access: 'both' },
    { k: 'int', name: 'n' },
  ],
  body,
  loc: noLoc,
});
const parsed = (text: string): Kernel =>
  parseKernel(`kernel k(read a: f32, write b: f32, both h: u8, int n) {\n${text}\n}`, 'k.kernel');
const v = (name: string, t = F32): Expr => ({ k: 'var', t, name });
const load: Expr = { k: 'load', t: F32, buf: 'a', dtype: 'f32', at: int(0) };
const store = (value: Expr, at: Expr = int(0)): Stmt => ({ k: 'store', buf: 'b', dtype: 'f32', at, value });

const words = (buf: string): WordRows => ({ buf, at: int(0), stride: int(16) });
const block: Extract<Stmt, { k: 'mma' }> = {
  k: 'mma',
  rows: 16,
  columns: 16,
  words: 16,
  a: words('a'),
  b: words('a'),
  to: words('b'),
};

describe('verifyKernel', () => {
  it('takes what is well-formed', () => {
    const text = 'for i in 0..n {\n  let x: f32 = a.f32[i]\n  b.f32[i] = x\n  h.u8[i] = (h.u8[i] + i32(x))\n}';
    expect(() => verifyKernel(parsed(text))).not.toThrow();
  });
  it('takes a product of blocks, which its text tells whole', () => {
    const text = 'mma 32x16x16 b[0, 16] = a[(n * 16), n] * a[4, 16]';
    const kernel = parsed(text);
    expect(() => verifyKernel(kernel)).not.toThrow();
    expect(showKernel(kernel)).toContain(text);
  });
  const wrong: readonly (readonly [string, readonly Stmt[], RegExp])[] = [
    ['a name that is not bound', [store(v('x'))], /x is not in scope/],
    [
      'a name beyond its block',
      [{ k: 'if', c: v('n', I32), then: [{ k: 'let', name: 'x', value: load }], else: [] }, store(v('x'))],
      /x is not in scope/,
    ],
    [
      'a name twice',
      [
        { k: 'let', name: 'x', value: load },
        { k: 'let', name: 'x', value: load },
      ],
      /x is bound twice/,
    ],
    [
      'another type of a name',
      [{ k: 'let', name: 'x', value: load }, store({ k: 'cast', t: F32, a: v('x', I32) })],
      /x is a f32/,
    ],
    ['a set of what is not a variable', [{ k: 'set', name: 'n', value: load }], /set of n/],
    [
      'a set of a counter',
      [{ k: 'for', v: 'i', lo: int(0), hi: int(3), step: 1, parallel: false, body: [{ k: 'set', name: 'i', value: int(0) }] }],
      /set of i/,
    ],
    [
      'a step that is not positive',
      [{ k: 'for', v: 'i', lo: int(0), hi: int(3), step: 0, parallel: false, body: [] }],
      /step of i is 0/,
    ],
    ['a write to what is read', [{ k: 'store', buf: 'a', dtype: 'f32', at: int(0), value: load }], /a is declared read/],
    ['a read of what is written', [store({ k: 'load', t: F32, buf: 'b', dtype: 'f32', at: int(0) })], /b is declared write/],
    ['no such buffer', [store({ k: 'load', t: F32, buf: 'z', dtype: 'f32', at: int(0) })], /z is not a buffer/],
    ['an index that is a float', [store(load, load)], /an index must be an i32/],
    [
      'a base beside an index that varies',
      [{ k: 'store', buf: 'b', dtype: 'f32', at: v('n', I32), base: v('n', I32), value: load }],
      /constant that is not negative/,
    ],
    ['a block of another size than the target has', [{ ...block, rows: 24 }], /mma of 24x16x16: not multiples of 16/],
    ['a product of blocks that overwrites an operand', [{ ...block, to: block.a }], /a is declared read|mma of a to itself/],
    ['operands of two types', [store({ k: 'bin', t: F32, op: 'add', a: load, b: v('n', I32) })], /operands of other types/],
    ['a shift of a float', [store({ k: 'bin', t: F32, op: 'shl', a: load, b: int(1) })], /a shift takes an integer/],
    ['the root of an integer', [{ k: 'let', name: 'x', value: { k: 'un', t: I32, op: 'sqrt', a: int(4) } }], /sqrt of i32/],
    ['a store of another type', [store(int(1))], /store of a i32 as f32/],
    ['a narrow scalar', [{ k: 'let', name: 'x', value: { k: 'const', t: vtype('u8'), value: 1 } }], /a scalar of type u8/],
    [
      'a lane that is not there',
      [store({ k: 'lane', t: F32, a: { k: 'splat', t: vtype('f32', 4), a: load }, lane: 4 })],
      /no such lane/,
    ],
    [
      'a mask of another width',
      [
        {
          k: 'let',
          name: 'x',
          value: {
            k: 'select',
            t: vtype('f64', 2),
            c: { k: 'const', t: vtype('i32', 2), value: 0 },
            a: { k: 'const', t: vtype('f64', 2), value: 0 },
            b: { k: 'const', t: vtype('f64', 2), value: 0 },
          },
        },
      ],
      /a mask of another shape/,
    ],
    ['a condition that is a float', [{ k: 'if', c: load, then: [], else: [] }], /a condition must be an i32/],
  ];
  it.each(wrong)('rejects %s', (_, body, message) => {
    expect(() => verifyKernel(kernel(body))).toThrow(message);
    expect(() => verifyKernel(kernel(body))).toThrow(InternalError);
  });
});

describe('the interpreter', () => {
  const run = (text: string): void =>
    interpret(parsed(text), [
      { dtype: 'f32', data: new Float32Array(4) },
      { dtype: 'f32', data: new Float32Array(4), offset: 2 },
      { dtype: 'u8', data: new Uint8Array(4) },
      3,
    ]);
  it('stops at an access outside of the memory, and says which', () => {
    expect(() => run('b.f32[0] = a.f32[4]')).toThrow('kernel k: load of a[4] outside of 4 - 0');
    expect(() => run('b.f32[0] = a.f32[(n - 4)]')).toThrow('load of a[-1] outside');
    expect(() => run('b.f32[2] = 1:f32')).toThrow('store of b[2] outside of 4 - 2');
    expect(() => run('let x: f32x4 = a.f32[1]:4')).toThrow('load of a[1]:4 outside');
    expect(() => run('let x: f32 = a.f32{4}[3]')).toThrow('load of a[4] outside');
    expect(() => run('b.f32[-2] = 1:f32')).not.toThrow();
  });
  it('does not know functions that have not been expanded', () => {
    expect(() => run('b.f32[0] = exp(a.f32[0])')).toThrow(/exp of f32 has no definition/);
  });
  it('does not divide by zero', () => {
    expect(() => run('h.u8[0] = (n / (n - 3))')).toThrow(/division by zero/);
  });
});

describe('parseKernel', () => {
  it.each([
    ['b.f32[0] = x', '2:12', /x is not defined/],
    ['let x: i32 = 1:f32', '2:5', /not of the type/],
    ['b.f16x[0] = 1:f32', '2:3', /unknown element type f16x/],
    ['for i in 0..3 by x {', '2:18', /expected a step/],
    ['b.f32[0] = (1:f32 ~ 2:f32)', '2:19', /expected an operator/],
    ['b.f32[0] = select(n, 1:f32)', '3:1', /3 operands expected/],
    ['if n {', '', /expected/],
  ])('says where %s is wrong', (text, at, message) => {
    expect(() => parsed(text)).toThrow(message);
    expect(() => parsed(text)).toThrow(CompileError);
    if (at !== '') expect(() => parsed(text)).toThrow(`k.kernel:${at}`);
  });
});
