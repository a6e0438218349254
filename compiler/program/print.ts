import { must, showLoc } from '../core/diagnostic.ts';
import { showDim, type Dim } from '../core/dim.ts';
import { oneLine, quoteJs } from '../core/quote.ts';
import { numel } from '../core/tensor.ts';
import { showType } from '../core/shape.ts';
import { contents } from '../graph/print.ts';
import { showKernel } from '../kernel/print.ts';
import { DTYPES } from '../core/dtype.ts';
import type { Arg, Port, Program, Slot, Step } from './program.ts';

/**
 * The text of a program; `parseProgram` reads it back.
 * ```
 * program "name" {
 *   dim n: 1..16 input
 *   slot %0 "x": input f32[3*n]
 *   slot %1 "w": weights f32[3] {1, 2, 3}
 *   slot %2 "y": output f32[3*n]
 *   input "x" = %0: f32[n,3]
 *   output "y" = %2: f32[n,3]
 *   guard n = m "why they must be equal"
 *   trap "a reason"
 *   kernel scale(…) { … }
 *   prepare { … }
 *   run {
 *     scale(%0, %1[2], %2, 3*n) ; from where
 *     read k = %3[1] else 0
 *     check k = n else 0
 *     stop %3[2] else 0
 *     if %4[0] { … } else { … }
 *     loop i to 4*n while %4[0] { … }
 *   }
 * }
 * ```
 * `prepare` is absent where nothing is. `else` of a step is the number of the trap.
 */
export function printProgram(p: Program, o: { readonly data?: boolean } = {}): string {
  const names = new Map(p.slots.map((s, i) => [s, `%${i}`]));
  const name = (s: Slot): string => must(names.get(s), `slot ${s.name}`);
  const port = (what: string, x: Port): string => `${what} ${quoteJs(x.name)} = ${name(x.slot)}: ${showType(x.type)}`;
  const lines = [
    ...p.symbols.map(s => `dim ${s.name}: ${s.lo}..${s.hi} ${s.from}`),
    ...p.slots.map(s => {
      const where = `${s.where}${s.scratch ? ' scratch' : ''}`;
      return `slot ${name(s)} ${quoteJs(s.name)}: ${where} ${s.dtype}[${showDim(s.size)}]${slotContents(s, o)}`;
    }),
    ...p.inputs.map(x => port('input', x)),
    ...p.outputs.map(x => port('output', x)),
    ...p.guards.map(g => `guard ${showDim(g.a)} = ${showDim(g.b)} ${quoteJs(g.what)}`),
    ...p.traps.map(s => `trap ${quoteJs(s)}`),
    ...p.kernels.flatMap(k => showKernel(k).trimEnd().split('\n')),
    ...(p.prepare.length > 0 ? ['prepare {', ...p.prepare.flatMap(s => step(s, name)).map(indent), '}'] : []),
    'run {',
    ...p.steps.flatMap(s => step(s, name)).map(indent),
    '}',
  ];
  return `program ${quoteJs(p.name)} {\n${lines.map(indent).join('\n')}\n}\n`;
}
const indent = (line: string): string => `  ${line}`;
function slotContents(s: Slot, o: { readonly data?: boolean }): string {
  if (!s.bytes) return '';
  const dims = [s.bytes.length / DTYPES[s.dtype].bytes];
  return numel(dims) === 0 ? ' {}' : ` ${contents({ dtype: s.dtype, dims, bytes: s.bytes }, o)}`;
}
function step(s: Step, name: (s: Slot) => string): string[] {
  const element = (x: { readonly slot: Slot; readonly offset: Dim }): string => `${name(x.slot)}[${showDim(x.offset)}]`;
  const arg = (a: Arg): string => (a.k === 'int' ? showDim(a.dim) : a.offset === 0 ? name(a.slot) : element(a));
  const block = (steps: readonly Step[]): string[] => steps.flatMap(x => step(x, name)).map(indent);
  switch (s.k) {
    case 'call': {
      const from = oneLine(showLoc(s.loc));
      return [`${s.kernel.name}(${s.args.map(arg).join(', ')})${from === '' ? '' : ` ; ${from}`}`];
    }
    case 'read':
      return [`read ${s.symbol} = ${element(s)} else ${s.trap}`];
    case 'check':
      return [`check ${showDim(s.a)} = ${showDim(s.b)} else ${s.trap}`];
    case 'stop':
      return [`stop ${element(s)} else ${s.trap}`];
    case 'branch': {
      const other = s.else.length > 0 ? ['} else {', ...block(s.else)] : [];
      return [`if ${element(s.cond)} {`, ...block(s.then), ...other, '}'];
    }
    case 'loop': {
      const trip = s.trip === undefined ? '' : ` to ${showDim(s.trip)}`;
      const head = `${s.parallel ? 'parallel ' : ''}loop ${s.symbol}${trip}${s.cond ? ` while ${element(s.cond)}` : ''}`;
      return [`${head} {`, ...block(s.body), '}'];
    }
  }
}
