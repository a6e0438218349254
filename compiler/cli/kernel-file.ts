import { fail, InternalError, must } from '../core/diagnostic.ts';
import { fromTyped, numel, typed, type Tensor } from '../core/tensor.ts';
import { interpret, type InterpretArg } from '../kernel/interpret.ts';
import { parseKernels } from '../kernel/parse.ts';
import { expandMath } from '../kernel/passes/expand-math.ts';
import { verifyKernel } from '../kernel/verify.ts';
import type { Kernel } from '../kernel/ir.ts';
import { readText } from '../host/files.ts';
import { loadInput } from '../run/load.ts';
import { summary } from './summary.ts';
import { UsageError, type Terminal } from './terminal.ts';

/** Elements of a buffer that no file fills. */
const SIZE = 4096;

/**
 * `sinter run FILE.kernel`: runs the last kernel of a text (one that others call stands before them) by the interpreter, and prints the buffers that it wrote. `--input` gives sizes
 * (`n0=12`) and contents (`b0=FILE.npy|zeros|random[:SEED]`); buffers that nothing is said about are random, or zero where the kernel
 * only writes.
 */
export function runKernelFile(file: string, flags: readonly string[], t: Terminal): void {
  const kernel = must(parseKernels(readText(file), file).at(-1));
  const given = new Map(
    flags.map((f): [string, string] => {
      const [, name, value] = /^(\w+)=(.*)$/.exec(f) ?? [];
      if (name === undefined || value === undefined || !kernel.params.some(p => p.name === name))
        throw new UsageError(`--input ${f}: the parameters are ${kernel.params.map(p => p.name).join(', ')}`);
      return [name, value];
    }),
  );
  const buffers = new Map<string, Tensor>();
  const args = kernel.params.map((p): InterpretArg => {
    const value = given.get(p.name);
    if (p.k === 'int') {
      if (value === undefined || !/^-?\d+$/.test(value))
        throw new UsageError(`--input ${p.name}=N: give the size ${p.name} as a number`);
      return Number(value);
    }
    if (p.k === 'value') return fail('E502', { why: `${p.name} is no buffer or size: only another kernel can give it` });
    const source = value ?? (p.access === 'write' ? 'zeros' : 'random');
    const x = loadInput(source, { name: p.name, dtype: p.dtype, dims: [SIZE] });
    if (x.dtype !== p.dtype) fail('E501', { input: p.name, why: `has type ${x.dtype}, must be ${p.dtype}` });
    // A copy: the file's bytes are not to be written to.
    const data = typed({ ...x, bytes: x.bytes.slice() });
    buffers.set(p.name, fromTyped(p.dtype, [numel(x.dims)], data));
    return { dtype: p.dtype, data };
  });
  atFault(() => run(kernel, args));
  for (const p of kernel.params) {
    const x = buffers.get(p.name);
    if (p.k === 'buf' && p.access !== 'read' && x) t.out(summary(p.name, x));
  }
}
function run(kernel: Kernel, args: readonly InterpretArg[]): void {
  verifyKernel(kernel);
  interpret(expandMath(kernel), args);
}
/** What is a bug in a kernel of the compiler is a mistake in one from a file. */
function atFault(f: () => void): void {
  try {
    f();
  } catch (e) {
    if (!(e instanceof InternalError)) throw e;
    fail('E502', { why: e.message });
  }
}
