import type { Dim, Range } from '../core/dim.ts';
import { noLoc } from '../core/diagnostic.ts';
import { Scanner } from '../core/scanner.ts';
import { contents, parseSize, parseType, string } from '../graph/parse.ts';
import type { Kernel } from '../kernel/ir.ts';
import { parseKernelAt } from '../kernel/parse.ts';
import type { Guard } from '../ops/define.ts';
import type { Arg, Port, Program, Slot, Step, SymbolInfo } from './program.ts';

const INT = /-?\d+/;
const NAME = /[A-Za-z_][\w.:/]*?(?=\s*:\s)/;
const SYMBOL = /[A-Za-z_][\w.:/]*/;
const SLOT = /%\d+/;

/** Reads what `printProgram` writes. Large weights that the text does not hold become random. E201 with line and column. */
export function parseProgram(text: string, file = 'program'): Program {
  const s = new Scanner(text, file);
  const ranges = new Map<string, Range>();
  const slots = new Map<string, Slot>();
  const kernels = new Map<string, Kernel>();
  const symbols: SymbolInfo[] = [];
  const inputs: Port[] = [];
  const outputs: Port[] = [];
  const guards: Guard[] = [];
  const traps: string[] = [];
  const size = (end: RegExp): Dim => parseSize(s, ranges, end);
  const integer = (): number => Number(s.take(INT, 'a number'));
  const slot = (): Slot => {
    const mark = s.mark();
    const name = s.take(SLOT, 'a slot');
    return slots.get(name) ?? s.fail(`slot ${name} is not declared`, mark);
  };
  const port = (): Port => {
    const name = string(s);
    s.lit('=');
    const at = slot();
    s.lit(':');
    return { name, type: parseType(s, ranges), slot: at };
  };
  const equal = (end: RegExp): { readonly a: Dim; readonly b: Dim } => {
    const a = size(/=/);
    s.lit('=');
    return { a, b: size(end) };
  };
  const element = (): { readonly slot: Slot; readonly offset: Dim } => {
    const at = slot();
    if (!s.has('[')) return { slot: at, offset: 0 };
    const offset = size(/\]/);
    s.lit(']');
    return { slot: at, offset };
  };
  const arg = (): Arg => (s.try(/(?=%)/) === undefined ? { k: 'int', dim: size(/[,)]/) } : { k: 'buf', ...element() });
  const trap = (): number => {
    s.lit('else');
    const mark = s.mark();
    const n = integer();
    return traps[n] === undefined ? s.fail(`there is no trap ${n}`, mark) : n;
  };
  const steps = (): Step[] => {
    const out: Step[] = [];
    s.lit('{');
    while (!s.has('}')) out.push(step());
    return out;
  };
  const step = (): Step => {
    if (s.has('read')) {
      const symbol = s.take(SYMBOL, 'a symbol');
      s.lit('=');
      return { k: 'read', symbol, ...element(), trap: trap() };
    }
    if (s.has('check')) return { k: 'check', ...equal(/\s+else\b/), trap: trap() };
    if (s.has('stop')) return { k: 'stop', ...element(), trap: trap() };
    if (s.has('if')) {
      const cond = element();
      return { k: 'branch', cond, then: steps(), else: s.has('else') ? steps() : [] };
    }
    const parallel = s.has('parallel');
    if (s.has('loop')) {
      const symbol = s.take(SYMBOL, 'a symbol');
      const trip = s.has('to') ? size(/\s+(?:while\b|\{)/) : undefined;
      const cond = s.has('while') ? element() : undefined;
      return { k: 'loop', symbol, trip, cond, body: steps(), ...(parallel && { parallel }) };
    }
    const mark = s.mark();
    const name = s.take(/\w+/, 'a step');
    const kernel = kernels.get(name) ?? s.fail(`kernel ${name} is not declared`, mark);
    s.lit('(');
    return { k: 'call', kernel, args: s.list(')', arg), loc: noLoc, what: name };
  };

  s.lit('program');
  const name = string(s);
  s.lit('{');
  while (s.try(/(?=(?:prepare|run)\b)/) === undefined) {
    if (s.has('dim')) {
      const symbol = s.take(NAME, 'a name');
      s.lit(':');
      const lo = integer();
      s.lit('..');
      const hi = integer();
      symbols.push({ name: symbol, lo, hi, from: s.has('input') ? 'input' : (s.lit('run'), 'run') });
      ranges.set(symbol, { lo, hi });
    } else if (s.has('slot')) {
      const key = s.take(SLOT, 'a slot');
      const label = string(s);
      s.lit(':');
      const where =
        (['input', 'output', 'weights', 'prepared', 'arena'] as const).find(w => s.has(w)) ?? s.fail('expected a kind of slot');
      const scratch = s.has('scratch');
      const t = parseType(s, ranges);
      const [n = s.fail('a slot has one size')] = t.shape;
      const made: Slot = { name: label, dtype: t.dtype, size: n, where, ...(scratch && { scratch }) };
      slots.set(key, where === 'weights' ? { ...made, bytes: contents(s, t).bytes } : made);
    } else if (s.has('input')) inputs.push(port());
    else if (s.has('output')) outputs.push(port());
    else if (s.has('guard')) guards.push({ ...equal(/\s*"/), what: string(s) });
    else if (s.has('trap')) traps.push(string(s));
    else {
      const kernel = parseKernelAt(s, file, kernels);
      kernels.set(kernel.name, kernel);
    }
  }
  const prepare = s.has('prepare') ? steps() : [];
  s.lit('run');
  const all = steps();
  s.lit('}');
  if (!s.done()) s.fail('expected the end');
  return {
    name,
    kernels: [...kernels.values()],
    slots: [...slots.values()],
    prepare,
    steps: all,
    inputs,
    outputs,
    symbols,
    guards,
    traps: traps,
  };
}
