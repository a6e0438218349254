import { InternalError } from '../core/diagnostic.ts';
import { symbolsOf, type Dim } from '../core/dim.ts';
import { DTYPES } from '../core/dtype.ts';
import type { Kernel } from '../kernel/ir.ts';
import { calleesOf } from '../kernel/passes/rewrite.ts';
import { verifyKernel } from '../kernel/verify.ts';
import type { Program, Slot, Step } from './program.ts';
import { allSteps, callsOf } from './steps.ts';

/**
 * Checks a program and its kernels: slots and kernels are its own, calls fit their kernels, nobody writes inputs or weights, sizes are
 * made of symbols that have a value by then. Throws InternalError: an ill-formed program is a bug of the compiler; `after` names the pass
 * that made it.
 */
export function verifyProgram(p: Program, after?: string): void {
  const fail = (why: string): never => {
    throw new InternalError(`program ${p.name}${after === undefined ? '' : ` after ${after}`}: ${why}`);
  };
  const slots = new Set(p.slots);
  const kernels = new Set(p.kernels);
  const symbols = new Map(p.symbols.map(s => [s.name, s]));
  if (symbols.size < p.symbols.length) fail('a symbol is declared twice');
  const uses = usesOf(p.steps);
  let preparing = true;
  const prepared = new Set<Slot>();
  const before = new Set<Kernel>();
  for (const k of p.kernels) {
    verifyKernel(k);
    for (const callee of calleesOf(k)) if (!before.has(callee)) fail(`${k.name} calls ${callee.name}, which is not before it`);
    before.add(k);
  }
  const known = (d: Dim, values: ReadonlySet<string>, what: string): void => {
    for (const s of symbolsOf(d)) if (!values.has(s.name)) fail(`${what}: ${s.name} has no value yet`);
  };
  const own = (s: Slot, what: string): void => {
    if (!slots.has(s)) fail(`${what}: slot ${s.name} is not declared`);
  };
  for (const s of p.slots) {
    if ((s.where === 'weights') !== (s.bytes !== undefined)) fail(`slot ${s.name}: weights, and only they, have contents`);
    if (s.bytes && s.bytes.length !== Number(s.size) * DTYPES[s.dtype].bytes) fail(`slot ${s.name}: ${s.bytes.length} bytes`);
    if (s.scratch && s.where !== 'arena') fail(`slot ${s.name}: only the arena has scratch`);
    for (const x of symbolsOf(s.size)) if (!symbols.has(x.name)) fail(`slot ${s.name}: ${x.name} is not declared`);
  }
  for (const [where, ports] of [
    ['input', p.inputs],
    ['output', p.outputs],
  ] as const)
    for (const x of ports) {
      own(x.slot, `${where} ${x.name}`);
      if (x.slot.where !== where || x.slot.dtype !== x.type.dtype) fail(`${where} ${x.name}: it lies in slot ${x.slot.name}`);
    }
  const trap = (i: number, what: string): void => {
    if (p.traps[i] === undefined) fail(`${what}: there is no trap ${i}`);
  };
  const walk = (steps: readonly Step[], values: Set<string>): void => {
    const element = (x: { readonly slot: Slot; readonly offset: Dim }, what: string): void => {
      own(x.slot, what);
      known(x.offset, values, what);
    };
    const counted = (name: string, what: string): void => {
      if (symbols.get(name)?.from !== 'run') fail(`${what}: symbol ${name} is not a run-time symbol`);
      values.add(name);
    };
    for (const s of steps) {
      switch (s.k) {
        case 'call': {
          const { name, params } = s.kernel;
          if (!kernels.has(s.kernel)) fail(`kernel ${name} is not declared`);
          if (s.kernel.range) fail(`${name} runs a range, which steps do not give`);
          if (params.length !== s.args.length) fail(`${name} is called with ${s.args.length} of ${params.length} arguments`);
          s.args.forEach((a, i) => {
            const to = params[i];
            if (a.k !== to?.k) return fail(`${name}: argument ${i} is no ${to?.k}`);
            if (a.k === 'int') {
              known(a.dim, values, name);
              return;
            }
            element(a, name);
            const writes = to.k === 'buf' && to.access !== 'read';
            const { where } = a.slot;
            if (writes && (where === 'weights' || where === 'input' || (where === 'prepared') !== preparing))
              fail(`${name} writes ${a.slot.name}`);
            if (writes && preparing) prepared.add(a.slot);
            if (!writes && where === 'prepared' && !prepared.has(a.slot))
              fail(`${name} reads ${a.slot.name}, which is not prepared`);
            if (!writes && preparing && where !== 'weights' && where !== 'prepared')
              fail(`${name} reads ${a.slot.name} before a run`);
          });
          break;
        }
        case 'read':
          element(s, `read ${s.symbol}`);
          trap(s.trap, `read ${s.symbol}`);
          counted(s.symbol, 'read');
          break;
        case 'check':
          known(s.a, values, 'check');
          known(s.b, values, 'check');
          trap(s.trap, 'check');
          break;
        case 'stop':
          element(s, 'stop');
          trap(s.trap, 'stop');
          break;
        case 'branch': {
          element(s.cond, 'if');
          // What both sides have given a value has one.
          const sides = [s.then, s.else].map(side => {
            const inside = new Set(values);
            walk(side, inside);
            return inside;
          });
          for (const name of sides[0] ?? []) if (sides[1]?.has(name)) values.add(name);
          break;
        }
        case 'loop':
          if (s.trip !== undefined) known(s.trip, values, 'loop');
          if (s.cond) element(s.cond, 'loop');
          if (s.parallel && (s.trip === undefined || s.cond || s.body.some(x => x.k !== 'call')))
            fail('a parallel loop has a count, no condition, and calls alone');
          if (s.parallel)
            for (const slot of sharedScratch(s, uses))
              fail(`slot ${slot.name} is no scratch, and only one parallel loop uses it`);
          counted(s.symbol, 'loop');
          walk(s.body, new Set(values));
          break;
      }
    }
  };
  if (p.prepare.some(s => s.k !== 'call')) fail('what is prepared is prepared by calls alone');
  walk(p.prepare, new Set());
  preparing = false;
  const values = new Set(p.symbols.filter(s => s.from === 'input').map(s => s.name));
  for (const g of p.guards) for (const d of [g.a, g.b]) known(d, values, 'guard');
  walk(p.steps, values);
  for (const x of p.outputs) for (const d of x.type.shape) known(d, values, `output ${x.name}`);
}
/** How often steps, and those inside of them, name each slot. */
function usesOf(steps: readonly Step[]): ReadonlyMap<Slot, number> {
  const uses = new Map<Slot, number>();
  for (const s of allSteps(steps)) for (const { slot } of namedBy(s)) uses.set(slot, (uses.get(slot) ?? 0) + 1);
  return uses;
}
/** What a step names itself, without the steps inside of it. */
function namedBy(s: Step): readonly { readonly slot: Slot }[] {
  switch (s.k) {
    case 'call':
      return s.args.filter(a => a.k === 'buf');
    case 'read':
    case 'stop':
      return [s];
    case 'check':
      return [];
    case 'branch':
      return [s.cond];
    case 'loop':
      return s.cond ? [s.cond] : [];
  }
}
/** The places in the arena that all iterations of a parallel loop use and nothing else does: each thread must have its own. */
function sharedScratch(loop: Extract<Step, { k: 'loop' }>, uses: ReadonlyMap<Slot, number>): readonly Slot[] {
  const inside = usesOf(loop.body);
  return callsOf(loop.body)
    .flatMap(c => c.args.filter(a => a.k === 'buf'))
    .filter(a => a.slot.where === 'arena' && !a.slot.scratch && inside.get(a.slot) === uses.get(a.slot))
    .filter(a => !symbolsOf(a.offset).some(s => s.name === loop.symbol))
    .map(a => a.slot);
}
