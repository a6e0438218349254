import { fail, InternalError, must } from '../core/diagnostic.ts';
import { dimHi, evalDim, symbolsOf, type Dim } from '../core/dim.ts';
import { DTYPES, type TypedArray } from '../core/dtype.ts';
import { asSpelt, asTexts, listed, relisted, textList, type TextList } from '../core/texts.ts';
import { fromTyped, typed, type Tensor } from '../core/tensor.ts';
import { interpret, type InterpretArg, type Watch } from '../kernel/interpret.ts';
import type { Kernel, Param } from '../kernel/ir.ts';
import { expandMath } from '../kernel/passes/expand-math.ts';
import { bindSymbols } from './bind.ts';
import type { Arg, Port, Program, Slot, Step } from './program.ts';

/**
 * Runs a program with the kernel interpreter, every slot in memory of its own. Inputs are named as the program's ports; sizes of
 * input symbols follow from them. Errors: E501 (an input is missing or does not fit), E502 (two sizes that must be equal are not).
 * `watch` is told what happens in parallel loops.
 */
export function interpretProgram(program: Program, given: ReadonlyMap<string, Tensor>, watch?: Watch): Map<string, Tensor> {
  const inputs = speltInputs(program, given);
  const env = bindSymbols(program, name => inputs.get(name));
  const runTime = new Set(program.symbols.filter(s => s.from === 'run').map(s => s.name));
  const memory = new Map<Slot, TypedArray>();
  const sizeNow = (d: Dim): number => (symbolsOf(d).some(s => runTime.has(s.name)) ? dimHi(d) : evalDim(d, env));
  for (const s of program.slots) memory.set(s, slotMemory(s, sizeNow(s.size)));
  const list = textList(program.texts);
  for (const p of program.inputs) {
    const t = relisted(must(inputs.get(p.name)), list);
    bytesOfArray(must(memory.get(p.slot))).set(t.bytes);
  }
  const slotData = (s: Slot): TypedArray => must(memory.get(s), `slot ${s.name}`);
  const element = (at: { readonly slot: Slot; readonly offset: Dim }): number | bigint =>
    must(slotData(at.slot)[evalDim(at.offset, env)], `element of ${at.slot.name}`);
  const arg = (a: Arg, p: Param | undefined): InterpretArg =>
    a.k === 'int'
      ? evalDim(a.dim, env)
      : { dtype: p?.k === 'buf' ? p.dtype : a.slot.dtype, data: slotData(a.slot), offset: evalDim(a.offset, env) };
  const trap = (i: number): never => fail('E502', { why: must(program.traps[i]) });
  const run = (steps: readonly Step[]): void => {
    for (const s of steps) {
      switch (s.k) {
        case 'call':
          interpret(
            expanded(s.kernel),
            s.args.map((a, i) => arg(a, s.kernel.params[i])),
            watch,
          );
          break;
        case 'read': {
          const value = Number(BigInt.asIntN(32, BigInt(element(s))));
          const { lo, hi } = must(program.symbols.find(x => x.name === s.symbol));
          if (value < lo || value > hi) trap(s.trap);
          env.set(s.symbol, value);
          break;
        }
        case 'check':
          if (evalDim(s.a, env) !== evalDim(s.b, env)) trap(s.trap);
          break;
        case 'stop':
          if (Number(element(s)) !== 0) trap(s.trap);
          break;
        case 'branch':
          run(Number(element(s.cond)) !== 0 ? s.then : s.else);
          break;
        case 'loop': {
          let i = 0;
          const watched = s.parallel ? watch : undefined;
          watched?.enter();
          for (env.set(s.symbol, 0); ; env.set(s.symbol, ++i)) {
            if (s.trip !== undefined && i >= evalDim(s.trip, env)) break;
            if (s.cond && Number(element(s.cond)) === 0) break;
            watched?.iteration(i);
            run(s.body);
          }
          watched?.leave();
          break;
        }
      }
    }
  };
  run(program.prepare);
  run(program.steps);
  return new Map(
    program.outputs.map(p => {
      const dims = p.type.shape.map(d => evalDim(d, env));
      const n = dims.reduce((a, b) => a * b, 1);
      return [p.name, told(p, fromTyped(p.type.dtype, dims, slotData(p.slot).slice(0, n)), list)];
    }),
  );
}
/** Inputs as the program has them. */
export const speltInputs = (program: Program, inputs: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> =>
  program.inputs.some(p => p.spelt)
    ? new Map([...inputs].map(([name, t]) => [name, program.inputs.some(p => p.spelt && p.name === name) ? asSpelt(t) : t]))
    : inputs;
/** An output as callers have it. */
export const told = (p: Port, t: Tensor, list: TextList): Tensor => (p.spelt ? asTexts(t) : listed(t, list));

const cache = new WeakMap<Kernel, Kernel>();
function expanded(k: Kernel): Kernel {
  let e = cache.get(k);
  if (!e) cache.set(k, (e = expandMath(k)));
  return e;
}
function slotMemory(s: Slot, size: number): TypedArray {
  const { array: Ctor } = DTYPES[s.dtype];
  if (s.where !== 'weights') return new Ctor(Math.max(size, 0));
  if (!s.bytes) throw new InternalError(`weights ${s.name} have no contents`);
  return typed({ dtype: s.dtype, dims: [size], bytes: s.bytes });
}
const bytesOfArray = (a: TypedArray): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
