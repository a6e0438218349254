import { must, noLoc } from '../../core/diagnostic.ts';
import { showDim, symbol, symbolsOf, type Dim } from '../../core/dim.ts';
import { dimExpr } from '../../kernel/builder.ts';
import { I32, int, type CallArg, type Expr, type Kernel, type Param, type Stmt } from '../../kernel/ir.ts';
import { outline as outlineKernel } from '../../kernel/passes/outline.ts';
import { withCallees } from '../../kernel/passes/rewrite.ts';
import type { Arg, Program, Slot, Step } from '../program.ts';
import { allSteps, withKernels } from '../steps.ts';
import type { ProgramPass } from './pass.ts';

/**
 * What threads shall share becomes kernels with a range: each parallel loop of steps a kernel whose loop makes the calls, then each parallel
 * loop of a kernel one of its own.
 */
export const outline: ProgramPass = {
  name: 'outline',
  doc: 'makes kernels of the parallel loops that threads share, where the target has threads',
  run: (program, { profile }) => {
    if (profile.threads === 1) return program;
    const names = new Set(program.kernels.map(k => k.name));
    const fresh = (of: string): string => {
      let n = 0;
      while (names.has(`${of}_${n}`)) n++;
      names.add(`${of}_${n}`);
      return `${of}_${n}`;
    };
    const withLoops = loopsToKernels(program, fresh);
    const to = new Map<Kernel, Kernel>();
    // Kernels that steps of a loop call are before the loop's, and calls of a kernel see it as it is now.
    const kernels = withLoops.kernels.flatMap(k => {
      const parts = outlineKernel(withCallees(k, to), fresh);
      to.set(k, must(parts.at(-1)));
      return parts;
    });
    return { ...withLoops, kernels, prepare: withKernels(withLoops.prepare, to), steps: withKernels(withLoops.steps, to) };
  },
};

type Loop = Extract<Step, { k: 'loop' }>;
type Call = Extract<Step, { k: 'call' }>;

/** Parallel loops of steps as calls of kernels that contain the loop. Symbols that only such loops counted are gone. */
function loopsToKernels(program: Program, fresh: (of: string) => string): Program {
  const made: Kernel[] = [];
  const walk = (steps: readonly Step[]): readonly Step[] =>
    steps.map(s => {
      switch (s.k) {
        case 'call':
        case 'read':
        case 'check':
        case 'stop':
          return s;
        case 'branch':
          return { ...s, then: walk(s.then), else: walk(s.else) };
        case 'loop': {
          if (s.parallel !== true) return { ...s, body: walk(s.body) };
          const call = loopKernel(s, fresh('loop'));
          made.push(call.kernel);
          return call;
        }
      }
    });
  const steps = walk(program.steps);
  if (made.length === 0) return program;
  const given = new Set([...allSteps(steps)].flatMap(s => (s.k === 'read' || s.k === 'loop' ? [s.symbol] : [])));
  const symbols = program.symbols.filter(s => s.from === 'input' || given.has(s.name));
  return { ...program, kernels: [...program.kernels, ...made], steps, symbols };
}
/** A parallel loop of calls as the call of a kernel, which is given slots from their start and the sizes that do not change in the loop. */
function loopKernel(s: Loop, name: string): Call {
  const calls = s.body.flatMap(x => (x.k === 'call' ? [x] : []));
  const params: Param[] = [];
  const args: Arg[] = [];
  const buffers = new Map<Slot, string>();
  const sizes = new Map<string, Expr>([[s.symbol, COUNTER]]);
  const bufferOf = (slot: Slot): string => {
    const had = buffers.get(slot);
    if (had !== undefined) return had;
    const own = `b${buffers.size}`;
    buffers.set(slot, own);
    const access = accessOf(slot, calls);
    params.push({ k: 'buf', name: own, dtype: slot.dtype, access, ...(slot.scratch && { scratch: true }) });
    args.push({ k: 'buf', slot, offset: 0 });
    return own;
  };
  const sizeOf = (key: string, dim: Dim): Expr => {
    const had = sizes.get(key);
    if (had) return had;
    const own: Expr = { k: 'var', t: I32, name: `n${sizes.size}` };
    sizes.set(key, own);
    params.push({ k: 'int', name: own.name });
    args.push({ k: 'int', dim });
    return own;
  };
  const inLoop = (d: Dim): Expr => {
    const symbols = new Map(symbolsOf(d).map(x => [x.name, symbol(x.name, x.lo, x.hi)]));
    return dimExpr(d, x => sizeOf(x, must(symbols.get(x))));
  };
  const body = calls.map((c): Stmt => {
    const given = c.args.map((a): CallArg =>
      a.k === 'int' ? { k: 'value', value: inLoop(a.dim) } : { k: 'buf', buf: bufferOf(a.slot), at: inLoop(a.offset) },
    );
    return { k: 'call', kernel: c.kernel, args: given };
  });
  const trip = must(s.trip, 'a parallel loop has a count');
  const hi = typeof trip === 'number' ? int(trip) : sizeOf(`(${showDim(trip)})`, trip);
  const loop: Stmt = { k: 'for', v: COUNTER.name, lo: int(0), hi, step: 1, parallel: true, body };
  return {
    k: 'call',
    kernel: { name, params, body: [loop], loc: noLoc },
    args,
    loc: { k: 'fused', by: 'loop', from: calls.map(c => c.loc) },
    what: [...new Set(calls.map(c => c.what))].join(', '),
  };
}
const COUNTER = { k: 'var', t: I32, name: 'i' } as const;
/** What calls do with a slot. */
function accessOf(slot: Slot, calls: readonly Call[]): 'read' | 'write' | 'both' {
  const rights = new Set(
    calls.flatMap(c =>
      c.kernel.params.flatMap((p, i) => {
        const a = c.args[i];
        return p.k === 'buf' && a?.k === 'buf' && a.slot === slot ? [p.access] : [];
      }),
    ),
  );
  const [only = 'both'] = rights;
  return rights.size > 1 ? 'both' : only;
}
