import fc from 'fast-check';
import { bytesOf, type TypedArray } from '../../compiler/core/dtype.ts';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { KernelBuilder, type Actual, type Buffer } from '../../compiler/kernel/builder.ts';
import type { InterpretArg } from '../../compiler/kernel/interpret.ts';
import { loadType, sameType, type Kernel } from '../../compiler/kernel/ir.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { DTYPES_ALL, ELEMENTS, randomExpr, randomType, type Gen, type Limits } from './random-expr.ts';
import { LOOP_ELEMENTS, sizeValue } from './random-loops.ts';
import { arrayOf, firstDifference } from './wasm-run.ts';

const buffers: readonly Buffer[] = DTYPES_ALL.map(dtype => ({ name: dtype, dtype }));
const SPECIAL = [
  0, -0, 1, -1, 0.5, 1.5, 2.5, -0.5, 1e10, -1e10, 2147483647, 2147483648, -2147483649, 4294967296, 1e-40, 3e38, 9.3e18, -9.3e18,
];
/** Every element type with numbers small and large; floats with the special ones. */
function contents(b: Buffer, seed: number): TypedArray {
  const data = arrayOf(b.dtype, ELEMENTS);
  let x = seed | 1;
  const next = (): number => (x = Math.imul(x, 1103515245) + 12345) >>> 8;
  for (let i = 0; i < ELEMENTS; i++) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      const n = (BigInt(next()) << 44n) ^ (BigInt(next()) << 20n) ^ BigInt(next());
      data[i] = i % 3 === 0 ? n : n & 255n;
    } else if (b.dtype === 'f32' || b.dtype === 'f64')
      data[i] = i < 20 ? ([...SPECIAL, NaN, Infinity][i] ?? 0) : ((next() % 20000) - 10000) / 64;
    else if (b.dtype === 'bool') data[i] = next() & 1;
    else data[i] = i % 4 === 0 ? next() % 7 : next();
  }
  return data;
}
/** Elements of each output: a vector may lie a little further on. */
const OUT = 80;
/** A kernel that stores some expressions, each to memory of its own. */
export function randomKernel(
  g: Gen,
  limits: Limits,
): { readonly kernel: Kernel; readonly inputs: readonly (Buffer | undefined)[] } {
  const k = new KernelBuilder();
  const inputs = new Map<string, Buffer>();
  for (let i = 0; i < 12; i++) {
    const t = randomType({ k, buffers, limits, g });
    const dtypes = DTYPES_ALL.filter(d => sameType(loadType(d, t.lanes), t) && (t.lanes === 1 || bytesOf(d) * t.lanes >= 2));
    const dtype = must(dtypes[g(fc.integer, { min: 0, max: dtypes.length - 1 })]);
    k.store({ name: `out${i}`, dtype }, g(fc.integer, { min: 0, max: 3 }), randomExpr({ k, buffers, limits, g }, t, 4));
  }
  const { kernel, actuals } = k.finish('random', noLoc);
  for (const b of buffers) inputs.set(b.name, b);
  return { kernel, inputs: actuals.map(a => (a.k === 'buf' ? inputs.get(a.buffer.name) : undefined)) };
}
export function argsOf(kernel: Kernel, inputs: readonly (Buffer | undefined)[], seed: number): InterpretArg[] {
  return kernel.params.map((p, i) => {
    if (p.k !== 'buf') return 3;
    const b = inputs[i];
    return { dtype: p.dtype, data: b ? contents(b, seed) : arrayOf(p.dtype, OUT) };
  });
}
export function expectSame(kernel: Kernel, a: readonly InterpretArg[], b: readonly InterpretArg[], what: string): void {
  kernel.params.forEach((p, i) => {
    const x = a[i];
    const y = b[i];
    if (p.k !== 'buf' || typeof x !== 'object' || typeof y !== 'object') return;
    const d = firstDifference(p.dtype, x.data, y.data);
    if (d !== undefined) throw new Error(`${what}: ${p.name}${d}\n${showKernel(kernel)}`);
  });
}

/** The arguments of a random loop nest. */
export const loopArgs = (actuals: readonly Actual[]): InterpretArg[] =>
  actuals.map(a => {
    if (a.k === 'int') return sizeValue(a.dim);
    const data = arrayOf(a.buffer.dtype, LOOP_ELEMENTS);
    if (a.buffer.name.startsWith('in'))
      for (let i = 0; i < data.length; i++) data[i] = ((i * 37) % 61) - (a.buffer.dtype === 'f16' ? 0 : 30);
    return { dtype: a.buffer.dtype, data };
  });
