import { expect } from '@jest/globals';
import fc from 'fast-check';
import { bytesOf } from '../../compiler/core/dtype.ts';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { fromTyped } from '../../compiler/core/tensor.ts';
import { KernelBuilder } from '../../compiler/kernel/builder.ts';
import { interpret, type InterpretArg } from '../../compiler/kernel/interpret.ts';
import type { Kernel, Lanes } from '../../compiler/kernel/ir.ts';
import { expandMath } from '../../compiler/kernel/passes/expand-math.ts';
import type { Profile } from '../../compiler/target/profile.ts';
import type { Arg, Program, Slot, Step } from '../../compiler/program/program.ts';
import { argsOf, expectSame, loopArgs, randomKernel } from '../kernel/random-kernel.ts';
import { randomLoops } from '../kernel/random-loops.ts';
import { profileNamed } from '../kernel/wasm-run.ts';
import { level, needs } from '../needs.ts';
import { native } from './build.ts';

/** Kernels of each kind in one program. More for a night: RUNS=500. */
const RUNS = Number(process.env['RUNS'] ?? 24);

/** A kernel, and what makes its arguments. */
interface Case {
  readonly kernel: Kernel;
  args(): InterpretArg[];
}
/** Kernels of random expressions and of random loop nests for a profile. */
function cases(profile: Profile): Case[] {
  const { bits } = profile.vector;
  const lanes = Math.max(1, bits / 32) as Lanes;
  const limits = { bits, fma: false, math: true };
  const expressions = fc.tuple(fc.gen(), fc.integer()).map(([g, seed]): Case => {
    const { kernel, inputs } = randomKernel(g, limits);
    return { kernel, args: () => argsOf(kernel, inputs, seed) };
  });
  const loops = fc.gen().map((g): Case => {
    const { kernel, actuals } = randomLoops(g, lanes);
    return { kernel, args: () => loopArgs(actuals) };
  });
  return [...fc.sample(expressions, RUNS), ...fc.sample(loops, RUNS)].map((c, i) => ({
    ...c,
    kernel: { ...c.kernel, name: `random${i}` },
  }));
}

/** All kernels, one after the other, over one region of memory that is copied from the input to the output first. */
function programOf(all: readonly Case[]): {
  readonly program: Program;
  readonly memory: Uint8Array;
  readonly places: readonly (readonly number[])[];
} {
  let next = 0;
  const places = all.map(c =>
    c.args().map(a => {
      const at = next;
      if (typeof a === 'object') next += (a.data.byteLength + 127) & ~63;
      return at;
    }),
  );
  const memory = new Uint8Array(next);
  all.forEach((c, i) =>
    c.args().forEach((a, j) => {
      if (typeof a === 'object')
        memory.set(new Uint8Array(a.data.buffer, a.data.byteOffset, a.data.byteLength), must(places[i]?.[j]));
    }),
  );
  const slot = (where: 'input' | 'output'): Slot => ({ name: where, where, dtype: 'u8', size: next });
  const [from, to] = [slot('input'), slot('output')];
  const k = new KernelBuilder();
  k.for(0, next, i => k.store(to, i, k.load(from, i)));
  const copy = k.finish('copy', noLoc).kernel;
  const call = (kernel: Kernel, args: readonly Arg[]): Step => ({ k: 'call', kernel, args, loc: noLoc, what: kernel.name });
  const ordered = copy.params.map((p): Arg => ({ k: 'buf', slot: p.k === 'buf' && p.access === 'read' ? from : to, offset: 0 }));
  const steps = all.map((c, i) => {
    const given = c.args();
    return call(
      c.kernel,
      c.kernel.params.map((p, j): Arg => {
        const a = given[j];
        if (p.k === 'buf') return { k: 'buf', slot: to, offset: must(places[i]?.[j]) / bytesOf(p.dtype) };
        return { k: 'int', dim: typeof a === 'number' ? a : 0 };
      }),
    );
  });
  const type = { dtype: 'u8', shape: [next] } as const;
  const program: Program = {
    name: 'random',
    kernels: [copy, ...all.map(c => c.kernel)],
    slots: [from, to],
    prepare: [],
    steps: [call(copy, ordered), ...steps],
    inputs: [{ name: 'from', type, slot: from }],
    outputs: [{ name: 'to', type, slot: to }],
    symbols: [],
    guards: [],
    traps: [],
  };
  return { program, memory, places };
}

const TARGETS = ['c-portable', 'linux-x64-v2', 'linux-x64-v3', 'linux-x64-v4'] as const;
for (const target of TARGETS) {
  // One rounding of a product and a sum is what the interpreter has not.
  const own = profileNamed(target);
  const profile: Profile = { ...own, vector: { ...own.vector, fma: 'none' } };
  needs('cc', ...(target === 'c-portable' ? [] : [level(target)])).it(
    `random kernels as C for ${target} give the bits of the interpreter`,
    () => {
      const all = cases(profile);
      const { program, memory, places } = programOf(all);
      const plan = {
        offsets: new Map(program.slots.map(s => [s, 0])),
        base: 0,
        weightsBytes: 0,
        commonBytes: 0,
        arenaBytes: 0,
        preparedBytes: 0,
        threadBytes: 0,
      };
      const got = must(
        native(program, plan, profile, { flushDenormals: false, strict: false })(
          new Map([['from', fromTyped('u8', [memory.length], memory)]]),
        ).get('to'),
      );
      expect(got.dims).toEqual([memory.length]);
      all.forEach((c, i) => {
        const want = c.args();
        interpret(expandMath(c.kernel), want);
        const mine = c.args();
        mine.forEach((a, j) => {
          if (typeof a === 'object')
            new Uint8Array(a.data.buffer).set(got.bytes.subarray(must(places[i]?.[j])).subarray(0, a.data.byteLength));
        });
        expectSame(c.kernel, want, mine, target);
      });
    },
    120_000,
  );
}
